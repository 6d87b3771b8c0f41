//! Findings as people see them: the line with its place underlined; secrets are masked before anything is drawn.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use connect_api::Severity;
use connect_api::text::printable_lines;

use super::finding::{Findings, PlacedFinding};
use super::mask::Masked;

impl Findings {
    /// All findings, one picture after the other, with a blank line between them.
    pub fn draw(&self, colour: bool) -> String {
        let pictures: Vec<String> = self.iter().map(|finding| finding.draw(colour)).collect();
        pictures.join("\n\n")
    }
}

impl PlacedFinding {
    /// The finding with its line, without a line break at its end.
    pub fn draw(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let path = self.place.file().to_string_lossy();
        let title = level.primary_title(self.message.as_str()).id(self.code);
        let masked = Masked::of(&self.place.file);
        let mut group = if self.place.file.text.is_empty() {
            title.element(Origin::path(path))
        } else if self.place.file.is_outside {
            let origin = Origin::path(path).line(self.place.line());
            let why = "a link leads out of the folder to this file, so its lines are not shown";
            title
                .element(origin.char_column(self.place.column()))
                .element(Level::NOTE.message(why))
        } else {
            let span = visible(masked.text(), masked.moved(&self.place.span));
            let annotation = AnnotationKind::Primary
                .span(span)
                .label(self.label.as_deref());
            let snippet = Snippet::source(masked.text())
                .path(path)
                .annotation(annotation);
            title.element(snippet)
        };
        if let Some(related) = &self.related {
            group = group.element(
                Origin::path(related.file.to_string_lossy())
                    .line(related.line)
                    .char_column(related.column),
            );
        }
        if let Some(help) = &self.help {
            // The renderer takes a message to be styled by us and leaves it as it is.
            group = group.element(Level::HELP.message(printable_lines(help)));
        }
        renderer.render(&[group] as &[Group<'_>])
    }
}

/// At least something is underlined, and never more than one line.
fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let rest = text.get(start..).unwrap_or_default();
    let line = rest.find('\n').unwrap_or(rest.len());
    let end = text
        .ceil_char_boundary(span.end.max(start))
        .min(start + line);
    start..end
}
