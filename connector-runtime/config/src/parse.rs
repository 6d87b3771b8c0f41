//! Parses TOML text to JSON, and notes the span of each value.

use std::ops::Range;

use connect_api::{Finding, pointer};
use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::codes;
use super::file::{ConfigFile, Syntax};

/// Parses the text of a file. Each syntax error becomes a finding, and what can be parsed nevertheless is returned.
pub(super) fn parse(file: &mut ConfigFile) -> Json {
    let text = file.text();
    let (table, errors) = DeTable::parse_recoverable(&text);
    let reported = errors.len();
    let errors = without_echoes(errors);
    let breaks_a_header = |error: &toml::de::Error| {
        error
            .span()
            .is_some_and(|span| is_in_a_header(&text, &span))
    };
    file.syntax = if errors.len() < reported || errors.iter().any(breaks_a_header) {
        Syntax::Scrambled
    } else if errors.is_empty() {
        Syntax::Whole
    } else {
        Syntax::Gaps
    };
    for error in &errors {
        let span = error.span().unwrap_or_default();
        let finding = syntax_finding(&text, &span, error.message());
        file.add_at(span, finding);
    }
    let root = Reader { text: &text, file }.table(table.get_ref(), &mut String::new());
    mark_broken_values(&errors, file);
    root
}

/// Marks each value that has a syntax error in it: nobody knows what it would have been.
fn mark_broken_values(errors: &[toml::de::Error], file: &mut ConfigFile) {
    let starts = errors.iter().filter_map(toml::de::Error::span);
    let starts: Vec<usize> = starts.map(|span| span.start).collect();
    let is_broken = |span: &Range<usize>| {
        let mut starts = starts.iter();
        starts.any(|at| (span.start..=span.end).contains(at))
    };
    let values = file.spans.values().filter(|(_, span)| is_broken(span));
    let broken: Vec<String> = values.map(|(pointer, _)| pointer.to_owned()).collect();
    for pointer in broken {
        file.set_unknown(&pointer);
    }
}

fn line_at(text: &str, offset: usize) -> &str {
    let offset = text.floor_char_boundary(offset);
    let (before, after) = text.split_at(offset);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = after
        .find('\n')
        .map_or(text.len(), |newline| offset + newline);
    text.get(start..end).unwrap_or_default()
}

/// Whether an error moves keys into another table: a broken header does, and so may a string that is not closed.
fn is_in_a_header(text: &str, span: &Range<usize>) -> bool {
    let line = line_at(text, span.start).trim_start();
    line.starts_with('[') || line.contains("\"\"\"") || line.contains("'''")
}

/// Keeps the errors up to the first one that follows from a list or a string that is not closed: the parser reports
/// everything after it as well.
fn without_echoes(mut errors: Vec<toml::de::Error>) -> Vec<toml::de::Error> {
    let is_first = |error: &toml::de::Error| {
        error.message().starts_with("missing comma") || error.message().contains("basic string")
    };
    let start = |error: &toml::de::Error| error.span().unwrap_or_default().start;
    errors.sort_by_key(start);
    let runs_away = errors
        .iter()
        .any(|error| error.message().starts_with("unclosed"));
    if let (true, Some(first)) = (runs_away, errors.iter().position(is_first)) {
        errors.truncate(first + 1);
    }
    errors
}

fn syntax_finding(text: &str, span: &Range<usize>, message: &str) -> Finding {
    if message == "duplicate key" {
        let key = text.get(span.clone()).unwrap_or_default();
        return codes::DUPLICATE_KEY
            .error("", format!("`{key}` is written twice"))
            .with_label("written above")
            .with_help("keep one of them; a second element of a list of tables has a header `[[…]]` of its own");
    }
    let is_no_value = message.starts_with("invalid boolean")
        || message.starts_with("invalid float")
        || message.starts_with("string values must be quoted");
    let mut finding = if is_no_value {
        codes::SYNTAX
            .error("", "not TOML: this is not a value")
            .with_label("expected text in quotes, a number, true, false, a list or a table")
    } else {
        codes::SYNTAX.error("", format!("not TOML: {message}"))
    };
    finding.help = syntax_help(line_at(text, span.start), message).map(str::to_owned);
    finding
}

