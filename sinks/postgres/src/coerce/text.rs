//! Text and what is written as text: booleans, enums, JSON, UUIDs, base64.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use connect_api::{Kind, ValueRef};

use super::{Input, Misfit, Reading, expected};
use crate::config::NullCharacter;

pub(super) fn boolean(input: Input<'_>) -> Result<bool, Misfit> {
    const TRUE: [&str; 6] = ["true", "t", "yes", "y", "on", "1"];
    const FALSE: [&str; 6] = ["false", "f", "no", "n", "off", "0"];
    let is = |content: &str, words: [&str; 6]| {
        words
            .iter()
            .any(|word| content.trim().eq_ignore_ascii_case(word))
    };
    match input {
        Input::Bool(boolean) => Ok(boolean),
        Input::Number("1") | Input::Integer(1) => Ok(true),
        Input::Number("0") | Input::Integer(0) => Ok(false),
        Input::Text(content) if is(content, TRUE) => Ok(true),
        Input::Text(content) if is(content, FALSE) => Ok(false),
        _ => Err(expected("a boolean is expected")),
    }
}

/// A string, or a number or boolean as it is written. `longest` is in characters.
pub(super) fn text(
    input: Input<'_>,
    longest: Option<usize>,
    is_padded: bool,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    use std::io::Write;
    let start = out.len();
    // Writing to a vector does not fail.
    let _ = match input {
        Input::Text(content) => {
            let content = if is_padded {
                content.trim_end_matches(' ')
            } else {
                content
            };
            checked(content, reading, out)?;
            Ok(())
        }
        Input::Number(digits) => {
            out.extend_from_slice(digits.as_bytes());
            Ok(())
        }
        Input::Integer(number) => write!(out, "{number}"),
        Input::Bool(boolean) => write!(out, "{boolean}"),
        Input::Instant(milliseconds) => {
            write!(out, "{}", connect_api::time::format_ms(milliseconds))
        }
        Input::Bytes(_) => {
            return Err(expected(
                "a string is expected; a bytea column takes bytes, and the transform `cast` makes them base64 text",
            ));
        }
        Input::Nested(_) | Input::Null => {
            return Err(expected(
                "a string is expected; a json or jsonb column takes any value",
            ));
        }
    };
    match longest {
        Some(longest) => check_length(out.get(start..).unwrap_or_default(), longest),
        None => Ok(()),
    }
}

/// Characters, not bytes: UTF-8's continuation bytes do not count. Blanks beyond the limit are cut by PostgreSQL, as
/// the SQL standard has it, so they are no misfit.
fn check_length(content: &[u8], longest: usize) -> Result<(), Misfit> {
    if content.len() <= longest {
        return Ok(());
    }
    let characters = |bytes: &[u8]| bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
    let blanks = content
        .iter()
        .rev()
        .take_while(|byte| **byte == b' ')
        .count();
    let without_blanks = content.get(..content.len() - blanks).unwrap_or_default();
    if characters(without_blanks) > longest {
        Err(match longest {
            1 => "more than 1 character".into(),
            _ => format!("more than {longest} characters").into(),
        })
    } else {
        Ok(())
    }
}

/// PostgreSQL stores every character but U+0000.
fn checked(content: &str, reading: &Reading, out: &mut Vec<u8>) -> Result<(), Misfit> {
    if !content.as_bytes().contains(&0) {
        out.extend_from_slice(content.as_bytes());
        return Ok(());
    }
    match reading.null_character {
        NullCharacter::Reject => Err(expected(
            "it contains the character U+0000, which PostgreSQL cannot store; null_character = \"remove\" leaves it out",
        )),
        NullCharacter::Remove => {
            out.extend(content.bytes().filter(|byte| *byte != 0));
            Ok(())
        }
    }
}

/// Any type that this crate has no form for: the server reads the text.
pub(super) fn any(input: Input<'_>, reading: &Reading, out: &mut Vec<u8>) -> Result<(), Misfit> {
    match input {
        Input::Nested(_) => json(input, reading, out),
        _ => text(input, None, false, reading, out),
    }
}

