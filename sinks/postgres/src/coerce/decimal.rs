//! Decimal numbers in their written form.

/// A decimal number as digits, without any arithmetic on it.
pub(super) struct Decimal<'a> {
    pub(super) negative: bool,
    /// The digits before and after the written point.
    whole: &'a [u8],
    fraction: &'a [u8],
    /// Zeros at the front of `whole` and `fraction` together, which do not count.
    skipped: usize,
    /// Digits that count, from the first to the last that is not zero.
    pub(super) significant: usize,
    /// The position of the point relative to the first significant digit, after applying the exponent: 2 for 12.5, -1 for 0.05.
    pub(super) point: i64,
    /// Digits after the point as they were written, zeros at the end included.
    pub(super) written_fraction: i64,
}

impl<'a> Decimal<'a> {
    pub(super) fn parse(content: &'a str) -> Option<Decimal<'a>> {
        let bytes = content.as_bytes();
        let (negative, bytes) = match bytes.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, bytes),
        };
        let mantissa_end = bytes
            .iter()
            .position(|byte| matches!(byte, b'e' | b'E'))
            .unwrap_or(bytes.len());
        let (mantissa, exponent) = bytes.split_at(mantissa_end);
        let point = mantissa.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(place) => (mantissa.get(..place)?, mantissa.get(place + 1..)?),
            None => (mantissa, &[][..]),
        };
        let all_digits = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
        if whole.is_empty() && fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let exponent = parse_exponent(exponent)?;
        let mut decimal = Decimal {
            negative,
            whole,
            fraction,
            skipped: 0,
            significant: 0,
            point: 0,
            written_fraction: (fraction.len() as i64 - exponent).max(0),
        };
        let length = whole.len() + fraction.len();
        decimal.skipped = (0..length)
            .find(|place| decimal.raw(*place) != b'0')
            .unwrap_or(length);
        let last = (decimal.skipped..length)
            .rev()
            .find(|place| decimal.raw(*place) != b'0');
        if let Some(last) = last {
            decimal.significant = last + 1 - decimal.skipped;
            decimal.point = whole.len() as i64 - decimal.skipped as i64 + exponent;
        }
        Some(decimal)
    }

    fn raw(&self, place: usize) -> u8 {
        let digit = match place.checked_sub(self.whole.len()) {
            None => self.whole.get(place),
            Some(after) => self.fraction.get(after),
        };
        digit.copied().unwrap_or(b'0')
    }

    /// The digit at this distance from the first significant one; zero outside of the written digits.
    pub(super) fn digit(&self, place: i64) -> u8 {
        match usize::try_from(place) {
            Ok(place) if place < self.significant => self.raw(self.skipped + place) - b'0',
            _ => 0,
        }
    }

    /// The number of significant digits after the point.
    pub(super) fn fraction_digits(&self) -> i64 {
        (self.significant as i64 - self.point).max(0)
    }

    /// The number times ten to the power of `shift`, without digits that are then after the point. `None` beyond i64.
    pub(super) fn shifted_integer(&self, shift: i64) -> Option<i64> {
        const MOST_DIGITS: i64 = 19;
        let count = self.point.saturating_add(shift);
        if self.significant == 0 || count <= 0 {
            return Some(0);
        }
        if count > MOST_DIGITS {
            return None;
        }
        (0..count).try_fold(0_i64, |number, index| {
            let digit = i64::from(self.digit(index));
            let signed = if self.negative { -digit } else { digit };
            number.checked_mul(10)?.checked_add(signed)
        })
    }

    /// Whether the mantissa is written as JSON has it: digits before a point, and digits after one.
    pub(super) fn has_whole_digits(content: &str) -> bool {
        let mantissa = content.split(['e', 'E']).next().unwrap_or_default();
        let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        !unsigned.starts_with('.') && !unsigned.ends_with('.')
    }
}

/// `e5`, `E-3` or nothing. Exponents beyond all limits are only known to be large.
fn parse_exponent(bytes: &[u8]) -> Option<i64> {
    const FAR: i64 = 1_000_000;
    let Some((_, rest)) = bytes.split_first() else {
        return Some(0);
    };
    let (negative, digits) = match rest.split_first()? {
        (b'-', digits) => (true, digits),
        (b'+', digits) => (false, digits),
        _ => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0_i64, |size, digit| {
        (size * 10 + i64::from(digit - b'0')).min(FAR)
    });
    Some(if negative { -size } else { size })
}
