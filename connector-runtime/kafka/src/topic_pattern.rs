//! Subscription by a regular expression. librdkafka's own uses another dialect than the one that `check` validates.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use connect_api::Cause;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use regex::Regex;

use crate::error::cause;

/// The timeout of one check, which happens between two polls.
const METADATA_WITHIN: Duration = Duration::from_secs(2);

/// The most topics of one connector. Users who may create topics decide what a pattern matches, and each partition costs memory
/// here and in the brokers.
pub const MOST_TOPICS: usize = 1_000;

/// The result of a check.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The subscription is up to date.
    Done,
    /// The pattern matches this many topics, more than [`MOST_TOPICS`]. The subscription stays as it was.
    TooMany(usize),
}

/// Finds topics periodically.
#[derive(Debug)]
pub(crate) struct TopicPattern {
    whole_name: Regex,
    every: Duration,
    next_look: Instant,
    found: BTreeSet<String>,
}

impl TopicPattern {
    pub(crate) fn new(pattern: &str, every: Duration) -> Result<TopicPattern, Cause> {
        let whole_name = Regex::new(&format!("^(?:{pattern})$"))
            .map_err(|error| Cause::new(format!("`{pattern}` is no pattern: {error}")))?;
        Ok(TopicPattern {
            whole_name,
            every,
            next_look: Instant::now(),
            found: BTreeSet::new(),
        })
    }

    /// Subscribes again if the topics have changed. A deleted topic stays subscribed only if the pattern matches nothing else:
    /// a consumer without a topic leaves its group.
    pub(crate) fn look<C: ConsumerContext>(
        &mut self,
        client: &BaseConsumer<C>,
    ) -> Result<Look, Cause> {
        if Instant::now() < self.next_look {
            return Ok(Look::Done);
        }
        self.next_look = Instant::now() + self.every;
        let doing = "looking for topics";
        let metadata = client
            .fetch_metadata(None, METADATA_WITHIN)
            .map_err(|error| cause(doing, &error))?;
        let names = metadata.topics().iter().map(|topic| topic.name());
        let found = match self.choose(names) {
            Ok(found) => found,
            Err(count) => return Ok(Look::TooMany(count)),
        };
        if found.is_empty() || found == self.found {
            return Ok(Look::Done);
        }
        let topics: Vec<&str> = found.iter().map(String::as_str).collect();
        client
            .subscribe(&topics)
            .map_err(|error| cause(doing, &error))?;
        self.found = found;
        Ok(Look::Done)
    }

    /// The topics that are wanted; their number if it is too large.
    fn choose<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<BTreeSet<String>, usize> {
        let wanted: Vec<&str> = names.filter(|name| self.wants(name)).collect();
        if wanted.len() > MOST_TOPICS {
            return Err(wanted.len());
        }
        Ok(wanted.into_iter().map(str::to_owned).collect())
    }

    fn wants(&self, name: &str) -> bool {
        !name.starts_with("__") && self.whole_name.is_match(name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_match() {
        let check = |pattern: &str, name: &str, expected: bool| {
            let pattern = TopicPattern::new(pattern, Duration::ZERO).unwrap();
            assert_eq!(pattern.wants(name), expected, "{pattern:?} {name}");
        };
        check("sales", "sales", true);
        check("sales", "sales2", false);
        check("sales|users", "users", true);
        check("sales|users", "sales-users", false);
        check(r"sales\.\d+", "sales.42", true);
        check(".*", "__consumer_offsets", false);
        check("(?i)SALES", "sales", true);
    }

    #[test]
    fn more_topics_than_a_connector_reads_are_counted_and_not_read() {
        let pattern = TopicPattern::new(r"t\d+", Duration::ZERO).unwrap();
        let chosen = |count: usize| {
            let names: Vec<String> = (0..count).map(|number| format!("t{number}")).collect();
            let others = ["__consumer_offsets", "sales"];
            pattern
                .choose(names.iter().map(String::as_str).chain(others))
                .map(|found| found.len())
        };
        assert_eq!(chosen(0), Ok(0));
        assert_eq!(chosen(MOST_TOPICS), Ok(MOST_TOPICS));
        assert_eq!(chosen(MOST_TOPICS + 1), Err(MOST_TOPICS + 1));
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        let cause = TopicPattern::new("sales(", Duration::ZERO).unwrap_err();
        assert!(cause.message.contains("`sales(` is no pattern"), "{cause}");
    }
}
