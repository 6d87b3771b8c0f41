//! The options of a consumer, and the events that it returns.

use std::sync::Arc;
use std::time::Duration;

use connect_api::{Cause, Origin, TopicPartition};
use rdkafka::consumer::ConsumerGroupMetadata;

use crate::assignment::Generation;

/// Which topics a consumer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    Topics(Vec<String>),
    /// A regular expression (of the `regex` crate) over whole names, without anchors; topics that are created later are found
    /// too, Kafka's own (`__…`) never.
    Pattern(String),
}

/// The options of one consumer.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// The consumer group.
    pub group: String,
    /// Shown by the broker's tools and in log lines.
    pub client_id: String,
    pub subscription: Subscription,
    /// What librdkafka may prefetch, in bytes: half of `in_flight`.
    pub queue_bytes: u64,
    /// The number of queued records at which it stops prefetching.
    pub queue_records: u32,
    /// How soon a topic or a partition that is added later is noticed.
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
/// librdkafka calls back during a poll, so between two polls nothing changes. Each assignment of a partition has its own
/// [`Generation`], which every record carries. So a record read under a previous assignment is recognised wherever it is (in a
/// batch, a write or a report) and neither written nor stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// The group assigns these partitions to this member. They are paused immediately. The owner determines where each starts
    /// (a sink or the group has its position, or the connector's `start` decides) and calls [`crate::SinkConsumer::start_at`];
    /// only then are records delivered.
    Assigned(Vec<TopicPartition>),
    /// The group revokes these partitions from this member, which still holds them. No more records are delivered, but
    /// positions can still be stored: the owner makes durable what it can, then calls [`crate::SinkConsumer::give_back`], which
    /// commits and unassigns. The next poll does so if the owner did not.
    Revoked(Vec<TopicPartition>),
    /// The group has expelled this member, or its session expired. Another member may have these partitions already, so nothing
    /// is stored or committed: the next owner reads again what was in flight.
    Lost(Vec<TopicPartition>),
}

/// The result of a poll.
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
    /// This topic does not exist (yet). The consumer checks every few seconds by itself.
    TopicMissing {
        topic: String,
    },
    /// The pattern matches this many topics, more than [`crate::MOST_TOPICS`]. Reported at each check.
    TooManyTopics {
        found: usize,
    },
    /// The next offset of the partition is outside `low..=high`, which is what Kafka has. Nothing is delivered until
    /// `start_at`.
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
    /// An outage, or a problem that the user can resolve. The consumer continues by itself afterwards.
    Waiting(Cause),
    /// This consumer has failed for good: open a new one.
    Fatal(Cause),
}

/// A consumer's membership in its group at one moment. Kafka refuses a transaction with it after a rebalance.
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
