//! The forms of time that `timestamp_convert` reads and writes.

use connect_api::{Found, Value, ValueRef};
use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const NANOSECONDS: i128 = 1_000_000_000;

/// What happens to a local time that a clock change repeats or skips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ambiguous {
    /// The record is rejected.
    #[default]
    Reject,
    /// The earlier of the two times that the local time may mean.
    Earlier,
    /// The later of the two times that the local time may mean.
    Later,
}

/// One form of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimeFormat {
    /// A number of units since 1970.
    Unix(UnixUnit),
    Rfc3339,
    /// A pattern of strftime.
    Pattern(String),
}

/// The unit of a Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnixUnit {
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

impl UnixUnit {
    const ALL: [UnixUnit; 4] = [
        UnixUnit::Second,
        UnixUnit::Millisecond,
        UnixUnit::Microsecond,
        UnixUnit::Nanosecond,
    ];

    fn name(self) -> &'static str {
        match self {
            UnixUnit::Second => "unix_s",
            UnixUnit::Millisecond => "unix_ms",
            UnixUnit::Microsecond => "unix_us",
            UnixUnit::Nanosecond => "unix_ns",
        }
    }

    fn nanoseconds(self) -> i128 {
        match self {
            UnixUnit::Second => NANOSECONDS,
            UnixUnit::Millisecond => 1_000_000,
            UnixUnit::Microsecond => 1_000,
            UnixUnit::Nanosecond => 1,
        }
    }
}

impl TimeFormat {
    pub(super) fn parse(text: &str) -> Result<TimeFormat, String> {
        if let Some(unit) = UnixUnit::ALL.into_iter().find(|unit| unit.name() == text) {
            return Ok(TimeFormat::Unix(unit));
        }
        if text == "rfc3339" {
            return Ok(TimeFormat::Rfc3339);
        }
        if !text.contains('%') {
            return Err(format!(
                "`{text}` is neither unix_s, unix_ms, unix_us, unix_ns nor rfc3339, and as a pattern of strftime it has no conversion such as %Y"
            ));
        }
        strtime::format(text, &epoch())
            .map_err(|error| format!("`{text}` is not a pattern of strftime: {error}"))?;
        Ok(TimeFormat::Pattern(text.to_owned()))
    }

    /// Whether times of this form can be read at all: a pattern must have the date.
    pub(super) fn check_readable(&self) -> Result<(), String> {
        let TimeFormat::Pattern(pattern) = self else {
            return Ok(());
        };
        let written = strtime::format(pattern, &epoch()).map_err(|error| error.to_string())?;
        BrokenDownTime::parse(pattern, &written)
            .map_err(|error| format!("`{pattern}` cannot be read back: {error}"))
            .and_then(|time| {
                local_time(&time)
                    .map(drop)
                    .map_err(|_| format!("a time that is read by `{pattern}` has no date"))
            })
    }

    pub(super) fn read(
        &self,
        found: ValueRef<'_>,
        zone: &TimeZone,
        ambiguous: Ambiguous,
    ) -> Result<Timestamp, String> {
        let expected = |what: &str| {
            format!(
                "{what} is expected, {} found",
                Found::from(found).description
            )
        };
        match self {
            TimeFormat::Unix(unit) => {
                let number = found.as_number().ok_or_else(|| expected("a number"))?;
                of_digits(number.as_str(), *unit)
            }
            TimeFormat::Rfc3339 => {
                let text = found.as_str().ok_or_else(|| expected("text"))?;
                text.parse()
                    .map_err(|_| "it is no time of RFC 3339 with an offset".to_owned())
            }
            TimeFormat::Pattern(pattern) => {
                let text = found.as_str().ok_or_else(|| expected("text"))?;
                let time = BrokenDownTime::parse(pattern, text)
                    .map_err(|_| format!("it does not match `{pattern}`"))?;
                if let Some(offset) = time.offset() {
                    let local = local_time(&time)?;
                    return offset.to_timestamp(local).map_err(|_| outside());
                }
                in_zone(local_time(&time)?, zone, ambiguous)
            }
        }
    }

    pub(super) fn write(
        &self,
        time: Timestamp,
        zone: &TimeZone,
        truncate: bool,
    ) -> Result<Value, String> {
        match self {
            TimeFormat::Unix(unit) => {
                let nanoseconds = time.as_nanosecond();
                if nanoseconds.rem_euclid(unit.nanoseconds()) != 0 && !truncate {
                    return Err(format!(
                        "{} cannot hold it without loss; choose a finer unit or set `truncate = true`",
                        unit.name()
                    ));
                }
                let units = nanoseconds.div_euclid(unit.nanoseconds());
                Ok(Value::number(&units.to_string()).expect("digits are a number"))
            }
            TimeFormat::Rfc3339 => Ok(Value::string(&time.to_string())),
            TimeFormat::Pattern(pattern) => {
                let local = time.to_zoned(zone.clone());
                strtime::format(pattern, &local)
                    .map(|text| Value::string(&text))
                    .map_err(|error| format!("`{pattern}` cannot be written: {error}"))
            }
        }
    }
}

fn epoch() -> Zoned {
    Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)
}

fn outside() -> String {
    "it is outside the years -9999 to 9999".to_owned()
}

/// The date and time that a pattern found; midnight where the pattern has no time of day.
fn local_time(time: &BrokenDownTime) -> Result<DateTime, String> {
    let date = time.to_date().map_err(|error| error.to_string())?;
    if time.hour().is_none() {
        return Ok(date.at(0, 0, 0, 0));
    }
    time.to_datetime().map_err(|error| error.to_string())
}

fn in_zone(local: DateTime, zone: &TimeZone, ambiguous: Ambiguous) -> Result<Timestamp, String> {
    let time = zone.to_ambiguous_timestamp(local);
    let name = zone.iana_name().unwrap_or("this time zone");
    let time = match (time.offset(), ambiguous) {
        (AmbiguousOffset::Fold { .. }, Ambiguous::Reject) => {
            return Err(format!(
                "the local time occurs twice in {name}; see `ambiguous`"
            ));
        }
        (AmbiguousOffset::Gap { .. }, Ambiguous::Reject) => {
            return Err(format!(
                "the local time is skipped in {name}; see `ambiguous`"
            ));
        }
        (_, Ambiguous::Earlier) => time.earlier(),
        (_, Ambiguous::Later) => time.later(),
        (AmbiguousOffset::Unambiguous { .. }, Ambiguous::Reject) => time.unambiguous(),
    };
    time.map_err(|_| outside())
}

/// The time of a JSON number of units since 1970, exactly.
fn of_digits(digits: &str, unit: UnixUnit) -> Result<Timestamp, String> {
    if digits.contains(['e', 'E']) {
        return Err("it has an exponent; write all digits".to_owned());
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    // A unit has a power of ten nanoseconds: so many digits can follow the point.
    let places = unit.nanoseconds().ilog10() as usize;
    if fraction.len() > places {
        return Err("it is finer than a nanosecond".to_owned());
    }
    let nanoseconds = format!("{whole}{fraction}{}", "0".repeat(places - fraction.len()));
    nanoseconds
        .parse::<i128>()
        .ok()
        .and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok())
        .ok_or_else(outside)
}
