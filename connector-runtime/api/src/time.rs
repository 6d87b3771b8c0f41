//! Wall-clock time in milliseconds since 1970, and its text form.

use jiff::Timestamp;

use crate::calendar::CivilDate;

/// The current time in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// RFC 3339 in UTC with milliseconds, such as `2026-11-20T20:35:19.042Z`. A year of more than four digits, which RFC 3339
/// does not have, has a sign, as in ISO 8601: `+10000-01-01T00:00:00.000Z`.
pub fn format_ms(milliseconds: i64) -> String {
    match Timestamp::from_millisecond(milliseconds) {
        Ok(timestamp) => format!("{timestamp:.3}"),
        Err(_) => format_far(milliseconds),
    }
}

/// Times beyond the range of `jiff`.
fn format_far(milliseconds: i64) -> String {
    const DAY: i64 = 86_400_000;
    let date = CivilDate::from_epoch_days(milliseconds.div_euclid(DAY));
    let time = milliseconds.rem_euclid(DAY);
    let (hour, minute) = (time / 3_600_000, time / 60_000 % 60);
    let (second, millisecond) = (time / 1_000 % 60, time % 1_000);
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// Reads RFC 3339 with an offset, to the millisecond.
pub fn parse_ms(text: &str) -> Option<i64> {
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

/// Reads the date of an HTTP header, such as `Wed, 21 Oct 2015 07:28:00 GMT` (RFC 9110, section 5.6.7).
pub fn parse_http_date_ms(text: &str) -> Option<i64> {
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(date.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::format_ms;

    #[test]
    fn times_are_told_as_they_are_however_far_they_lie() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (253_402_207_200_999, "9999-12-30T22:00:00.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+10000-01-01T00:00:00.000Z"),
            (1_700_000_000_000_000, "+55840-11-08T22:13:20.000Z"),
            (i64::MAX, "+292278994-08-17T07:12:55.807Z"),
            (i64::MIN, "-292275055-05-16T16:47:04.192Z"),
        ];
        for (milliseconds, expected) in cases {
            assert_eq!(format_ms(milliseconds), expected);
        }
    }
}
