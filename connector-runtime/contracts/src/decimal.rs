//! Exact decimal numbers.
//!
//! A double is exact for 15 digits. Records and schemas have more, so bounds, equality and encodability are decided on the
//! decimal digits.

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint, Sign};

/// The most digits that arithmetic materializes: the limit of a `Value`.
pub(crate) const MAX_DIGITS: usize = 1_000;
/// Bytes that hold [`MAX_DIGITS`] digits.
const MAX_BYTES: usize = 416;

/// A number by its value: `digits` times ten to the power of `exponent`. `1.0`, `1` and `10e-1` are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ExactDecimal {
    negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    exponent: i64,
}

impl ExactDecimal {
    /// `None` for text that is not a number. Exponents saturate beyond 62 bits.
    pub(crate) fn parse(text: &str) -> Option<ExactDecimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, saturating_exponent(exponent)?),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(mantissa) => (true, mantissa),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let written = format!("{whole}{fraction}");
        let significant = written.trim_end_matches('0');
        let zeros = written.len() - significant.len();
        let digits = significant.trim_start_matches('0');
        if digits.is_empty() {
            return Some(ExactDecimal {
                negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        Some(ExactDecimal {
            negative,
            digits: digits.to_owned(),
            exponent: exponent - fraction.len() as i64 + zeros as i64,
        })
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// The number of significant digits: `0.00120e5` has 2.
    pub(crate) fn significant_digits(&self) -> usize {
        self.digits.len()
    }

    /// Digits after the point.
    pub(crate) fn fraction_digits(&self) -> u64 {
        self.exponent.min(0).unsigned_abs()
    }

    /// The number times ten to the power of `scale`, if that is an integer of at most [`MAX_DIGITS`] digits.
    pub(crate) fn unscaled(&self, scale: i64) -> Option<BigInt> {
        if self.is_zero() {
            return Some(BigInt::ZERO);
        }
        // The digits do not end in a zero, so a negative shift always leaves a fraction.
        let zeros = usize::try_from(self.exponent.checked_add(scale)?).ok()?;
        if zeros.saturating_add(self.digits.len()) > MAX_DIGITS {
            return None;
        }
        let sign = if self.negative {
            Sign::Minus
        } else {
            Sign::Plus
        };
        let magnitude = magnitude(&self.digits) * BigUint::from(10_u8).pow(zeros as u32);
        Some(BigInt::from_biguint(sign, magnitude))
    }

    /// Whether the number divided by `divisor` is an integer. No number is a multiple of zero.
    pub(crate) fn is_multiple_of(&self, divisor: &ExactDecimal) -> bool {
        if divisor.is_zero() {
            return false;
        }
        if self.is_zero() {
            return true;
        }
        // As in `unscaled`: a negative shift would need digits that end in zeros.
        let Ok(shift) = u64::try_from(self.exponent - divisor.exponent) else {
            return false;
        };
        if let (Ok(digits), Ok(divisor), 0..=18) = (
            self.digits.parse::<u64>(),
            divisor.digits.parse::<u64>(),
            shift,
        ) {
            return (u128::from(digits) * 10_u128.pow(shift as u32))
                .is_multiple_of(u128::from(divisor));
        }
        let divisor = magnitude(&divisor.digits);
        let power = BigUint::from(10_u8).modpow(&shift.into(), &divisor);
        magnitude(&self.digits) * power % divisor == BigUint::ZERO
    }

    /// -1, 0 or 1.
    fn sign(&self) -> i8 {
        if self.is_zero() {
            0
        } else if self.negative {
            -1
        } else {
            1
        }
    }

    /// Magnitudes are ordered by the position of the first digit, then by the digits.
    fn compare_magnitudes(&self, other: &ExactDecimal) -> Ordering {
        let position = |number: &ExactDecimal| number.digits.len() as i64 + number.exponent;
        position(self)
            .cmp(&position(other))
            .then_with(|| self.digits.cmp(&other.digits))
    }
}

impl Ord for ExactDecimal {
    fn cmp(&self, other: &ExactDecimal) -> Ordering {
        self.sign().cmp(&other.sign()).then_with(|| {
            let magnitudes = self.compare_magnitudes(other);
            if self.negative {
                magnitudes.reverse()
            } else {
                magnitudes
            }
        })
    }
}

impl PartialOrd for ExactDecimal {
    fn partial_cmp(&self, other: &ExactDecimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Converts two's complement (big-endian) and a scale to digits. A negative scale is a power of ten: Java's `1E+2` is 1 with the
/// scale -2. `None` if there are too many digits.
pub(crate) fn digits(bytes: &[u8], scale: i64) -> Option<String> {
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

fn magnitude(digits: &str) -> BigUint {
    BigUint::parse_bytes(digits.as_bytes(), 10).expect("a decimal's digits are digits")
}

/// Larger than any exponent that the number of digits could compensate, and small enough not to overflow.
const MAX_EXPONENT: i64 = 1 << 61;

fn saturating_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent = digits.parse().unwrap_or(MAX_EXPONENT).min(MAX_EXPONENT);
    Some(if negative { -exponent } else { exponent })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::ExactDecimal;

    fn decimal(text: &str) -> ExactDecimal {
        ExactDecimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_compare_by_every_digit() {
        let ascending = [
            "-1e400",
            "-100.00000000000000001",
            "-100",
            "-1e-400",
            "0",
            "1e-99999999999999999999",
            "1e-400",
            "0.1",
            "0.10000000000000000000001",
            "99.9",
            "100",
            "100.00000000000000001",
            "9999999999999999.99",
            "10000000000000000.00",
            "18446744073709551616",
            "18446744073709551617",
            "1e309",
            "1e99999999999999999999",
        ];
        for (index, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                let compared = decimal(left).cmp(&decimal(right));
                assert_eq!(compared, index.cmp(&other), "{left} and {right}");
            }
        }
    }

    #[test]
    fn one_value_has_one_form() {
        for (left, right) in [
            ("1", "1.0"),
            ("10e-1", "1"),
            ("-0", "0.000e7"),
            ("0.10", "1E-1"),
            (
                "123456789012345678901234567890",
                "12345678901234567890123456789e1",
            ),
        ] {
            assert_eq!(decimal(left), decimal(right), "{left} and {right}");
        }
        for text in [
            "", "-", "+1", ".5", "1e", "1e+", "x", "NaN", "1.2.3", "0x1", " 1",
        ] {
            assert_eq!(ExactDecimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        for (number, divisor, expected) in [
            ("12.34", "0.01", true),
            ("12.345", "0.01", false),
            ("9704362045719.609", "0.01", false),
            ("12345678901234567.891", "0.01", false),
            ("12345678901234567.89", "0.01", true),
            ("9007199254740993", "9007199254740993", true),
            ("9007199254740994", "9007199254740993", false),
            ("18446744073709551616", "3", false),
            ("18446744073709551615", "3", true),
            ("1e400", "3", false),
            ("3e400", "3", true),
            ("1e-400", "3", false),
            ("3e-400", "1e-400", true),
            ("0", "7", true),
            ("7", "0", false),
            ("-6", "3", true),
            ("4", "2.5", false),
            ("5.0", "2.5", true),
        ] {
            let found = decimal(number).is_multiple_of(&decimal(divisor));
            assert_eq!(found, expected, "{number} of {divisor}");
        }
    }

    #[test]
    fn unscaled_keeps_the_number_or_is_none() {
        for (number, scale, expected) in [
            ("1.2e1", 2, Some("1200")),
            ("-0.05", 2, Some("-5")),
            ("0.005", 2, None),
            ("0e99999999999999999999", 2, Some("0")),
            ("1e1000", 0, None),
            ("1e-99999999999999999999", 2, None),
        ] {
            let found = decimal(number)
                .unscaled(scale)
                .map(|found| found.to_string());
            assert_eq!(found.as_deref(), expected, "{number}");
        }
    }
}
