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

/// The group moves partitions between its members.
///
/// Whatever it moves, librdkafka calls back while the owner polls, so between two polls nothing changes. Each assignment of a
/// partition has a [`Generation`] of its own, and every record carries it. So what was read under an assignment that is over
/// is recognised wherever it is by then, in a batch, in a write or in a report, and is neither written nor stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// The group assigns these partitions to this member. They are paused at once: the owner finds out where each starts (a
    /// sink or the group has its position, or the connector's `start` decides), says so with
    /// [`crate::SinkConsumer::start_at`], and only then are records of it delivered.
    Assigned(Vec<TopicPartition>),
    /// The group takes these partitions from this member, which holds them a moment longer. Nothing of them is delivered any
    /// more, but their positions can still be stored: the owner makes durable what it can, then calls
    /// [`crate::SinkConsumer::give_back`], which commits and lets go. The next poll does so where the owner did not.
    Revoked(Vec<TopicPartition>),
    /// The group has expelled this member, or it was away for too long. Another member may have these partitions already, so
    /// nothing is stored or committed: the next owner reads again what was in flight.
    Lost(Vec<TopicPartition>),
}

/// What a poll brought.
#[derive(Debug)]
pub enum Event {
    /// The next record of a partition, in order.
    Record {
        origin: Arc<Origin>,
        generation: Generation,
    },
    Rebalance(Rebalance),
    /// Everything before `next` was delivered; transaction markers lie between the last record and it.
    EndOfPartition {
        partition: TopicPartition,
        next: i64,
        generation: Generation,
    },
    /// This topic does not exist (yet). It is looked for every few seconds, and found without being asked.
    TopicMissing {
        topic: String,
    },
    /// The pattern matches so many topics, more than [`crate::MOST_TOPICS`]. Reported at each look.
    TooManyTopics {
        found: usize,
    },
    /// Kafka has only `low..high` and the partition wants another offset. It stands still until `start_at`.
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
