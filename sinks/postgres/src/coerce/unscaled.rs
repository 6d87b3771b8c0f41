//! Decimals as Kafka Connect writes them by default (`decimal.format=BASE64`): the unscaled integer in two's complement,
//! most significant byte first, in base64. Its scale is in the schema that JSON records do not carry.

use super::{CoerceError, ColumnInput, Reading, binary, expected};

/// Digits after the point; negative ones are zeros before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale(pub(crate) i16);

/// Converting takes the square of the length: this is far more than any column has use for (9,862 digits).
const MOST_BYTES: usize = 4_096;

/// The digits of an unscaled decimal, in base64 or as bytes; `None` where the column has no such decimals, and for a
/// number, which says its value itself.
pub(super) fn digits(
    input: ColumnInput<'_>,
    reading: &Reading,
) -> Result<Option<String>, CoerceError> {
    let Some(scale) = reading.unscaled else {
        return Ok(None);
    };
    match input {
        ColumnInput::Text(_) | ColumnInput::Bytes(_) => {}
        ColumnInput::Bool(_) | ColumnInput::Instant(_) => return Err(not_a_decimal()),
        ColumnInput::Null
        | ColumnInput::Number(_)
        | ColumnInput::Integer(_)
        | ColumnInput::Nested(_) => return Ok(None),
    }
    let mut bytes = Vec::new();
    binary::bytes(input, &mut bytes).map_err(|_| not_a_decimal())?;
    if bytes.is_empty() {
        return Err(not_a_decimal());
    }
    if bytes.len() > MOST_BYTES {
        return Err(format!("a decimal of more than {MOST_BYTES} bytes").into());
    }
    Ok(Some(scaled(&bytes, scale)))
}

fn not_a_decimal() -> CoerceError {
    expected(
        "`decimal = \"base64\"` expects an integer in two's complement, in base64, such as \"AN4=\"",
    )
}

fn scaled(bytes: &[u8], Scale(scale): Scale) -> String {
    let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let magnitude = if is_negative {
        negated(bytes)
    } else {
        bytes.to_vec()
    };
    let sign = if is_negative { "-" } else { "" };
    let digits = decimal_digits(&magnitude);
    let Ok(after) = usize::try_from(scale) else {
        return format!("{sign}{digits}e{}", -i32::from(scale));
    };
    let padded = format!("{digits:0>width$}", width = after + 1);
    let (whole, fraction) = padded.split_at(padded.len() - after);
    let point = if after == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// The complement, plus one.
fn negated(bytes: &[u8]) -> Vec<u8> {
    let mut magnitude: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
    for byte in magnitude.iter_mut().rev() {
        let (sum, is_carried) = byte.overflowing_add(1);
        *byte = sum;
        if !is_carried {
            return magnitude;
        }
    }
    // Only the complement of zero carries out, and zero is not negative.
    unreachable!("a negative number has a magnitude")
}

/// An unsigned integer in decimal digits: its bytes are taken into groups of nine digits, least significant first.
fn decimal_digits(bytes: &[u8]) -> String {
    const GROUP: u64 = 1_000_000_000;
    let mut groups: Vec<u64> = vec![0];
    for byte in bytes {
        let mut carry = u64::from(*byte);
        for group in &mut groups {
            let product = *group * 256 + carry;
            *group = product % GROUP;
            carry = product / GROUP;
        }
        if carry > 0 {
            groups.push(carry);
        }
    }
    let mut digits = String::new();
    for group in groups.iter().rev() {
        if digits.is_empty() {
            digits = group.to_string();
        } else {
            digits.push_str(&format!("{group:09}"));
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Base64 as Java's `BigInteger.toByteArray` and Jackson write it.
    #[test]
    fn decimals() {
        let cases = [
            ("AA==", 0, Ok("0")),
            ("AA==", 2, Ok("0.00")),
            ("AQ==", 2, Ok("0.01")),
            ("AN4=", 2, Ok("2.22")),
            ("3g==", 2, Ok("-0.34")),
            ("/w==", 0, Ok("-1")),
            ("gA==", 0, Ok("-128")),
            ("AIA=", 0, Ok("128")),
            ("gAAAAAAAAAA=", 4, Ok("-922337203685477.5808")),
            ("f/////////8=", 0, Ok("9223372036854775807")),
            ("SZYC0g==", 0, Ok("1234567890")),
            ("VKmMRMbCmw==", 3, Ok("23830317958087.323")),
            ("AP//////////", 0, Ok("18446744073709551615")),
            ("DA==", -2, Ok("12e2")),
            ("", 2, Err("`decimal = \"base64\"` expects")),
            ("12.34", 2, Err("`decimal = \"base64\"` expects")),
            ("***", 2, Err("`decimal = \"base64\"` expects")),
        ];
        for (content, scale, expected) in cases {
            let reading = Reading {
                unscaled: Some(Scale(scale)),
                ..Reading::default()
            };
            match (digits(ColumnInput::Text(content), &reading), expected) {
                (Ok(Some(found)), Ok(right)) => assert_eq!(found, right, "{content}"),
                (Err(found), Err(part)) => assert!(found.contains(part), "{content}: {found}"),
                found => unreachable!("{content}: {found:?}"),
            }
        }
    }

    #[test]
    fn long_decimals() {
        use base64::Engine;
        let reading = Reading {
            unscaled: Some(Scale(0)),
            ..Reading::default()
        };
        let encoded = |length: usize| {
            let bytes = vec![1_u8; length];
            base64::engine::general_purpose::STANDARD.encode(bytes)
        };
        let found = digits(ColumnInput::Text(&encoded(MOST_BYTES)), &reading).unwrap();
        assert_eq!(found.unwrap().len(), 9_862);
        assert!(digits(ColumnInput::Text(&encoded(MOST_BYTES + 1)), &reading).is_err());
    }

    #[test]
    fn what_is_no_string() {
        let reading = Reading {
            unscaled: Some(Scale(2)),
            ..Reading::default()
        };
        assert_eq!(digits(ColumnInput::Number("12.34"), &reading), Ok(None));
        assert!(digits(ColumnInput::Bool(true), &reading).is_err());
        let of_bytes = digits(ColumnInput::Bytes(&[0, 0xDE]), &reading);
        assert_eq!(of_bytes, Ok(Some("2.22".to_owned())));
        assert!(digits(ColumnInput::Bytes(&[]), &reading).is_err());
        assert_eq!(
            digits(ColumnInput::Text("AQ=="), &Reading::default()),
            Ok(None)
        );
    }
}
