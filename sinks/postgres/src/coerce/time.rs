//! Dates and times: RFC 3339 and what is usual beside it, or epoch numbers.
//!
//! Read by hand: the layout is fixed, and this runs for every cell of a timestamp column. PostgreSQL counts from
//! 2000-01-01: days for `date`, microseconds for the others.

use connect_api::calendar::CivilDate;

use super::calendar::{
    DATE_INFINITY, DATE_MINUS_INFINITY, DAYS_TO_2000, MICROSECONDS_A_DAY, MICROSECONDS_A_SECOND,
    TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY,
};
use super::number;
use super::{Input, Misfit, Reading, expected};
use crate::config::{NaiveTime, TimeUnit};

/// The last year of `timestamp` is 294276; of what is written with four digits nothing is too late.
const LAST_TIMESTAMP: i64 = 9_223_371_331_200_000_000 - 1;
/// 4714-11-24 BC, the first day of `timestamp` and `date`.
const FIRST_TIMESTAMP: i64 = -211_813_488_000_000_000;

/// Microseconds since 2000-01-01, UTC.
pub(super) fn timestamp(input: Input<'_>, reading: &Reading) -> Result<i64, Misfit> {
    match input {
        Input::Instant(milliseconds) => from_epoch(milliseconds, TimeUnit::Milliseconds),
        Input::Number(_) | Input::Integer(_) => from_epoch(number::integer(input)?, reading.unit),
        Input::Text(content) => match infinity(content) {
            Some(true) => Ok(TIMESTAMP_INFINITY),
            Some(false) => Ok(TIMESTAMP_MINUS_INFINITY),
            None => {
                let written = Written::parse(content.trim()).ok_or(expected(
                    "a time such as 2026-11-20T20:35:19.042Z is expected",
                ))?;
                written.instant(reading.naive_time)
            }
        },
        _ => Err(expected("a time (RFC 3339) or an epoch number is expected")),
    }
}

/// Days since 2000-01-01. Of a time with an offset it is the date that is written, as PostgreSQL has it.
pub(super) fn date(input: Input<'_>, reading: &Reading) -> Result<i32, Misfit> {
    let days = match input {
        Input::Text(content) => match infinity(content) {
            Some(true) => return Ok(DATE_INFINITY),
            Some(false) => return Ok(DATE_MINUS_INFINITY),
            None => {
                let written = Written::parse(content.trim())
                    .ok_or(expected("a date such as 2026-11-20 is expected"))?;
                written.day - DAYS_TO_2000
            }
        },
        Input::Number(_) | Input::Integer(_) | Input::Instant(_) => {
            timestamp(input, reading)?.div_euclid(MICROSECONDS_A_DAY)
        }
        _ => return Err(expected("a date such as 2026-11-20 is expected")),
    };
    i32::try_from(days).map_err(|_| expected("it is out of range"))
}

/// Microseconds since midnight.
pub(super) fn time_of_day(input: Input<'_>) -> Result<i64, Misfit> {
    let misfit = || expected("a time of day such as 20:35:19 is expected");
    let Input::Text(content) = input else {
        return Err(misfit());
    };
    let mut rest = Scanner(content.trim().as_bytes());
    let time = rest.time_of_day().filter(|_| rest.0.is_empty());
    time.ok_or_else(misfit)
}

fn infinity(content: &str) -> Option<bool> {
    let is = |word| content.trim().eq_ignore_ascii_case(word);
    if is("infinity") || is("+infinity") {
        Some(true)
    } else {
        is("-infinity").then_some(false)
    }
}

fn from_epoch(number: i64, unit: TimeUnit) -> Result<i64, Misfit> {
    let microseconds = match unit {
        TimeUnit::Seconds => number.checked_mul(MICROSECONDS_A_SECOND),
        TimeUnit::Milliseconds => number.checked_mul(1_000),
        TimeUnit::Microseconds => Some(number),
        TimeUnit::Nanoseconds => Some(number.div_euclid(1_000)),
    };
    microseconds
        .and_then(|microseconds| microseconds.checked_sub(DAYS_TO_2000 * MICROSECONDS_A_DAY))
        .filter(|microseconds| (FIRST_TIMESTAMP..=LAST_TIMESTAMP).contains(microseconds))
        .ok_or(expected(
            "it is out of range: is its unit right? { path = \"…\", unit = \"s\" }",
        ))
}

/// A date, perhaps with a time, perhaps with an offset, as it is written.
struct Written {
    /// Days since 1970-01-01.
    day: i64,
    /// Microseconds since midnight.
    time: i64,
    /// Seconds east of UTC; `None` where none is written.
    offset: Option<i64>,
}

