//! JSON text for `json` and `jsonb` columns.

use base64::Engine;
use bytes::Bytes;
use connect_api::{JsonLimits, Kind, Value, ValueRef};

use super::text::checked;
use super::{CoerceError, ColumnInput, Reading, binary, expected};
use crate::config::NullCharacter;

/// Any value as JSON text. Numbers keep their digits.
pub(super) fn json(
    input: ColumnInput<'_>,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    use std::io::Write;
    // Writing to a vector does not fail.
    let _ = match input {
        ColumnInput::Null => write!(out, "null"),
        ColumnInput::Bool(boolean) => write!(out, "{boolean}"),
        ColumnInput::Number(digits) => write!(out, "{digits}"),
        ColumnInput::Integer(number) => write!(out, "{number}"),
        ColumnInput::Instant(milliseconds) => {
            write!(out, "\"{}\"", connect_api::time::format_ms(milliseconds))
        }
        ColumnInput::Text(content) if reading.parse => return parsed(content, reading, out),
        ColumnInput::Text(content) => {
            let mut plain = Vec::new();
            checked(content, reading, &mut plain)?;
            serde_json::to_writer(&mut *out, &String::from_utf8_lossy(&plain))
                .map_err(std::io::Error::from)
        }
        ColumnInput::Bytes(content) => {
            let encoded = binary::STANDARD.encode(content);
            write!(out, "\"{encoded}\"")
        }
        ColumnInput::Nested(value) => return nested_json(value, reading, out),
    };
    Ok(())
}

/// A string that holds JSON text: as it is written, so that `json` keeps its blanks and every number its digits.
fn parsed(content: &str, reading: &Reading, out: &mut Vec<u8>) -> Result<(), CoerceError> {
    let bytes = Bytes::copy_from_slice(content.as_bytes());
    let value = Value::parse_json(bytes, JsonLimits::default()).map_err(|error| {
        CoerceError::from(format!(
            "`parse = true` expects JSON text, and byte {} of the string is wrong: {}",
            error.offset, error.message
        ))
    })?;
    let start = out.len();
    out.extend_from_slice(content.as_bytes());
    without_null_characters(value.root(), start, reading, out)
}

fn nested_json(
    value: ValueRef<'_>,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    let start = out.len();
    value.write_json(out);
    without_null_characters(value, start, reading, out)
}

/// JSON may carry U+0000 as an escape, which jsonb refuses and json hands on to fail later. `out` has the value's text
/// from `start` on.
fn without_null_characters(
    value: ValueRef<'_>,
    start: usize,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    const ESCAPE: &[u8] = b"\\u0000";
    let written = out
        .get(start..)
        .expect("the value was written behind `start`");
    let suspicious = written.windows(ESCAPE.len()).any(|window| window == ESCAPE);
    if !suspicious || !has_null_character(value) {
        return Ok(());
    }
    match reading.null_character {
        NullCharacter::Reject => Err(expected(
            "a string in it contains the character U+0000, which PostgreSQL cannot store; null_character = \"remove\" leaves it out",
        )),
        NullCharacter::Remove => {
            let kept = without_null_escapes(written);
            out.truncate(start);
            out.extend_from_slice(&kept);
            Ok(())
        }
    }
}

fn has_null_character(value: ValueRef<'_>) -> bool {
    match value.kind() {
        Kind::String(content) => content.contains('\0'),
        Kind::Array(mut elements) => elements.any(has_null_character),
        Kind::Object(mut members) => {
            members.any(|(name, member)| name.contains('\0') || has_null_character(member))
        }
        _ => false,
    }
}

/// Takes `\u0000` out of JSON text, minding that `\\u0000` is a backslash and letters.
fn without_null_escapes(json: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some((first, after)) = rest.split_first() {
        if let Some(next) = rest.strip_prefix(b"\\u0000") {
            rest = next;
            continue;
        }
        kept.push(*first);
        rest = after;
        if *first == b'\\'
            && let Some((escaped, after)) = rest.split_first()
        {
            kept.push(*escaped);
            rest = after;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), CoerceError>,
    ) -> Result<String, String> {
        let mut out = Vec::new();
        write(&mut out).map_err(|mismatch| mismatch.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn null_characters() {
        let reject = Reading::default();
        let remove = Reading {
            null_character: NullCharacter::Remove,
            ..reject
        };
        let content = ColumnInput::Text("a\0b");
        assert!(written(|out| checked("a\0b", &reject, out)).is_err());
        assert_eq!(written(|out| checked("a\0b", &remove, out)).unwrap(), "ab");
        assert_eq!(
            written(|out| json(content, &remove, out)).unwrap(),
            "\"ab\""
        );
        let parse = |text: &str| {
            Value::parse_json(Bytes::from(text.to_owned()), JsonLimits::default()).unwrap()
        };
        let nested = parse(r#"{"a":["x\u0000y","\\u0000"]}"#);
        assert!(written(|out| json(ColumnInput::of(nested.root()), &reject, out)).is_err());
        assert_eq!(
            written(|out| json(ColumnInput::of(nested.root()), &remove, out)).unwrap(),
            r#"{"a":["xy","\\u0000"]}"#
        );
        let harmless = parse(r#"["\\u0000"]"#);
        assert_eq!(
            written(|out| json(ColumnInput::of(harmless.root()), &reject, out)).unwrap(),
            r#"["\\u0000"]"#
        );
    }

    #[test]
    fn json_in_strings() {
        let reading = Reading {
            parse: true,
            ..Reading::default()
        };
        let remove = Reading {
            null_character: NullCharacter::Remove,
            ..reading
        };
        let cases = [
            (r#"{"a": 1.50}"#, &reading, Ok(r#"{"a": 1.50}"#)),
            (" [1e400, 0.10] ", &reading, Ok(" [1e400, 0.10] ")),
            ("null", &reading, Ok("null")),
            (r#""text""#, &reading, Ok(r#""text""#)),
            (r#"["\\u0000"]"#, &reading, Ok(r#"["\\u0000"]"#)),
            (r#"["x\u0000y"]"#, &reading, Err("U+0000")),
            (r#"["x\u0000y"]"#, &remove, Ok(r#"["xy"]"#)),
            ("text", &reading, Err("`parse = true` expects JSON text")),
            ("", &reading, Err("byte 0")),
            ("{'a': 1}", &reading, Err("byte 1")),
            ("[1,]", &reading, Err("byte 3")),
            ("{} {}", &reading, Err("byte 3")),
            ("NaN", &reading, Err("byte 0")),
            (r#""\ud800""#, &reading, Err("`parse = true`")),
        ];
        for (content, reading, expected) in cases {
            match (
                written(|out| json(ColumnInput::Text(content), reading, out)),
                expected,
            ) {
                (Ok(found), Ok(right)) => assert_eq!(found, right, "{content}"),
                (Err(found), Err(part)) => assert!(found.contains(part), "{content}: {found}"),
                found => unreachable!("{content}: {found:?}"),
            }
        }
    }
}
