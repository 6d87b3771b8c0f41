//! Messages that do not become an object of their fields: times, decimals, wrappers and JSON.

use connect_api::calendar::CivilDate;

use super::schema::{Cardinality, FieldKind, MessageField, MessageForm, Scalar};
use crate::time::{self, TimePrecision};

/// The form by the message's name, if its fields match the well-known definition.
pub(super) fn form_of(name: &str, fields: &[MessageField]) -> MessageForm {
    use Scalar::{Bool, Bytes, Double, Float, Int32, Int64, String, Uint32, Uint64};
    let (form, shape): (MessageForm, &[Option<Scalar>]) = match name {
        "google.protobuf.Timestamp" => (MessageForm::Timestamp, &[Some(Int64), Some(Int32)]),
        "google.protobuf.Duration" => (MessageForm::Duration, &[Some(Int64), Some(Int32)]),
        "google.type.Date" => (MessageForm::Date, &[Some(Int32); 3]),
        "google.type.TimeOfDay" => (MessageForm::TimeOfDay, &[Some(Int32); 4]),
        "confluent.type.Decimal" => (
            MessageForm::Decimal,
            &[Some(Bytes), Some(Uint32), Some(Int32)],
        ),
        "google.protobuf.DoubleValue" => (MessageForm::Wrapper, &[Some(Double)]),
        "google.protobuf.FloatValue" => (MessageForm::Wrapper, &[Some(Float)]),
        "google.protobuf.Int64Value" => (MessageForm::Wrapper, &[Some(Int64)]),
        "google.protobuf.UInt64Value" => (MessageForm::Wrapper, &[Some(Uint64)]),
        "google.protobuf.Int32Value" => (MessageForm::Wrapper, &[Some(Int32)]),
        "google.protobuf.UInt32Value" => (MessageForm::Wrapper, &[Some(Uint32)]),
        "google.protobuf.BoolValue" => (MessageForm::Wrapper, &[Some(Bool)]),
        "google.protobuf.StringValue" => (MessageForm::Wrapper, &[Some(String)]),
        "google.protobuf.BytesValue" => (MessageForm::Wrapper, &[Some(Bytes)]),
        "google.protobuf.Struct" => (MessageForm::Struct, &[None]),
        "google.protobuf.ListValue" => (MessageForm::ListValue, &[None]),
        "google.protobuf.Value" => (
            MessageForm::Value,
            &[None, Some(Double), Some(String), Some(Bool), None, None],
        ),
        _ => return MessageForm::Object,
    };
    let fits = |(index, field, expected): (usize, &MessageField, &Option<Scalar>)| {
        let is_kind = match (field.kind, expected) {
            (FieldKind::Scalar(found), Some(expected)) => found == *expected,
            (FieldKind::Scalar(_), None) | (_, Some(_)) => false,
            (_, None) => true,
        };
        let is_shape = match form {
            MessageForm::Struct => field.cardinality == Cardinality::Map,
            MessageForm::ListValue => matches!(field.cardinality, Cardinality::Repeated { .. }),
            _ => matches!(field.cardinality, Cardinality::Singular(_)),
        };
        // The fields of `Value` are members of a oneof; all others have no presence.
        let is_plain = match form {
            MessageForm::Value => field.oneof == Some(0),
            _ => field.oneof.is_none() && (expected.is_none() || !field.has_presence),
        };
        is_kind && is_shape && is_plain && field.number as usize == index + 1
    };
    let mut pairs = fields.iter().zip(shape).enumerate();
    let all_fit = pairs.all(|(index, (field, expected))| fits((index, field, expected)));
    if all_fit && fields.len() == shape.len() {
        form
    } else {
        MessageForm::Object
    }
}

const NANOSECONDS: i128 = 1_000_000_000;
/// The years 1 to 9999.
const TIMESTAMPS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// Ten thousand years.
const LONGEST_DURATION: i64 = 315_576_000_000;

