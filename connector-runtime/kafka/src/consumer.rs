//! The consumer of one task of a sink connector.
//!
//! One thread owns it, polls it, and does everything else with it: librdkafka calls back into that thread, between two
//! polls nothing changes. A partition that the group gives is paused at once and announced; the owner finds out where it
//! begins, says so with `begin_at`, and only then records of it come. Positions go the other way: the owner stores what
//! is durable, with the generation under which it was read, and commits what is stored. On a revocation what is stored
//! is committed and everything else forgotten; nobody waits for a write in there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use connect_api::{Cause, Header, Origin, TopicPartition};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::assignment::Generation;
use crate::blocking::with_deadline;
use crate::consumer_context::{Pending, Shared, SinkConsumerContext, list_of};
use crate::error::{cause, code_cause, is_rebalance};
use crate::offsets;
use crate::settings::ClientSettings;
use crate::topic_pattern::TopicPattern;

/// How long a seek may take altogether, and how long it rests before it asks again.
const SEEK_WITHIN: Duration = Duration::from_secs(10);
const SEEK_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// How long to rest before the ends of partitions are asked for again.
const RANGE_AGAIN_AFTER: Duration = Duration::from_secs(1);

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
    /// What librdkafka may prefetch, in bytes.
    pub queue_bytes: u64,
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
    ) -> ConsumerOptions {
        ConsumerOptions {
            group: group.into(),
            client_id: client_id.into(),
            subscription,
            queue_bytes,
            metadata_refresh: Duration::from_secs(5),
        }
    }
}

/// Where a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartOffset {
    At(i64),
    /// The first record that Kafka has.
    Earliest,
    /// After the last.
    Latest,
    /// The first record that is not older: milliseconds since 1970. Where all are older, after the last.
    Time(i64),
}

/// What a poll brought.
#[derive(Debug)]
pub enum Event {
    /// The next record of a partition, in order.
    Record {
        origin: Origin,
        generation: Generation,
    },
    /// The group gave these partitions; nothing of them comes before `begin_at`.
    Assigned(Vec<TopicPartition>),
    /// The group took these partitions; what was stored is committed.
    Revoked(Vec<TopicPartition>),
    /// As `Revoked`, but too late to commit: somebody else may have them already.
    Lost(Vec<TopicPartition>),
    /// Everything before `next` was delivered; transaction markers lie between the last record and it.
    EndOfPartition {
        partition: TopicPartition,
        next: i64,
        generation: Generation,
    },
    /// This topic does not exist (yet). It is looked for every few seconds, and found without being asked.
    TopicMissing { topic: String },
    /// Kafka has only `low..high` and the partition wants another offset. It stands still until `begin_at`.
    OutOfRange {
        partition: TopicPartition,
        wanted: i64,
        low: i64,
        high: i64,
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
    pub(crate) fn native(&self) -> &ConsumerGroupMetadata {
        &self.0
    }
}

impl std::fmt::Debug for GroupMetadata {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("GroupMetadata")
    }
}

/// A consumer of a group. Belongs to one thread.
pub struct SinkConsumer {
    client: BaseConsumer<SinkConsumerContext>,
    shared: Arc<Shared>,
    /// Topics are found by their names.
    pattern: Option<TopicPattern>,
    /// librdkafka said that some partition is out of range, not which: ask, not before this.
    check_range_at: Option<Instant>,
}

