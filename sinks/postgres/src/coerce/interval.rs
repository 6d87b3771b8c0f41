//! `interval`: text that the server reads, and Avro's `duration` as an object.
//!
//! The server's reader skips punctuation, so that an object in JSON text would become some other interval: braces are
//! refused in strings too. A column that ends at a unit, such as `interval month`, drops what is smaller in silence; for
//! those the text is read here, in the ISO 8601 form and in the one that PostgreSQL writes.

use std::io::Write;

use connect_api::{Kind, ValueRef};

use super::calendar::MICROSECONDS_A_SECOND;
use super::column_type::no_nested_form;
use super::decimal::Decimal;
use super::{CoerceError, ColumnInput, Reading, expected, number, text, trimmed};

/// What `interval` keeps, besides its fractions of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IntervalPrecision {
    /// The smallest unit: `interval day to minute` ends at minutes.
    least: Unit,
}

/// In the order of their size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

impl IntervalPrecision {
    /// From `pg_attribute.atttypmod`: a bit for each unit above the digits of the seconds.
    pub(super) fn of_modifier(modifier: i32) -> IntervalPrecision {
        const SMALLEST_FIRST: [(i32, Unit); 6] = [
            (12, Unit::Second),
            (11, Unit::Minute),
            (10, Unit::Hour),
            (3, Unit::Day),
            (1, Unit::Month),
            (2, Unit::Year),
        ];
        let units = if modifier < 0 {
            0x7FFF
        } else {
            (modifier >> 16) & 0x7FFF
        };
        let least = SMALLEST_FIRST
            .iter()
            .find(|(bit, _)| units >> bit & 1 == 1)
            .map_or(Unit::Second, |(_, unit)| *unit);
        IntervalPrecision { least }
    }

    fn keeps(self, found: &Amounts) -> Result<(), CoerceError> {
        let unit = match self.least {
            Unit::Second => return Ok(()),
            Unit::Minute if found.microseconds % (60 * MICROSECONDS_A_SECOND) == 0 => return Ok(()),
            Unit::Hour if found.microseconds % (3600 * MICROSECONDS_A_SECOND) == 0 => return Ok(()),
            Unit::Day if found.microseconds == 0 => return Ok(()),
            Unit::Month if found.microseconds == 0 && found.days == 0 => return Ok(()),
            Unit::Year if found.microseconds == 0 && found.days == 0 && found.months % 12 == 0 => {
                return Ok(());
            }
            Unit::Minute => "minutes",
            Unit::Hour => "hours",
            Unit::Day => "days",
            Unit::Month => "months",
            Unit::Year => "years",
        };
        Err(format!("it has parts smaller than {unit}, which the column would drop").into())
    }
}

/// The three numbers that an interval consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amounts {
    months: i32,
    days: i32,
    microseconds: i64,
}

pub(super) fn interval(
    input: ColumnInput<'_>,
    precision: IntervalPrecision,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    match input {
        ColumnInput::Nested(value) => {
            let amounts = Amounts::of_duration(value)?;
            precision.keeps(&amounts)?;
            amounts.write(out);
            Ok(())
        }
        ColumnInput::Text(content) => {
            if content.contains(['{', '}', '[', ']', '"']) {
                return Err(expected(
                    "an interval such as P1DT2H or 1 day 02:00 is expected, and the string has brackets, braces or quotes",
                ));
            }
            if precision.least > Unit::Second {
                let amounts = Amounts::of_text(trimmed(content)).ok_or(expected(
                    "an interval such as P1Y2M or 1 year 2 mons is expected: of other forms it is not known what the column would drop",
                ))?;
                precision.keeps(&amounts)?;
            }
            text::text(input, None, false, reading, out)
        }
        // PostgreSQL reads a number alone as seconds, or as the column's smallest unit: the cast has no column.
        ColumnInput::Number(_) | ColumnInput::Integer(_) if precision.least == Unit::Second => {
            text::text(input, None, false, reading, out)
        }
        _ => Err(expected(
            "an interval such as P1DT2H or 1 day 02:00 is expected",
        )),
    }
}

impl Amounts {
    /// Avro's `duration`: exactly these members, each an integer.
    fn of_duration(value: ValueRef<'_>) -> Result<Amounts, CoerceError> {
        let (mut months, mut days, mut milliseconds) = (None, None, None);
        for (name, member) in value.members().ok_or_else(no_nested_form)? {
            let found = match name {
                "months" => &mut months,
                "days" => &mut days,
                "milliseconds" => &mut milliseconds,
                _ => return Err(not_a_duration()),
            };
            if !matches!(member.kind(), Kind::Number(_)) {
                return Err(not_a_duration());
            }
            *found = Some(number::integer::<i64>(ColumnInput::of(member))?);
        }
        let (Some(months), Some(days), Some(milliseconds)) = (months, days, milliseconds) else {
            return Err(not_a_duration());
        };
        Amounts::checked(months, days, milliseconds.checked_mul(1_000))
            .ok_or(expected("it is out of range"))
    }

