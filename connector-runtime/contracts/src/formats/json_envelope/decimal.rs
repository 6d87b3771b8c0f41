//! Converts decimals between digits and Kafka Connect's form: the bytes of the unscaled number, and a scale.

use crate::decimal::{self, ExactDecimal};

/// `bytes` are big-endian two's complement. `None` if there are none or too many.
pub(super) fn digits(bytes: &[u8], scale: i32) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    decimal::digits(bytes, scale.into())
}

/// The bytes of the number with these digits at this scale, or `None` if it needs another scale.
pub(super) fn bytes(number: &str, scale: i32) -> Option<Vec<u8>> {
    let unscaled = ExactDecimal::parse(number)?.unscaled(scale.into())?;
    Some(unscaled.to_signed_bytes_be())
}

/// Whether two numbers of JSON are the same number, however they are written.
pub(super) fn are_equal(left: &str, right: &str) -> bool {
    matches!((ExactDecimal::parse(left), ExactDecimal::parse(right)), (Some(left), Some(right)) if left == right)
}
