//! The start position of a partition: one type for configuration, engine, Kafka client and command line.

use jiff::Timestamp;

use crate::leaf::leaf_type;

/// Where reading a partition starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// This offset.
    Offset(i64),
    /// The oldest record that Kafka has.
    Earliest,
    /// After the newest record.
    Latest,
    /// The first record of this time or later; after the newest if all are older.
    Time(Timestamp),
    /// The offset that the consumer group has committed.
    Committed,
}

impl StartAt {
    /// Parses `start` of a connector's file. It cannot be an offset, because offsets differ between partitions.
    pub fn parse(text: &str) -> Result<StartAt, String> {
        match text {
            "earliest" => Ok(StartAt::Earliest),
            "latest" => Ok(StartAt::Latest),
            "group" => Ok(StartAt::Committed),
            time => time.parse().map(StartAt::Time).map_err(|_| {
                format!(
                    "`{text}` is neither earliest, latest, group nor a time with its offset such as 2026-11-20T00:00:00Z"
                )
            }),
        }
    }
}

leaf_type!(StartAt {
    const FORMAT: &'static str = "timestamp-or-word";
    const ABOUT: &'static str = "Where to start: \"earliest\", \"latest\", \"group\" or an RFC 3339 time.";
    const EXPECTED: &'static str = "\"earliest\", \"latest\", \"group\" or a time such as \"2026-11-20T00:00:00Z\"";
    const STAND_IN: Option<&'static str> = Some("earliest");
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn start_is_a_word_or_a_time() {
        let midnight = StartAt::Time(Timestamp::from_second(1_795_132_800).unwrap());
        let cases = [
            ("earliest", StartAt::Earliest),
            ("latest", StartAt::Latest),
            ("group", StartAt::Committed),
            ("2026-11-20T00:00:00Z", midnight),
            ("2026-11-20T01:00:00+01:00", midnight),
        ];
        for (text, expected) in cases {
            assert_eq!(StartAt::parse(text), Ok(expected), "{text}");
        }
        for text in ["Earliest", "7", "2026-11-20", "2026-11-20T00:00:00", ""] {
            assert!(StartAt::parse(text).is_err(), "{text}");
        }
    }
}
