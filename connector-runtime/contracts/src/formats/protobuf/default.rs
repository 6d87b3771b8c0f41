//! Parses the declared defaults of proto2 fields from their text in a descriptor.

use super::schema::{DefaultValue, Scalar};

/// `None` if the text is not a value of the type.
pub(super) fn of_scalar(scalar: Scalar, text: &str) -> Option<DefaultValue> {
    let bits = match scalar {
        Scalar::String => return Some(DefaultValue::Bytes(text.as_bytes().into())),
        Scalar::Bytes => return Some(DefaultValue::Bytes(unescape(text)?.into())),
        // Including `inf`, `-inf` and `nan`.
        Scalar::Double => text.parse::<f64>().ok()?.to_bits(),
        Scalar::Float => text.parse::<f32>().ok()?.to_bits().into(),
        Scalar::Bool => text.parse::<bool>().ok()?.into(),
        Scalar::Int32 | Scalar::Int64 | Scalar::Sfixed64 => text.parse::<i64>().ok()? as u64,
        Scalar::Sfixed32 => u64::from(text.parse::<i32>().ok()? as u32),
        Scalar::Uint32 | Scalar::Uint64 | Scalar::Fixed32 | Scalar::Fixed64 => text.parse().ok()?,
        Scalar::Sint32 | Scalar::Sint64 => {
            let number = text.parse::<i64>().ok()?;
            ((number << 1) ^ (number >> 63)) as u64
        }
    };
    Some(DefaultValue::Bits(bits))
}

pub(super) fn of_enum(number: i32) -> DefaultValue {
    DefaultValue::Bits(i64::from(number) as u64)
}

/// Resolves C escapes, which descriptors use in the defaults of `bytes`.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&escaped, after) = rest.split_first()?;
        let (unescaped, length) = match escaped {
            b'0'..=b'7' => number(rest, 8, 3)?,
            b'x' | b'X' => {
                let (number, length) = number(after, 16, 2)?;
                (number, length + 1)
            }
            b'n' => (b'\n', 1),
            b'r' => (b'\r', 1),
            b't' => (b'\t', 1),
            b'a' => (0x07, 1),
            b'b' => (0x08, 1),
            b'f' => (0x0c, 1),
            b'v' => (0x0b, 1),
            b'\\' | b'\'' | b'"' | b'?' => (escaped, 1),
            _ => return None,
        };
        out.push(unescaped);
        rest = rest.get(length..)?;
    }
    Some(out)
}

/// A number of at most `most` digits, and its length in digits.
fn number(text: &[u8], radix: u32, most: usize) -> Option<(u8, usize)> {
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
    let length = text.iter().take(most).take_while(is_digit).count();
    let digits = std::str::from_utf8(text.get(..length)?).ok()?;
    Some((u8::from_str_radix(digits, radix).ok()?, length))
}
