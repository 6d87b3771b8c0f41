//! `timestamp_router`: chooses a topic from the record's topic and time.

use connect_api::{
    Cause, Explanation, Finding, Record, Step, Template, Transform, TransformPlugin,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part;
use crate::router::{current_topic, route};

/// The plugin `timestamp_router`.
pub struct TimestampRouter;

/// Chooses a topic with the time of the record in its name. A sink sees it as `#routed_topic`; `#topic` stays where the
/// record came from. A record without a time is rejected.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The new topic: `{topic}` is the record's topic, `{timestamp:%Y%m%d}` its time by a pattern of strftime.
    topic: Template,
    /// The time zone of the time, such as `Europe/Berlin`.
    #[serde(default = "part::utc")]
    timezone: String,
}

const TEMPLATE: Explanation = Explanation {
    code: "transform.template",
    why: "The template of a topic has the placeholders `{topic}` and `{timestamp:PATTERN}`, with a pattern of strftime.",
    example: "topic = \"{topic}-{date}\"",
    fix: "topic = \"{topic}-{timestamp:%Y%m%d}\"",
};

/// A built `timestamp_router`.
pub struct TimestampRoute {
    topic: Template,
    zone: TimeZone,
}

impl TransformPlugin for TimestampRouter {
    const NAME: &'static str = "timestamp_router";
    const ABOUT: &'static str = "chooses a topic with the record's time in its name";
    const EXAMPLE: &'static str = r#"[[transforms]]
type  = "timestamp_router"
topic = "{topic}-{timestamp:%Y%m%d}"
"#;
    const EXPLANATIONS: &'static [Explanation] = &[TEMPLATE, part::TIMEZONE];
    type Config = Config;
    type Transform = TimestampRoute;

    fn build(config: &Config) -> Result<TimestampRoute, Finding> {
        let zone = part::time_zone(&config.timezone)?;
        let example = |name: &str, pattern: Option<&str>| {
            fill(name, pattern, "topic", Timestamp::UNIX_EPOCH, &zone)
        };
        config
            .topic
            .fill(example)
            .map_err(|reason| Finding::error(TEMPLATE.code, "/topic", reason))?;
        Ok(TimestampRoute {
            topic: config.topic.clone(),
            zone,
        })
    }
}

impl Transform for TimestampRoute {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        let time = record
            .origin
            .timestamp_ms
            .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
            .ok_or_else(|| Cause::new("the record has no time, so no topic is chosen"))?;
        let topic = current_topic(&record);
        let routed = self
            .topic
            .fill(|name, pattern| fill(name, pattern, topic, time, &self.zone))
            .map_err(Cause::new)?;
        route(record, &routed)
    }
}

fn fill(
    name: &str,
    pattern: Option<&str>,
    topic: &str,
    time: Timestamp,
    zone: &TimeZone,
) -> Result<String, String> {
    match (name, pattern) {
        ("topic", None) => Ok(topic.to_owned()),
        ("timestamp", Some(pattern)) => {
            jiff::fmt::strtime::format(pattern, &time.to_zoned(zone.clone()))
                .map_err(|error| format!("`{pattern}` is not a pattern of strftime: {error}"))
        }
        ("timestamp", None) => {
            Err("`{timestamp}` needs a pattern, such as {timestamp:%Y%m%d}".to_owned())
        }
        _ => Err(format!(
            "`{{{name}}}` is not known; a topic has {{topic}} and {{timestamp:%Y%m%d}}"
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;
    use connect_testkit::transforms::{apply, build, check_refused, record_of};

    #[test]
    fn the_topic_has_the_time_of_the_record() {
        for (config, expected) in [
            ("topic = '{topic}-{timestamp:%Y%m%d}'", "sales-20231114"),
            ("topic = 'a.{timestamp:%H}'", "a.22"),
            (
                "topic = 'a.{timestamp:%d.%H}'\ntimezone = 'Europe/Berlin'",
                "a.14.23",
            ),
        ] {
            let routed = apply::<TimestampRouter>(config, record_of("{}")).unwrap();
            assert_eq!(routed.routed_topic.as_deref(), Some(expected), "{config}");
        }
        let mut timeless = record_of("{}");
        Arc::make_mut(&mut timeless.origin).timestamp_ms = None;
        let mut router = build::<TimestampRouter>("topic = '{topic}-{timestamp:%Y}'").unwrap();
        assert!(router.apply(timeless).is_err());
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for (config, pointer, message) in [
            ("topic = '{topics}'", "/topic", "`{topics}` is not known"),
            ("topic = '{timestamp}'", "/topic", "needs a pattern"),
            ("topic = '{topic:%Y}'", "/topic", "`{topic}` is not known"),
            (
                "topic = '{timestamp:%!}'",
                "/topic",
                "not a pattern of strftime",
            ),
            (
                "topic = '{topic}'\ntimezone = 'Mars'",
                "/timezone",
                "not a time zone",
            ),
        ] {
            check_refused::<TimestampRouter>(config, pointer, message);
        }
    }
}
