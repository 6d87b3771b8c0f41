//! The numbers by which Debezium writes PostgreSQL's infinity.
//!
//! They are its JDBC driver's (`PGStatement.DATE_POSITIVE_INFINITY`), in milliseconds, taken for microseconds until its
//! issue 2524 was mended; for dates they are the server's own number with the days to 1970 added, which wraps. As finite
//! values they lie outside of PostgreSQL's range, but for one: `infinity` in microseconds would be a day in 294247.

use super::decimal::Decimal;
use crate::config::TimeUnit;

/// Whether these days since 1970 are `infinity` (`true`) or `-infinity`.
pub(super) fn infinite_days(days: i64) -> Option<bool> {
    match days {
        -2_147_472_692 | 2_146_033_979 => Some(true),
        -2_147_472_691 => Some(false),
        _ => None,
    }
}

/// Whether this number is `infinity` (`true`) or `-infinity` as a timestamp.
pub(super) fn infinite_timestamp(number: &Decimal<'_>, unit: TimeUnit) -> Option<bool> {
    use TimeUnit::{Microseconds, Milliseconds, Nanoseconds};
    if number.fraction_digits() > 0 {
        return None;
    }
    match (unit, number.shifted_integer(0)?) {
        (Milliseconds, 9_223_372_036_825_200 | 9_223_372_036_825_200_000)
        | (Microseconds, 9_223_372_036_825_200_000)
        | (Microseconds | Nanoseconds, i64::MAX) => Some(true),
        (Milliseconds, -9_223_372_036_832_400 | -9_223_372_036_832_400_000)
        | (Microseconds, -9_223_372_036_832_400_000)
        | (Microseconds | Nanoseconds, i64::MIN) => Some(false),
        _ => None,
    }
}
