//! Findings with their places: file, line and column are worked out here, once.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connect_api::{ContractPlace, Severity};

/// The text of a file, kept for drawing, with the places that nobody may see.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// No line of it is drawn.
    pub(super) is_outside: bool,
    /// Byte ranges of secrets.
    pub(super) secrets: Vec<Range<usize>>,
}

/// A place in a file.
#[derive(Clone, Debug)]
pub struct Place {
    pub(super) file: Arc<SourceFile>,
    pub(super) span: Range<usize>,
}

impl Place {
    pub fn file(&self) -> &Path {
        &self.file.path
    }

    /// From 1.
    pub fn line(&self) -> usize {
        1 + self.before().matches('\n').count()
    }

    /// From 1, in characters.
    pub fn column(&self) -> usize {
        let line = self.before().rsplit('\n').next().unwrap_or_default();
        1 + line.chars().count()
    }

    fn before(&self) -> &str {
        let text = &self.file.text;
        text.get(..text.floor_char_boundary(self.span.start))
            .unwrap_or(text)
    }
}

/// One problem, with its place.
#[derive(Clone, Debug)]
pub struct PlacedFinding {
    /// Stable words with a dot; `connect explain` takes it.
    pub code: &'static str,
    pub severity: Severity,
    pub place: Place,
    /// The key, such as `sinks[0].tables[1].key`; empty for the file itself.
    pub key: String,
    /// One sentence without a full stop.
    pub message: String,
    /// A few words under the underlined place.
    pub label: Option<String>,
    /// What to type next.
    pub help: Option<String>,
    /// A place in another file that has to do with it.
    pub related: Option<ContractPlace>,
}

/// Findings of all files, in the order of files and lines.
#[derive(Clone, Debug, Default)]
pub struct Findings(Vec<PlacedFinding>);

impl Findings {
    /// The findings of one more file.
    pub(super) fn extend(&mut self, findings: Vec<PlacedFinding>) {
        self.0.extend(findings);
    }

    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, PlacedFinding> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
