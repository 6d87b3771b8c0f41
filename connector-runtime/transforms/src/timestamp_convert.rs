//! `timestamp_convert`: converts times between Unix time, RFC 3339 and patterns.

mod time_format;

use connect_api::{
    Cause, Explanation, Fields, Finding, Found, Record, Step, Transform, TransformPlugin,
};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::{self, Part};
use time_format::{Ambiguous, TimeFormat};

/// The plugin `timestamp_convert`.
pub struct TimestampConvert;

/// Converts times from one form to another, exactly: a time that the target cannot hold rejects the record unless
/// `truncate` is set. `null` stays `null`, and a missing field stays missing.
///
/// A form is `unix_s`, `unix_ms`, `unix_us` or `unix_ns` (a number of seconds, milliseconds, … since 1970), `rfc3339`
/// (text with an offset; written in UTC), or a pattern of strftime such as `%d.%m.%Y %H:%M:%S`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The fields to convert: names, paths, or paths with `[*]` for every element of an array.
    #[schemars(extend("minItems" = 1))]
    fields: Vec<Fields>,
    /// The form of the content.
    from: String,
    /// The form to write.
    to: String,
    /// The time zone of patterns without an offset, such as `Europe/Berlin`.
    #[serde(default = "part::utc")]
    timezone: String,
    /// What happens to a local time that a clock change repeats or skips.
    #[serde(default)]
    ambiguous: Ambiguous,
    /// Drops digits that a `unix_…` target cannot hold, towards the past, instead of rejecting the record.
    #[serde(default)]
    truncate: bool,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

const FORMAT: Explanation = Explanation {
    code: "transform.time-format",
    why: "A form of time is `unix_s`, `unix_ms`, `unix_us`, `unix_ns`, `rfc3339` or a pattern of strftime with at least the date.",
    example: "from = \"yyyy-MM-dd\"",
    fix: "from = \"%Y-%m-%d\"",
};

/// A built `timestamp_convert`.
pub struct Conversion {
    fields: Vec<Fields>,
    from: TimeFormat,
    to: TimeFormat,
    zone: TimeZone,
    ambiguous: Ambiguous,
    truncate: bool,
    on: Part,
}

impl TransformPlugin for TimestampConvert {
    const NAME: &'static str = "timestamp_convert";
    const ABOUT: &'static str = "converts times between Unix time, RFC 3339 and patterns";
    const EXAMPLE: &'static str = r#"[[transforms]]
type     = "timestamp_convert"
fields   = ["sold_at"]
from     = "%d.%m.%Y %H:%M"
to       = "rfc3339"
timezone = "Europe/Berlin"
"#;
    const EXPLANATIONS: &'static [Explanation] = &[FORMAT, part::TIMEZONE];
    type Config = Config;
    type Transform = Conversion;

    fn build(config: &Config) -> Result<Conversion, Finding> {
        let form = |pointer: &str, text: &str| {
            TimeFormat::parse(text).map_err(|reason| Finding::error(FORMAT.code, pointer, reason))
        };
        let from = form("/from", &config.from)?;
        from.check_readable()
            .map_err(|reason| Finding::error(FORMAT.code, "/from", reason))?;
        let zone = part::time_zone(&config.timezone)?;
        Ok(Conversion {
            fields: config.fields.clone(),
            from,
            to: form("/to", &config.to)?,
            zone,
            ambiguous: config.ambiguous,
            truncate: config.truncate,
            on: config.on,
        })
    }
}

