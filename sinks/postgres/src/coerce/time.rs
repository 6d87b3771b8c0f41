//! Dates and times: RFC 3339 and other usual forms, or epoch numbers if the column has their unit.
//!
//! Read by hand: the layout is fixed, and this runs for every cell of a timestamp column. PostgreSQL counts from
//! 2000-01-01: days for `date`, microseconds for the others.

use connect_api::calendar::CivilDate;

use super::calendar::{
    DATE_INFINITY, DATE_MINUS_INFINITY, DAYS_TO_2000, MICROSECONDS_A_DAY, MICROSECONDS_A_SECOND,
    TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY,
};
use super::decimal::Decimal;
use super::usual_time::UsualTime;
use super::{CoerceError, ColumnInput, Reading, debezium, epoch, expected, trimmed};
use crate::config::{NaiveTime, TimeUnit};

/// The last year of `timestamp` is 294276; of what is written with four digits nothing is too late.
const LAST_TIMESTAMP: i64 = 9_223_371_331_200_000_000 - 1;
/// 4714-11-24 BC, the first day of `timestamp` and `date`.
const FIRST_TIMESTAMP: i64 = -211_813_488_000_000_000;
const FIRST_DATE: i64 = -2_451_545;
/// 5874897-12-31.
const LAST_DATE: i64 = 2_145_031_948;

/// How many digits of a second a type keeps: the `n` of `timestamp(n)`, or six. PostgreSQL rounds to what the column
/// declares, half away from 2000-01-01; it is done here already, so that a key has the bytes that its column stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decimals(pub(crate) Option<u8>);

impl Decimals {
    fn round(self, microseconds: i64) -> i64 {
        if matches!(self.0, None | Some(6..)) {
            return microseconds;
        }
        let places = u32::from(self.0.unwrap_or(6).min(6));
        let step = 10_i64.pow(6 - places);
        let half = step / 2;
        if microseconds >= 0 {
            (microseconds + half) / step * step
        } else {
            -((half - microseconds) / step * step)
        }
    }
}

/// Microseconds since 2000-01-01, UTC.
pub(super) fn timestamp(
    input: ColumnInput<'_>,
    reading: &Reading,
    decimals: Decimals,
) -> Result<i64, CoerceError> {
    if let ColumnInput::Text(content) = input
        && let Some(usual) = UsualTime::parse(content.as_bytes())
    {
        return Ok(decimals.round(usual.microseconds_since_2000()));
    }
    let microseconds = match input {
        ColumnInput::Text(content) => match Written::parse(trimmed(content)) {
            Some(written) => written.instant(reading.naive_time)?,
            None => match infinity(content) {
                Some(true) => TIMESTAMP_INFINITY,
                Some(false) => TIMESTAMP_MINUS_INFINITY,
                None => from_epoch(
                    input,
                    reading,
                    "a time such as 2026-11-20T20:35:19.042Z is expected",
                )?,
            },
        },
        _ => from_epoch(
            input,
            reading,
            "a time (RFC 3339) or an epoch number is expected",
        )?,
    };
    match microseconds {
        TIMESTAMP_INFINITY | TIMESTAMP_MINUS_INFINITY => Ok(microseconds),
        _ => Ok(decimals.round(microseconds)),
    }
}

/// Days since 2000-01-01. Of a time with an offset it is the date that is written, as PostgreSQL has it.
pub(super) fn date(input: ColumnInput<'_>, reading: &Reading) -> Result<i32, CoerceError> {
    if let ColumnInput::Text(content) = input {
        if let Some(written) = Written::parse(trimmed(content)) {
            return day(written.day - DAYS_TO_2000);
        }
        match infinity(content) {
            Some(true) => return Ok(DATE_INFINITY),
            Some(false) => return Ok(DATE_MINUS_INFINITY),
            None => {}
        }
    }
    epoch_day(input, reading, "a date such as 2026-11-20 is expected")
}

fn day(days: i64) -> Result<i32, CoerceError> {
    i32::try_from(days)
        .ok()
        .filter(|days| (FIRST_DATE..=LAST_DATE).contains(&i64::from(*days)))
        .ok_or(expected("it is out of range"))
}

/// Microseconds since midnight.
pub(super) fn time_of_day(
    input: ColumnInput<'_>,
    reading: &Reading,
    decimals: Decimals,
) -> Result<i64, CoerceError> {
    const WORDS: &str = "a time of day such as 20:35:19 is expected";
    let written = match input {
        ColumnInput::Text(content) => {
            let mut rest = Scanner(trimmed(content).as_bytes());
            rest.time_of_day().filter(|_| rest.0.is_empty())
        }
        _ => None,
    };
    let microseconds = match written {
        Some(microseconds) => microseconds,
        None => {
            let unit = reading.unit;
            let number = epoch_number(input, unit, WORDS)?;
            epoch::microseconds(&number, unit.ok_or(expected(epoch::TIME_NEEDS_UNIT))?)?
        }
    };
    Some(decimals.round(microseconds))
        .filter(|microseconds| (0..=MICROSECONDS_A_DAY).contains(microseconds))
        .ok_or(expected(
            "it is out of range: a time of day is counted from midnight",
        ))
}

fn infinity(content: &str) -> Option<bool> {
    let is = |word| trimmed(content).eq_ignore_ascii_case(word);
    if is("infinity") {
        Some(true)
    } else {
        is("-infinity").then_some(false)
    }
}

