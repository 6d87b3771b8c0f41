//! Text and what is written as text: strings of a limited length, booleans, enums.

use super::{CoerceError, ColumnInput, Reading, expected, trimmed};
use crate::config::NullCharacter;

pub(super) fn boolean(input: ColumnInput<'_>) -> Result<bool, CoerceError> {
    const TRUE: [&str; 6] = ["true", "t", "yes", "y", "on", "1"];
    const FALSE: [&str; 6] = ["false", "f", "no", "n", "off", "0"];
    let is = |content: &str, words: [&str; 6]| {
        words
            .iter()
            .any(|word| trimmed(content).eq_ignore_ascii_case(word))
    };
    match input {
        ColumnInput::Bool(boolean) => Ok(boolean),
        ColumnInput::Number("1") | ColumnInput::Integer(1) => Ok(true),
        ColumnInput::Number("0") | ColumnInput::Integer(0) => Ok(false),
        ColumnInput::Text(content) if is(content, TRUE) => Ok(true),
        ColumnInput::Text(content) if is(content, FALSE) => Ok(false),
        _ => Err(expected("a boolean is expected")),
    }
}

/// A string, or a number or boolean as it is written. `longest` is in characters.
pub(super) fn text(
    input: ColumnInput<'_>,
    longest: Option<usize>,
    is_padded: bool,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    use std::io::Write;
    let start = out.len();
    // Writing to a vector does not fail.
    let _ = match input {
        ColumnInput::Text(content) => {
            let content = if is_padded {
                content.trim_end_matches(' ')
            } else {
                content
            };
            checked(content, reading, out)?;
            Ok(())
        }
        ColumnInput::Number(digits) => {
            out.extend_from_slice(digits.as_bytes());
            Ok(())
        }
        ColumnInput::Integer(number) => write!(out, "{number}"),
        ColumnInput::Bool(boolean) => write!(out, "{boolean}"),
        ColumnInput::Instant(milliseconds) => {
            write!(out, "{}", connect_api::time::format_ms(milliseconds))
        }
        ColumnInput::Bytes(_) => {
            return Err(expected(
                "a string is expected; a bytea column takes bytes, and the transform `cast` makes them base64 text",
            ));
        }
        ColumnInput::Nested(_) | ColumnInput::Null => {
            return Err(expected(
                "a string is expected; a json or jsonb column takes any value",
            ));
        }
    };
    match longest {
        Some(longest) => limit_length(out, start, longest),
        None => Ok(()),
    }
}

/// Holds the text from `start` to a length in characters; UTF-8's continuation bytes are none. Blanks beyond it are cut
/// as PostgreSQL does and the SQL standard says: here already, so that a key has the bytes that its column stores.
fn limit_length(out: &mut Vec<u8>, start: usize, longest: usize) -> Result<(), CoerceError> {
    let is_character = |byte: &u8| *byte & 0xC0 != 0x80;
    let beyond = out
        .iter()
        .enumerate()
        .skip(start)
        .filter(|(_, byte)| is_character(byte))
        .nth(longest)
        .map(|(index, _)| index);
    let Some(beyond) = beyond else {
        return Ok(());
    };
    if out.iter().skip(beyond).any(|byte| *byte != b' ') {
        return Err(match longest {
            1 => "more than 1 character".into(),
            _ => format!("more than {longest} characters").into(),
        });
    }
    out.truncate(beyond);
    Ok(())
}

/// `name`, which PostgreSQL cuts at 63 bytes in silence.
pub(super) fn name(
    input: ColumnInput<'_>,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    const LONGEST: usize = 63;
    let start = out.len();
    text(input, None, false, reading, out)?;
    if out.len() - start > LONGEST {
        return Err(expected(
            "more than 63 bytes, which is all that the type name keeps",
        ));
    }
    Ok(())
}

