//! The lag of each topic's readers in this process, for `--embedded`.
//!
//! The in-process broker keeps 5 MiB per partition and drops the oldest records beyond that. So in embedded mode every producer
//! waits while a reader of its topic is more than 1 MiB behind, and `rate = 0` loses nothing. Embedded topics start empty at
//! offset 0, so a reader's next offsets add up to the number of records it is done with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use connect_api::Position;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Bytes that a topic's slowest reader may be behind.
const LIMIT_BYTES: u64 = 1 << 20;

/// All topics of the process.
#[derive(Clone, Default)]
pub(crate) struct Backlog(Arc<Shared>);

#[derive(Default)]
struct Shared {
    topics: Mutex<HashMap<Arc<str>, Topic>>,
    moved: Notify,
}

#[derive(Default)]
struct Topic {
    produced_records: u64,
    produced_bytes: u64,
    /// By connector, then by partition: the next offset.
    readers: HashMap<Arc<str>, HashMap<i32, i64>>,
}

impl Topic {
    /// Bytes between the last record and the slowest reader; none without a reader.
    fn behind_bytes(&self) -> u64 {
        let done = |reader: &HashMap<i32, i64>| {
            reader
                .values()
                .map(|next| (*next).max(0) as u64)
                .sum::<u64>()
        };
        let Some(slowest) = self.readers.values().map(done).min() else {
            return 0;
        };
        let records = self.produced_records.saturating_sub(slowest);
        let average = self.produced_bytes / self.produced_records.max(1);
        records * average
    }
}

impl Backlog {
    /// The reading side of one connector. Topics that it names are known from now on; others when it first reaches them.
    pub(crate) fn reader(&self, connector: &Arc<str>, topics: &[String]) -> ReaderBacklog {
        let mut known = self.0.topics.lock();
        for topic in topics {
            let topic = known.entry(Arc::from(topic.as_str())).or_default();
            topic.readers.entry(connector.clone()).or_default();
        }
        ReaderBacklog {
            backlog: self.clone(),
            connector: connector.clone(),
        }
    }

    pub(crate) fn produced(&self, topic: &Arc<str>, records: u64, bytes: u64) {
        let mut topics = self.0.topics.lock();
        let topic = topics.entry(topic.clone()).or_default();
        topic.produced_records += records;
        topic.produced_bytes += bytes;
    }

    /// Returns once the readers of `topic` are close enough.
    pub(crate) async fn room(&self, topic: &str) {
        loop {
            let moved = self.0.moved.notified();
            let behind = {
                let topics = self.0.topics.lock();
                topics.get(topic).map_or(0, Topic::behind_bytes)
            };
            if behind <= LIMIT_BYTES {
                return;
            }
            // A reader that failed does not move any more, but its connector may be removed meanwhile: check again.
            let _ = tokio::time::timeout(Duration::from_millis(500), moved).await;
        }
    }

    /// A connector that ended delays no producer.
    pub(crate) fn forget(&self, connector: &str) {
        let mut topics = self.0.topics.lock();
        for topic in topics.values_mut() {
            topic.readers.retain(|name, _| &**name != connector);
        }
        self.0.moved.notify_waiters();
    }
}

/// Reports the positions of one connector.
#[derive(Clone)]
pub(crate) struct ReaderBacklog {
    backlog: Backlog,
    connector: Arc<str>,
}

impl ReaderBacklog {
    pub(crate) fn reached(&self, positions: impl Iterator<Item = Position>) {
        let mut topics = self.backlog.0.topics.lock();
        for Position { partition, next } in positions {
            let topic = topics.entry(partition.topic.clone()).or_default();
            let reader = topic.readers.entry(self.connector.clone()).or_default();
            reader.insert(partition.partition, next);
        }
        drop(topics);
        self.backlog.0.moved.notify_waiters();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn behind(backlog: &Backlog, topic: &str) -> u64 {
        backlog
            .0
            .topics
            .lock()
            .get(topic)
            .map_or(0, Topic::behind_bytes)
    }

    #[test]
    fn the_slowest_reader_counts_and_a_topic_without_readers_does_not() {
        let backlog = Backlog::default();
        let topic: Arc<str> = Arc::from("sales");
        backlog.produced(&topic, 10, 1_000);
        assert_eq!(behind(&backlog, "sales"), 0);
        let _slow = backlog.reader(&Arc::from("slow"), &["sales".to_owned()]);
        assert_eq!(behind(&backlog, "sales"), 1_000);
        backlog.forget("slow");
        assert_eq!(behind(&backlog, "sales"), 0);
    }
}
