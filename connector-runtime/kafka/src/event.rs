//! The words between a consumer and its owner: what it is told, and what it tells.

use std::sync::Arc;
use std::time::Duration;

use connect_api::{Cause, Origin, TopicPartition};
use rdkafka::consumer::ConsumerGroupMetadata;

use crate::assignment::Generation;

/// Which topics a consumer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    Topics(Vec<String>),
    /// A regular expression (of the `regex` crate) over whole names, without anchors; topics that come later are found
    /// too, Kafka's own (`__…`) never.
    Pattern(String),
}

/// What one consumer is.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// The consumer group.
    pub group: String,
    /// Shown by the broker's tools and in log lines.
    pub client_id: String,
    pub subscription: Subscription,
    /// What librdkafka may prefetch, in bytes: half of `in_flight`.
    pub queue_bytes: u64,
    /// How many records are at hand when it stops prefetching.
    pub queue_records: u32,
    /// How soon a topic (or a partition) that comes later is noticed.
    pub metadata_refresh: Duration,
}

impl ConsumerOptions {
    /// The usual refresh of 5 s.
    pub fn new(
        group: impl Into<String>,
        client_id: impl Into<String>,
        subscription: Subscription,
        queue_bytes: u64,
        queue_records: u32,
    ) -> ConsumerOptions {
        ConsumerOptions {
            group: group.into(),
            client_id: client_id.into(),
            subscription,
            queue_bytes,
            queue_records,
            metadata_refresh: Duration::from_secs(5),
        }
    }
}

/// What a poll brought.
#[derive(Debug)]
pub enum Event {
    /// The next record of a partition, in order.
    Record {
        origin: Arc<Origin>,
        generation: Generation,
    },
    /// The group gave these partitions; nothing of them comes before `begin_at`.
    Assigned(Vec<TopicPartition>),
    /// The group takes these partitions. Nothing of them comes any more, but their positions can still be stored, until
    /// [`crate::SinkConsumer::give_back`] or the next poll.
    Revoked(Vec<TopicPartition>),
    /// These partitions are gone, and it is too late to commit: somebody else may have them already.
    Lost(Vec<TopicPartition>),
    /// Everything before `next` was delivered; transaction markers lie between the last record and it.
    EndOfPartition {
        partition: TopicPartition,
        next: i64,
        generation: Generation,
    },
    /// This topic does not exist (yet). It is looked for every few seconds, and found without being asked.
    TopicMissing { topic: String },
    /// The pattern matches so many topics, more than [`crate::MOST_TOPICS`]. Reported at each look.
    TooManyTopics { found: usize },
    /// Kafka has only `low..high` and the partition wants another offset. It stands still until `begin_at`.
    OutOfRange {
        partition: TopicPartition,
        wanted: i64,
        low: i64,
        high: i64,
    },
    /// A batch of records that the client cannot unpack, at this offset of one of these partitions. It waits there for ever.
    Unreadable {
        offset: i64,
        partitions: Vec<TopicPartition>,
        /// Bytes that a batch may have once it is unpacked.
        largest: u64,
        cause: Cause,
    },
    /// An outage, or something that somebody can mend; the consumer goes on by itself afterwards.
    Waiting(Cause),
    /// This consumer is over: open a new one.
    Fatal(Cause),
}

/// Who a consumer is in its group at this moment; a transaction that carries it is refused once the group moved on.
#[derive(Clone)]
pub struct GroupMetadata(Arc<ConsumerGroupMetadata>);

impl GroupMetadata {
    pub(crate) fn new(native: ConsumerGroupMetadata) -> GroupMetadata {
        GroupMetadata(Arc::new(native))
    }

    pub(crate) fn native(&self) -> &ConsumerGroupMetadata {
        &self.0
    }
}

impl std::fmt::Debug for GroupMetadata {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("GroupMetadata")
    }
}
