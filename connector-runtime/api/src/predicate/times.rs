//! Instants and durations in conditions: `timestamp()`, `duration()` and their operators.
//!
//! CEL's own need `chrono` and its time zone database. These need no further dependency, and reach the end of the year 9999,
//! which people write for "no end" and which is beyond the range of `jiff`'s instants.

use std::any::Any;
use std::cmp::Ordering;

use cel::common::traits::{Adder, Comparer, Subtractor};
use cel::common::types::{CelInt, CelString, INT_TYPE, STRING_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{Env, ExecutionError};
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;

/// The functions as conditions write them.
pub(super) const TIMESTAMP: &str = "timestamp";
pub(super) const DURATION: &str = "duration";

pub(super) static TIMESTAMP_TYPE: Type = Type::new_unspecified_type(TIMESTAMP);
pub(super) static DURATION_TYPE: Type = Type::new_unspecified_type(DURATION);

const SECOND: i128 = 1_000_000_000;
/// CEL's limits: 0001-01-01T00:00:00Z and the last nanosecond of 9999, as nanoseconds since 1970.
const EARLIEST: i128 = -62_135_596_800 * SECOND;
const LATEST: i128 = 253_402_300_800 * SECOND - 1;

/// The units of `timestamp(number, 'unit')`, in nanoseconds.
const EPOCH_UNITS: [(&str, i128); 4] = [("s", SECOND), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
/// The units of `duration('…')`, in nanoseconds: those of CEL, and days of 24 hours. Longer words come first.
const DURATION_UNITS: [(&str, i128); 7] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("d", 86_400 * SECOND),
];

/// An instant, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimestampVal(i128);

/// A duration, in nanoseconds; it may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DurationVal(i128);

impl TimestampVal {
    /// RFC 3339 with its offset from UTC.
    pub(super) fn parse(text: &str) -> Result<TimestampVal, String> {
        let parsed = Pieces::parse(text).ok().and_then(|pieces| {
            let offset = pieces.to_numeric_offset()?;
            let local = DateTime::from_parts(pieces.date(), pieces.time()?);
            let since_1970 = local.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
            // RFC 3339 has no time zone in brackets, which could contradict the offset.
            let is_rfc_3339 = pieces.time_zone_annotation().is_none();
            is_rfc_3339.then(|| since_1970.as_nanos() - i128::from(offset.seconds()) * SECOND)
        });
        let nanoseconds = parsed.ok_or(
            "the text is not a time with an offset from UTC, such as 2026-11-20T20:35:19Z (RFC 3339)",
        )?;
        TimestampVal::within_limits(nanoseconds).map_err(str::to_owned)
    }

    fn of_epoch(count: i64, unit: &str) -> Result<TimestampVal, String> {
        let nanoseconds = EPOCH_UNITS.iter().find(|(word, _)| *word == unit);
        let (_, nanoseconds) =
            nanoseconds.ok_or("the unit is not one of 's', 'ms', 'us' and 'ns'")?;
        TimestampVal::within_limits(i128::from(count) * nanoseconds).map_err(|error| {
            if unit == "s" {
                format!("{error}; a number counts seconds, unless a unit is written, as in timestamp(value.at, 'ms')")
            } else {
                error.to_owned()
            }
        })
    }

    fn within_limits(nanoseconds: i128) -> Result<TimestampVal, &'static str> {
        (EARLIEST..=LATEST)
            .contains(&nanoseconds)
            .then_some(TimestampVal(nanoseconds))
            .ok_or("the time is outside the years 0001 to 9999")
    }
}

impl DurationVal {
    /// `1h30m`, `-1.5h`, `7d`: numbers with units, without spaces.
    pub(super) fn parse(text: &str) -> Result<DurationVal, String> {
        let (sign, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(DurationVal(0));
        }
        if rest.is_empty() {
            return Err(NOT_A_DURATION.into());
        }
        let mut sum = 0;
        while !rest.is_empty() {
            let (nanoseconds, after) = component(rest).ok_or(NOT_A_DURATION)?;
            sum += nanoseconds;
            if sum > LATEST - EARLIEST {
                return Err("the duration is longer than 9999 years".into());
            }
            rest = after;
        }
        Ok(DurationVal(sign * sum))
    }
}

const NOT_A_DURATION: &str =
    "the text is not a duration, such as 90s, 1h30m or 7d (units d h m s ms us ns)";

/// The nanoseconds of the first component, such as `1.5h`, and the rest of the text. Parts of a nanosecond are truncated.
fn component(text: &str) -> Option<(i128, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(end);
    let (unit, nanoseconds) = DURATION_UNITS
        .iter()
        .find(|(unit, _)| rest.starts_with(unit))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    // Twelve digits of either reach from days of 9999 years to parts of a nanosecond.
    let whole: i128 = whole.parse::<u64>().ok()?.into();
    let fraction = fraction.get(..12).unwrap_or(fraction);
    let scale = 10_i128.pow(fraction.len() as u32);
    let fraction: i128 = fraction.parse::<u64>().ok()?.into();
    let sum = whole * nanoseconds + fraction * nanoseconds / scale;
    Some((sum, rest.get(unit.len()..)?))
}

