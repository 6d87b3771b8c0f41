//! The consumer of one task of a sink connector.
//!
//! One thread owns it and makes every call: librdkafka calls back during a poll, and between two polls nothing changes. An
//! assigned partition is paused immediately and announced. The owner determines its start and calls `start_at`, and only then
//! records are delivered. In the other direction, the owner stores durable positions, with the generation under which they were
//! read, and commits them. A revoked partition is held until the owner gives it back: until then its positions can be stored,
//! and no other member has it.

mod polling;
mod positions;
mod unreadable;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use connect_api::{Cause, StartAt, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::assignment::Generation;
use crate::consumer_context::{PendingEvent, SharedConsumerState, SinkConsumerContext, list_of};
use crate::error::cause;
use crate::event::{ConsumerOptions, Event, GroupMetadata, Subscription};
#[cfg(test)]
use crate::offsets::Watermarks;
use crate::offsets::{self, ANSWER_WITHIN, Committed};
use crate::payload::Payloads;
use crate::settings::ClientSettings;
use crate::topic_pattern::TopicPattern;
use unreadable::Unreadable;

/// A consumer of a group. Belongs to one thread.
pub struct SinkConsumer {
    pub(crate) client: BaseConsumer<SinkConsumerContext>,
    pub(crate) shared: Arc<SharedConsumerState>,
    /// With a pattern the topics are found by their names.
    pattern: Option<TopicPattern>,
    /// librdkafka reports that a partition is out of range but not which one: query the watermarks, no earlier than this.
    pub(crate) check_range_at: Option<Instant>,
    /// The client has reported an error since the last record.
    troubled: bool,
    /// How many polls may follow without checking the clock, because the last one returned a record.
    streak: u32,
    payloads: Payloads,
    /// The owner knows of a revocation: the next poll gives the partitions back if the owner did not.
    gives_back: bool,
    unreadable: Unreadable,
    /// Bytes of the largest batch that can be unpacked, and of the largest answer of a broker.
    largest_batch: u64,
}

impl SinkConsumer {
    /// Subscribes; does not wait for the cluster.
    pub fn open(
        settings: &ClientSettings,
        options: &ConsumerOptions,
    ) -> Result<SinkConsumer, Cause> {
        let sizes = settings.fetch_sizes(options.queue_bytes);
        let mut config =
            settings.member(&options.client_id, &options.group, options.metadata_refresh);
        sizes.apply(&mut config);
        config
            // A record takes half a kilobyte in addition to its bytes, so the queue also has a limit in records.
            .set("queued.min.messages", options.queue_records.to_string())
            // The default of a second stalls a consumer whose queue is full now and then.
            .set("fetch.queue.backoff.ms", "10");
        let shared = Arc::new(SharedConsumerState::default());
        let client: BaseConsumer<SinkConsumerContext> = config
            .create_with_context(SinkConsumerContext::new(shared.clone()))
            .map_err(|error| cause("making the consumer", &error))?;
        let pattern = match &options.subscription {
            Subscription::Topics(topics) => {
                let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
                client
                    .subscribe(&topics)
                    .map_err(|error| cause("subscribing", &error))?;
                None
            }
            Subscription::Pattern(pattern) => {
                Some(TopicPattern::new(pattern, options.metadata_refresh)?)
            }
        };
        Ok(SinkConsumer {
            client,
            shared,
            pattern,
            check_range_at: None,
            troubled: false,
            streak: 0,
            payloads: Payloads::default(),
            gives_back: false,
            unreadable: Unreadable::default(),
            largest_batch: sizes.largest_batch,
        })
    }

    /// Pauses all partitions for a long wait, during which the owner continues to poll and receives only events. Partitions
    /// that are assigned meanwhile stay paused, too. Prefetched records are fetched again, so this is for waits of seconds.
    pub fn pause_all(&mut self) -> Result<(), Cause> {
        let all = {
            let mut state = self.shared.lock();
            state.assignment.held = true;
            state.assignment.all()
        };
        self.client
            .pause(&list_of(&all))
            .map_err(|error| cause("pausing", &error))
    }

    /// Ends `pause_all`. Partitions that still wait for `start_at` stay paused.
    pub fn resume_all(&mut self) -> Result<(), Cause> {
        let running = {
            let mut state = self.shared.lock();
            state.assignment.held = false;
            state.assignment.running()
        };
        self.resume_running(&running)
    }

    pub(crate) fn resume_running(&self, partitions: &[TopicPartition]) -> Result<(), Cause> {
        if partitions.is_empty() || self.shared.lock().assignment.held {
            return Ok(());
        }
        self.client
            .resume(&list_of(partitions))
            .map_err(|error| cause("resuming", &error))
    }

    /// The offsets of these starts, in their order. Asks the cluster once for all of a kind. An error in the list concerns one
    /// partition only.
    pub fn resolve(
        &self,
        starts: &[(TopicPartition, StartAt)],
    ) -> Result<Vec<Result<i64, Cause>>, Cause> {
        offsets::resolve(&self.client, starts)
    }

    /// What the group has committed. `None`: nothing. Asks the cluster.
    pub fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<Committed>>, Cause> {
        offsets::committed_with_metadata(&self.client, partitions)
    }

    #[cfg(test)]
    pub(crate) fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks, Cause> {
        offsets::watermarks_of(&self.client, partition)
    }

    /// How many partitions a topic has; 0 if it does not exist. Asks the cluster.
    pub fn partition_count(&self, topic: &str) -> Result<i32, Cause> {
        let partitions = offsets::partitions(&self.client, topic, ANSWER_WITHIN)?;
        let count = partitions.map_or(0, |partitions| partitions.len());
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// The current group metadata. For a transaction, take them at the batch's first record: with metadata from after a
    /// revocation it would commit offsets of a lost partition.
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        self.client.group_metadata().map(GroupMetadata::new)
    }

    /// The generation of a partition that is assigned now.
    pub fn generation(&self, partition: &TopicPartition) -> Option<Generation> {
        self.shared.lock().assignment.generation(partition)
    }

    /// Everything that is assigned now, in order.
    #[cfg(test)]
    pub(crate) fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.lock().assignment.all()
    }

    /// The offset after the last delivered record of a partition that runs.
    pub(crate) fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.shared
            .lock()
            .assignment
            .position(&partition.topic, partition.partition)
    }

    pub(crate) fn push(&self, event: Event) {
        self.shared
            .lock()
            .pending
            .push_back(PendingEvent::Other(event));
    }
}

impl Drop for SinkConsumer {
    /// The client waits for every partition to be unassigned before it ends.
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.give_back();
    }
}
