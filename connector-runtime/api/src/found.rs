//! What a message says about a value of a record: always its type and size, its content only where that is allowed.

use crate::text::{counted, cut};
use crate::value::{Kind, ValueRef};

/// Characters of a value that a message shows at most.
const LONGEST_SHOWN: usize = 60;

/// A value as a message names it. Two fields, because logs, status and dead letter headers are read by people who may not
/// read the topic: the engine appends `value` only where `[errors] show_values` is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Type and size, such as `a string of 19 characters`.
    pub description: String,
    /// The content as JSON, cut, without control characters; `None` for arrays, objects and what is missing.
    pub value: Option<String>,
}

impl Found {
    pub fn new(description: impl Into<String>) -> Found {
        Found {
            description: description.into(),
            value: None,
        }
    }

    /// No value at all.
    pub fn nothing() -> Found {
        Found::new("nothing")
    }

    pub fn with_value(mut self, value: &str) -> Found {
        self.value = Some(cut(value, LONGEST_SHOWN));
        self
    }

    pub fn string(content: &str) -> Found {
        let length = content.chars().count() as u64;
        let description = format!("a string of {}", counted(length, "character"));
        Found {
            description,
            value: Some(format!("\"{}\"", cut(content, LONGEST_SHOWN))),
        }
    }

    /// `written`: the number as it is written in JSON.
    pub fn number(written: &str) -> Found {
        let is_integer = written
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_digit());
        let digits = written.bytes().filter(u8::is_ascii_digit).count() as u64;
        let kind = if is_integer { "an integer" } else { "a number" };
        Found::new(format!("{kind} of {}", counted(digits, "digit"))).with_value(written)
    }

    pub fn boolean(is_true: bool) -> Found {
        Found::new("a boolean").with_value(&is_true.to_string())
    }

    pub fn bytes(content: &[u8]) -> Found {
        Found::new(counted(content.len() as u64, "byte"))
    }

    pub fn elements(count: usize) -> Found {
        Found::new(format!("an array of {}", counted(count as u64, "element")))
    }

    pub fn members(count: usize) -> Found {
        Found::new(format!("an object of {}", counted(count as u64, "member")))
    }
}

impl From<ValueRef<'_>> for Found {
    fn from(value: ValueRef<'_>) -> Found {
        match value.kind() {
            Kind::Null => Found::new("null"),
            Kind::Bool(is_true) => Found::boolean(is_true),
            Kind::Number(_) => Found::number(&value.to_json()),
            Kind::String(content) => Found::string(content),
            Kind::Bytes(content) => Found::bytes(content),
            Kind::Array(elements) => Found::elements(elements.len()),
            Kind::Object(members) => Found::members(members.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::value::{Value, ValueLimits};

    #[test]
    fn a_description_holds_no_content() {
        let long = format!("\"{}\"", "x".repeat(100));
        let cases = [
            ("null", "null", None),
            ("true", "a boolean", Some("true")),
            ("-17", "an integer of 2 digits", Some("-17")),
            ("1.5e3", "a number of 3 digits", Some("1.5e3")),
            (r#""4111""#, "a string of 4 characters", Some(r#""4111""#)),
            (
                r#""\u001b[2J""#,
                "a string of 4 characters",
                Some(r#""\u{1b}[2J""#),
            ),
            ("[1]", "an array of 1 element", None),
            (r#"{"a":1,"b":2}"#, "an object of 2 members", None),
        ];
        for (json, description, value) in cases {
            let parsed = Value::parse_json(json.into(), ValueLimits::default()).unwrap();
            let found = Found::from(parsed.root());
            assert_eq!(found.description, description, "{json}");
            assert_eq!(found.value.as_deref(), value, "{json}");
        }
        let parsed = Value::parse_json(long.into(), ValueLimits::default()).unwrap();
        let value = Found::from(parsed.root()).value.unwrap();
        assert_eq!(value, format!("\"{}…\"", "x".repeat(60)));
    }
}