pub(super) fn label(input: Input<'_>, labels: &[String], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let Input::Text(content) = input else {
        return Err(expected("a string is expected"));
    };
    if !labels.iter().any(|label| label == content) {
        const SHOWN: usize = 10;
        let known: Vec<_> = labels.iter().take(SHOWN).map(String::as_str).collect();
        let more = if labels.len() > SHOWN { ", …" } else { "" };
        return Err(format!("one of {}{more} is expected", known.join(", ")).into());
    }
    out.extend_from_slice(content.as_bytes());
    Ok(())
}

/// Any value as JSON text. Numbers keep their digits.
pub(super) fn json(input: Input<'_>, reading: &Reading, out: &mut Vec<u8>) -> Result<(), Misfit> {
    use std::io::Write;
    // Writing to a vector does not fail.
    let _ = match input {
        Input::Null => write!(out, "null"),
        Input::Bool(boolean) => write!(out, "{boolean}"),
        Input::Number(digits) => write!(out, "{digits}"),
        Input::Integer(number) => write!(out, "{number}"),
        Input::Instant(milliseconds) => {
            write!(out, "\"{}\"", connect_api::time::format_ms(milliseconds))
        }
        Input::Text(content) => {
            let mut plain = Vec::new();
            checked(content, reading, &mut plain)?;
            serde_json::to_writer(&mut *out, &String::from_utf8_lossy(&plain))
                .map_err(std::io::Error::from)
        }
        Input::Bytes(content) => write!(out, "\"{}\"", STANDARD.encode(content)),
        Input::Nested(value) => return nested_json(value, reading, out),
    };
    Ok(())
}

