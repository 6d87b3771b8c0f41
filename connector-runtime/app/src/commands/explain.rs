//! `connect explain`: why a finding matters, what triggers it, and what to write instead.

use connect_api::{Explanation, Plugins};
use connect_config::{explanations, nearest};
use serde_json::json;

use crate::arguments::{ExplainArguments, OutputFormat};
use crate::{exit, output};

pub(crate) fn run(arguments: &ExplainArguments, plugins: &Plugins) -> u8 {
    let all = explanations(plugins);
    let chosen: Vec<&Explanation> = match &arguments.code {
        None => all.iter().collect(),
        Some(code) => match all.iter().find(|known| known.code == code) {
            Some(known) => vec![known],
            None => {
                output::report(&unknown(code, &all));
                return exit::USAGE;
            }
        },
    };
    output::data(&match (arguments.format, &arguments.code) {
        (OutputFormat::Json, _) => json_of(&chosen),
        (OutputFormat::Text, Some(_)) => chosen.iter().map(|one| text(one)).collect(),
        (OutputFormat::Text, None) => list(&chosen),
    })
}

fn text(explanation: &Explanation) -> String {
    let Explanation {
        code,
        why,
        example,
        fix,
    } = explanation;
    format!(
        "{code}\n\n{why}\n\nfound\n{}\n\nfix\n{}",
        indented(example),
        indented(fix)
    )
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

/// Each code with the first sentence of its reason.
fn list(all: &[&Explanation]) -> String {
    let width = all
        .iter()
        .map(|one| one.code.len())
        .max()
        .unwrap_or_default();
    let lines: Vec<String> = all
        .iter()
        .map(|one| format!("{:width$}  {}", one.code, first_sentence(one.why)))
        .collect();
    lines.join("\n")
}

/// Everything up to the first full stop that ends a sentence: it follows a word, and no lower-case letter follows it.
fn first_sentence(text: &str) -> &str {
    let ends = |(at, _): &(usize, &str)| {
        let follows_word = text.get(..*at).is_some_and(|before| !before.ends_with(' '));
        let next = text.get(at + 2..).and_then(|after| after.chars().next());
        follows_word && !next.is_some_and(char::is_lowercase)
    };
    let end = text.match_indices(". ").find(ends).map(|(at, _)| at);
    let sentence = end.and_then(|end| text.get(..end)).unwrap_or(text);
    sentence.trim_end_matches('.')
}

fn json_of(chosen: &[&Explanation]) -> String {
    let all: Vec<_> = chosen
        .iter()
        .map(|one| json!({ "code": one.code, "why": one.why, "example": one.example, "fix": one.fix }))
        .collect();
    format!("{:#}", json!({ "version": 1, "explanations": all }))
}

fn unknown(code: &str, all: &[Explanation]) -> String {
    let program = output::program_name();
    let near = nearest(code, all.iter().map(|known| known.code));
    let hint = match near {
        Some(near) => format!("did you mean `{program} explain {near}`?"),
        None => format!("`{program} explain` lists all codes"),
    };
    format!("error: `{code}` is not the code of a finding; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_complete_sentences() {
        let cases = [
            ("One. Two.", "One"),
            ("One.", "One"),
            ("One; it goes on. Two.", "One; it goes on"),
            ("Of `connect.toml` only. Two.", "Of `connect.toml` only"),
            (
                "Of a-z A-Z 0-9 . _ - and no others. Two.",
                "Of a-z A-Z 0-9 . _ - and no others",
            ),
            ("Such as e.g. this. `two` is next.", "Such as e.g. this"),
        ];
        for (text, expected) in cases {
            assert_eq!(first_sentence(text), expected, "{text}");
        }
    }
}
