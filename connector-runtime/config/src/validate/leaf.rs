//! What is said about one value: its type, its word, its range, its own syntax.

use connect_api::{Leaf as _, Reference};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::Collector;
use crate::code;
use crate::formats;
use crate::places::dotted;
use crate::report::Draft;
use crate::suggest::nearest;
use crate::words;

/// `#headr.trace` is meant to be `#header.trace`: the name after the dot is the author's own.
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
    pub(super) fn leaf(&self, error: &ValidationError<'_>, node: &Json, pointer: &str) -> Draft {
        let value = error.instance().as_ref();
        match error.kind() {
            Kind::Type { .. } => self.wrong_type(value, node, pointer),
            Kind::Enum { options } => match options.as_ref() {
                Json::Array(options) => self.wrong_word(value, options, pointer),
                other => self.wrong_word(value, std::slice::from_ref(other), pointer),
            },
            Kind::Constant { expected_value } => self.wrong_word(
                value,
                std::slice::from_ref(expected_value.as_ref()),
                pointer,
            ),
            Kind::Format { .. } => self.bad_leaf(value, node, pointer),
            Kind::Minimum { limit } => {
                self.out_of_range(pointer, value, &format!("at least {limit}"))
            }
            Kind::Maximum { limit } => {
                self.out_of_range(pointer, value, &format!("at most {limit}"))
            }
            Kind::ExclusiveMinimum { limit } => {
                self.out_of_range(pointer, value, &format!("more than {limit}"))
            }
            Kind::ExclusiveMaximum { limit } => {
                self.out_of_range(pointer, value, &format!("less than {limit}"))
            }
            Kind::MinItems { limit }
            | Kind::MinLength { limit }
            | Kind::MinProperties { limit } => {
                self.wrong_length(pointer, value, "at least", *limit)
            }
            Kind::MaxItems { limit }
            | Kind::MaxLength { limit }
            | Kind::MaxProperties { limit } => self.wrong_length(pointer, value, "at most", *limit),
            Kind::Pattern { pattern } => {
                let expected =
                    words::meaning(node).unwrap_or_else(|| format!("text that matches {pattern}"));
                Draft::error(
                    code::BAD_VALUE,
                    self.places.value(pointer),
                    format!(
                        "{} cannot be {}",
                        self.name(pointer),
                        self.shown(value, pointer)
                    ),
                )
                .label(format!("expected {expected}"))
                .at(pointer)
            }
            _ => Draft::error(
                code::BAD_VALUE,
                self.places.value(pointer),
                format!("{}: {}", self.name(pointer), error.masked()),
            )
            .at(pointer),
        }
    }

    pub(super) fn wrong_type(&self, value: &Json, node: &Json, pointer: &str) -> Draft {
        let span = self.table_place(pointer);
        let expected = words::expected(node);
        let found = self.found(value, pointer);
        let draft = Draft::error(
            code::WRONG_TYPE,
            span.clone(),
            format!("{} must be {expected}, found {found}", self.name(pointer)),
        )
        .label(format!("expected {expected}"))
        .at(pointer);
        let header = self.header(span);
        let within = pointer.strip_prefix(self.unit.pointer).unwrap_or(pointer);
        let help = words::kafka_connect(&dotted(within), value)
            .or_else(|| words::conversion(value, node, header, self.is_hidden(pointer)))
            .or_else(|| words::meaning(node).map(|meaning| format!("meaning: {meaning}")));
        match help {
            Some(help) => draft.help(help),
            None => draft,
        }
    }

    pub(super) fn wrong_word(&self, value: &Json, options: &[Json], pointer: &str) -> Draft {
        let expected = words::alternatives(options);
        let draft = Draft::error(
            code::UNKNOWN_WORD,
            self.places.value(pointer),
            format!(
                "{} cannot be {}",
                self.name(pointer),
                self.shown(value, pointer)
            ),
        )
        .label(format!("expected {expected}"))
        .at(pointer);
        let written = value.as_str().unwrap_or_default();
        match nearest(written, options.iter().filter_map(Json::as_str)) {
            Some(near) => draft.help(format!("did you mean \"{near}\"?")),
            None => draft,
        }
    }

    /// The leaf's own parser says what is wrong with it.
    fn bad_leaf(&self, value: &Json, node: &Json, pointer: &str) -> Draft {
        let text = value.as_str().unwrap_or_default();
        let format = formats::of(node);
        let reason = format.and_then(|format| (format.check)(text).err());
        let written = self.found(value, pointer);
        let message = match reason {
            // What a placeholder stands for is not shown, and the parser's words would show it.
            Some(reason) if !written.contains("${") && !self.is_secret(pointer) => reason,
            _ => format!("{written} is not {}", words::expected(node)),
        };
        let draft = Draft::error(
            code::BAD_VALUE,
            self.places.value(pointer),
            format!("{}: {message}", self.name(pointer)),
        )
        .label(format!("expected {}", words::expected(node)))
        .at(pointer);
        let is_reference = format.is_some_and(|format| format.name == Reference::FORMAT);
        match nearest_reference(text) {
            Some(near) if is_reference && !written.contains("${") => {
                draft.help(format!("did you mean \"{near}\"?"))
            }
            _ => draft,
        }
    }

    fn out_of_range(&self, pointer: &str, value: &Json, expected: &str) -> Draft {
        Draft::error(
            code::OUT_OF_RANGE,
            self.places.value(pointer),
            format!(
                "{} must be {expected}, found {}",
                self.name(pointer),
                self.shown(value, pointer)
            ),
        )
        .label(format!("expected {expected}"))
        .at(pointer)
    }

    fn wrong_length(&self, pointer: &str, value: &Json, comparison: &str, limit: u64) -> Draft {
        let unit = match (value, limit) {
            (Json::Array(_), 1) => "element",
            (Json::Array(_), _) => "elements",
            (Json::Object(_), 1) => "key",
            (Json::Object(_), _) => "keys",
            (_, 1) => "character",
            _ => "characters",
        };
        let length = match value {
            Json::Array(elements) => elements.len(),
            Json::Object(members) => members.len(),
            other => other.as_str().map_or(0, |text| text.chars().count()),
        };
        let message = match length {
            0 => format!("{} is empty", self.name(pointer)),
            _ => format!(
                "{} has {length} {}s",
                self.name(pointer),
                unit.trim_end_matches('s')
            ),
        };
        Draft::error(code::OUT_OF_RANGE, self.table_place(pointer), message)
            .label(format!("expected {comparison} {limit} {unit}"))
            .at(pointer)
    }

    pub(super) fn repeated(&mut self, value: &Json, pointer: &str) {
        let elements = value.as_array().map(Vec::as_slice).unwrap_or_default();
        for (index, element) in elements.iter().enumerate() {
            if !elements.iter().take(index).any(|before| before == element) {
                continue;
            }
            let pointer = format!("{pointer}/{index}");
            let found = self.shown(element, &pointer);
            self.report.add(
                Draft::error(
                    code::REPEATED,
                    self.places.value(&pointer),
                    format!("{found} is in the list twice"),
                )
                .label("listed above already")
                .help("leave one of them")
                .at(pointer),
            );
        }
    }

    fn name(&self, pointer: &str) -> String {
        let key = dotted(pointer.get(self.unit.pointer.len()..).unwrap_or(pointer));
        match key.as_str() {
            "" => self.unit.owner.to_owned(),
            key => format!("`{key}`"),
        }
    }

    /// The header of a table, where the place is one and not a list, which begins with a bracket as well.
    fn header(&self, place: std::ops::Range<usize>) -> Option<&str> {
        let before = self.report.text.get(..place.start)?;
        let is_first_of_its_line = before.rsplit('\n').next()?.trim().is_empty();
        let text = self.report.text.get(place)?;
        (text.starts_with('[') && is_first_of_its_line).then_some(text)
    }

    /// Whether a message must not repeat the value: a secret, or what a placeholder stands for.
    fn is_hidden(&self, pointer: &str) -> bool {
        let written = self.report.text.get(self.places.value(pointer));
        self.is_secret(pointer) || written.is_some_and(|written| written.contains("${"))
    }

    fn is_secret(&self, pointer: &str) -> bool {
        let place = self.places.value(pointer);
        self.report.secrets.contains(&place)
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

    /// The value in words; what a placeholder or a secret stands for is not shown.
    fn found(&self, value: &Json, pointer: &str) -> String {
        if self.is_secret(pointer) {
            return "a value that is not shown".to_owned();
        }
        let written = self.report.text.get(self.places.value(pointer));
        match written {
            Some(written) if written.contains("${") && !value.is_object() && !value.is_array() => {
                format!("what {written} stands for")
            }
            _ => words::found(value),
        }
    }
}