/// JSON may carry U+0000 as an escape, which jsonb refuses and json hands on to fail later.
fn nested_json(value: ValueRef<'_>, reading: &Reading, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let start = out.len();
    value.write_json(out);
    const ESCAPE: &[u8] = b"\\u0000";
    let written = out.get(start..).unwrap_or_default();
    let suspicious = written.windows(ESCAPE.len()).any(|window| window == ESCAPE);
    if !suspicious || !has_null_character(value) {
        return Ok(());
    }
    match reading.null_character {
        NullCharacter::Reject => Err(expected(
            "a string in it contains the character U+0000, which PostgreSQL cannot store; null_character = \"remove\" leaves it out",
        )),
        NullCharacter::Remove => {
            let kept = without_null_escapes(out.get(start..).unwrap_or_default());
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

/// 32 hexadecimal digits, with hyphens and braces where people put them.
pub(super) fn uuid(input: Input<'_>) -> Result<[u8; 16], Misfit> {
    let misfit = || expected("a UUID is expected");
    let Input::Text(content) = input else {
        return Err(misfit());
    };
    let mut bytes = [0_u8; 16];
    let mut count = 0;
    let content = content.trim();
    let content = content
        .strip_prefix('{')
        .and_then(|content| content.strip_suffix('}'))
        .unwrap_or(content);
    for character in content.chars() {
        // PostgreSQL takes a hyphen after each group of four digits.
        if character == '-' && count > 0 && count % 4 == 0 {
            continue;
        }
        let digit = character.to_digit(16).ok_or_else(misfit)?;
        let place = bytes.get_mut(count / 2).ok_or_else(misfit)?;
        *place = (*place << 4) | digit as u8;
        count += 1;
    }
    match count {
        32 => Ok(bytes),
        _ => Err(misfit()),
    }
}

pub(super) fn uuid_text(bytes: [u8; 16], out: &mut Vec<u8>) {
    let mut text = uuid::Uuid::encode_buffer();
    let text = uuid::Uuid::from_bytes(bytes)
        .hyphenated()
        .encode_lower(&mut text);
    out.extend_from_slice(text.as_bytes());
}

fn hex(byte: u8) -> [u8; 2] {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).map_or(b'0', |digit| digit as u8);
    [digit(byte >> 4), digit(byte & 15)]
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose =
    general_purpose::GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

/// Bytes as they are, or base64 in its standard or its URL alphabet, with or without padding.
pub(super) fn bytes(input: Input<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let content = match input {
        Input::Bytes(content) => {
            out.extend_from_slice(content);
            return Ok(());
        }
        Input::Text(content) => content,
        _ => return Err(expected("bytes or a base64 string is expected")),
    };
    let start = out.len();
    let alphabet = if content.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    alphabet.decode_vec(content, out).map_err(|_| {
        out.truncate(start);
        expected("a base64 string is expected")
    })
}

/// The text form of bytes, for the elements of an array's text form.
pub(super) fn bytes_as_hex(input: Input<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let mut decoded = Vec::new();
    bytes(input, &mut decoded)?;
    out.extend_from_slice(b"\\x");
    for byte in decoded {
        out.extend_from_slice(&hex(byte));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;
    use connect_api::{JsonLimits, Value};

    fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), Misfit>) -> Result<String, String> {
        let mut out = Vec::new();
        write(&mut out).map_err(|misfit| misfit.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn lengths_are_in_characters() {
        let reading = Reading::default();
        let cases = [
            ("abc", Some(3), Ok("abc")),
            ("äöü", Some(3), Ok("äöü")),
            ("äöüx", Some(3), Err("more than 3 characters")),
            ("abc   ", Some(3), Ok("abc   ")),
            ("", Some(1), Ok("")),
        ];
        for (content, longest, expected) in cases {
            let found = written(|out| text(Input::Text(content), longest, false, &reading, out));
            assert_eq!(
                found.as_deref().map_err(String::as_str),
                expected,
                "{content}"
            );
        }
        let padded = written(|out| text(Input::Text("ab  "), Some(2), true, &reading, out));
        assert_eq!(padded.unwrap(), "ab");
    }

    #[test]
    fn null_characters() {
        let reject = Reading::default();
        let remove = Reading {
            null_character: NullCharacter::Remove,
            ..reject
        };
        let content = Input::Text("a\0b");
        assert!(written(|out| text(content, None, false, &reject, out)).is_err());
        assert_eq!(
            written(|out| text(content, None, false, &remove, out)).unwrap(),
            "ab"
        );
        assert_eq!(
            written(|out| json(content, &remove, out)).unwrap(),
            "\"ab\""
        );
        let parse = |text: &str| {
            Value::parse_json(Bytes::from(text.to_owned()), JsonLimits::default()).unwrap()
        };
        let nested = parse(r#"{"a":["x\u0000y","\\u0000"]}"#);
        assert!(written(|out| json(Input::of(nested.root()), &reject, out)).is_err());
        assert_eq!(
            written(|out| json(Input::of(nested.root()), &remove, out)).unwrap(),
            r#"{"a":["xy","\\u0000"]}"#
        );
        let harmless = parse(r#"["\\u0000"]"#);
        assert_eq!(
            written(|out| json(Input::of(harmless.root()), &reject, out)).unwrap(),
            r#"["\\u0000"]"#
        );
    }

    #[test]
    fn booleans() {
        for (input, expected) in [
            (Input::Bool(true), Some(true)),
            (Input::Text("FALSE"), Some(false)),
            (Input::Text("t"), Some(true)),
            (Input::Number("0"), Some(false)),
            (Input::Number("2"), None),
            (Input::Text("maybe"), None),
            (Input::Text(""), None),
        ] {
            assert_eq!(boolean(input).ok(), expected, "{input:?}");
        }
    }

    #[test]
    fn uuids() {
        let plain = "0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6";
        let mut out = Vec::new();
        uuid_text(uuid(Input::Text(plain)).unwrap(), &mut out);
        assert_eq!(out, plain.as_bytes());
        for (content, is_uuid) in [
            ("0189F7E23C4B7D5E8F90A1B2C3D4E5F6", true),
            ("{0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6}", true),
            ("0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f", false),
            ("0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f67", false),
            ("0189f7e-23c4b-7d5e-8f90-a1b2c3d4e5f6", false),
            ("not a uuid", false),
            ("", false),
        ] {
            assert_eq!(uuid(Input::Text(content)).is_ok(), is_uuid, "{content}");
        }
    }

    #[test]
    fn base64_in_both_alphabets() {
        let decode = |content: &str| {
            let mut out = Vec::new();
            bytes(Input::Text(content), &mut out).ok().map(|()| out)
        };
        assert_eq!(decode("AP+/").unwrap(), [0, 255, 191]);
        assert_eq!(decode("AP-_").unwrap(), [0, 255, 191]);
        assert_eq!(decode("AA==").unwrap(), [0]);
        assert_eq!(decode("AA").unwrap(), [0]);
        assert_eq!(decode("").unwrap(), Vec::<u8>::new());
        assert_eq!(decode("not base64!"), None);
        assert_eq!(
            written(|out| bytes_as_hex(Input::Text("AP+/"), out)).unwrap(),
            "\\x00ffbf"
        );
    }
}