/// The number of a value that is no written time: digits of a string count only where a unit says that they may.
fn epoch_number<'a>(
    input: ColumnInput<'a>,
    unit: Option<TimeUnit>,
    words: &'static str,
) -> Result<Decimal<'a>, CoerceError> {
    let digits = match input {
        ColumnInput::Number(digits) => Some(digits),
        ColumnInput::Text(content) => unit.and(Some(trimmed(content))),
        _ => None,
    };
    digits.and_then(Decimal::parse).ok_or(expected(words))
}

/// Microseconds since 2000-01-01 of an epoch number, or infinity.
fn from_epoch(
    input: ColumnInput<'_>,
    reading: &Reading,
    words: &'static str,
) -> Result<i64, CoerceError> {
    let written;
    let (input, unit) = match input {
        ColumnInput::Instant(milliseconds) => {
            written = milliseconds.to_string();
            (ColumnInput::Number(&written), Some(TimeUnit::Milliseconds))
        }
        ColumnInput::Integer(number) => {
            written = number.to_string();
            (ColumnInput::Number(&written), reading.unit)
        }
        _ => (input, reading.unit),
    };
    let number = epoch_number(input, unit, words)?;
    if unit.is_none() && number.fraction_digits() > 0 {
        return Err(expected(epoch::FRACTION_NEEDS_UNIT));
    }
    let unit = unit.unwrap_or(TimeUnit::Milliseconds);
    match debezium::infinite_timestamp(&number, unit) {
        Some(true) => return Ok(TIMESTAMP_INFINITY),
        Some(false) => return Ok(TIMESTAMP_MINUS_INFINITY),
        None => {}
    }
    epoch::microseconds(&number, unit)?
        .checked_sub(DAYS_TO_2000 * MICROSECONDS_A_DAY)
        .filter(|microseconds| (FIRST_TIMESTAMP..=LAST_TIMESTAMP).contains(microseconds))
        .ok_or(expected(
            "it is out of range: is its unit right? { path = \"$.field\", unit = \"s\" }",
        ))
}

/// Days since 2000-01-01 of an epoch number, or infinity. Without a unit it is refused: as milliseconds, days would be
/// 1970-01-01.
fn epoch_day(
    input: ColumnInput<'_>,
    reading: &Reading,
    words: &'static str,
) -> Result<i32, CoerceError> {
    match (input, reading.unit) {
        (ColumnInput::Number(_) | ColumnInput::Integer(_), None) => {
            Err(expected(epoch::DATE_NEEDS_UNIT))
        }
        (ColumnInput::Number(_) | ColumnInput::Text(_), Some(TimeUnit::Days)) => {
            let number = epoch_number(input, reading.unit, words)?;
            let days = epoch::days(&number)?;
            match debezium::infinite_days(days) {
                Some(true) => Ok(DATE_INFINITY),
                Some(false) => Ok(DATE_MINUS_INFINITY),
                None => day(days.saturating_sub(DAYS_TO_2000)),
            }
        }
        _ => match from_epoch(input, reading, words)? {
            TIMESTAMP_INFINITY => Ok(DATE_INFINITY),
            TIMESTAMP_MINUS_INFINITY => Ok(DATE_MINUS_INFINITY),
            microseconds => day(microseconds.div_euclid(MICROSECONDS_A_DAY)),
        },
    }
}

/// A date, perhaps with a time, perhaps with an offset, as it is written.
#[derive(Debug, PartialEq)]
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
        match UsualTime::parse(content.as_bytes()) {
            Some(UsualTime { day, time, offset }) => Some(Written {
                day,
                time,
                offset: Some(offset),
            }),
            None => Written::scan(content),
        }
    }

    fn scan(content: &str) -> Option<Written> {
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

    fn instant(&self, naive_time: NaiveTime) -> Result<i64, CoerceError> {
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

    /// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`, rounded to microseconds. A leap second is the next minute's first,
    /// and no time is later than 24:00.
    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.digits(2)?;
        self.one_of(b":")?;
        let minute = self.digits(2)?;
        let mut second = 0;
        let mut fraction = 0;
        if self.one_of(b":").is_some() {
            second = self.digits(2)?;
            if self.one_of(b".").is_some() {
                fraction = self.fraction()?;
            }
        }
        let time = (hour * 3600 + minute * 60 + second) * MICROSECONDS_A_SECOND + fraction;
        let is_valid = hour <= 24 && minute <= 59 && second <= 60;
        (is_valid && time <= MICROSECONDS_A_DAY).then_some(time)
    }

    /// Digits after the point, in microseconds, half to even as PostgreSQL rounds them.
    fn fraction(&mut self) -> Option<i64> {
        let mut microseconds = 0;
        let mut places = 0;
        let mut seventh = 0;
        let mut is_more = false;
        while let Some(digit) = self.one_of(b"0123456789") {
            let digit = i64::from(digit - b'0');
            match places {
                0..6 => microseconds = microseconds * 10 + digit,
                6 => seventh = digit,
                _ => is_more |= digit > 0,
            }
            places += 1;
        }
        let is_up = seventh > 5 || seventh == 5 && (is_more || microseconds % 2 != 0);
        let scale = 10_i64.pow(6_u32.saturating_sub(places));
        (places > 0).then(|| microseconds * scale + i64::from(is_up))
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
        // PostgreSQL's limit; the offsets in use end at -12:00 and +14:00.
        let is_valid = hours <= 15 && minutes <= 59;
        is_valid.then_some(if sign == b'-' { -seconds } else { seconds })
    }
}

#[cfg(test)]
mod tests;