/// Help for what is valid in other formats.
fn syntax_help(line: &str, message: &str) -> Option<&'static str> {
    let by_message = [
        (
            "missing comma",
            "a list above is not closed: add `]`, or a comma between two elements",
        ),
        (
            "invalid basic string",
            "text ends on the line on which it starts: add the closing quote",
        ),
        (
            "escape",
            r"between single quotes a backslash is an ordinary character: 'a\d'",
        ),
        (
            "unclosed array table",
            "the header of one element of a list is [[name]]",
        ),
        ("unclosed table", "the header of a table is [name]"),
        ("unexpected key or value", "each key has a line of its own"),
    ];
    if let Some((_, help)) = by_message.iter().find(|(words, _)| message.contains(words)) {
        return Some(help);
    }
    let written = line.split('#').next().unwrap_or_default().trim();
    let value = written.split_once('=').map(|(_, value)| value.trim());
    if !written.contains('=') && !written.starts_with('[') && written.contains(':') {
        return Some("TOML writes `key = value`, not `key: value`");
    }
    match value {
        Some("") => Some("a value follows `=`, such as \"text\", 5, true or [\"a\", \"b\"]"),
        Some("yes" | "no" | "on" | "off" | "True" | "False" | "TRUE" | "FALSE") => {
            Some("TOML's booleans are `true` and `false`")
        }
        Some("null" | "nil" | "None") => Some("TOML has no null: leave the key out"),
        _ if message.contains("quoted")
            || message.starts_with("invalid boolean")
            || message.starts_with("invalid float") =>
        {
            Some("text is written in quotes: key = \"text\"")
        }
        _ => None,
    }
}

/// Converts the parsed table to JSON and notes the span of each value.
struct Reader<'a> {
    text: &'a str,
    file: &'a mut ConfigFile,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, pointer: &mut String) -> Json {
        let mut members = serde_json::Map::new();
        for (key, value) in table {
            let length = pointer.len();
            pointer::push(pointer, key.get_ref());
            let span = value.span();
            let spans = &mut self.file.spans;
            spans.insert(pointer, Some(key.span()), span.clone());
            let member = self.value(value.get_ref(), span, pointer);
            members.insert(key.get_ref().to_string(), member);
            pointer.truncate(length);
        }
        Json::Object(members)
    }

    fn value(&mut self, value: &DeValue<'_>, span: Range<usize>, pointer: &mut String) -> Json {
        match value {
            DeValue::String(text) => Json::String(text.to_string()),
            DeValue::Boolean(value) => Json::Bool(*value),
            // A time without quotes becomes the text that the key's type parses.
            DeValue::Datetime(time) => Json::String(time.to_string()),
            DeValue::Integer(integer) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(number) => number.into(),
                    Err(_) => self.unreadable(span, pointer, "an integer of 64 bits"),
                }
            }
            DeValue::Float(float) => {
                let number = float.as_str().parse::<f64>().ok();
                match number.and_then(serde_json::Number::from_f64) {
                    Some(number) => Json::Number(number),
                    None => self.unreadable(span, pointer, "a finite number"),
                }
            }
            DeValue::Table(table) => self.table(table, pointer),
            DeValue::Array(array) => {
                let mut elements = Vec::new();
                for (index, element) in array.iter().enumerate() {
                    let length = pointer.len();
                    pointer::push(pointer, &index.to_string());
                    let span = element.span();
                    self.file.spans.insert(pointer, None, span.clone());
                    elements.push(self.value(element.get_ref(), span, pointer));
                    pointer.truncate(length);
                }
                Json::Array(elements)
            }
        }
    }

    /// Reports a number that JSON cannot hold.
    fn unreadable(&mut self, span: Range<usize>, pointer: &str, expected: &str) -> Json {
        let written = self.text.get(span.clone()).unwrap_or_default();
        self.file.set_unknown(pointer);
        // A word instead of a number is a syntax error, which is reported already.
        let is_number = written.contains(|c: char| c.is_ascii_digit())
            || written.contains("inf")
            || written.contains("nan");
        if is_number {
            let message = format!("{written} is not {expected}");
            let finding = codes::OUT_OF_RANGE.error(pointer, message);
            let label = format!("expected {expected}");
            self.file.add_at(span, finding.with_label(label));
        }
        Json::Null
    }
}
