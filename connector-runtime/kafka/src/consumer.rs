//! The consumer of one task of a sink connector.
//!
//! One thread owns it, polls it, and does everything else with it: librdkafka calls back into that thread, between two
//! polls nothing changes. A partition that the group gives is paused at once and announced; the owner finds out where it
//! begins, says so with `begin_at`, and only then records of it come. Positions go the other way: the owner stores what
//! is durable, with the generation under which it was read, and commits what is stored. On a revocation what is stored
//! is committed and everything else forgotten; nobody waits for a write in there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use connect_api::{Cause, Header, Origin, Position, TopicPartition};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};

use crate::assignment::{Generation, GroupPosition, OwnedPosition};
use crate::blocking::with_deadline;
use crate::consumer_context::{Pending, Shared, SinkConsumerContext, list_of, list_of_positions};
use crate::error::{cause, code_cause, is_rebalance};
use crate::event::{ConsumerOptions, Event, GroupMetadata, StartOffset, Subscription};
use crate::offsets::{self, Committed};
use crate::payload::Payloads;
use crate::settings::ClientSettings;
use crate::topic_pattern::TopicPattern;

/// A consumer of a group. Belongs to one thread.
pub struct SinkConsumer {
    pub(crate) client: BaseConsumer<SinkConsumerContext>,
    pub(crate) shared: Arc<Shared>,
    /// Topics are found by their names.
    pattern: Option<TopicPattern>,
    /// librdkafka said that some partition is out of range, not which: ask, not before this.
    pub(crate) check_range_at: Option<Instant>,
    /// The client has complained since the last record.
    troubled: bool,
    /// How many polls may still go without looking at the clock: the last one brought a record.
    streak: u32,
    payloads: Payloads,
}

/// After so many records at a stretch, ranges, topics and time are looked at again.
const STREAK: u32 = 64;

