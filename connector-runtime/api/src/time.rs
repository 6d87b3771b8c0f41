//! Wall-clock time in milliseconds since 1970, and its one text form.

use jiff::Timestamp;

/// Milliseconds since 1970, UTC, now.
#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// RFC 3339 in UTC with milliseconds, such as `2026-11-20T20:35:19.042Z`. Years outside 1–9999 are clamped.
pub fn format_ms(milliseconds: i64) -> String {
    let bounded = Timestamp::from_millisecond(milliseconds).unwrap_or(match milliseconds < 0 {
        true => Timestamp::MIN,
        false => Timestamp::MAX,
    });
    format!("{bounded:.3}")
}

/// Reads RFC 3339 with an offset, to the millisecond.
pub fn parse_ms(text: &str) -> Option<i64> {
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}
