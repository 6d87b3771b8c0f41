//! Avro's logical types as text and back: dates, times, decimals, UUIDs.

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp, ToSpan};
use num_bigint::BigInt;
use uuid::Uuid;

/// Digits of one decimal; what a `Value` takes.
const MOST_DIGITS: usize = 1_000;
/// Bytes that hold so many digits.
const MOST_BYTES: usize = 416;

/// What a time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimeUnit {
    fn nanoseconds(self) -> i128 {
        match self {
            TimeUnit::Milliseconds => 1_000_000,
            TimeUnit::Microseconds => 1_000,
            TimeUnit::Nanoseconds => 1,
        }
    }

    fn decimals(self) -> usize {
        match self {
            TimeUnit::Milliseconds => 3,
            TimeUnit::Microseconds => 6,
            TimeUnit::Nanoseconds => 9,
        }
    }

    /// `nanoseconds` in this unit, if nothing is lost.
    fn exactly(self, nanoseconds: i128) -> Option<i64> {
        if nanoseconds % self.nanoseconds() != 0 {
            return None;
        }
        i64::try_from(nanoseconds / self.nanoseconds()).ok()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            TimeUnit::Milliseconds => "milliseconds",
            TimeUnit::Microseconds => "microseconds",
            TimeUnit::Nanoseconds => "nanoseconds",
        }
    }
}

/// An instant as RFC 3339 in UTC. `None` outside the years that have such text.
pub(super) fn timestamp_text(count: i64, unit: TimeUnit) -> Option<String> {
    let nanoseconds = i128::from(count) * unit.nanoseconds();
    let instant = Timestamp::from_nanosecond(nanoseconds).ok()?;
    Some(format!("{instant:.*}", unit.decimals()))
}

/// RFC 3339 with an offset, if it is a whole number of units.
pub(super) fn timestamp_of(text: &str, unit: TimeUnit) -> Option<i64> {
    let instant: Timestamp = text.parse().ok()?;
    unit.exactly(instant.as_nanosecond())
}

/// Milliseconds since 1970 in another unit: numbers in records are milliseconds.
pub(super) fn timestamp_of_milliseconds(milliseconds: i64, unit: TimeUnit) -> Option<i64> {
    unit.exactly(i128::from(milliseconds) * TimeUnit::Milliseconds.nanoseconds())
}

/// A time on no particular clock, without an offset.
pub(super) fn local_timestamp_text(count: i64, unit: TimeUnit) -> Option<String> {
    let nanoseconds = i128::from(count) * unit.nanoseconds();
    let passed = SignedDuration::try_from_nanos_i128(nanoseconds)?;
    let time = DateTime::constant(1970, 1, 1, 0, 0, 0, 0)
        .checked_add(passed)
        .ok()?;
    Some(format!("{time:.*}", unit.decimals()))
}

pub(super) fn local_timestamp_of(text: &str, unit: TimeUnit) -> Option<i64> {
    let time: DateTime = text.parse().ok()?;
    let passed = time.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    unit.exactly(passed.as_nanos())
}

/// Days since 1970 as `2026-11-20`.
pub(super) fn date_text(days: i32) -> Option<String> {
    let date = Date::constant(1970, 1, 1).checked_add(i64::from(days).days());
    Some(date.ok()?.to_string())
}

pub(super) fn date_of(text: &str) -> Option<i32> {
    let date: Date = text.parse().ok()?;
    let hours = date.duration_since(Date::constant(1970, 1, 1)).as_hours();
    i32::try_from(hours / 24).ok()
}

/// A time of day as `20:15:00.000`.
pub(super) fn time_text(count: i64, unit: TimeUnit) -> Option<String> {
    let nanoseconds = i128::from(count) * unit.nanoseconds();
    let passed = SignedDuration::try_from_nanos_i128(nanoseconds)?;
    let time = Time::midnight().checked_add(passed).ok()?;
    Some(format!("{time:.*}", unit.decimals()))
}

pub(super) fn time_of(text: &str, unit: TimeUnit) -> Option<i64> {
    let time: Time = text.parse().ok()?;
    unit.exactly(time.duration_since(Time::midnight()).as_nanos())
}

/// Two's complement, big-endian, and a scale, as digits. `None` if there are too many.
pub(super) fn decimal_text(bytes: &[u8], scale: u32) -> Option<String> {
    let scale = scale as usize;
    if bytes.len() > MOST_BYTES || scale > MOST_DIGITS {
        return None;
    }
    let digits = BigInt::from_signed_bytes_be(bytes).to_string();
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

/// The digits of a JSON number times 10 to the power of `scale`, if that is a whole number.
pub(super) fn unscaled(number: &str, scale: u32) -> Option<BigInt> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (number, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let mut digits = format!("{whole}{fraction}");
    if digits.bytes().all(|byte| byte == b'0') {
        return Some(BigInt::ZERO);
    }
    let shift = exponent
        .checked_add(i64::from(scale))?
        .checked_sub(fraction.len() as i64)?;
    let zeros = usize::try_from(shift.unsigned_abs()).ok()?;
    if zeros > MOST_DIGITS || digits.len() > MOST_DIGITS {
        return None;
    }
    if shift >= 0 {
        digits.extend(std::iter::repeat_n('0', zeros));
    } else {
        let kept = digits.len().checked_sub(zeros)?;
        if !digits.get(kept..)?.bytes().all(|byte| byte == b'0') {
            return None;
        }
        digits.truncate(kept);
    }
    BigInt::parse_bytes(format!("{sign}{digits}").as_bytes(), 10)
}

/// Digits behind the point of a JSON number, zeros at the end left out.
pub(super) fn decimals(number: &str) -> Option<u32> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (number, 0),
    };
    let fraction = mantissa
        .split_once('.')
        .map_or("", |(_, fraction)| fraction);
    let written = fraction.trim_end_matches('0').len() as i64;
    u32::try_from(written.checked_sub(exponent)?.max(0)).ok()
}

/// The bytes of a UUID in its usual form.
pub(super) fn uuid_of(text: &str) -> Option<[u8; 16]> {
    // `parse_str` also takes forms without hyphens, in braces and as a URN, none of which has this length.
    let usual = text.len() == uuid::fmt::Hyphenated::LENGTH;
    let uuid = usual.then(|| Uuid::parse_str(text))?;
    uuid.ok().map(Uuid::into_bytes)
}
