//! Dates and times between Kafka Connect's counts and ISO 8601 text.

use connect_api::calendar::CivilDate;
use connect_api::time;
use jiff::Timestamp;
use jiff::civil::{Date, Time};

const DAY_MS: i64 = 86_400_000;

pub(super) fn date_text(days: i64) -> String {
    CivilDate::from_epoch_days(days).to_string()
}

/// `None` outside a day.
pub(super) fn time_text(milliseconds: i64) -> Option<String> {
    let seconds = milliseconds / 1_000;
    (0..DAY_MS).contains(&milliseconds).then(|| {
        format!(
            "{:02}:{:02}:{:02}.{:03}",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60,
            milliseconds % 1_000
        )
    })
}

pub(super) fn timestamp_text(milliseconds: i64) -> String {
    time::format_ms(milliseconds)
}

/// Days since 1970.
pub(super) fn days_of(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok()?;
    // A date with a time behind it would lose the time.
    if text.len() != date.to_string().len() {
        return None;
    }
    let date = CivilDate::new(
        date.year().into(),
        date.month().unsigned_abs(),
        date.day().unsigned_abs(),
    )?;
    Some(date.epoch_days())
}

/// Milliseconds since midnight; `None` for parts of a millisecond and for a leap second.
pub(super) fn milliseconds_of_day(text: &str) -> Option<i64> {
    let begins_like_a_time = text.as_bytes().get(2) == Some(&b':');
    if !begins_like_a_time || has_leap_second(text) {
        return None;
    }
    let time: Time = text.parse().ok()?;
    exact_milliseconds(time.duration_since(Time::midnight()).as_nanos())
}

/// Milliseconds since 1970; `None` for text without an offset, parts of a millisecond and a leap second.
pub(super) fn milliseconds_since_1970(text: &str) -> Option<i64> {
    let time_of_day = text.split_once(['T', 't', ' '])?.1;
    if has_leap_second(time_of_day) {
        return None;
    }
    let timestamp: Timestamp = text.parse().ok()?;
    exact_milliseconds(timestamp.as_nanosecond())
}

/// A parser would take second 60 for 59.
fn has_leap_second(time_of_day: &str) -> bool {
    time_of_day.get(6..8) == Some("60")
}

fn exact_milliseconds(nanoseconds: i128) -> Option<i64> {
    const NANOSECONDS: i128 = 1_000_000;
    (nanoseconds % NANOSECONDS == 0)
        .then(|| i64::try_from(nanoseconds / NANOSECONDS).ok())
        .flatten()
}
