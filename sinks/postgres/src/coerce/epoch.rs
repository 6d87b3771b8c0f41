//! Epoch numbers: numbers, or strings of digits, that count from 1970 or from midnight.
//!
//! Counted in digits and integers, never in floats. What is finer than a microsecond is rounded half to even, as
//! PostgreSQL rounds the fraction of a written time.

use super::calendar::{MICROSECONDS_A_DAY, SECONDS_A_DAY};
use super::decimal::Decimal;
use super::{CoerceError, expected};
use crate::config::TimeUnit;

/// A number where only a unit would say what it counts.
pub(super) const DATE_NEEDS_UNIT: &str = "a number there needs a unit, such as { path = \"$.field\", unit = \"days\" } for days since 1970; s, ms, us and ns are known too";
pub(super) const TIME_NEEDS_UNIT: &str = "a number there needs a unit, such as { path = \"$.field\", unit = \"ms\" } for milliseconds since midnight; s, us and ns are known too";
/// Seconds, mostly; as milliseconds they would be a time in January 1970.
pub(super) const FRACTION_NEEDS_UNIT: &str = "a number with a fraction needs a unit, such as { path = \"$.field\", unit = \"s\" } for seconds since 1970; days, ms, us and ns are known too";

/// Microseconds, exact or to the nearest.
pub(super) fn microseconds(decimal: &Decimal<'_>, unit: TimeUnit) -> Result<i64, CoerceError> {
    let out_of_range =
        || expected("it is out of range: is its unit right? { path = \"$.field\", unit = \"s\" }");
    let shift = match unit {
        TimeUnit::Days => {
            let seconds = days(decimal)?.checked_mul(SECONDS_A_DAY);
            return seconds
                .and_then(|seconds| seconds.checked_mul(MICROSECONDS_A_DAY / SECONDS_A_DAY))
                .ok_or_else(out_of_range);
        }
        TimeUnit::Seconds => 6,
        TimeUnit::Milliseconds => 3,
        TimeUnit::Microseconds => 0,
        TimeUnit::Nanoseconds => -3,
    };
    let whole = decimal.shifted_integer(shift).ok_or_else(out_of_range)?;
    let half = decimal.digit(decimal.point + shift);
    let is_beyond_half = decimal.significant as i64 - decimal.point > shift + 1;
    let rounds_away = match half {
        0..5 => false,
        5 => is_beyond_half || whole % 2 != 0,
        _ => true,
    };
    let step = match (rounds_away, decimal.negative) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => -1,
    };
    whole.checked_add(step).ok_or_else(out_of_range)
}

/// Whole days.
pub(super) fn days(decimal: &Decimal<'_>) -> Result<i64, CoerceError> {
    if decimal.fraction_digits() > 0 {
        return Err(expected(
            "days are counted in integers, and it has a fraction",
        ));
    }
    decimal
        .shifted_integer(0)
        .ok_or(expected("it is out of range"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_of_every_unit() {
        use TimeUnit::{Days, Microseconds, Milliseconds, Nanoseconds, Seconds};
        let cases = [
            ("0", Seconds, Some(0)),
            ("1732137319", Seconds, Some(1_732_137_319_000_000)),
            ("1732137319.042", Seconds, Some(1_732_137_319_042_000)),
            ("1.732137319042E9", Seconds, Some(1_732_137_319_042_000)),
            ("1732137319.123456789", Seconds, Some(1_732_137_319_123_457)),
            ("1732137319042", Milliseconds, Some(1_732_137_319_042_000)),
            ("1732137319042.5", Milliseconds, Some(1_732_137_319_042_500)),
            (
                "1732137319042001",
                Microseconds,
                Some(1_732_137_319_042_001),
            ),
            ("-1", Milliseconds, Some(-1_000)),
            // Half to even, and what is more than a half.
            ("1500", Nanoseconds, Some(2)),
            ("2500", Nanoseconds, Some(2)),
            ("2501", Nanoseconds, Some(3)),
            ("2500.0000001", Nanoseconds, Some(3)),
            ("-1500", Nanoseconds, Some(-2)),
            ("-2500", Nanoseconds, Some(-2)),
            ("500", Nanoseconds, Some(0)),
            ("501", Nanoseconds, Some(1)),
            ("499", Nanoseconds, Some(0)),
            ("0.0000005", Seconds, Some(0)),
            ("0.0000015", Seconds, Some(2)),
            ("0.00000050000000000000000001", Seconds, Some(1)),
            ("1e-400", Seconds, Some(0)),
            ("20000", Days, Some(1_728_000_000_000_000)),
            ("20000.0", Days, Some(1_728_000_000_000_000)),
            ("20000.5", Days, None),
            ("1e13", Seconds, None),
            ("9223372036854775807", Microseconds, Some(i64::MAX)),
            ("9223372036854775807.5", Microseconds, None),
            ("9223372036854775807", Days, None),
            ("1e999999999", Seconds, None),
        ];
        for (digits, unit, expected) in cases {
            let decimal = Decimal::parse(digits).unwrap();
            assert_eq!(
                microseconds(&decimal, unit).ok(),
                expected,
                "{digits} {unit:?}"
            );
        }
    }
}
