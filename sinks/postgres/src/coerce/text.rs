//! Text and what is written as text: strings of a limited length, booleans, enums.

use super::{Input, Misfit, Reading, expected, trimmed};
use crate::config::NullCharacter;

pub(super) fn boolean(input: Input<'_>) -> Result<bool, Misfit> {
    const TRUE: [&str; 6] = ["true", "t", "yes", "y", "on", "1"];
    const FALSE: [&str; 6] = ["false", "f", "no", "n", "off", "0"];
    let is = |content: &str, words: [&str; 6]| {
        words
            .iter()
            .any(|word| trimmed(content).eq_ignore_ascii_case(word))
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
        Some(longest) => limit_length(out, start, longest),
        None => Ok(()),
    }
}

/// Holds the text from `start` to a length in characters; UTF-8's continuation bytes are none. Blanks beyond it are cut
/// as PostgreSQL does and the SQL standard says: here already, so that a key has the bytes that its column stores.
fn limit_length(out: &mut Vec<u8>, start: usize, longest: usize) -> Result<(), Misfit> {
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
pub(super) fn name(input: Input<'_>, reading: &Reading, out: &mut Vec<u8>) -> Result<(), Misfit> {
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
pub(super) fn single_byte(input: Input<'_>) -> Result<u8, Misfit> {
    let misfit = || expected("more than 1 byte, which is all that the type \"char\" keeps");
    let written;
    let content = match input {
        Input::Text(content) | Input::Number(content) => content,
        Input::Integer(number) => {
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
        _ => Err(misfit()),
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

/// PostgreSQL stores every character but U+0000.
pub(super) fn checked(content: &str, reading: &Reading, out: &mut Vec<u8>) -> Result<(), Misfit> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
            ("abc   ", Some(3), Ok("abc")),
            ("ab   ", Some(3), Ok("ab ")),
            ("äöü  ", Some(4), Ok("äöü ")),
            ("abc \u{a0}", Some(4), Err("more than 4 characters")),
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
}
