//! Numbers of few digits and no exponent, such as nearly every price, straight to the binary form of `numeric`.
//!
//! What is not written here, because it is unusual or does not fit its column, is for [`super::number`], which says why.

use super::number::{Numeric, NumericPrecision};

/// Digits before the point, and behind it, at most.
const MOST_DIGITS: usize = 16;
/// Groups of four digits on either side of the point.
const GROUPS: usize = MOST_DIGITS / 4;

struct ShortNumber {
    is_negative: bool,
    whole: u64,
    whole_digits: usize,
    fraction: u64,
    fraction_digits: usize,
}

impl ShortNumber {
    fn parse(digits: &[u8]) -> Option<ShortNumber> {
        let (is_negative, unsigned) = match digits {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, digits),
        };
        let (whole, whole_digits, rest) = leading_digits(unsigned)?;
        let (fraction, fraction_digits) = match rest {
            [] => (0, 0),
            [b'.', rest @ ..] => match leading_digits(rest)? {
                (fraction, count, []) => (fraction, count),
                _ => return None,
            },
            _ => return None,
        };
        Some(ShortNumber {
            is_negative,
            whole,
            whole_digits,
            fraction,
            fraction_digits,
        })
    }

    fn fits(&self, precision: Option<NumericPrecision>) -> bool {
        let Some(NumericPrecision { precision, scale }) = precision else {
            return true;
        };
        let (Ok(scale), Ok(whole_digits)) =
            (usize::try_from(scale), usize::try_from(precision - scale))
        else {
            return false;
        };
        // Zeros in front would count as digits; JSON has none but the 0 itself.
        self.fraction_digits <= scale && (self.whole == 0 || self.whole_digits <= whole_digits)
    }

    /// The point is behind the first [`GROUPS`] groups.
    fn groups(&self) -> [u16; 2 * GROUPS] {
        let mut groups = [0; 2 * GROUPS];
        let (before, behind) = groups.split_at_mut(GROUPS);
        fill(before, self.whole);
        let count = self.fraction_digits.div_ceil(4);
        let padding = match count * 4 - self.fraction_digits {
            0 => 1,
            1 => 10,
            2 => 100,
            _ => 1_000,
        };
        if let Some(behind) = behind.get_mut(..count) {
            fill(behind, self.fraction * padding);
        }
        groups
    }
}

/// Digits in groups of four, the last group first. Groups in front stay zero.
fn fill(groups: &mut [u16], digits: u64) {
    let mut left = digits;
    for group in groups.iter_mut().rev() {
        if left == 0 {
            break;
        }
        *group = (left % 10_000) as u16;
        left /= 10_000;
    }
}

/// The digits that come first, at least one and at most [`MOST_DIGITS`], how many, and what is behind them.
fn leading_digits(text: &[u8]) -> Option<(u64, usize, &[u8])> {
    let mut number = 0;
    let mut count = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number * 10 + u64::from(digit);
        count += 1;
        if count > MOST_DIGITS {
            return None;
        }
    }
    (count > 0).then_some((number, count, text.get(count..)?))
}

/// Appends the binary form of the digits; `false`, and nothing appended, if they are not for this road.
pub(super) fn write(digits: &str, column: Numeric, out: &mut Vec<u8>) -> bool {
    const NEGATIVE: u16 = 0x4000;
    let Some(number) = ShortNumber::parse(digits.as_bytes()) else {
        return false;
    };
    if !number.fits(column.precision) {
        return false;
    }
    let groups = number.groups();
    let is_digit = |group: &u16| *group != 0;
    let (Some(first), Some(last)) = (
        groups.iter().position(is_digit),
        groups.iter().rposition(is_digit),
    ) else {
        return false;
    };
    let scale = match column.precision {
        Some(NumericPrecision { scale, .. }) => scale as u16,
        None => number.fraction_digits as u16,
    };
    let weight = (GROUPS as i16 - 1) - first as i16;
    let sign = if number.is_negative { NEGATIVE } else { 0 };
    let count = (last + 1 - first) as u16;
    let head = [count, weight.cast_unsigned(), sign, scale];
    let groups = groups.get(first..=last).unwrap_or_default();
    let mut bytes = [0; 2 * (4 + 2 * GROUPS)];
    let words = head.iter().chain(groups);
    for (place, word) in bytes.chunks_exact_mut(2).zip(words) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    out.extend_from_slice(bytes.get(..8 + 2 * groups.len()).unwrap_or_default());
    true
}
