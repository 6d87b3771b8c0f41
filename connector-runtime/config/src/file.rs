//! A configuration file while it is checked: its text, the span of each value, and what was found in it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connect_api::{ContractPlace, Explanation, Finding, Severity};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::codes;
use super::finding::{FileText, Place, PlacedFinding};
use super::spans::Spans;

/// How much of a file was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Whole,
    /// Some keys are missing; the others are in their tables.
    Gaps,
    /// A table header is broken: the keys below it may be in another table.
    Scrambled,
}

/// One file and what was found in it.
#[derive(Debug)]
pub(super) struct ConfigFile {
    text: FileText,
    pub(super) spans: Spans,
    pub(super) syntax: Syntax,
    /// Values that replaced placeholders, with the placeholder: no message shows them.
    substituted: Vec<(String, String)>,
    /// Pointers of the leaves whose value is not known here, because a variable is not set or the text is not TOML.
    unknown: BTreeSet<String>,
    findings: Vec<SpannedFinding>,
}

/// A finding whose span is not a line and a column yet.
#[derive(Debug)]
struct SpannedFinding {
    span: Range<usize>,
    finding: Finding,
    related: Option<ContractPlace>,
}

impl ConfigFile {
    pub(super) fn new(path: PathBuf, text: &str) -> ConfigFile {
        let mut spans = Spans::default();
        let first_line = text.lines().next().map_or(0, str::len);
        spans.insert("", None, 0..first_line);
        ConfigFile {
            text: FileText {
                path,
                text: text.into(),
                is_outside: false,
                secrets: Vec::new(),
            },
            spans,
            syntax: Syntax::Whole,
            substituted: Vec::new(),
            unknown: BTreeSet::new(),
            findings: Vec::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.text.path
    }

    pub(super) fn text(&self) -> Arc<str> {
        self.text.text.clone()
    }

    /// The value at `pointer` as it is written.
    pub(super) fn written(&self, pointer: &str) -> &str {
        let span = self.spans.value(pointer);
        self.text.text.get(span).unwrap_or_default()
    }

    /// Whether the value at `pointer` is the first text of its line, as the header of a table is.
    pub(super) fn starts_line(&self, pointer: &str) -> bool {
        let start = self.spans.value(pointer).start;
        let before = self.text.text.get(..start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.trim().is_empty()
    }

    /// Draws none of the file's lines.
    pub(super) fn set_outside(&mut self) {
        self.text.is_outside = true;
    }

    /// Masks the value at `pointer` wherever a line of the file is drawn.
    pub(super) fn mask(&mut self, pointer: &str) {
        self.text.secrets.push(self.spans.value(pointer));
    }

    pub(super) fn is_masked(&self, pointer: &str) -> bool {
        self.text.secrets.contains(&self.spans.value(pointer))
    }

    /// Shows `placeholder` instead of `value` in messages.
    pub(super) fn substitute(&mut self, value: String, placeholder: &str) {
        self.substituted.push((value, placeholder.to_owned()));
    }

    /// Adds a finding about the value at its pointer.
    pub(super) fn add(&mut self, finding: Finding) {
        self.add_at(self.spans.value(&finding.pointer), finding);
    }

    /// Adds a finding about the key at its pointer.
    pub(super) fn add_at_key(&mut self, finding: Finding) {
        self.add_at(self.spans.key(&finding.pointer), finding);
    }

    pub(super) fn add_at(&mut self, span: Range<usize>, finding: Finding) {
        self.findings.push(SpannedFinding {
            span,
            finding,
            related: None,
        });
    }

    /// Adds a finding about the value at its pointer that refers to a contract.
    pub(super) fn add_related(&mut self, finding: Finding, place: ContractPlace) {
        self.findings.push(SpannedFinding {
            span: self.spans.value(&finding.pointer),
            finding,
            related: Some(place),
        });
    }

    /// Adds what the table at `table` reports about itself, except about leaves whose value is not known here.
    pub(super) fn add_all(&mut self, table: &str, findings: impl IntoIterator<Item = Finding>) {
        for mut finding in findings {
            finding.pointer.insert_str(0, table);
            if !self.is_unknown(&finding.pointer) {
                self.add(finding);
            }
        }
    }

    pub(super) fn set_unknown(&mut self, pointer: &str) {
        self.unknown.insert(pointer.to_owned());
    }

    /// Whether the value of the leaf is not known here, so that nothing can be said about it.
    pub(super) fn is_unknown(&self, pointer: &str) -> bool {
        self.unknown.contains(pointer)
    }

    /// Whether the value of a leaf in the table at `pointer` or below it is not known here.
    pub(super) fn has_unknown_in(&self, pointer: &str) -> bool {
        self.unknown.iter().any(|leaf| is_below(leaf, pointer))
    }

    pub(super) fn has_errors(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|found| found.finding.severity == Severity::Error)
    }

    /// Whether there is an error in the table at `pointer` or below it.
    pub(super) fn has_errors_in(&self, pointer: &str) -> bool {
        self.findings.iter().any(|SpannedFinding { finding, .. }| {
            finding.severity == Severity::Error && is_below(&finding.pointer, pointer)
        })
    }

    /// The span of the first finding with this code.
    pub(super) fn span_of(&self, code: &Explanation) -> Option<Range<usize>> {
        let mut findings = self.findings.iter();
        let found = findings.find(|found| found.finding.code == code.code)?;
        Some(found.span.clone())
    }

    /// The file's root as its type, if it has no errors.
    pub(super) fn typed<T: DeserializeOwned>(&mut self, root: Json) -> Option<T> {
        if self.has_errors() {
            return None;
        }
        let typed = serde_json::from_value(root);
        typed
            .map_err(|error| {
                // The stand-in for a value that is not known here may not deserialize.
                if self.unknown.is_empty() {
                    self.add(codes::REJECTED.error("", error.to_string()));
                }
            })
            .ok()
    }

    /// The findings with their places, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<PlacedFinding> {
        self.findings.sort_by_key(|found| found.span.start);
        let hide = |text: String| hide(text, &self.substituted);
        let file = Arc::new(self.text);
        self.findings
            .into_iter()
            .map(
                |SpannedFinding {
                     span,
                     finding,
                     related,
                 }| PlacedFinding {
                    finding: Finding {
                        message: hide(finding.message),
                        label: finding.label.map(hide),
                        help: finding.help.map(hide),
                        ..finding
                    },
                    place: Place {
                        file: file.clone(),
                        span,
                    },
                    related,
                },
            )
            .collect()
    }
}

fn is_below(pointer: &str, table: &str) -> bool {
    pointer
        .strip_prefix(table)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Replaces each substituted value by its placeholder. Values of one or two characters are kept: they are no secrets and
/// occur in every message.
fn hide(text: String, substituted: &[(String, String)]) -> String {
    substituted
        .iter()
        .filter(|(value, _)| value.chars().count() > 2)
        .fold(text, |text, (value, placeholder)| {
            text.replace(value.as_str(), placeholder)
        })
}