impl Written {
    fn parse(content: &str) -> Option<Written> {
        let mut rest = Scanner(content.as_bytes());
        let day = rest.date()?;
        if rest.0.is_empty() {
            return Some(Written {
                day,
                time: 0,
                offset: None,
            });
        }
        rest.one_of(b"Tt ")?;
        let time = rest.time_of_day()?;
        let offset = if rest.0.is_empty() {
            None
        } else {
            Some(rest.offset()?)
        };
        rest.0.is_empty().then_some(Written { day, time, offset })
    }

    fn instant(&self, naive_time: NaiveTime) -> Result<i64, Misfit> {
        if self.offset.is_none() && naive_time == NaiveTime::Reject {
            return Err(expected(
                "it has no offset from UTC such as Z or +01:00, and naive_time = \"reject\"",
            ));
        }
        let offset = self.offset.unwrap_or(0) * MICROSECONDS_A_SECOND;
        Ok((self.day - DAYS_TO_2000) * MICROSECONDS_A_DAY + self.time - offset)
    }
}

/// What is left to read.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn one_of(&mut self, accepted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        accepted.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let mut number = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
        }
        self.0 = rest;
        Some(number)
    }

    fn date(&mut self) -> Option<i64> {
        let year = self.digits(4)?;
        self.one_of(b"-")?;
        let month = u8::try_from(self.digits(2)?).ok()?;
        self.one_of(b"-")?;
        let day = u8::try_from(self.digits(2)?).ok()?;
        let date = CivilDate::new(year, month, day).filter(|date| date.year() >= 1)?;
        Some(date.epoch_days())
    }

    /// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`, rounded to microseconds. A leap second is the next minute's first.
    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.digits(2)?;
        self.one_of(b":")?;
        let minute = self.digits(2)?;
        let mut second = 0;
        let mut fraction = 0;
        if self.one_of(b":").is_some() {
            second = self.digits(2)?;
            if self.one_of(b".,").is_some() {
                fraction = self.fraction()?;
            }
        }
        let is_midnight = hour == 24 && minute == 0 && second == 0 && fraction == 0;
        let is_valid = hour <= 23 && minute <= 59 && second <= 60;
        (is_valid || is_midnight)
            .then(|| (hour * 3600 + minute * 60 + second) * MICROSECONDS_A_SECOND + fraction)
    }

    /// Digits after the point, in microseconds, half up.
    fn fraction(&mut self) -> Option<i64> {
        let mut microseconds = 0;
        let mut places = 0;
        let mut round_up = false;
        while let Some(digit) = self.one_of(b"0123456789") {
            let digit = i64::from(digit - b'0');
            match places {
                0..6 => microseconds = microseconds * 10 + digit,
                6 => round_up = digit >= 5,
                _ => {}
            }
            places += 1;
        }
        let scale = 10_i64.pow(6_u32.saturating_sub(places));
        (places > 0).then(|| microseconds * scale + i64::from(round_up))
    }

    /// `Z`, `+HH:MM`, `+HHMM` or `+HH`, with a blank before it as PostgreSQL and Python write it.
    fn offset(&mut self) -> Option<i64> {
        self.one_of(b" ");
        if self.one_of(b"Zz").is_some() {
            return Some(0);
        }
        let sign = self.one_of(b"+-")?;
        let hours = self.digits(2)?;
        let minutes = match (self.one_of(b":"), self.0.is_empty()) {
            (None, true) => 0,
            _ => self.digits(2)?,
        };
        let seconds = hours * 3600 + minutes * 60;
        let is_valid = hours <= 23 && minutes <= 59;
        is_valid.then_some(if sign == b'-' { -seconds } else { seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::super::calendar::{DateText, TimeText, TimestampText};
    use super::*;

    fn instant(content: &str) -> Option<String> {
        timestamp(Input::Text(content), &Reading::default())
            .ok()
            .map(|microseconds| TimestampText(microseconds).to_string())
    }

    #[test]
    fn written_times() {
        let cases = [
            (
                "2026-11-20T20:35:19.042Z",
                Some("2026-11-20 20:35:19.042000+00"),
            ),
            (
                "2026-11-20t20:35:19z",
                Some("2026-11-20 20:35:19.000000+00"),
            ),
            (
                "2026-11-20 20:35:19+02:00",
                Some("2026-11-20 18:35:19.000000+00"),
            ),
            (
                "2026-11-20 20:35:19 -0530",
                Some("2026-11-21 02:05:19.000000+00"),
            ),
            (
                "2026-11-20T20:35:19+02",
                Some("2026-11-20 18:35:19.000000+00"),
            ),
            ("2026-11-20T20:35", Some("2026-11-20 20:35:00.000000+00")),
            (
                "2026-11-20T20:35:19.123456",
                Some("2026-11-20 20:35:19.123456+00"),
            ),
            (
                "2026-11-20T20:35:19.1234565Z",
                Some("2026-11-20 20:35:19.123457+00"),
            ),
            (
                "2026-12-31T23:59:59.9999999Z",
                Some("2027-01-01 00:00:00.000000+00"),
            ),
            (
                "2016-12-31T23:59:60Z",
                Some("2017-01-01 00:00:00.000000+00"),
            ),
            ("2024-02-29", Some("2024-02-29 00:00:00.000000+00")),
            (
                "1969-12-31T23:59:59.5Z",
                Some("1969-12-31 23:59:59.500000+00"),
            ),
            (
                "0001-01-01T00:00:00Z",
                Some("0001-01-01 00:00:00.000000+00"),
            ),
            (
                "9999-12-31T23:59:59Z",
                Some("9999-12-31 23:59:59.000000+00"),
            ),
            ("infinity", Some("infinity")),
            ("-infinity", Some("-infinity")),
            ("2023-02-29", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-11-20T25:00:00Z", None),
            ("2026-11-20T20:60:00Z", None),
            ("2026-11-20T20:35:19.Z", None),
            ("2026-11-20T20:35:19+2", None),
            ("2026-11-20T20:35:19Zx", None),
            ("20261120", None),
            ("yesterday", None),
            ("", None),
        ];
        for (content, expected) in cases {
            assert_eq!(instant(content).as_deref(), expected, "{content}");
        }
    }

    #[test]
    fn epoch_numbers() {
        let cases = [
            (
                "1763670919",
                TimeUnit::Seconds,
                Some("2025-11-20 20:35:19.000000+00"),
            ),
            (
                "1763670919042",
                TimeUnit::Milliseconds,
                Some("2025-11-20 20:35:19.042000+00"),
            ),
            (
                "1763670919042001",
                TimeUnit::Microseconds,
                Some("2025-11-20 20:35:19.042001+00"),
            ),
            (
                "1763670919042001999",
                TimeUnit::Nanoseconds,
                Some("2025-11-20 20:35:19.042001+00"),
            ),
            (
                "0",
                TimeUnit::Seconds,
                Some("1970-01-01 00:00:00.000000+00"),
            ),
            (
                "-1",
                TimeUnit::Milliseconds,
                Some("1969-12-31 23:59:59.999000+00"),
            ),
            ("1763670919042001", TimeUnit::Seconds, None),
            ("1.5", TimeUnit::Seconds, None),
        ];
        for (digits, unit, expected) in cases {
            let reading = Reading {
                unit,
                ..Reading::default()
            };
            let found = timestamp(Input::Number(digits), &reading).ok();
            let found = found.map(|microseconds| TimestampText(microseconds).to_string());
            assert_eq!(found.as_deref(), expected, "{digits}");
        }
    }

    #[test]
    fn naive_times_can_be_refused() {
        let reading = Reading {
            naive_time: NaiveTime::Reject,
            ..Reading::default()
        };
        assert!(timestamp(Input::Text("2026-11-20T20:35:19"), &reading).is_err());
        assert!(timestamp(Input::Text("2026-11-20"), &reading).is_err());
        assert!(timestamp(Input::Text("2026-11-20T20:35:19Z"), &reading).is_ok());
    }

    #[test]
    fn dates_and_times_of_day() {
        let day = |content| {
            date(Input::Text(content), &Reading::default())
                .ok()
                .map(|days| DateText(days).to_string())
        };
        assert_eq!(day("2000-01-01").as_deref(), Some("2000-01-01"));
        assert_eq!(
            day("1999-12-31T23:00:00-05:00").as_deref(),
            Some("1999-12-31")
        );
        assert_eq!(day("1999-12-32"), None);
        let of_epoch = date(Input::Number("-1"), &Reading::default());
        assert_eq!(of_epoch, Ok(-DAYS_TO_2000 as i32 - 1));
        let time = |content| {
            time_of_day(Input::Text(content))
                .ok()
                .map(|time| TimeText(time).to_string())
        };
        assert_eq!(time("20:35:19.5").as_deref(), Some("20:35:19.500000"));
        assert_eq!(time("24:00").as_deref(), Some("24:00:00.000000"));
        assert_eq!(time("24:00:01"), None);
        assert_eq!(time("8:00"), None);
        assert_eq!(DateText(-730_120).to_string(), "0001-12-31 BC");
    }
}