/// `"char"`: one byte, of which PostgreSQL's text form is the character, `\ooo` (octal) or, for zero, nothing.
pub(super) fn single_byte(input: ColumnInput<'_>) -> Result<u8, CoerceError> {
    let mismatch = || expected("more than 1 byte, which is all that the type \"char\" keeps");
    let written;
    let content = match input {
        ColumnInput::Text(content) | ColumnInput::Number(content) => content,
        ColumnInput::Integer(number) => {
            written = number.to_string();
            &written
        }
        _ => return Err(expected("a string of 1 byte is expected")),
    };
    match content.as_bytes() {
        [] => Ok(0),
        [0] => Err(expected(
            "it contains the character U+0000, which PostgreSQL cannot store",
        )),
        [byte] => Ok(*byte),
        [
            b'\\',
            high @ b'0'..=b'3',
            middle @ b'0'..=b'7',
            low @ b'0'..=b'7',
        ] => Ok((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0')),
        _ => Err(mismatch()),
    }
}

/// The text form of a `"char"`.
pub(super) fn single_byte_text(byte: u8, out: &mut Vec<u8>) {
    match byte {
        0 => {}
        1..=127 => out.push(byte),
        _ => {
            let octal = |shift: u32| b'0' + (byte >> shift & 7);
            out.extend_from_slice(&[b'\\', octal(6), octal(3), octal(0)]);
        }
    }
}

/// A string of any length with its length in front, which is what most columns are.
pub(super) fn field(
    content: &str,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    match i32::try_from(content.len()) {
        Ok(length) if !has_null_character(content.as_bytes()) => {
            out.reserve(4 + content.len());
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(content.as_bytes());
            Ok(())
        }
        _ => super::field(out, |out| checked(content, reading, out)),
    }
}

/// Eight bytes at a time: strings are short, and a general search takes longer to begin than they take to read.
fn has_null_character(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES << 7;
    // A borrow sets the top bit of a byte in error only above one that is zero.
    let has_zero = |chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(*chunk);
        word.wrapping_sub(ONES) & !word & TOPS != 0
    };
    let Some(last) = bytes.last_chunk() else {
        return bytes.contains(&0);
    };
    let mut rest = bytes;
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        if has_zero(chunk) {
            return true;
        }
        rest = behind;
    }
    has_zero(last)
}

/// PostgreSQL stores every character but U+0000.
pub(super) fn checked(
    content: &str,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    if !has_null_character(content.as_bytes()) {
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

pub(super) fn label(
    input: ColumnInput<'_>,
    labels: &[String],
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    let ColumnInput::Text(content) = input else {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn written(
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), CoerceError>,
    ) -> Result<String, String> {
        let mut out = Vec::new();
        write(&mut out).map_err(|mismatch| mismatch.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn lengths_are_in_characters() {
        let reading = Reading::default();
        let cases = [
            ("abc", Some(3), Ok("abc")),
            ("äöü", Some(3), Ok("äöü")),
            ("äöüx", Some(3), Err("more than 3 characters")),
            ("abc   ", Some(3), Ok("abc")),
            ("ab   ", Some(3), Ok("ab ")),
            ("äöü  ", Some(4), Ok("äöü ")),
            ("abc \u{a0}", Some(4), Err("more than 4 characters")),
            ("", Some(1), Ok("")),
        ];
        for (content, longest, expected) in cases {
            let found =
                written(|out| text(ColumnInput::Text(content), longest, false, &reading, out));
            assert_eq!(
                found.as_deref().map_err(String::as_str),
                expected,
                "{content}"
            );
        }
        let padded = written(|out| text(ColumnInput::Text("ab  "), Some(2), true, &reading, out));
        assert_eq!(padded.unwrap(), "ab");
    }

    #[test]
    fn null_characters_are_found_wherever_they_are() {
        for length in 0..40 {
            let mut bytes = vec![1; length];
            assert!(!has_null_character(&bytes), "{length}");
            for index in 0..length {
                bytes[index] = 0;
                assert!(has_null_character(&bytes), "{index} of {length}");
                bytes[index] = 0x80;
                assert!(!has_null_character(&bytes), "{index} of {length}");
            }
        }
    }

    #[test]
    fn booleans() {
        for (input, expected) in [
            (ColumnInput::Bool(true), Some(true)),
            (ColumnInput::Text("FALSE"), Some(false)),
            (ColumnInput::Text("t"), Some(true)),
            (ColumnInput::Number("0"), Some(false)),
            (ColumnInput::Number("2"), None),
            (ColumnInput::Text("maybe"), None),
            (ColumnInput::Text(""), None),
        ] {
            assert_eq!(boolean(input).ok(), expected, "{input:?}");
        }
    }
}
