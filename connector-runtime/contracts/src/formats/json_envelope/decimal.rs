//! Decimals between their digits and Kafka Connect's form: the unscaled number's bytes and a scale.

use num_bigint::BigInt;

/// Two's complement of this many bytes has about a thousand digits, as many as a number may have here.
const MOST_BYTES: usize = 416;
/// Zeros that a scale or an exponent may add.
const MOST_ZEROS: u32 = 2_000;

/// `bytes` are big-endian two's complement. `None` if there are none or too many.
pub(super) fn digits(bytes: &[u8], scale: i32) -> Option<String> {
    if bytes.is_empty() || bytes.len() > MOST_BYTES {
        return None;
    }
    let unscaled = BigInt::from_signed_bytes_be(bytes);
    if scale <= 0 {
        let factor = BigInt::from(10).pow(scale.unsigned_abs());
        return Some((unscaled * factor).to_string());
    }
    let scale = scale.unsigned_abs() as usize;
    let text = unscaled.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    Some(format!("{sign}{whole}.{fraction}"))
}

/// The bytes of the number with these digits at this scale, or `None` if it needs another scale.
pub(super) fn bytes(number: &str, scale: i32) -> Option<Vec<u8>> {
    let exact = Exact::of(number)?;
    let shift = exact.exponent.checked_add(scale.into())?;
    let factor = BigInt::from(10).pow(u32::try_from(shift).ok().filter(|one| *one <= MOST_ZEROS)?);
    let unscaled = BigInt::parse_bytes(exact.digits.as_bytes(), 10)? * factor;
    let signed = if exact.negative { -unscaled } else { unscaled };
    Some(signed.to_signed_bytes_be())
}

/// Whether two numbers of JSON are the same number, however they are written.
pub(super) fn are_equal(left: &str, right: &str) -> bool {
    matches!((Exact::of(left), Exact::of(right)), (Some(left), Some(right)) if left == right)
}

/// A number as digits times a power of ten, without zeros at either end of the digits. Zero has the digit 0.
#[derive(PartialEq)]
struct Exact {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Exact {
    fn of(number: &str) -> Option<Exact> {
        let (mantissa, exponent) = match number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (number, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(mantissa) => (true, mantissa),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = all.trim_end_matches('0');
        let zeros = (all.len() - significant.len()) as i64;
        let digits = significant.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Exact {
                negative: false,
                digits: "0".to_owned(),
                exponent: 0,
            });
        }
        Some(Exact {
            negative,
            digits: digits.to_owned(),
            exponent: exponent
                .checked_sub(fraction.len() as i64)?
                .checked_add(zeros)?,
        })
    }
}
