//! Collecting a batch: by count, bytes, age or a stop, across polls.

use std::sync::Arc;

use connect_api::{Cause, Dependency, Origin, TopicPartition};
use connect_kafka::{Event, Generation, MOST_TOPICS};

use super::{POLL, Reader};
use tokio::time::Instant;

use crate::control::TaskEnd;
use crate::sink_task::batch::bytes_of;
use crate::sink_task::feed::Feed;
use crate::status::Waiter;

impl<F: Feed> Reader<F> {
    pub(super) fn collect(&mut self) {
        // Clock and stop are checked every few records only: a check costs as much as taking a record.
        const LOOK_EVERY: usize = 64;
        let mut left = POLL;
        for turn in 0.. {
            if self.is_full() {
                return;
            }
            if turn % LOOK_EVERY == 0 {
                if self.parts.stop.is_draining() {
                    return;
                }
                if let Some(first) = self.collected.first_read {
                    left = self
                        .parts
                        .batch
                        .linger
                        .get()
                        .saturating_sub(first.elapsed());
                }
            }
            let event = self.parts.feed.poll(left.min(POLL));
            let idle = event.is_none();
            if let Some(event) = event {
                self.handle(event);
            }
            let something_to_do = !self.to_ask.is_empty() || self.failed.is_some();
            if idle || left.is_zero() || something_to_do {
                return;
            }
        }
    }

    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Record { origin, generation } => self.collect_record(origin, generation),
            Event::EndOfPartition {
                next, generation, ..
            } => {
                if let Some(position) = self.positions.get_mut(&generation)
                    && position.next < next
                {
                    position.next = next;
                    self.remember_group();
                }
            }
            Event::Rebalance(rebalance) => self.rebalanced(rebalance),
            Event::TopicMissing { topic } => {
                let text =
                    format!("topic {topic} does not exist yet; it is read as soon as it does");
                self.waits_for(Cause::new(text).with_dependency(Dependency::Topic));
            }
            Event::TooManyTopics { found } => {
                self.fail(TaskEnd::Failed(format!(
                    "`topics_regex` matches {found} topics, and a connector reads at most {MOST_TOPICS}: narrow the \
                     expression, or divide the topics among several connectors"
                )));
            }
            Event::OutOfRange {
                partition,
                wanted,
                low,
                high,
            } => {
                self.fail(TaskEnd::Failed(out_of_range(
                    &self.parts.connector,
                    &partition,
                    wanted,
                    low,
                    high,
                )));
            }
            Event::Unreadable {
                offset,
                partitions,
                largest,
                cause,
            } => {
                let text = unreadable(&self.parts.connector, offset, &partitions, largest, &cause);
                self.fail(TaskEnd::Failed(text));
            }
            Event::Waiting(cause) => self.waits_for(cause),
            Event::Fatal(cause) => self.fail(TaskEnd::Crashed(cause)),
        }
    }

    /// Shows the wait, and logs it if its cause is new: the client repeats the same error.
    fn waits_for(&mut self, cause: Cause) {
        if self.waited_for.as_ref() == Some(&cause) {
            let waiter = Waiter {
                task: self.parts.task,
                lane: None,
            };
            self.parts.meters.waiting(waiter, &cause, None);
        } else {
            self.waiting().show("connector_waits", &cause, None);
            self.waited_for = Some(cause);
        }
    }

    pub(super) fn collect_record(&mut self, origin: Arc<Origin>, generation: Generation) {
        let Some(position) = self.positions.get_mut(&generation) else {
            return;
        };
        position.next = origin.offset + 1;
        if position.records == 0 {
            position.first_timestamp_ms = origin.timestamp_ms;
        }
        position.records += 1;
        position.last_timestamp_ms = origin.timestamp_ms.or(position.last_timestamp_ms);
        if self.collected.first_read.is_none() {
            self.collected.first_read = Some(Instant::now());
            self.remember_group();
            self.recovered();
        }
        self.collected.bytes += bytes_of(&origin);
        self.collected.origins.push((origin, generation));
    }

    /// Keeps the group metadata of the moment when a batch first moves a position: Kafka refuses a transaction with these
    /// metadata after a rebalance.
    fn remember_group(&mut self) {
        if self.collected.group.is_none() {
            self.collected.group = self.parts.feed.group_metadata();
        }
    }

    /// `check` makes sure that `max_bytes` fits into `in_flight`. One larger record passes alone.
    pub(super) fn is_full(&self) -> bool {
        self.collected.origins.len() >= self.parts.batch.max_records as usize
            || self.collected.bytes >= self.parts.batch.max_bytes.bytes()
    }

    pub(super) fn batch_is_due(&self) -> bool {
        match self.collected.first_read {
            Some(first) => self.is_full() || first.elapsed() >= self.parts.batch.linger.get(),
            None => self
                .positions
                .values()
                .any(|known| known.store_start || known.next != known.sent),
        }
    }
}

fn unreadable(
    connector: &str,
    offset: i64,
    partitions: &[TopicPartition],
    largest: u64,
    cause: &Cause,
) -> String {
    let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    let command = match partitions {
        [one] => format!(" --topic {} --partition {}", one.topic, one.partition),
        _ => " --topic TOPIC --partition NUMBER".to_owned(),
    };
    format!(
        "{}: the batch of records at offset {offset} cannot be unpacked ({cause}): it is damaged, or too large \
         once it is unpacked (the client takes {largest} bytes at most). To read a larger batch, raise `in_flight` under [batch] of the connector, or \
         `receive.message.max.bytes` under [kafka]. Nothing is skipped silently; to continue after it: connect offsets \
         {connector} set --to OFFSET{command}",
        names.join(" or ")
    )
}

fn out_of_range(
    connector: &str,
    partition: &TopicPartition,
    wanted: i64,
    low: i64,
    high: i64,
) -> String {
    let what = if wanted < low {
        format!(
            "offsets {wanted} to {} are gone (retention was faster, or the topic was recreated)",
            low - 1
        )
    } else {
        format!("the topic ends at {high}: it was truncated or recreated")
    };
    format!(
        "{partition}: offset {wanted} is next, but Kafka has {low} to {high}; {what}. Nothing is skipped silently; to continue from what Kafka has: connect offsets {connector} set --to earliest --topic {} --partition {}",
        partition.topic, partition.partition
    )
}