/// As [`google.protobuf.Timestamp`](https://protobuf.dev/reference/protobuf/google.protobuf/#timestamp) allows it.
pub(super) fn timestamp_text(seconds: i64, nanoseconds: i32) -> Option<String> {
    let fraction = u32::try_from(nanoseconds).ok()?;
    if !TIMESTAMPS.contains(&seconds) || fraction >= 1_000_000_000 {
        return None;
    }
    Some(time::instant_text(seconds, fraction))
}

/// Seconds and nanoseconds of RFC 3339.
pub(super) fn timestamp_of(text: &str) -> Option<(i64, i32)> {
    split_instant(time::instant_of(text)?)
}

/// Numbers in values count milliseconds.
pub(super) fn timestamp_of_milliseconds(milliseconds: i64) -> Option<(i64, i32)> {
    split_instant(i128::from(milliseconds) * 1_000_000)
}

fn split_instant(nanoseconds: i128) -> Option<(i64, i32)> {
    let seconds = i64::try_from(nanoseconds.div_euclid(NANOSECONDS)).ok()?;
    let fraction = i32::try_from(nanoseconds.rem_euclid(NANOSECONDS)).ok()?;
    TIMESTAMPS.contains(&seconds).then_some((seconds, fraction))
}

/// Seconds with a fraction of 0, 3, 6 or 9 digits and an `s`, as protobuf's own JSON has it. Databases read it as an interval.
pub(super) fn duration_text(seconds: i64, nanoseconds: i32) -> Option<String> {
    let same_sign = seconds.signum() * i64::from(nanoseconds.signum()) >= 0;
    let fraction = nanoseconds.unsigned_abs();
    if seconds.abs() > LONGEST_DURATION || fraction >= 1_000_000_000 || !same_sign {
        return None;
    }
    let sign = if seconds < 0 || nanoseconds < 0 {
        "-"
    } else {
        ""
    };
    let whole = seconds.unsigned_abs();
    Some(if fraction == 0 {
        format!("{sign}{whole}s")
    } else {
        let (digits, fraction) = time::shortest_fraction(fraction);
        format!("{sign}{whole}.{fraction:0digits$}s")
    })
}

pub(super) fn duration_of(text: &str) -> Option<(i64, i32)> {
    let unsigned = text.strip_suffix('s')?;
    let (sign, unsigned) = match unsigned.strip_prefix('-') {
        Some(unsigned) => (-1, unsigned),
        None => (1, unsigned),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let nanoseconds: i32 = format!("{fraction:0<9}").parse().ok()?;
    if seconds > LONGEST_DURATION {
        return None;
    }
    Some((sign * seconds, sign as i32 * nanoseconds))
}

/// `None` for a partial date, which has no text.
pub(super) fn date_text(year: i32, month: i32, day: i32) -> Option<String> {
    let month = u8::try_from(month).ok()?;
    let day = u8::try_from(day).ok()?;
    let date = CivilDate::new(year.into(), month, day);
    Some(date.filter(|_| (1..=9999).contains(&year))?.to_string())
}

pub(super) fn date_of(text: &str) -> Option<(i32, i32, i32)> {
    let date = CivilDate::from_epoch_days(time::date_of(text)?.into());
    let year = i32::try_from(date.year()).ok();
    let year = year.filter(|year| (1..=9999).contains(year))?;
    Some((year, date.month().into(), date.day().into()))
}

/// `None` for 24:00 and for a leap second, which other systems cannot represent.
pub(super) fn time_of_day_text([hours, minutes, seconds, nanoseconds]: [i32; 4]) -> Option<String> {
    let in_range = (0..24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0..60).contains(&seconds)
        && (0..1_000_000_000).contains(&nanoseconds);
    if !in_range {
        return None;
    }
    let (digits, fraction) = time::shortest_fraction(nanoseconds.unsigned_abs());
    Some(format!(
        "{hours:02}:{minutes:02}:{seconds:02}.{fraction:0digits$}"
    ))
}

pub(super) fn time_of_day_of(text: &str) -> Option<[i32; 4]> {
    let nanoseconds = time::time_of(text, TimePrecision::Nanoseconds)?;
    let seconds = nanoseconds / 1_000_000_000;
    let parts = [
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
        nanoseconds % 1_000_000_000,
    ];
    Some(parts.map(|part| part as i32))
}