    fn checked(months: i64, days: i64, microseconds: Option<i64>) -> Option<Amounts> {
        Some(Amounts {
            months: i32::try_from(months).ok()?,
            days: i32::try_from(days).ok()?,
            microseconds: microseconds?,
        })
    }

    /// The ISO 8601 form, which is read the same whatever the session's IntervalStyle is.
    fn write(&self, out: &mut Vec<u8>) {
        let sign = if self.microseconds < 0 { "-" } else { "" };
        let microseconds = self.microseconds.unsigned_abs();
        // Writing to a vector does not fail.
        let _ = write!(
            out,
            "P{}M{}DT{sign}{}.{:06}S",
            self.months,
            self.days,
            microseconds / 1_000_000,
            microseconds % 1_000_000
        );
    }

    fn of_text(content: &str) -> Option<Amounts> {
        let mut sum = Sum::default();
        match content.strip_prefix('P') {
            Some(rest) => sum.iso(rest)?,
            None => sum.words(content)?,
        }
        Amounts::checked(sum.months, sum.days, Some(sum.microseconds))
    }
}

fn not_a_duration() -> CoerceError {
    expected("an object of exactly months, days and milliseconds, each an integer, is expected")
}

/// What the parts of a text add up to.
#[derive(Default)]
struct Sum {
    months: i64,
    days: i64,
    microseconds: i64,
}

impl Sum {
    /// `1Y2M3W4DT5H6M7.5S`, without the P.
    fn iso(&mut self, content: &str) -> Option<()> {
        let (date, time) = match content.split_once('T') {
            Some((date, time)) if !time.is_empty() => (date, time),
            Some(_) => return None,
            None if content.is_empty() => return None,
            None => (content, ""),
        };
        self.designated(
            date,
            &[('Y', "year"), ('M', "month"), ('W', "week"), ('D', "day")],
        )?;
        self.designated(time, &[('H', "hour"), ('M', "minute"), ('S', "second")])
    }

    /// Numbers, each followed by a letter.
    fn designated(&mut self, mut rest: &str, letters: &[(char, &str)]) -> Option<()> {
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let (amount, tail) = rest.split_at(end);
            let letter = tail.chars().next()?;
            let (_, unit) = letters.iter().find(|(known, _)| *known == letter)?;
            self.add(amount, unit)?;
            rest = tail.get(letter.len_utf8()..)?;
        }
        Some(())
    }

    /// `1 year 2 mons 3 days 04:05:06.7`.
    fn words(&mut self, content: &str) -> Option<()> {
        let mut words = content.split_ascii_whitespace().peekable();
        words.peek()?;
        while let Some(word) = words.next() {
            if word.contains(':') {
                self.clock(word)?;
            } else {
                self.add(word, words.next()?)?;
            }
        }
        Some(())
    }

    /// `04:05`, `04:05:06` or `-04:05:06.7`.
    fn clock(&mut self, word: &str) -> Option<()> {
        let (sign, unsigned) = match word.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", word.strip_prefix('+').unwrap_or(word)),
        };
        let mut parts = unsigned.split(':');
        for unit in ["hour", "minute", "second"] {
            let Some(part) = parts.next() else { break };
            if !part.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            self.add(&format!("{sign}{part}"), unit)?;
        }
        parts.next().is_none().then_some(())
    }

    /// Whole numbers of units; seconds may have a fraction.
    fn add(&mut self, amount: &str, unit: &str) -> Option<()> {
        let decimal = Decimal::parse(amount)?;
        let is_second = matches!(unit, "second" | "seconds" | "sec" | "secs" | "s");
        let shift = if is_second { 6 } else { 0 };
        if decimal.fraction_digits() > shift {
            return None;
        }
        let number = decimal.shifted_integer(shift)?;
        let (sum, factor) = match unit {
            "year" | "years" | "y" => (&mut self.months, 12),
            "month" | "months" | "mon" | "mons" => (&mut self.months, 1),
            "week" | "weeks" | "w" => (&mut self.days, 7),
            "day" | "days" | "d" => (&mut self.days, 1),
            "hour" | "hours" | "h" => (&mut self.microseconds, 3600 * MICROSECONDS_A_SECOND),
            "minute" | "minutes" | "min" | "mins" => {
                (&mut self.microseconds, 60 * MICROSECONDS_A_SECOND)
            }
            _ if is_second => (&mut self.microseconds, 1),
            _ => return None,
        };
        *sum = sum.checked_add(number.checked_mul(factor)?)?;
        Some(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
