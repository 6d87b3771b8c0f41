//! TOML text to JSON and the place of every part of it.

use connect_api::pointer;
use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::code;
use super::places::{Places, Spans};
use super::report::{Draft, Report};

/// A parsed file.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Json,
    pub(super) places: Places,
    pub(super) syntax: Syntax,
}

/// How much of a file was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Whole,
    /// Some keys are missing, the others are where they belong.
    Gaps,
    /// A table header is broken: keys may have landed in another table.
    Scrambled,
}

/// Parses a file; every syntax error becomes a finding.
pub(super) fn parse(report: &mut Report) -> Document {
    let text = std::mem::take(&mut report.text);
    let (table, errors) = DeTable::parse_recoverable(&text);
    let mut syntax = Syntax::Whole;
    let mut drafts = Vec::new();
    let reported = errors.len();
    let errors = without_echoes(errors);
    if errors.len() < reported {
        syntax = Syntax::Scrambled;
    }
    for error in &errors {
        let span = error.span().unwrap_or_default();
        let broken = if breaks_a_header(&text, &span) {
            Syntax::Scrambled
        } else {
            Syntax::Gaps
        };
        if syntax != Syntax::Scrambled {
            syntax = broken;
        }
        drafts.push(syntax_finding(&text, span, error.message()));
    }
    let mut reader = Reader {
        text: &text,
        places: Places::default(),
        drafts,
        unknown: BTreeSet::new(),
    };
    let root = reader.table(table.get_ref(), &mut String::new());
    let Reader {
        places,
        drafts,
        mut unknown,
        ..
    } = reader;
    // Nobody knows what a broken value would have been.
    let broken: Vec<usize> = errors
        .iter()
        .filter_map(|error| error.span())
        .map(|span| span.start)
        .collect();
    let is_broken = |spans: &Spans| {
        broken
            .iter()
            .any(|at| (spans.value.start..=spans.value.end).contains(at))
    };
    let pointers = places.0.iter().filter(|(_, spans)| is_broken(spans));
    unknown.extend(pointers.map(|(pointer, _)| pointer.clone()));
    report.unknown = unknown;
    report.text = text;
    for draft in drafts {
        report.add(draft);
    }
    Document {
        root,
        places,
        syntax,
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

/// A broken header moves the keys below it, and an open string may swallow headers.
fn breaks_a_header(text: &str, span: &Range<usize>) -> bool {
    let line = line_at(text, span.start).trim_start();
    line.starts_with('[') || line.contains("\"\"\"") || line.contains("'''")
}

/// After a list or a string that is not closed, the parser stumbles over everything that follows: the first stumble
/// says it all.
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

fn syntax_finding(text: &str, span: Range<usize>, message: &str) -> Draft {
    if message == "duplicate key" {
        let key = text.get(span.clone()).unwrap_or_default().to_owned();
        return Draft::error(code::DUPLICATE_KEY, span, format!("`{key}` is written twice"))
            .label("written above already")
            .help("leave one of them; a second element of a list of tables has a header `[[…]]` of its own");
    }
    let help = syntax_help(line_at(text, span.start), message);
    let draft = if message.starts_with("invalid boolean")
        || message.starts_with("invalid float")
        || message.starts_with("string values must be quoted")
    {
        Draft::error(code::SYNTAX, span, "not TOML: this is not a value")
            .label("expected text in quotes, a number, true, false, a list or a table")
    } else {
        Draft::error(code::SYNTAX, span, format!("not TOML: {message}"))
    };
    match help {
        Some(help) => draft.help(help),
        None => draft,
    }
}

/// What people of other formats write.
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
            r"between single quotes a backslash is just a backslash: 'a\d'",
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
            Some("text stands in quotes: key = \"text\"")
        }
        _ => None,
    }
}

/// Walks the parsed table and notes each place.
struct Reader<'a> {
    text: &'a str,
    places: Places,
    drafts: Vec<Draft>,
    /// Pointers of values that JSON cannot hold.
    unknown: BTreeSet<String>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, pointer: &mut String) -> Json {
        let mut members = serde_json::Map::new();
        for (key, value) in table {
            let length = pointer.len();
            pointer::push(pointer, key.get_ref());
            self.places.0.insert(
                pointer.clone(),
                Spans {
                    key: Some(key.span()),
                    value: value.span(),
                },
            );
            let member = self.value(value.get_ref(), value.span(), pointer);
            members.insert(key.get_ref().to_string(), member);
            pointer.truncate(length);
        }
        Json::Object(members)
    }

    fn value(&mut self, value: &DeValue<'_>, span: Range<usize>, pointer: &mut String) -> Json {
        match value {
            DeValue::String(text) => Json::String(text.to_string()),
            DeValue::Boolean(value) => Json::Bool(*value),
            // Written without quotes, a time is still the text that a key of this meaning wants.
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
                    let spans = Spans {
                        key: None,
                        value: element.span(),
                    };
                    self.places.0.insert(pointer.clone(), spans);
                    elements.push(self.value(element.get_ref(), element.span(), pointer));
                    pointer.truncate(length);
                }
                Json::Array(elements)
            }
        }
    }

    fn unreadable(&mut self, span: Range<usize>, pointer: &str, expected: &str) -> Json {
        let written = self.text.get(span.clone()).unwrap_or_default();
        self.unknown.insert(pointer.to_owned());
        // A word in place of a number is a syntax error and was reported as such.
        if !written.contains(|c: char| c.is_ascii_digit())
            && !written.contains("inf")
            && !written.contains("nan")
        {
            return Json::Null;
        }
        let message = format!("{written} is not {expected}");
        self.drafts.push(
            Draft::error(code::OUT_OF_RANGE, span, message)
                .label(format!("expected {expected}"))
                .at(pointer),
        );
        Json::Null
    }
}
