//! Converts dates and times between Kafka Connect's counts and ISO 8601 text.

use connect_api::calendar::CivilDate;

use crate::time::{self, TimePrecision};

pub(super) fn date_text(days: i64) -> String {
    CivilDate::from_epoch_days(days).to_string()
}

/// `None` outside a day.
pub(super) fn time_text(milliseconds: i64) -> Option<String> {
    time::time_text(milliseconds, TimePrecision::Milliseconds)
}

pub(super) fn timestamp_text(milliseconds: i64) -> String {
    time::timestamp_text(milliseconds, TimePrecision::Milliseconds)
}

/// Days since 1970.
pub(super) fn days_of(text: &str) -> Option<i64> {
    time::date_of(text).map(i64::from)
}

/// Milliseconds since midnight; `None` for parts of a millisecond and for a leap second.
pub(super) fn milliseconds_of_day(text: &str) -> Option<i64> {
    time::time_of(text, TimePrecision::Milliseconds)
}

/// Milliseconds since 1970; `None` for text without an offset, parts of a millisecond and a leap second.
pub(super) fn milliseconds_since_1970(text: &str) -> Option<i64> {
    time::timestamp_of(text, TimePrecision::Milliseconds)
}
