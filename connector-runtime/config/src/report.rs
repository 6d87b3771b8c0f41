//! What is found in one file, until the places become lines and columns.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use connect_api::{ContractPlace, Explanation, Finding, Severity};

use super::finding::{Place, PlacedFinding, SourceFile};
use super::places::{Places, dotted};

/// A finding whose place is a byte range.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    code: &'static str,
    severity: Severity,
    span: Range<usize>,
    /// JSON pointer from the root of the file.
    pointer: String,
    message: String,
    label: Option<String>,
    help: Option<String>,
    related: Option<ContractPlace>,
}

impl Draft {
    /// Codes come from the table of `code.rs`, so that each has its explanation.
    pub(super) fn error(
        code: &'static Explanation,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Draft {
        Draft {
            code: code.code,
            severity: Severity::Error,
            span,
            pointer: String::new(),
            message: message.into(),
            label: None,
            help: None,
            related: None,
        }
    }

    /// What a plugin or the contracts found in the table at `prefix`.
    pub(super) fn of_finding(prefix: &str, finding: Finding, places: &Places) -> Draft {
        let pointer = format!("{prefix}{}", finding.pointer);
        Draft {
            code: finding.code,
            severity: finding.severity,
            span: places.value(&pointer),
            pointer,
            message: finding.message,
            label: finding.label,
            help: finding.help,
            related: None,
        }
    }

    pub(super) fn severity(mut self, severity: Severity) -> Draft {
        self.severity = severity;
        self
    }

    pub(super) fn at(mut self, pointer: impl Into<String>) -> Draft {
        self.pointer = pointer.into();
        self
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Draft {
        self.label = Some(label.into());
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Draft {
        self.help = Some(help.into());
        self
    }

    /// A place in another file that has to do with it.
    pub(super) fn related(mut self, place: ContractPlace) -> Draft {
        self.related = Some(place);
        self
    }
}

/// One file and what was found in it.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// The file is not below the folder that is loaded: no line of it is drawn.
    pub(super) is_outside: bool,
    /// Byte ranges that are never drawn.
    pub(super) secrets: Vec<Range<usize>>,
    /// Values that came from placeholders, with the placeholder: no message shows them.
    pub(super) substituted: Vec<(String, String)>,
    /// Pointers of the leaves whose placeholder has no value here.
    pub(super) unknown: BTreeSet<String>,
    drafts: Vec<Draft>,
}

impl Report {
    pub(super) fn new(path: PathBuf, text: String) -> Report {
        Report {
            path,
            text,
            ..Report::default()
        }
    }

    pub(super) fn add(&mut self, draft: Draft) {
        self.drafts.push(draft);
    }

    /// What is found about a leaf whose value is not known here is not worth a word.
    pub(super) fn is_unknown(&self, pointer: &str) -> bool {
        self.unknown.contains(pointer)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.drafts
            .iter()
            .any(|draft| draft.severity == Severity::Error)
    }

    /// Where something with this code was found first.
    pub(super) fn place_of(&self, code: &Explanation) -> Option<Range<usize>> {
        let draft = self.drafts.iter().find(|draft| draft.code == code.code);
        draft.map(|draft| draft.span.clone())
    }

    /// Whether there is an error in the table at `pointer` or below it.
    pub(super) fn has_errors_in(&self, pointer: &str) -> bool {
        self.drafts
            .iter()
            .any(|draft| draft.severity == Severity::Error && is_below(&draft.pointer, pointer))
    }

    /// Whether the value of a leaf in the table at `pointer` or below it is not known here.
    pub(super) fn has_unknown_in(&self, pointer: &str) -> bool {
        self.unknown.iter().any(|leaf| is_below(leaf, pointer))
    }

    /// The findings with their places, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<PlacedFinding> {
        self.drafts.sort_by_key(|draft| draft.span.start);
        let hide = |text: String| hide(text, &self.substituted);
        let file = Arc::new(SourceFile {
            path: self.path,
            text: self.text,
            is_outside: self.is_outside,
            secrets: self.secrets,
        });
        self.drafts
            .into_iter()
            .map(|draft| PlacedFinding {
                code: draft.code,
                severity: draft.severity,
                place: Place {
                    file: file.clone(),
                    span: draft.span,
                },
                key: dotted(&draft.pointer),
                message: hide(draft.message),
                label: draft.label.map(hide),
                help: draft.help.map(hide),
                related: draft.related,
            })
            .collect()
    }
}

fn is_below(pointer: &str, table: &str) -> bool {
    pointer
        .strip_prefix(table)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Puts the placeholder back where a message shows what it stood for. Values of one or two characters stay: they are
/// in every message, and no secret.
fn hide(text: String, substituted: &[(String, String)]) -> String {
    substituted
        .iter()
        .filter(|(value, _)| value.chars().count() > 2)
        .fold(text, |text, (value, placeholder)| {
            text.replace(value.as_str(), placeholder)
        })
}
