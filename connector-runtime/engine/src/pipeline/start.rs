//! Where a partition begins: one pure decision (design: "Where to begin").

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use connect_api::{Cause, TopicPartition};
use parking_lot::Mutex;

use super::Stored;
use connect_config::Start;

/// What is known about a partition when it is assigned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Where progress is stored, and what the sink has.
    pub(crate) stored: Stored,
    /// What the consumer group has, or will have once it has heard of everything durable.
    pub(crate) committed: Option<i64>,
    /// What the connector's file says, if it does.
    pub(crate) start: Option<Start>,
    /// The connector had already begun with other partitions of the topic when this process started, or this process
    /// saw the topic without this partition: it is a later partition, and everything in it is new.
    pub(crate) later: bool,
}

/// Where to seek.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    At(i64),
    Earliest,
    Latest,
    /// At the first record of this time or later, in milliseconds since 1970.
    Time(i64),
}

/// What to do with a newly assigned partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Begin {
        at: Begin,
        /// No position is stored yet: the start is stored at once, so that it is a position from now on.
        store: bool,
        /// The group's offset differs from the stored progress, which wins. Logged once.
        group_differs: Option<i64>,
    },
    /// A person must say what is meant.
    Ask(String),
}

/// A stored position always wins. Without one, `start` decides; a group's offset that nobody mentioned is a question.
pub(crate) fn decide(connector: &str, known: Known) -> Decision {
    let go_on = |at| Decision::Begin {
        at: Begin::At(at),
        store: false,
        group_differs: None,
    };
    let first = |at| Decision::Begin {
        at,
        store: true,
        group_differs: None,
    };
    match (known.stored, known.committed, known.start) {
        (Stored::InSink(Some(offset)), committed, _) => Decision::Begin {
            at: Begin::At(offset),
            store: false,
            group_differs: committed.filter(|group| *group != offset),
        },
        (Stored::InGroup, Some(offset), _) => go_on(offset),
        (Stored::InSink(None), Some(offset), Some(Start::Group)) => first(Begin::At(offset)),
        (Stored::InSink(None), Some(offset), None) => Decision::Ask(format!(
            "the sink has no progress, but the consumer group connect-{connector} is at offset {offset}: a new database, or a group taken over from another tool? Write start = \"group\" to go on from the group's offset, or start = \"earliest\" to begin with the oldest record"
        )),
        (_, None, Some(Start::Group)) if !known.later => Decision::Ask(format!(
            "start = \"group\", but the consumer group connect-{connector} has no offset for this partition: write start = \"earliest\" or \"latest\""
        )),
        _ if known.later => first(Begin::Earliest),
        (_, _, Some(Start::Latest)) => first(Begin::Latest),
        (_, _, Some(Start::At(milliseconds))) => first(Begin::Time(milliseconds)),
        (_, _, Some(Start::Earliest | Start::Group) | None) => first(Begin::Earliest),
    }
}

/// What each topic looked like when this process first saw it, and which partitions it saw; shared by the tasks of a
/// connector.
#[derive(Clone, Default)]
pub(crate) struct FirstSights {
    topics: Arc<Mutex<HashMap<Arc<str>, FirstSight>>>,
    partitions: Arc<Mutex<HashSet<TopicPartition>>>,
}

#[derive(Clone, Copy)]
struct FirstSight {
    /// The connector had positions in the topic already.
    begun: bool,
    partitions: i32,
}

impl FirstSights {
    /// Whether the partition came after the connector had begun with its topic. `look` asks the cluster, once a topic
    /// and before this process stores anything: whether any position is stored, and the number of partitions.
    pub(crate) fn is_later(
        &self,
        partition: &TopicPartition,
        look: impl FnOnce(&Arc<str>) -> Result<(bool, i32), Cause>,
    ) -> Result<bool, Cause> {
        let mut sights = self.topics.lock();
        let sight = match sights.get(&partition.topic) {
            Some(sight) => *sight,
            None => {
                let (begun, partitions) = look(&partition.topic)?;
                let sight = FirstSight { begun, partitions };
                sights.insert(partition.topic.clone(), sight);
                sight
            }
        };
        Ok(sight.begun || partition.partition >= sight.partitions)
    }

    /// Whether this process begins with the partition for the first time.
    pub(crate) fn is_first(&self, partition: &TopicPartition) -> bool {
        let mut seen = self.partitions.lock();
        seen.insert(partition.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(at: Begin, store: bool) -> Decision {
        Decision::Begin {
            at,
            store,
            group_differs: None,
        }
    }

    fn check(
        stored: Stored,
        committed: Option<i64>,
        start: Option<Start>,
        later: bool,
        expected: Decision,
    ) {
        let known = Known {
            stored,
            committed,
            start,
            later,
        };
        assert_eq!(decide("orders", known), expected, "{known:?}");
    }

    #[test]
    fn a_stored_position_always_wins() {
        for start in [
            None,
            Some(Start::Latest),
            Some(Start::Group),
            Some(Start::Earliest),
        ] {
            check(
                Stored::InSink(Some(7)),
                Some(7),
                start,
                false,
                begin(Begin::At(7), false),
            );
            check(
                Stored::InSink(Some(7)),
                None,
                start,
                true,
                begin(Begin::At(7), false),
            );
            check(
                Stored::InGroup,
                Some(9),
                start,
                false,
                begin(Begin::At(9), false),
            );
        }
        let differs = Decision::Begin {
            at: Begin::At(7),
            store: false,
            group_differs: Some(3),
        };
        check(Stored::InSink(Some(7)), Some(3), None, false, differs);
    }

    #[test]
    fn without_a_position_start_decides_and_is_stored() {
        for stored in [Stored::InSink(None), Stored::InGroup] {
            check(stored, None, None, false, begin(Begin::Earliest, true));
            check(
                stored,
                None,
                Some(Start::Latest),
                false,
                begin(Begin::Latest, true),
            );
            check(
                stored,
                None,
                Some(Start::At(5)),
                false,
                begin(Begin::Time(5), true),
            );
        }
        check(
            Stored::InSink(None),
            Some(4),
            Some(Start::Group),
            false,
            begin(Begin::At(4), true),
        );
        check(
            Stored::InSink(None),
            Some(4),
            Some(Start::Latest),
            false,
            begin(Begin::Latest, true),
        );
    }

    #[test]
    fn a_later_partition_begins_at_its_first_record_whatever_start_says() {
        for start in [
            None,
            Some(Start::Latest),
            Some(Start::At(5)),
            Some(Start::Group),
        ] {
            check(
                Stored::InGroup,
                None,
                start,
                true,
                begin(Begin::Earliest, true),
            );
        }
    }

    #[test]
    fn a_question_is_asked_rather_than_guessed() {
        let asks = |stored, committed, start| {
            let known = Known {
                stored,
                committed,
                start,
                later: false,
            };
            matches!(decide("orders", known), Decision::Ask(_))
        };
        assert!(asks(Stored::InSink(None), Some(4), None));
        assert!(asks(Stored::InGroup, None, Some(Start::Group)));
    }
}
