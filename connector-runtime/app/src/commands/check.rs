//! `connect check`: reports every problem of every file.

use connect_api::text::printable_lines;
use connect_api::{Plugins, Severity};
use connect_config::{Loaded, Mode, PlacedFinding, load};
use serde_json::json;

use crate::arguments::{CheckArguments, CheckFormat};
use crate::{exit, output};

pub(crate) fn run(arguments: &CheckArguments, plugins: &Plugins) -> u8 {
    let wanted = [Some(&arguments.folder), arguments.config.as_ref()];
    if let Some(missing) = wanted.into_iter().flatten().find(|path| !path.exists()) {
        output::report(&format!("error: {} does not exist", missing.display()));
        return exit::USAGE;
    }
    let mode = if arguments.env {
        Mode::CheckEnv
    } else {
        Mode::Check
    };
    let loaded = load(
        &arguments.folder,
        arguments.config.as_deref(),
        plugins,
        mode,
    );
    let exit_code = output::data(&match arguments.format {
        CheckFormat::Text => text(&loaded, output::stdout_takes_colour()),
        CheckFormat::Json => json(&loaded),
        CheckFormat::Github => github(&loaded),
    });
    if loaded.findings.has_errors() {
        exit::FINDINGS
    } else {
        exit_code
    }
}

fn text(loaded: &Loaded, colour: bool) -> String {
    let summary = summary(loaded);
    if loaded.findings.is_empty() {
        summary
    } else {
        format!("{}\n\n{summary}", loaded.findings.draw(colour))
    }
}

/// `checked 6 connectors, 4 contracts: 2 errors, 0 warnings`
fn summary(loaded: &Loaded) -> String {
    let count = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    };
    let findings = |severity| loaded.findings.count(severity);
    let notes = match findings(Severity::Note) {
        0 => String::new(),
        number => format!(", {}", count(number, "note")),
    };
    format!(
        "checked {}, {}: {}, {}{notes}",
        count(connectors(loaded), "connector"),
        count(loaded.contracts, "contract"),
        count(findings(Severity::Error), "error"),
        count(findings(Severity::Warning), "warning"),
    )
}

fn connectors(loaded: &Loaded) -> usize {
    loaded.connectors.len() + loaded.broken.len()
}

/// `version` increases when a member changes its meaning or is removed.
fn json(loaded: &Loaded) -> String {
    let findings: Vec<_> = loaded.findings.iter().map(json_of).collect();
    let report = json!({
        "version": 1,
        "ok": !loaded.findings.has_errors(),
        "summary": {
            "connectors": connectors(loaded),
            "contracts": loaded.contracts,
            "errors": loaded.findings.count(Severity::Error),
            "warnings": loaded.findings.count(Severity::Warning),
            "notes": loaded.findings.count(Severity::Note),
        },
        "findings": findings,
    });
    format!("{report:#}")
}

fn json_of(placed: &PlacedFinding) -> serde_json::Value {
    let PlacedFinding {
        finding,
        place,
        related,
    } = placed;
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "file": place.file(),
        "line": place.line(),
        "column": place.column(),
        "key": placed.key(),
        "message": finding.message,
        "label": finding.label,
        "help": finding.help,
        "related": related.as_ref().map(|related| json!({
            "file": related.file,
            "line": related.line,
            "column": related.column,
        })),
    })
}

/// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
fn github(loaded: &Loaded) -> String {
    let line = |placed: &PlacedFinding| {
        let PlacedFinding {
            finding,
            place,
            related,
        } = placed;
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let label = finding.label.iter().map(|label| format!("\n{label}"));
        let related = related.iter().map(|related| {
            let file = related.file.display();
            format!("\nsee {file}:{}:{}", related.line, related.column)
        });
        let help = finding.help.iter().map(|help| format!("\nhelp: {help}"));
        let message: String = std::iter::once(finding.message.clone())
            .chain(label)
            .chain(related)
            .chain(help)
            .collect();
        format!(
            "::{command} file={},line={},col={},title={}::{}",
            escaped(&place.file().to_string_lossy(), true),
            place.line(),
            place.column(),
            finding.code,
            escaped(&message, false),
        )
    };
    let mut lines: Vec<String> = loaded.findings.iter().map(line).collect();
    lines.push(summary(loaded));
    lines.join("\n")
}

/// Line breaks are part of a message; everything else that controls a terminal is escaped.
fn escaped(text: &str, property: bool) -> String {
    let text = printable_lines(text)
        .replace('%', "%25")
        .replace('\n', "%0A");
    if property {
        text.replace(':', "%3A").replace(',', "%2C")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_stay_one_line_and_hold_no_commands() {
        let message = "50% of a\n::error::forged\r\u{1b}[2J";
        let expected = "50%25 of a%0A::error::forged\\r\\u{1b}[2J";
        assert_eq!(escaped(message, false), expected);
        assert_eq!(escaped("a:b,c", true), "a%3Ab%2Cc");
    }
}