/// Adds the functions to the environment.
pub(super) fn register(environment: &mut Env) -> Result<(), cel::DeclarationError> {
    let unit = vec![INT_TYPE, STRING_TYPE];
    environment.add_overload(TIMESTAMP, "timestamp_of_text", vec![STRING_TYPE], timestamp)?;
    environment.add_overload(TIMESTAMP, "timestamp_of_seconds", vec![INT_TYPE], timestamp)?;
    environment.add_overload(TIMESTAMP, "timestamp_of_unit", unit, timestamp)?;
    environment.add_overload(DURATION, "duration_of_text", vec![STRING_TYPE], duration)
}

fn timestamp<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = |index: usize| arguments.get(index)?.downcast_ref::<CelString<'_>>();
    let number = arguments
        .first()
        .and_then(|argument| argument.downcast_ref::<CelInt>());
    let made = match (text(0), number, text(1)) {
        (Some(text), ..) => TimestampVal::parse(text.inner()),
        (None, Some(count), unit) => {
            TimestampVal::of_epoch(*count.inner(), unit.map_or("s", |unit| unit.inner()))
        }
        (None, None, _) => return Err(ExecutionError::missing_argument_or_target()),
    };
    made.map(CowVal::owned)
        .map_err(|why| ExecutionError::function_error(TIMESTAMP, why))
}

fn duration<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = arguments
        .first()
        .and_then(|argument| argument.downcast_ref::<CelString<'_>>())
        .ok_or_else(ExecutionError::missing_argument_or_target)?;
    DurationVal::parse(text.inner())
        .map(CowVal::owned)
        .map_err(|why| ExecutionError::function_error(DURATION, why))
}

/// The operands' types, for `explain`.
fn unusable(operator: &str, left: &dyn Val, right: &dyn Val) -> ExecutionError {
    let types = [left, right].map(|value| value.get_type().name().to_owned());
    ExecutionError::no_such_overload(operator, types.to_vec())
}

fn timestamp_in_range<'b, 'v>(nanoseconds: i128) -> Result<CowVal<'b, 'v>, ExecutionError> {
    TimestampVal::within_limits(nanoseconds)
        .map(CowVal::owned)
        .map_err(|why| ExecutionError::function_error(TIMESTAMP, why))
}

macro_rules! time_value {
    ($type:ident, $cel_type:ident) => {
        impl Val for $type {
            fn get_type(&self) -> &Type {
                &$cel_type
            }

            fn cel_type() -> &'static Type {
                &$cel_type
            }

            fn as_adder<'b, 'v>(&'b self) -> Option<&'b (dyn Adder + 'v)>
            where
                Self: 'v,
            {
                Some(self)
            }

            fn as_comparer(&self) -> Option<&dyn Comparer> {
                Some(self)
            }

            fn as_subtractor<'b, 'v>(&'b self) -> Option<&'b (dyn Subtractor + 'v)>
            where
                Self: 'v,
            {
                Some(self)
            }

            fn equals(&self, other: &dyn Val) -> bool {
                other.downcast_ref::<Self>() == Some(self)
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
                Box::new(*self)
            }

            fn as_any(&self) -> Option<&dyn Any> {
                Some(self)
            }
        }

        impl StaticVal for $type {}

        impl Comparer for $type {
            fn compare(&self, right: &dyn Val) -> Result<Ordering, ExecutionError> {
                match right.downcast_ref::<Self>() {
                    Some(right) => Ok(self.cmp(right)),
                    None => Err(unusable("compare", self, right)),
                }
            }
        }
    };
}
time_value!(TimestampVal, TIMESTAMP_TYPE);
time_value!(DurationVal, DURATION_TYPE);

impl Adder for TimestampVal {
    fn add<'b, 'v>(&'b self, right: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        match right.downcast_ref::<DurationVal>() {
            Some(length) => timestamp_in_range(self.0 + length.0),
            None => Err(unusable("_+_", self, right)),
        }
    }
}

impl Subtractor for TimestampVal {
    fn sub<'b, 'v>(&'b self, right: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        if let Some(earlier) = right.downcast_ref::<TimestampVal>() {
            return Ok(CowVal::owned(DurationVal(self.0 - earlier.0)));
        }
        match right.downcast_ref::<DurationVal>() {
            Some(length) => timestamp_in_range(self.0 - length.0),
            None => Err(unusable("_-_", self, right)),
        }
    }
}

impl Adder for DurationVal {
    fn add<'b, 'v>(&'b self, right: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        if let Some(instant) = right.downcast_ref::<TimestampVal>() {
            return timestamp_in_range(instant.0 + self.0);
        }
        match right.downcast_ref::<DurationVal>() {
            // A condition is too short for a sum that overflows 128 bits.
            Some(length) => Ok(CowVal::owned(DurationVal(self.0 + length.0))),
            None => Err(unusable("_+_", self, right)),
        }
    }
}

impl Subtractor for DurationVal {
    fn sub<'b, 'v>(&'b self, right: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        match right.downcast_ref::<DurationVal>() {
            Some(length) => Ok(CowVal::owned(DurationVal(self.0 - length.0))),
            None => Err(unusable("_-_", self, right)),
        }
    }
}
