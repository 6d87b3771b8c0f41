//! The proleptic Gregorian calendar over every day that 64 bits count.
//!
//! `jiff`'s instants end at 9999-12-30, and data from outside goes further: Debezium writes "no end" as the largest day that
//! an Avro `int` holds. So dates are computed here, without overflow or panic.

use std::fmt;

/// Days of 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// From 0000-03-01, where the arithmetic begins, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilDate {
    year: i64,
    month: u8,
    day: u8,
}

impl CivilDate {
    /// `None` if the calendar has no such day, or the year has more than nine digits.
    pub fn new(year: i64, month: u8, day: u8) -> Option<CivilDate> {
        let exists = year.abs() < 1_000_000_000
            && (1..=12).contains(&month)
            && (1..=days_of_month(year, month)).contains(&day);
        exists.then_some(CivilDate { year, month, day })
    }

    /// The day with this number of days after 1970-01-01, by Howard Hinnant's
    /// [algorithm](https://howardhinnant.github.io/date_algorithms.html): years begin in March, so that a leap day is the
    /// last day of its year.
    pub fn from_epoch_days(days: i64) -> CivilDate {
        // In 128 bits, so that no number of days overflows.
        let days = i128::from(days) + i128::from(DAYS_TO_1970);
        let era = days.div_euclid(DAYS_PER_ERA.into()) as i64;
        let day = days.rem_euclid(DAYS_PER_ERA.into()) as i64;
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        CivilDate {
            year: era * 400 + year + i64::from(month <= 2),
            month: month as u8,
            day: day as u8,
        }
    }

    /// Astronomical: 0 is 1 BC.
    pub fn year(self) -> i64 {
        self.year
    }

    /// From 1.
    pub fn month(self) -> u8 {
        self.month
    }

    /// From 1.
    pub fn day(self) -> u8 {
        self.day
    }

    /// Days after 1970-01-01.
    pub fn epoch_days(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = self.year - i64::from(month <= 2);
        let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
        let day = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        // The era's days alone may exceed 64 bits, the whole does not.
        let rest = 365 * year + year / 4 - year / 100 + day - DAYS_TO_1970;
        (i128::from(era) * i128::from(DAYS_PER_ERA) + i128::from(rest)) as i64
    }
}

fn days_of_month(year: i64, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// As RFC 3339 writes it, `2026-11-20`. A year that RFC 3339 does not have (before 0000, after 9999) has a sign, as in
/// ISO 8601: `+10000-01-01`, `-0044-03-15`.
impl fmt::Display for CivilDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CivilDate { year, month, day } = self;
        if (0..=9999).contains(year) {
            write!(formatter, "{year:04}-{month:02}-{day:02}")
        } else {
            write!(formatter, "{year:+05}-{month:02}-{day:02}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CivilDate;

    #[test]
    fn every_number_of_days_is_a_date_and_back() {
        let cases = [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (-25_508, "1900-03-01"),
            (2_932_896, "9999-12-31"),
            (2_932_897, "+10000-01-01"),
            (-719_528, "0000-01-01"),
            (-719_529, "-0001-12-31"),
            (7_304_485, "+21969-01-01"),
            (i64::from(i32::MAX), "+5881580-07-11"),
            (i64::from(i32::MIN), "-5877641-06-23"),
        ];
        for (days, text) in cases {
            let date = CivilDate::from_epoch_days(days);
            assert_eq!((date.to_string().as_str(), date.epoch_days()), (text, days));
        }
        for days in [i64::MIN, i64::MAX] {
            assert_eq!(CivilDate::from_epoch_days(days).epoch_days(), days);
        }
    }

    #[test]
    fn days_that_the_calendar_lacks_are_refused() {
        for (year, month, day) in [
            (2026, 2, 29),
            (1900, 2, 29),
            (2026, 4, 31),
            (2026, 13, 1),
            (2026, 0, 1),
            (2026, 1, 0),
        ] {
            assert_eq!(
                CivilDate::new(year, month, day),
                None,
                "{year}-{month}-{day}"
            );
        }
        assert!(CivilDate::new(2000, 2, 29).is_some());
    }
}