impl SinkConsumer {
    /// Subscribes; does not wait for the cluster.
    pub fn open(
        settings: &ClientSettings,
        options: &ConsumerOptions,
    ) -> Result<SinkConsumer, Cause> {
        // librdkafka fetches on until its queue is full, and a fetch under way may overshoot it, by several times its size
        // where it is compressed: a quarter is for that. A small record costs more beside its bytes (half a kilobyte) than
        // in them, so the queue has a limit in records too. (Measured: larger fetches and queues move nothing faster,
        // and take 45 MiB more a task.)
        let queue = (options.queue_bytes / 4 * 3 / 1024).max(64);
        let fetch = (options.queue_bytes / 16).clamp(1_000_000, 50_000_000);
        let mut config =
            settings.member(&options.client_id, &options.group, options.metadata_refresh);
        config
            .set("queued.max.messages.kbytes", queue.to_string())
            .set("queued.min.messages", options.queue_records.to_string())
            .set("fetch.max.bytes", fetch.to_string())
            // The default of a second stalls a consumer whose queue is full now and then.
            .set("fetch.queue.backoff.ms", "10")
            .set("statistics.interval.ms", "1000");
        let shared = Arc::new(Shared::default());
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
        })
    }

    /// One event, or none within the timeout. Must be called at least every five minutes, or the group expels us.
    pub fn poll(&mut self, timeout: Duration) -> Option<Event> {
        // Records that are at hand already come without a look at the clock, which costs as much as a record does.
        while self.streak > 0 {
            self.streak -= 1;
            if let Some(event) = self.next_pending() {
                return Some(event);
            }
            match self.client.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    if let Some(event) = record(&self.shared, &mut self.payloads, &message) {
                        return Some(event);
                    }
                }
                Some(Err(error)) => {
                    if let Some(event) = self.problem(&error) {
                        return Some(event);
                    }
                }
                None => self.streak = 0,
            }
        }
        self.wait(timeout)
    }

    fn wait(&mut self, timeout: Duration) -> Option<Event> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(event) = self.next_pending() {
                return Some(event);
            }
            self.check_ranges();
            self.look_for_topics();
            let remaining = deadline.saturating_duration_since(Instant::now());
            match self.client.poll(remaining) {
                Some(Ok(message)) => {
                    if let Some(event) = record(&self.shared, &mut self.payloads, &message) {
                        drop(message);
                        self.is_well();
                        self.streak = STREAK;
                        return Some(event);
                    }
                }
                Some(Err(error)) => {
                    if let Some(event) = self.problem(&error) {
                        return Some(event);
                    }
                }
                None if remaining.is_zero() => return self.next_pending(),
                None => {}
            }
        }
    }

    /// Stores positions as durable; `commit` sends them. Of several of one partition the furthest counts, and the last of
    /// equal ones; one of an older generation, or before what is stored, is left out.
    pub fn store(&mut self, positions: &[GroupPosition]) {
        // librdkafka's list takes a partition once: a second entry would be stored as "no offset".
        let mut furthest: BTreeMap<&TopicPartition, &GroupPosition> = BTreeMap::new();
        {
            let state = self.shared.lock();
            for stored in positions {
                let OwnedPosition {
                    position: Position { partition, next },
                    generation,
                } = &stored.owned;
                if state.assignment.may_store(partition, *next, *generation) {
                    let known = furthest.entry(partition).or_insert(stored);
                    if known.owned.position.next <= *next {
                        *known = stored;
                    }
                }
            }
        }
        if furthest.is_empty() {
            return;
        }
        let list = list_of_positions(furthest.values().copied());
        // librdkafka refuses what it no longer owns, as we do.
        if let Err(error) = list.and_then(|list| self.client.store_offsets(&list)) {
            tracing::debug!(%error, "positions not stored");
            return;
        }
        let mut state = self.shared.lock();
        for (partition, stored) in furthest {
            state
                .assignment
                .stored(partition, stored.owned.position.next);
        }
    }

    /// Sends the stored positions to the group without waiting; what goes wrong is an event of a later poll.
    pub fn commit(&mut self) -> Result<(), Cause> {
        self.commit_stored(CommitMode::Async)
    }

    /// As `commit`, and waits for the answer (a minute at most).
    #[cfg(test)]
    pub(crate) fn commit_and_wait(&mut self) -> Result<(), Cause> {
        self.commit_stored(CommitMode::Sync)
    }

    fn commit_stored(&self, mode: CommitMode) -> Result<(), Cause> {
        match self.client.commit_consumer_state(mode) {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
            // The next polls bring the revocation.
            Err(KafkaError::ConsumerCommit(code)) if is_rebalance(code) => Ok(()),
            Err(error) => Err(cause("committing offsets", &error)),
        }
    }

    /// Holds everything back for a long wait: go on polling, only events come. What the group gives meanwhile is held
    /// back too. What was prefetched is fetched again, so this is for waits of seconds.
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

    /// Ends `pause_all`. Partitions that still wait for `begin_at` stay paused.
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

    /// As `committed`, with the text that was stored beside each position.
    pub fn committed_with_metadata(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<Committed>>, Cause> {
        offsets::committed_with_metadata(&self.client, partitions)
    }

    /// Where this start is, as an offset. Asks the cluster unless it is one.
    pub fn resolve(&self, partition: &TopicPartition, start: StartOffset) -> Result<i64, Cause> {
        offsets::resolve(&self.client, partition, start)
    }

    /// What the group has committed, `None` where nothing is. Asks the cluster.
    pub fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<i64>>, Cause> {
        offsets::committed(&self.client, partitions)
    }

    /// The first offset that Kafka has and the one after the last committed record. Asks the cluster.
    #[cfg(test)]
    pub(crate) fn watermarks(
        &self,
        partition: &TopicPartition,
        timeout: Duration,
    ) -> Result<(i64, i64), Cause> {
        offsets::watermarks(&self.client, partition, timeout)
    }

    /// How many partitions a topic has; 0 if it does not exist. Asks the cluster.
    pub fn partition_count(&self, topic: &str, timeout: Duration) -> Result<i32, Cause> {
        let partitions = offsets::partitions(&self.client, topic, timeout)?;
        let count = partitions.map_or(0, |partitions| partitions.len());
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// Who we are in the group now. For a transaction take it at the batch's first record: taken after a revocation it
    /// would commit offsets of a lost partition.
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

    /// How many offsets each running partition is behind its end, as of the last second. Asks nobody.
    pub fn lag(&self) -> HashMap<TopicPartition, i64> {
        let state = self.shared.lock();
        state.ends.lag(&state.assignment)
    }

    /// Commits what is stored and leaves the group. False if that took longer than the deadline and was left behind.
    pub fn close(self, deadline: Duration) -> bool {
        with_deadline(deadline, move || {
            if let Err(cause) = self.commit_stored(CommitMode::Sync) {
                tracing::warn!(%cause, "the last positions were not committed to the group");
            }
            drop(self.client);
        })
    }

    /// Commits what is stored and leaves everything else to the end of the process, which must be at hand. For the
    /// in-process cluster: it ends with the process too, and a member of the new group protocol that closes while
    /// the group still reassigns partitions fails an assertion of librdkafka 2.12, which would abort the process.
    pub fn leave_to_exit(self) {
        if let Err(cause) = self.commit_stored(CommitMode::Sync) {
            tracing::debug!(%cause, "the last positions were not committed to the group");
        }
        std::mem::forget(self.client);
    }

    fn next_pending(&self) -> Option<Event> {
        let mut state = self.shared.lock();
        loop {
            match state.pending.pop_front()? {
                Pending::Other(event) => return Some(event),
                Pending::Assigned(given) => {
                    let still: Vec<TopicPartition> = given
                        .into_iter()
                        .filter(|(partition, generation)| {
                            state.assignment.announce(partition, *generation)
                        })
                        .map(|(partition, _)| partition)
                        .collect();
                    if !still.is_empty() {
                        return Some(Event::Assigned(still));
                    }
                }
            }
        }
    }

    /// What an error of a poll means.
    fn problem(&mut self, error: &KafkaError) -> Option<Event> {
        let reason = self.shared.lock().reason.take().unwrap_or_default();
        match error {
            KafkaError::PartitionEOF(partition) => self.end_reached(*partition, &reason),
            KafkaError::MessageConsumptionFatal(code) => {
                Some(Event::Fatal(code_cause("consuming", *code, Some(&reason))))
            }
            KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) => {
                self.check_range_at = Some(Instant::now());
                None
            }
            KafkaError::MessageConsumption(code) => Some(match missing_topic(&reason) {
                Some(topic) if *code == RDKafkaErrorCode::UnknownTopicOrPartition => {
                    Event::TopicMissing { topic }
                }
                _ => Event::Waiting(self.trouble(*code, &reason)),
            }),
            other => Some(Event::Waiting(cause("consuming", other))),
        }
    }

    /// "All brokers are down" is said again and again and explains nothing: the reason that was given before is repeated.
    fn trouble(&mut self, code: RDKafkaErrorCode, reason: &str) -> Cause {
        self.troubled = true;
        let heard = match code {
            RDKafkaErrorCode::AllBrokersDown => self.client.context().trouble.last(),
            _ => None,
        };
        heard.unwrap_or_else(|| code_cause("consuming", code, Some(reason)))
    }

    fn is_well(&mut self) {
        if self.troubled {
            self.troubled = false;
            self.client.context().trouble.forget();
        }
    }

    fn end_reached(&self, number: i32, reason: &str) -> Option<Event> {
        let end = end_in(reason)?;
        let (partition, generation) = self.shared.lock().assignment.end_reached(number, end)?;
        Some(Event::EndOfPartition {
            partition,
            next: end,
            generation,
        })
    }

    /// Subscribes to the topics that the pattern finds, if it is time to look and they are others than before.
    fn look_for_topics(&mut self) {
        let Some(pattern) = &mut self.pattern else {
            return;
        };
        if let Err(cause) = pattern.look(&self.client) {
            self.push(Event::Waiting(cause));
        }
    }

    pub(crate) fn push(&self, event: Event) {
        self.shared.lock().pending.push_back(Pending::Other(event));
    }
}