impl Transform for Conversion {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        self.on.edit(record, |part| {
            for field in &self.fields {
                part.replace_each(field, |path, found| {
                    if found.is_null() {
                        return Ok(None);
                    }
                    let cannot = |reason: String| {
                        Cause::new(format!("cannot convert {}: {reason}", path()))
                            .about(Found::from(found))
                    };
                    let time = self.from.read(found, &self.zone, self.ambiguous);
                    let written = time
                        .and_then(|time| self.to.write(time, &self.zone, self.truncate))
                        .map_err(cannot)?;
                    Ok::<_, Cause>(Some(written))
                })?;
            }
            Ok(())
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_testkit::transforms::{check, check_refused};

    #[track_caller]
    fn check_form(from: &str, to: &str, start: &str, expected: &str) {
        let expected = if expected.starts_with('!') {
            expected.to_owned()
        } else {
            format!(r#"{{"a":{expected}}}"#)
        };
        let config = format!("fields = ['a']\nfrom = '{from}'\nto = '{to}'");
        check::<TimestampConvert>(&config, &format!(r#"{{"a":{start}}}"#), &expected);
    }

    #[test]
    fn unix_times_are_read_exactly() {
        for (from, start, expected) in [
            ("unix_ms", "1700000000123", r#""2023-11-14T22:13:20.123Z""#),
            ("unix_s", "1700000000", r#""2023-11-14T22:13:20Z""#),
            ("unix_s", "1700000000.25", r#""2023-11-14T22:13:20.25Z""#),
            ("unix_s", "-1.5", r#""1969-12-31T23:59:58.5Z""#),
            (
                "unix_us",
                "1700000000123456",
                r#""2023-11-14T22:13:20.123456Z""#,
            ),
            (
                "unix_ns",
                "1700000000123456789",
                r#""2023-11-14T22:13:20.123456789Z""#,
            ),
            ("unix_ms", "-1", r#""1969-12-31T23:59:59.999Z""#),
            ("unix_ms", "1.70e12", "!it has an exponent"),
            ("unix_ns", "0.5", "!finer than a nanosecond"),
            ("unix_ns", "5.0", r#""1970-01-01T00:00:00.000000005Z""#),
            ("unix_s", "99999999999999", "!outside the years"),
            (
                "unix_s",
                "99999999999999999999999999999999999999999",
                "!outside the years",
            ),
            ("unix_ms", r#""1700000000123""#, "!a number is expected"),
            ("unix_ms", "true", "!a number is expected"),
            ("unix_ms", "null", "null"),
        ] {
            check_form(from, "rfc3339", start, expected);
        }
    }

    #[test]
    fn unix_times_are_written_exactly_or_not_at_all() {
        for (to, start, expected) in [
            ("unix_ms", r#""2023-11-14T22:13:20.123Z""#, "1700000000123"),
            (
                "unix_ms",
                r#""2023-11-14T23:13:20.123+01:00""#,
                "1700000000123",
            ),
            ("unix_s", r#""1969-12-31T23:59:59Z""#, "-1"),
            (
                "unix_ns",
                r#""2023-11-14T22:13:20.123456789Z""#,
                "1700000000123456789",
            ),
            (
                "unix_ms",
                r#""2023-11-14T22:13:20.1234Z""#,
                "!unix_ms cannot hold it without loss",
            ),
            (
                "unix_ms",
                r#""2023-11-14T22:13:20""#,
                "!no time of RFC 3339",
            ),
            ("unix_ms", r#""yesterday""#, "!no time of RFC 3339"),
            ("unix_ms", "1", "!text is expected"),
        ] {
            check_form("rfc3339", to, start, expected);
        }
        check::<TimestampConvert>(
            "fields = ['a']\nfrom = 'unix_ms'\nto = 'unix_s'\ntruncate = true",
            r#"{"a":-1}"#,
            r#"{"a":-1}"#,
        );
    }

    #[test]
    fn patterns_have_a_time_zone_and_say_what_they_cannot_know() {
        let berlin =
            "fields = ['a']\nfrom = '%d.%m.%Y %H:%M'\nto = 'rfc3339'\ntimezone = 'Europe/Berlin'";
        let later = format!("{berlin}\nambiguous = 'later'");
        let earlier = format!("{berlin}\nambiguous = 'earlier'");
        for (config, start, expected) in [
            (berlin, "28.11.2026 12:30", "2026-11-28T11:30:00Z"),
            (berlin, "28.06.2026 12:30", "2026-06-28T10:30:00Z"),
            (berlin, "31.02.2026 12:30", "!cannot convert $.a: "),
            (berlin, "28.11.2026", "!does not match"),
            (berlin, "28.11.2026 12:30:00", "!does not match"),
            // The clocks of Berlin were put back at 03:00 on 25 October 2026 and forward at 02:00 on 29 March.
            (berlin, "25.10.2026 02:30", "!occurs twice in Europe/Berlin"),
            (&later, "25.10.2026 02:30", "2026-10-25T01:30:00Z"),
            (&earlier, "25.10.2026 02:30", "2026-10-25T00:30:00Z"),
            (berlin, "29.03.2026 02:30", "!is skipped in Europe/Berlin"),
            (&later, "29.03.2026 02:30", "2026-03-29T01:30:00Z"),
        ] {
            let expected = if expected.starts_with('!') {
                expected.to_owned()
            } else {
                format!(r#"{{"a":"{expected}"}}"#)
            };
            check::<TimestampConvert>(config, &format!(r#"{{"a":"{start}"}}"#), &expected);
        }
        for (from, to, start, expected) in [
            ("%Y-%m-%d", "unix_s", r#""1970-01-02""#, "86400"),
            (
                "%Y-%m-%d %H:%M:%S %z",
                "rfc3339",
                r#""2026-11-28 12:00:00 +0530""#,
                r#""2026-11-28T06:30:00Z""#,
            ),
            ("unix_ms", "%Y-%m-%d", "1700000000123", r#""2023-11-14""#),
            ("unix_ms", "%H:%M", "1700000000123", r#""22:13""#),
        ] {
            check_form(from, to, start, expected);
        }
    }

    #[test]
    fn every_field_is_converted() {
        check::<TimestampConvert>(
            "fields = ['$.l[*].t', 'x']\nfrom = 'unix_s'\nto = '%Y'",
            r#"{"l":[{"t":0},{},{"t":null}],"b":1}"#,
            r#"{"l":[{"t":"1970"},{},{"t":null}],"b":1}"#,
        );
        check::<TimestampConvert>(
            "fields = ['$']\non = 'key'\nfrom = 'unix_s'\nto = 'rfc3339'",
            "0 => {}",
            r#""1970-01-01T00:00:00Z" => {}"#,
        );
    }

    #[test]
    fn forms_that_cannot_be_meant_are_refused() {
        for (from, to, zone, pointer, message) in [
            (
                "yyyy-MM-dd",
                "unix_s",
                "UTC",
                "/from",
                "has no conversion such as %Y",
            ),
            (
                "unix_s",
                "%Q%J",
                "UTC",
                "/to",
                "is not a pattern of strftime",
            ),
            ("%H:%M", "unix_s", "UTC", "/from", "no date"),
            (
                "unix_s",
                "rfc3339",
                "Europe/Berln",
                "/timezone",
                "not a time zone",
            ),
        ] {
            let config =
                format!("fields = ['a']\nfrom = '{from}'\nto = '{to}'\ntimezone = '{zone}'");
            check_refused::<TimestampConvert>(&config, pointer, message);
        }
    }
}
