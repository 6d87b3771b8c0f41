//! Topics by a regular expression. librdkafka has one of its own, in another dialect than the one that `check` proves.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use connect_api::Cause;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use regex::Regex;

use crate::error::cause;

/// How long one look may take: it happens between two polls.
const METADATA_WITHIN: Duration = Duration::from_secs(2);

/// Finds topics, now and then.
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

    /// Subscribes anew if other topics are there than the last time. A topic that is gone stays subscribed only if the
    /// pattern would find nothing else: a consumer without any topic leaves its group.
    pub(crate) fn look<C: ConsumerContext>(
        &mut self,
        client: &BaseConsumer<C>,
    ) -> Result<(), Cause> {
        if Instant::now() < self.next_look {
            return Ok(());
        }
        self.next_look = Instant::now() + self.every;
        let doing = "looking for topics";
        let metadata = client
            .fetch_metadata(None, METADATA_WITHIN)
            .map_err(|error| cause(doing, &error))?;
        let found: BTreeSet<String> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name())
            .filter(|name| self.wants(name))
            .map(str::to_owned)
            .collect();
        if found.is_empty() || found == self.found {
            return Ok(());
        }
        let topics: Vec<&str> = found.iter().map(String::as_str).collect();
        client
            .subscribe(&topics)
            .map_err(|error| cause(doing, &error))?;
        self.found = found;
        Ok(())
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
    fn what_is_no_pattern_is_said() {
        let cause = TopicPattern::new("sales(", Duration::ZERO).unwrap_err();
        assert!(cause.message.contains("`sales(` is no pattern"), "{cause}");
    }
}
