//! PostgreSQL's calendar: days and microseconds since 2000-01-01, and how they are written.

use std::fmt;

use connect_api::calendar::CivilDate;

pub(super) const MICROSECONDS_A_SECOND: i64 = 1_000_000;
pub(super) const SECONDS_A_DAY: i64 = 86_400;
pub(super) const MICROSECONDS_A_DAY: i64 = SECONDS_A_DAY * MICROSECONDS_A_SECOND;
/// From 1970-01-01 to 2000-01-01.
pub(super) const DAYS_TO_2000: i64 = 10_957;

/// `infinity` and `-infinity`.
pub(super) const DATE_INFINITY: i32 = i32::MAX;
pub(super) const DATE_MINUS_INFINITY: i32 = i32::MIN;
pub(super) const TIMESTAMP_INFINITY: i64 = i64::MAX;
pub(super) const TIMESTAMP_MINUS_INFINITY: i64 = i64::MIN;

/// Days since 2000-01-01 as PostgreSQL reads them.
pub(super) struct DateText(pub(super) i32);

impl fmt::Display for DateText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            DATE_INFINITY => formatter.write_str("infinity"),
            DATE_MINUS_INFINITY => formatter.write_str("-infinity"),
            days => {
                let date = CivilDate::from_epoch_days(i64::from(days) + DAYS_TO_2000);
                let (year, month, day) = (date.year(), date.month(), date.day());
                if year > 0 {
                    write!(formatter, "{year:04}-{month:02}-{day:02}")
                } else {
                    write!(formatter, "{:04}-{month:02}-{day:02} BC", 1 - year)
                }
            }
        }
    }
}

/// Microseconds since midnight as PostgreSQL reads them.
pub(super) struct TimeText(pub(super) i64);

impl fmt::Display for TimeText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / MICROSECONDS_A_SECOND;
        let microseconds = self.0 % MICROSECONDS_A_SECOND;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            formatter,
            "{hour:02}:{minute:02}:{second:02}.{microseconds:06}"
        )
    }
}

/// Microseconds since 2000-01-01 as PostgreSQL reads them, UTC.
pub(super) struct TimestampText(pub(super) i64);

impl fmt::Display for TimestampText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TIMESTAMP_INFINITY => formatter.write_str("infinity"),
            TIMESTAMP_MINUS_INFINITY => formatter.write_str("-infinity"),
            microseconds => {
                let days = microseconds.div_euclid(MICROSECONDS_A_DAY);
                let time = TimeText(microseconds.rem_euclid(MICROSECONDS_A_DAY));
                let date = DateText(i32::try_from(days).unwrap_or(DATE_INFINITY)).to_string();
                match date.strip_suffix(" BC") {
                    Some(date) => write!(formatter, "{date} {time}+00 BC"),
                    None => write!(formatter, "{date} {time}+00"),
                }
            }
        }
    }
}