impl SinkConsumer {
    /// Subscribes; does not wait for the cluster.
    pub fn open(
        settings: &ClientSettings,
        options: &ConsumerOptions,
    ) -> Result<SinkConsumer, Cause> {
        // librdkafka fetches on until its queue is full, and a fetch under way may overshoot it: a quarter is for that.
        let queue = (options.queue_bytes / 4 * 3 / 1024).max(64);
        let fetch = (options.queue_bytes / 4).clamp(1_000_000, 50_000_000);
        let mut config =
            settings.member(&options.client_id, &options.group, options.metadata_refresh);
        config
            .set("queued.max.messages.kbytes", queue.to_string())
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
        })
    }

    /// One event, or none within the timeout. Must be called at least every five minutes, or the group expels us.
    pub fn poll(&mut self, timeout: Duration) -> Option<Event> {
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
                    if let Some(event) = record(&self.shared, &message) {
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

    /// Begins the partitions at these offsets. Partitions whose result is an error stay paused: ask again. Nothing of a
    /// partition is delivered before, and nothing below its offset after.
    pub fn begin_at(
        &mut self,
        starts: &[(TopicPartition, StartOffset)],
    ) -> Vec<(TopicPartition, Result<i64, Cause>)> {
        let mut results = Vec::with_capacity(starts.len());
        let mut wanted = Vec::new();
        for (partition, start) in starts {
            if !self.shared.lock().assignment.may_begin(partition) {
                let gone = Cause::new(format!("{partition} is no longer assigned, or given anew"));
                results.push((partition.clone(), Err(gone)));
                continue;
            }
            match offsets::resolve(&self.client, partition, *start) {
                Ok(offset) => wanted.push((partition.clone(), offset)),
                Err(cause) => results.push((partition.clone(), Err(cause))),
            }
        }
        for (partition, offset, sought) in self.seek(wanted) {
            let result = sought.and_then(|()| {
                self.shared.lock().assignment.begin(&partition, offset);
                self.resume_running(std::slice::from_ref(&partition))
            });
            results.push((partition, result.map(|()| offset)));
        }
        results
    }

    /// Stores positions as durable; `commit` sends them. A position of an older generation, or one that is not beyond
    /// what is stored, is left out.
    pub fn store(&mut self, positions: &[(TopicPartition, i64, Generation)]) {
        let mut list = TopicPartitionList::new();
        let mut stored = Vec::new();
        {
            let state = self.shared.lock();
            for (partition, next, generation) in positions {
                if state.assignment.may_store(partition, *next, *generation)
                    && list
                        .add_partition_offset(
                            &partition.topic,
                            partition.partition,
                            Offset::Offset(*next),
                        )
                        .is_ok()
                {
                    stored.push((partition, *next));
                }
            }
        }
        if stored.is_empty() {
            return;
        }
        // librdkafka refuses what it no longer owns, as we do.
        if let Err(error) = self.client.store_offsets(&list) {
            tracing::debug!(%error, "positions not stored");
            return;
        }
        let mut state = self.shared.lock();
        for (partition, next) in stored {
            state.assignment.stored(partition, next);
        }
    }

    /// Sends the stored positions to the group without waiting; what goes wrong is an event of a later poll.
    pub fn commit(&mut self) -> Result<(), Cause> {
        self.commit_stored(CommitMode::Async)
    }

    /// As `commit`, and waits for the answer (a minute at most).
    pub fn commit_and_wait(&mut self) -> Result<(), Cause> {
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

    fn resume_running(&self, partitions: &[TopicPartition]) -> Result<(), Cause> {
        if partitions.is_empty() || self.shared.lock().assignment.held {
            return Ok(());
        }
        self.client
            .resume(&list_of(partitions))
            .map_err(|error| cause("resuming", &error))
    }

    /// Forgets how far everything was read: each partition is paused, has a new generation, and waits for `begin_at`.
    /// Returns those partitions.
    pub fn start_over(&mut self) -> Vec<TopicPartition> {
        let partitions = self.shared.lock().assignment.start_over();
        // A record that was fetched already is not delivered: its partition does not run.
        if let Err(error) = self.client.pause(&list_of(&partitions)) {
            tracing::debug!(%error, "not paused");
        }
        partitions
    }

    /// What the group has committed, `None` where nothing is. Asks the cluster.
    pub fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<i64>>, Cause> {
        offsets::committed(&self.client, partitions)
    }

    /// How many partitions the topic has. Asks the cluster.
    pub fn partition_count(&self, topic: &str, timeout: Duration) -> Result<i32, Cause> {
        let doing = format!("asking for the partitions of {topic}");
        let metadata = self
            .client
            .fetch_metadata(Some(topic), timeout)
            .map_err(|error| cause(&doing, &error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        Ok(found.map_or(0, |found| found.partitions().len() as i32))
    }

    /// The first offset that Kafka has and the one after the last committed record. Asks the cluster.
    pub fn watermarks(
        &self,
        partition: &TopicPartition,
        timeout: Duration,
    ) -> Result<(i64, i64), Cause> {
        offsets::watermarks(&self.client, partition, timeout)
    }

    /// For each partition the first offset that is not older, or its end. Asks the cluster.
    pub fn offsets_for_time(
        &self,
        partitions: &[TopicPartition],
        time_ms: i64,
    ) -> Result<HashMap<TopicPartition, i64>, Cause> {
        offsets::at_time(&self.client, partitions, time_ms)
    }

    /// Who we are in the group now. For a transaction take it at the batch's first record: taken after a revocation it
    /// would commit offsets of a lost partition.
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        self.client
            .group_metadata()
            .map(|metadata| GroupMetadata(Arc::new(metadata)))
    }

    /// The generation of a partition that is assigned now.
    pub fn generation(&self, partition: &TopicPartition) -> Option<Generation> {
        self.shared.lock().assignment.generation(partition)
    }

    /// Everything that is assigned now, in order.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.lock().assignment.all()
    }

    /// The offset after the last delivered record of a partition that runs.
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
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

    /// Seeks each partition, checks each result, asks again where librdkafka is not ready yet. Where it has given a
    /// partition up (its offset was out of range) a seek never succeeds, and the partition is taken anew instead.
    fn seek(
        &self,
        wanted: Vec<(TopicPartition, i64)>,
    ) -> Vec<(TopicPartition, i64, Result<(), Cause>)> {
        let give_up = Instant::now() + SEEK_WITHIN;
        let mut results = Vec::with_capacity(wanted.len());
        let mut rest = wanted;
        let mut attempts = 0;
        while !rest.is_empty() {
            attempts += 1;
            let mut again = Vec::new();
            for (partition, offset, result) in self.seek_once(&rest) {
                match result {
                    Ok(()) => results.push((partition, offset, Ok(()))),
                    Err(_) if attempts == 3 && self.take_anew(&partition, offset).is_ok() => {
                        results.push((partition, offset, Ok(())));
                    }
                    Err(_) if Instant::now() < give_up => again.push((partition, offset)),
                    Err(error) => {
                        let cause = cause(&format!("seeking {partition} to {offset}"), &error);
                        results.push((partition, offset, Err(cause)));
                    }
                }
            }
            rest = again;
            if !rest.is_empty() {
                std::thread::sleep(SEEK_AGAIN_AFTER);
            }
        }
        results
    }

    fn seek_once(
        &self,
        wanted: &[(TopicPartition, i64)],
    ) -> Vec<(TopicPartition, i64, KafkaResult<()>)> {
        let mut list = TopicPartitionList::new();
        let added = wanted.iter().try_for_each(|(partition, offset)| {
            list.add_partition_offset(
                &partition.topic,
                partition.partition,
                Offset::Offset(*offset),
            )
        });
        let sought = added.and_then(|()| self.client.seek_partitions(list, SEEK_WITHIN));
        wanted
            .iter()
            .map(|(partition, offset)| {
                let result = match &sought {
                    Err(error) => Err(error.clone()),
                    Ok(list) => list
                        .find_partition(&partition.topic, partition.partition)
                        .map_or(Ok(()), |element| element.error()),
                };
                (partition.clone(), *offset, result)
            })
            .collect()
    }

    fn take_anew(&self, partition: &TopicPartition, offset: i64) -> KafkaResult<()> {
        let mut list = list_of([partition]);
        self.client.incremental_unassign(&list)?;
        list.set_all_offsets(Offset::Offset(offset))?;
        self.client.incremental_assign(&list)?;
        self.client.pause(&list)
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
                _ => Event::Waiting(code_cause("consuming", *code, Some(&reason))),
            }),
            other => Some(Event::Waiting(cause("consuming", other))),
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

    /// Finds out which partitions are out of range: librdkafka only says that one is, and has stopped fetching it. One
    /// that turns out to be within its range begins again where it was.
    fn check_ranges(&mut self) {
        let Some(at) = self.check_range_at else {
            return;
        };
        if Instant::now() < at {
            return;
        }
        self.check_range_at = None;
        let running = self.shared.lock().assignment.running();
        for partition in running {
            let Some(wanted) = self.position(&partition) else {
                continue;
            };
            match offsets::watermarks(&self.client, &partition, offsets::ANSWER_WITHIN) {
                Ok((low, high)) if (low..=high).contains(&wanted) => {
                    self.seek(vec![(partition.clone(), wanted)]);
                    // A failure is seen again as a partition that stands still, and asked about again.
                    if let Err(cause) = self.resume_running(std::slice::from_ref(&partition)) {
                        self.push(Event::Waiting(cause));
                    }
                }
                Ok((low, high)) => {
                    self.shared.lock().assignment.out_of_range(&partition);
                    self.push(Event::OutOfRange {
                        partition,
                        wanted,
                        low,
                        high,
                    });
                }
                Err(cause) => {
                    self.check_range_at = Some(Instant::now() + RANGE_AGAIN_AFTER);
                    self.push(Event::Waiting(cause));
                }
            }
        }
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

    fn push(&self, event: Event) {
        self.shared.lock().pending.push_back(Pending::Other(event));
    }
}

/// The record as the engine has it, copied out of librdkafka's memory once; `None` if it is not to be delivered.
fn record(shared: &Shared, message: &BorrowedMessage<'_>) -> Option<Event> {
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
        origin: Origin {
            topic,
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(Bytes::copy_from_slice),
            value: message.payload().map(Bytes::copy_from_slice),
            headers,
        },
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
