//! Avro's decimals and UUIDs as text and back.

use num_bigint::BigInt;
use uuid::Uuid;

use crate::decimal::MAX_DIGITS;

/// Bytes that hold so many digits.
const MAX_BYTES: usize = 416;

/// Two's complement, big-endian, and a scale, as digits. A negative scale is a power of ten: Java's `1E+2` is 1 with the
/// scale -2. `None` if there are too many digits.
pub(super) fn decimal_text(bytes: &[u8], scale: i64) -> Option<String> {
    if bytes.len() > MAX_BYTES || scale.unsigned_abs() > MAX_DIGITS as u64 {
        return None;
    }
    let digits = BigInt::from_signed_bytes_be(bytes).to_string();
    let Ok(scale) = usize::try_from(scale) else {
        let zeros = scale.unsigned_abs() as usize;
        if digits == "0" {
            return Some(digits);
        }
        return (digits.len() + zeros <= MAX_DIGITS).then(|| digits + &"0".repeat(zeros));
    };
    if scale == 0 {
        return Some(digits);
    }
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits.as_str()),
    };
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    Some(format!("{sign}{whole}.{fraction}"))
}

/// Sixteen bytes as `6ba7b810-9dad-11d1-80b4-00c04fd430c8`.
pub(super) fn uuid_text(bytes: [u8; 16]) -> String {
    Uuid::from_bytes(bytes).to_string()
}

/// The bytes of a UUID in its usual form; the other forms have other lengths.
pub(super) fn uuid_of(text: &str) -> Option<[u8; 16]> {
    let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == 36)?;
    Some(uuid.into_bytes())
}
