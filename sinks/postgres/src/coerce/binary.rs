//! Bytes: UUIDs in hexadecimal digits and `bytea` in base64.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};

use super::{CoerceError, ColumnInput, expected};

/// 32 hexadecimal digits as PostgreSQL takes them: in braces or not, with a hyphen or none after every fourth.
pub(super) fn uuid(input: ColumnInput<'_>) -> Result<[u8; 16], CoerceError> {
    let mismatch = || expected("a UUID is expected");
    let ColumnInput::Text(content) = input else {
        return Err(mismatch());
    };
    let mut bytes = [0_u8; 16];
    let mut count = 0;
    let mut after_hyphen = false;
    let content = content
        .strip_prefix('{')
        .and_then(|content| content.strip_suffix('}'))
        .unwrap_or(content);
    for character in content.chars() {
        if character == '-' && count > 0 && count < 32 && count % 4 == 0 && !after_hyphen {
            after_hyphen = true;
            continue;
        }
        after_hyphen = false;
        let digit = character.to_digit(16).ok_or_else(mismatch)?;
        let byte = bytes.get_mut(count / 2).ok_or_else(mismatch)?;
        *byte = (*byte << 4) | digit as u8;
        count += 1;
    }
    match count {
        32 => Ok(bytes),
        _ => Err(mismatch()),
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
    let digit = |half: u8| {
        let digit = char::from_digit(u32::from(half), 16);
        digit.expect("half a byte is one hexadecimal digit") as u8
    };
    [digit(byte >> 4), digit(byte & 15)]
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
pub(super) const STANDARD: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose =
    general_purpose::GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

/// Bytes as they are, or base64 in its standard or its URL alphabet, with or without padding.
pub(super) fn bytes(input: ColumnInput<'_>, out: &mut Vec<u8>) -> Result<(), CoerceError> {
    let content = match input {
        ColumnInput::Bytes(content) => {
            out.extend_from_slice(content);
            return Ok(());
        }
        ColumnInput::Text(content) => content,
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
pub(super) fn bytes_as_hex(input: ColumnInput<'_>, out: &mut Vec<u8>) -> Result<(), CoerceError> {
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

    fn written(
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), CoerceError>,
    ) -> Result<String, String> {
        let mut out = Vec::new();
        write(&mut out).map_err(|mismatch| mismatch.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn uuids() {
        let plain = "0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6";
        let mut out = Vec::new();
        uuid_text(uuid(ColumnInput::Text(plain)).unwrap(), &mut out);
        assert_eq!(out, plain.as_bytes());
        for (content, is_uuid) in [
            ("0189F7E23C4B7D5E8F90A1B2C3D4E5F6", true),
            ("{0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6}", true),
            ("0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f", false),
            ("0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f67", false),
            ("0189f7e-23c4b-7d5e-8f90-a1b2c3d4e5f6", false),
            ("0189-f7e2-3c4b-7d5e-8f90-a1b2-c3d4-e5f6", true),
            ("0189f7e2--3c4b-7d5e-8f90-a1b2c3d4e5f6", false),
            ("0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6-", false),
            ("-0189f7e23c4b7d5e8f90a1b2c3d4e5f6", false),
            ("018-9f7e23c4b7d5e8f90a1b2c3d4e5f6", false),
            ("0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6 ", false),
            ("not a uuid", false),
            ("", false),
        ] {
            assert_eq!(
                uuid(ColumnInput::Text(content)).is_ok(),
                is_uuid,
                "{content}"
            );
        }
    }

    #[test]
    fn base64_in_both_alphabets() {
        let decode = |content: &str| {
            let mut out = Vec::new();
            bytes(ColumnInput::Text(content), &mut out)
                .ok()
                .map(|()| out)
        };
        assert_eq!(decode("AP+/").unwrap(), [0, 255, 191]);
        assert_eq!(decode("AP-_").unwrap(), [0, 255, 191]);
        assert_eq!(decode("AA==").unwrap(), [0]);
        assert_eq!(decode("AA").unwrap(), [0]);
        assert_eq!(decode("").unwrap(), Vec::<u8>::new());
        assert_eq!(decode("not base64!"), None);
        assert_eq!(
            written(|out| bytes_as_hex(ColumnInput::Text("AP+/"), out)).unwrap(),
            "\\x00ffbf"
        );
    }
}