/// The record as the engine has it, copied out of librdkafka's memory once; `None` if it is not to be delivered.
fn record(
    shared: &Shared,
    payloads: &mut Payloads,
    message: &BorrowedMessage<'_>,
) -> Option<Event> {
    let (topic, generation) =
        shared
            .lock()
            .assignment
            .deliver(message.topic(), message.partition(), message.offset())?;
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|header| Header {
                name: header.key.to_owned(),
                value: header.value.map(Bytes::copy_from_slice),
            })
            .collect()
    });
    Some(Event::Record {
        origin: Arc::new(Origin {
            topic,
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(|key| payloads.copy(key)),
            value: message.payload().map(|value| payloads.copy(value)),
            headers,
        }),
        generation,
    })
}

/// The offset in "Fetch from broker 1 reached end of partition at offset 15 (HighwaterMark 15)".
fn end_in(reason: &str) -> Option<i64> {
    let (_, after) = reason.split_once(" at offset ")?;
    after.split_whitespace().next()?.parse().ok()
}

/// The topic in "Subscribed topic not available: sales: Broker: Unknown topic or partition". Names hold no colon.
fn missing_topic(reason: &str) -> Option<String> {
    let names = reason.strip_prefix("Subscribed topic not available: ")?;
    names.split(':').next().map(str::to_owned)
}
