//! PostgreSQL's calendar: days and microseconds since 2000-01-01, and how they are written.

use std::fmt;

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

pub(super) fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The other way round: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Days since 2000-01-01 as PostgreSQL reads them.
pub(super) struct DateText(pub(super) i32);

impl fmt::Display for DateText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            DATE_INFINITY => formatter.write_str("infinity"),
            DATE_MINUS_INFINITY => formatter.write_str("-infinity"),
            days => {
                let (year, month, day) = civil_from_days(i64::from(days) + DAYS_TO_2000);
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
