//! Findings about one value: its type, its word, its range, its format.

use connect_api::{Finding, Leaf as _, Reference};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::Collector;
use crate::codes;
use crate::formats;
use crate::spans::dotted;
use crate::suggest::nearest;
use crate::wording;

/// `#headr.trace` is meant to be `#header.trace`; the name after the dot is free.
fn nearest_reference(written: &str) -> Option<String> {
    let written = written.strip_prefix('#')?;
    let (word, name) = match written.split_once('.') {
        Some((word, name)) => (word, Some(name)),
        None => (written, None),
    };
    let takes_name = |known: &&str| known.ends_with('.');
    let candidates = Reference::words()
        .filter(|known| name.is_none() || takes_name(known))
        .map(|known| known.trim_matches(['#', '.']));
    let near = nearest(word.trim(), candidates)?;
    let is_whole_word = Reference::words().any(|known| known.strip_prefix('#') == Some(near));
    Some(match name.filter(|name| !name.is_empty()) {
        Some(name) => format!("#{near}.{name}"),
        None if name.is_none() && is_whole_word => format!("#{near}"),
        None => format!("#{near}.NAME"),
    })
}

impl Collector<'_> {
    pub(super) fn invalid_value(
        &self,
        error: &ValidationError<'_>,
        node: &Json,
        pointer: &str,
    ) -> Finding {
        let value = error.instance().as_ref();
        let out_of_range = |expected: String| self.out_of_range(pointer, value, &expected);
        match error.kind() {
            Kind::Type { .. } => self.wrong_type(value, node, pointer),
            Kind::Enum { options } => match options.as_ref() {
                Json::Array(options) => self.wrong_word(value, options, pointer),
                other => self.wrong_word(value, std::slice::from_ref(other), pointer),
            },
            Kind::Constant { expected_value } => {
                let options = std::slice::from_ref(expected_value.as_ref());
                self.wrong_word(value, options, pointer)
            }
            Kind::Format { .. } => self.bad_format(value, node, pointer),
            Kind::Minimum { limit } => out_of_range(format!("at least {limit}")),
            Kind::Maximum { limit } => out_of_range(format!("at most {limit}")),
            Kind::ExclusiveMinimum { limit } => out_of_range(format!("more than {limit}")),
            Kind::ExclusiveMaximum { limit } => out_of_range(format!("less than {limit}")),
            Kind::MinItems { limit }
            | Kind::MinLength { limit }
            | Kind::MinProperties { limit } => {
                self.wrong_length(pointer, value, "at least", *limit)
            }
            Kind::MaxItems { limit }
            | Kind::MaxLength { limit }
            | Kind::MaxProperties { limit } => self.wrong_length(pointer, value, "at most", *limit),
            Kind::Pattern { pattern } => {
                let meaning = wording::meaning(node);
                let expected = meaning.unwrap_or_else(|| format!("text that matches {pattern}"));
                codes::BAD_VALUE
                    .error(pointer, self.cannot_be(value, pointer))
                    .with_label(format!("expected {expected}"))
            }
            _ => {
                let message = format!("{}: {}", self.name(pointer), error.masked());
                codes::BAD_VALUE.error(pointer, message)
            }
        }
    }

    pub(super) fn wrong_type(&self, value: &Json, node: &Json, pointer: &str) -> Finding {
        let expected = wording::expected(node);
        let found = self.found(value, pointer);
        let message = format!("{} must be {expected}, found {found}", self.name(pointer));
        let within = pointer.strip_prefix(&self.section.pointer);
        let mut finding = codes::WRONG_TYPE
            .error(pointer, message)
            .with_label(format!("expected {expected}"));
        finding.help = wording::kafka_connect(&dotted(within.unwrap_or(pointer)), value)
            .or_else(|| {
                let header = self.header(pointer);
                wording::conversion(value, node, header, self.is_hidden(pointer))
            })
            .or_else(|| wording::meaning(node).map(|meaning| format!("meaning: {meaning}")));
        finding
    }

    pub(super) fn wrong_word(&self, value: &Json, options: &[Json], pointer: &str) -> Finding {
        let expected = wording::alternatives(options);
        let finding = codes::UNKNOWN_WORD
            .error(pointer, self.cannot_be(value, pointer))
            .with_label(format!("expected {expected}"));
        let written = value.as_str().unwrap_or_default();
        match nearest(written, options.iter().filter_map(Json::as_str)) {
            Some(near) => finding.with_help(format!("did you mean \"{near}\"?")),
            None => finding,
        }
    }

    /// The parser of the format explains what is wrong.
    fn bad_format(&self, value: &Json, node: &Json, pointer: &str) -> Finding {
        let text = value.as_str().unwrap_or_default();
        let format = formats::of(node);
        let reason = format.and_then(|format| (format.check)(text).err());
        let found = self.found(value, pointer);
        let expected = wording::expected(node);
        let message = match reason {
            // The reason quotes the value, which may not be shown.
            Some(reason) if !found.contains("${") && !self.file.is_masked(pointer) => reason,
            _ => format!("{found} is not {expected}"),
        };
        let finding = codes::BAD_VALUE
            .error(pointer, format!("{}: {message}", self.name(pointer)))
            .with_label(format!("expected {expected}"));
        let is_reference = format.is_some_and(|format| format.name == Reference::FORMAT);
        match nearest_reference(text) {
            Some(near) if is_reference && !found.contains("${") => {
                finding.with_help(format!("did you mean \"{near}\"?"))
            }
            _ => finding,
        }
    }

    fn out_of_range(&self, pointer: &str, value: &Json, expected: &str) -> Finding {
        let (name, shown) = (self.name(pointer), self.shown(value, pointer));
        codes::OUT_OF_RANGE
            .error(pointer, format!("{name} must be {expected}, found {shown}"))
            .with_label(format!("expected {expected}"))
    }

    fn wrong_length(&self, pointer: &str, value: &Json, comparison: &str, limit: u64) -> Finding {
        let (length, unit) = match value {
            Json::Array(elements) => (elements.len(), "element"),
            Json::Object(members) => (members.len(), "key"),
            other => {
                let text = other.as_str().unwrap_or_default();
                (text.chars().count(), "character")
            }
        };
        let name = self.name(pointer);
        let message = match length {
            0 => format!("{name} is empty"),
            _ => format!("{name} has {length} {unit}s"),
        };
        let plural = if limit == 1 { "" } else { "s" };
        codes::OUT_OF_RANGE
            .error(pointer, message)
            .with_label(format!("expected {comparison} {limit} {unit}{plural}"))
    }

    /// Reports each element that is in the list more than once.
    pub(super) fn repeated(&mut self, value: &Json, pointer: &str) {
        let elements = value.as_array().map(Vec::as_slice).unwrap_or_default();
        for (index, element) in elements.iter().enumerate() {
            if !elements.iter().take(index).any(|before| before == element) {
                continue;
            }
            let pointer = format!("{pointer}/{index}");
            let found = self.shown(element, &pointer);
            self.file.add(
                codes::REPEATED
                    .error(pointer, format!("{found} is in the list twice"))
                    .with_label("listed above")
                    .with_help("keep one of them"),
            );
        }
    }

    fn cannot_be(&self, value: &Json, pointer: &str) -> String {
        let (name, shown) = (self.name(pointer), self.shown(value, pointer));
        format!("{name} cannot be {shown}")
    }

    fn name(&self, pointer: &str) -> String {
        let within = pointer.strip_prefix(&self.section.pointer);
        match dotted(within.unwrap_or(pointer)).as_str() {
            "" => self.section.owner.clone(),
            key => format!("`{key}`"),
        }
    }

    /// The header of a table, if the value has one. A list begins with a bracket, too, but not at the start of a line.
    fn header(&self, pointer: &str) -> Option<&str> {
        let text = self.file.written(pointer).lines().next()?;
        let starts_line = self.file.starts_line(pointer);
        (text.starts_with('[') && starts_line).then_some(text)
    }

    /// Whether a message must not repeat the value: a secret, or what replaced a placeholder.
    fn is_hidden(&self, pointer: &str) -> bool {
        self.file.is_masked(pointer) || self.file.written(pointer).contains("${")
    }

    /// The value as it is written.
    fn shown(&self, value: &Json, pointer: &str) -> String {
        let found = self.found(value, pointer);
        for kind in ["the string ", "the integer ", "the number "] {
            if let Some(written) = found.strip_prefix(kind) {
                return written.to_owned();
            }
        }
        found
    }

    /// The value in words, without secrets and without what replaced a placeholder.
    fn found(&self, value: &Json, pointer: &str) -> String {
        if self.file.is_masked(pointer) {
            return "a value that is not shown".to_owned();
        }
        let written = self.file.written(pointer);
        if written.contains("${") && !value.is_object() && !value.is_array() {
            return format!("the value of {written}");
        }
        wording::found(value)
    }
}
