//! Draws findings: the line of the file with the place underlined. Secrets are masked before anything is drawn.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use connect_api::Severity;
use connect_api::text::printable_lines;

use super::finding::{Findings, PlacedFinding};
use super::mask::Masked;

impl Findings {
    /// All findings, with a blank line between them.
    pub fn draw(&self, colour: bool) -> String {
        let drawn: Vec<String> = self.iter().map(|finding| finding.draw(colour)).collect();
        drawn.join("\n\n")
    }
}

impl PlacedFinding {
    /// The finding with its line; no line break at the end.
    pub fn draw(&self, colour: bool) -> String {
        let PlacedFinding {
            finding,
            place,
            related,
        } = self;
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let path = place.file().to_string_lossy();
        let title = level
            .primary_title(finding.message.as_str())
            .id(finding.code);
        let masked = Masked::of(&place.file);
        let mut group = if place.file.text.is_empty() {
            title.element(Origin::path(path))
        } else if place.file.is_outside {
            let origin = Origin::path(path).line(place.line());
            let why =
                "the file is outside of the folder, behind a link, so its lines are not shown";
            title
                .element(origin.char_column(place.column()))
                .element(Level::NOTE.message(why))
        } else {
            let span = visible(masked.text(), masked.moved(&place.span));
            let annotation = AnnotationKind::Primary
                .span(span)
                .label(finding.label.as_deref());
            let snippet = Snippet::source(masked.text())
                .path(path)
                .annotation(annotation);
            title.element(snippet)
        };
        if let Some(related) = related {
            group = group.element(
                Origin::path(related.file.to_string_lossy())
                    .line(related.line)
                    .char_column(related.column),
            );
        }
        if let Some(help) = &finding.help {
            // The renderer prints a message as it is, because it assumes that the caller has styled it.
            group = group.element(Level::HELP.message(printable_lines(help)));
        }
        renderer.render(&[group] as &[Group<'_>])
    }
}

/// The part of a span that is underlined: what is on its first line.
fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let rest = text.get(start..).unwrap_or_default();
    let line = rest.find('\n').unwrap_or(rest.len());
    let end = text
        .ceil_char_boundary(span.end.max(start))
        .min(start + line);
    start..end
}
