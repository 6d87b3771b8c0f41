//! Findings with their places: file, line and column.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connect_api::{ContractPlace, Finding, Severity};

use super::spans::dotted;

/// The text of a file, as findings draw it.
#[derive(Debug)]
pub(super) struct FileText {
    pub(super) path: PathBuf,
    pub(super) text: Arc<str>,
    /// The file is not below the folder that is loaded, so none of its lines is drawn.
    pub(super) is_outside: bool,
    /// Spans of secrets, which are masked before a line is drawn.
    pub(super) secrets: Vec<Range<usize>>,
}

/// A span of a file.
#[derive(Clone, Debug)]
pub struct Place {
    pub(super) file: Arc<FileText>,
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

/// A finding with its place.
#[derive(Clone, Debug)]
pub struct PlacedFinding {
    /// Its pointer starts at the root of the file.
    pub finding: Finding,
    pub place: Place,
    /// The place in a contract that the finding refers to.
    pub related: Option<ContractPlace>,
}

impl PlacedFinding {
    /// The key, such as `sinks[0].tables[1].key`; empty for the file itself.
    pub fn key(&self) -> String {
        dotted(&self.finding.pointer)
    }
}

/// The findings of all files, in the order of files and lines.
#[derive(Clone, Debug, Default)]
pub struct Findings(Vec<PlacedFinding>);

impl Findings {
    /// Adds the findings of another file.
    pub(super) fn extend(&mut self, findings: Vec<PlacedFinding>) {
        self.0.extend(findings);
    }

    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.iter()
            .filter(|placed| placed.finding.severity == severity)
            .count()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, PlacedFinding> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
