//! The reading half of a task, a thread of its own.
//!
//! One turn of the loop: take what the writer reported (store and commit it), let newly assigned partitions begin,
//! collect a batch (by count, bytes, age or a stop; across polls), prepare it, send it. Only the send, a question
//! to the sink and a schema that must be fetched can take long; all three go through [`Reader::wait_for`], which keeps
//! the group's membership: after 5 s it pauses the partitions and goes on polling. A normal write is never that long,
//! and nothing is paused for it: pausing throws away what was prefetched (measured: 160,000 records/s against 5,000).
//!
//! A partition's records count only under the assignment (*generation*) they were read in. When a partition goes, what
//! was collected of it is forgotten here, and what is on its way is dropped by the writer.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_api::{Cause, Failure, Origin, Progress, Record, Resume, TopicPartition, time};
use connect_contracts::{SchemaNeeded, Side};
use connect_kafka::{Event, Generation, GroupMetadata, SinkConsumer, StartOffset};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::policy::Backoff;
use super::prepare::{Made, Preparer};
use super::start::{Begin, Decision, FirstSights, Known, decide};
use super::{Generations, Outcome, OwnedProgress, Prepared, Report, Source, Work};
use crate::backlog::ReaderBacklog;
use crate::config::{BatchConfig, Start};
use crate::control::{Stop, TaskEnd};
use crate::status::Meters;

/// How long the consumer may take to leave its group.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
/// A wait longer than this pauses the partitions and polls on.
const LONG_WAIT: Duration = Duration::from_secs(5);

/// What a reader is made of.
pub(crate) struct ReaderParts {
    pub(crate) connector: Arc<str>,
    pub(crate) task: u32,
    pub(crate) consumer: SinkConsumer,
    pub(crate) preparer: Preparer,
    pub(crate) batch: BatchConfig,
    pub(crate) start: Option<Start>,
    /// Progress moves in the sink's own Kafka transaction: the reader stores nothing.
    pub(crate) progress_in_transaction: bool,
    pub(crate) generations: Generations,
    pub(crate) first_sights: FirstSights,
    pub(crate) backlog: Option<ReaderBacklog>,
    pub(crate) meters: Meters,
    pub(crate) work: mpsc::Sender<Work>,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) stop: Stop,
    pub(crate) runtime: Handle,
}

pub(crate) struct Reader {
    parts: ReaderParts,
    /// The next offset of each partition that was begun with; what the sink is expected to hold after the last batch.
    positions: BTreeMap<TopicPartition, Position>,
    /// Assigned, the sink is not asked yet.
    to_ask: Vec<(TopicPartition, Generation)>,
    /// `to_ask` comes from the writer's [`Report::Superseded`], not from the group.
    superseded: bool,
    /// The sink has answered, not sought yet.
    to_begin: Vec<ToBegin>,
    next_begin: Instant,
    begin_backoff: Backoff,
    collected: Collected,
    failed: Option<TaskEnd>,
    /// Stored with the client, not committed yet.
    uncommitted: bool,
    last_commit: Instant,
    last_lag: Instant,
}

struct Position {
    generation: Generation,
    /// What the sink holds once everything sent so far is durable.
    sent: i64,
    next: i64,
    /// A first start: the position itself is stored although no record moved it.
    store_start: bool,
    last_timestamp_ms: Option<i64>,
}

struct ToBegin {
    partition: TopicPartition,
    generation: Generation,
    resume: Resume,
}

#[derive(Default)]
struct Collected {
    origins: Vec<(Origin, Generation)>,
    bytes: u64,
    first_read: Option<Instant>,
    group: Option<GroupMetadata>,
}

impl Reader {
    pub(crate) fn new(parts: ReaderParts) -> Reader {
        Reader {
            parts,
            positions: BTreeMap::new(),
            to_ask: Vec::new(),
            superseded: false,
            to_begin: Vec::new(),
            next_begin: Instant::now(),
            begin_backoff: Backoff::new(),
            collected: Collected::default(),
            failed: None,
            uncommitted: false,
            last_commit: Instant::now(),
            last_lag: Instant::now(),
        }
    }

    /// Runs until the task is stopped, fails, or the writer is gone.
    pub(crate) fn run(mut self) -> TaskEnd {
        while !self.parts.stop.is_draining() && self.failed.is_none() {
            self.take_reports();
            self.ask_where_to_resume();
            self.begin();
            self.collect();
            if self.batch_is_due() {
                self.send_batch();
            }
            self.commit_now_and_then();
            self.measure_lag();
        }
        self.finish()
    }

    /// Lets the writer finish what it has, stores what it reports, and leaves the group.
    fn finish(mut self) -> TaskEnd {
        // Closing the channel is how the writer learns that nothing more comes.
        let (closed, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.parts.work, closed));
        let abandon = self.parts.stop.abandon.clone();
        while !abandon.is_cancelled() {
            let next = self.parts.runtime.block_on(async {
                tokio::select! {
                    report = self.parts.reports.recv() => report,
                    () = abandon.cancelled() => None,
                }
            });
            match next {
                Some(report) => self.take_report(report),
                None => break,
            }
        }
        // Closing commits what is stored.
        if !self.parts.consumer.close(CLOSE_WITHIN) {
            tracing::warn!(event = "close_failed", connector = %self.parts.connector, "the consumer did not leave in time");
        }
        self.failed.unwrap_or(TaskEnd::Stopped)
    }

    fn fail(&mut self, end: TaskEnd) {
        self.failed.get_or_insert(end);
    }

    // ---- what the writer reports -----------------------------------------------------------------------------------

    fn take_reports(&mut self) {
        while let Ok(report) = self.parts.reports.try_recv() {
            self.take_report(report);
        }
    }

    fn take_report(&mut self, report: Report) {
        match report {
            Report::Durable(positions) => {
                if let Some(backlog) = &self.parts.backlog {
                    backlog.reached(&positions);
                }
                if !self.parts.progress_in_transaction {
                    self.parts.consumer.store(&positions);
                    self.uncommitted = true;
                }
            }
            Report::Resumed(partitions) => {
                self.next_begin = Instant::now();
                self.to_begin.extend(partitions.into_iter().map(|(partition, generation, resume)| {
                    ToBegin { partition, generation, resume }
                }));
            }
            Report::Superseded => {
                let partitions = self.parts.consumer.start_over();
                self.forget(&partitions);
                self.assigned(partitions);
                self.superseded = true;
            }
        }
    }

    fn commit_now_and_then(&mut self) {
        const INTERVAL: Duration = Duration::from_millis(200);
        if !self.uncommitted || self.last_commit.elapsed() < INTERVAL {
            return;
        }
        self.last_commit = Instant::now();
        match self.parts.consumer.commit() {
            Ok(()) => self.uncommitted = false,
            Err(cause) => {
                tracing::warn!(event = "commit_failed", connector = %self.parts.connector, %cause);
            }
        }
    }

    fn measure_lag(&mut self) {
        const INTERVAL: Duration = Duration::from_secs(1);
        if self.last_lag.elapsed() < INTERVAL {
            return;
        }
        self.last_lag = Instant::now();
        let lag = self.parts.consumer.lag().values().map(|records| (*records).max(0) as u64).sum();
        self.parts.meters.set_lag(self.parts.task, lag);
    }

    // ---- partitions come and go ------------------------------------------------------------------------------------

    fn assigned(&mut self, partitions: Vec<TopicPartition>) {
        for partition in partitions {
            let Some(generation) = self.parts.consumer.generation(&partition) else { continue };
            self.parts.generations.set(partition.clone(), generation);
            self.to_ask.push((partition, generation));
        }
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.parts.generations.forget(partition);
            self.positions.remove(partition);
        }
        let gone = |partition: &TopicPartition| partitions.contains(partition);
        self.to_ask.retain(|(partition, _)| !gone(partition));
        self.to_begin.retain(|waiting| !gone(&waiting.partition));
        self.collected.origins.retain(|(origin, _)| !gone(&partition_of(origin)));
    }

    fn ask_where_to_resume(&mut self) {
        if self.to_ask.is_empty() {
            return;
        }
        let partitions = std::mem::take(&mut self.to_ask);
        tracing::info!(
            event = "partitions_assigned",
            connector = %self.parts.connector,
            task = self.parts.task,
            partitions = %partitions.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>().join(", "),
        );
        let after_rebalance = !std::mem::take(&mut self.superseded);
        self.send(Work::Resume { partitions, after_rebalance });
    }

    /// Seeks the partitions whose place is known; what fails is tried again after a while.
    fn begin(&mut self) {
        if self.to_begin.is_empty() || Instant::now() < self.next_begin {
            return;
        }
        let waiting = std::mem::take(&mut self.to_begin);
        let waiting: Vec<ToBegin> = waiting
            .into_iter()
            .filter(|one| self.parts.consumer.generation(&one.partition) == Some(one.generation))
            .collect();
        if let Err((cause, left)) = self.begin_with(waiting) {
            let delay = self.begin_backoff.next_delay();
            self.next_begin = Instant::now() + delay;
            let retry_at_ms = time::now_ms() + delay.as_millis() as i64;
            self.parts.meters.waiting(self.parts.task, cause.to_string(), Some(retry_at_ms));
            self.to_begin.extend(left);
        } else {
            self.begin_backoff = Backoff::new();
            self.parts.meters.not_waiting(self.parts.task);
        }
    }

    /// `Err`: why, and what must be tried again.
    fn begin_with(&mut self, waiting: Vec<ToBegin>) -> Result<(), (Cause, Vec<ToBegin>)> {
        let names: Vec<TopicPartition> = waiting.iter().map(|one| one.partition.clone()).collect();
        let committed = match self.parts.consumer.committed(&names) {
            Ok(committed) => committed,
            Err(cause) => return Err((cause, waiting)),
        };
        let mut targets = Vec::with_capacity(waiting.len());
        let mut to_store = HashMap::new();
        let mut waiting = waiting.into_iter();
        while let Some(one) = waiting.next() {
            let committed = committed.get(&one.partition).copied().flatten();
            let later = match self.is_later(&one.partition) {
                Ok(later) => later,
                Err(cause) => return Err((cause, std::iter::once(one).chain(waiting).collect())),
            };
            let known = Known { resume: one.resume, committed, start: self.parts.start, later };
            match decide(&self.parts.connector, known) {
                Decision::Ask(question) => {
                    self.fail(TaskEnd::Failed(format!("{}: {question}", one.partition)));
                    return Ok(());
                }
                Decision::Begin { at, store, group_differs } => {
                    self.note_difference(&one.partition, at, group_differs);
                    targets.push((one.partition.clone(), start_offset(at)));
                    to_store.insert(one.partition.clone(), (one, store));
                }
            }
        }
        let mut left = Vec::new();
        let mut first_cause = None;
        for (partition, begun) in self.parts.consumer.begin_at(&targets) {
            let Some((one, store)) = to_store.remove(&partition) else { continue };
            match begun {
                Ok(offset) => self.begun(one, offset, store),
                Err(cause) => {
                    first_cause.get_or_insert(cause);
                    left.push(one);
                }
            }
        }
        match first_cause {
            None => Ok(()),
            Some(cause) => Err((cause, left)),
        }
    }

    /// Only `latest` and a time treat a later partition differently from a first start.
    fn is_later(&mut self, partition: &TopicPartition) -> Result<bool, Cause> {
        if !matches!(self.parts.start, Some(Start::Latest | Start::At(_) | Start::Group)) {
            return Ok(false);
        }
        let consumer = &self.parts.consumer;
        self.parts.first_sights.is_later(partition, |topic| {
            let count = consumer.partition_count(topic, Duration::from_secs(10))?;
            let all: Vec<TopicPartition> = (0..count)
                .map(|partition| TopicPartition { topic: topic.clone(), partition })
                .collect();
            let begun = consumer.committed(&all)?.values().any(Option::is_some);
            Ok((begun, count))
        })
    }

    fn note_difference(&self, partition: &TopicPartition, at: Begin, group: Option<i64>) {
        let (Some(group), Begin::At(stored)) = (group, at) else { return };
        tracing::info!(
            event = "group_offset_differs",
            connector = %self.parts.connector,
            %partition,
            stored,
            group,
            "the sink's own progress wins; to move it: connect offsets {} set --to {group} --topic {} --partition {}",
            self.parts.connector,
            partition.topic,
            partition.partition,
        );
    }

    fn begun(&mut self, one: ToBegin, offset: i64, store: bool) {
        let ToBegin { partition, generation, resume } = one;
        if let Some(backlog) = &self.parts.backlog {
            backlog.reached(&[(partition.clone(), offset, generation)]);
        }
        let in_group = resume == Resume::UseGroup;
        if store && in_group {
            self.parts.consumer.store(&[(partition.clone(), offset, generation)]);
            self.uncommitted = true;
        }
        let position = Position {
            generation,
            sent: offset,
            next: offset,
            store_start: store && !in_group,
            last_timestamp_ms: None,
        };
        self.positions.insert(partition, position);
    }

    // ---- collecting ------------------------------------------------------------------------------------------------

    fn collect(&mut self) {
        while !self.is_full() && !self.parts.stop.is_draining() {
            let left = match self.collected.first_read {
                Some(first) => self.parts.batch.linger.get().saturating_sub(first.elapsed()),
                None => POLL,
            };
            let event = self.parts.consumer.poll(left.min(POLL));
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

    fn handle(&mut self, event: Event) {
        match event {
            Event::Record { origin, generation } => self.collect_record(origin, generation),
            Event::EndOfPartition { partition, next, generation } => {
                let position = self.positions.get_mut(&partition);
                if let Some(position) = position.filter(|known| known.generation == generation) {
                    position.next = position.next.max(next);
                }
            }
            Event::Assigned(partitions) => self.assigned(partitions),
            Event::Revoked(partitions) | Event::Lost(partitions) => self.forget(&partitions),
            Event::TopicMissing { topic } => {
                let text = format!("topic {topic} does not exist yet; it is read as soon as it does");
                self.parts.meters.waiting(self.parts.task, text, None);
            }
            Event::OutOfRange { partition, wanted, low, high } => {
                self.fail(TaskEnd::Failed(out_of_range(&self.parts.connector, &partition, wanted, low, high)));
            }
            Event::Waiting(cause) => {
                self.parts.meters.waiting(self.parts.task, cause.to_string(), None);
            }
            Event::Fatal(cause) => self.fail(TaskEnd::Crashed(cause)),
        }
    }

    fn collect_record(&mut self, origin: Origin, generation: Generation) {
        let position = self.positions.get_mut(&partition_of(&origin));
        let Some(position) = position.filter(|known| known.generation == generation) else { return };
        position.next = origin.offset + 1;
        position.last_timestamp_ms = origin.timestamp_ms.or(position.last_timestamp_ms);
        if self.collected.first_read.is_none() {
            self.collected.first_read = Some(Instant::now());
            self.collected.group = self.parts.consumer.group_metadata();
            self.parts.meters.not_waiting(self.parts.task);
        }
        let bytes = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len) as u64;
        self.collected.bytes += bytes(&origin.key) + bytes(&origin.value);
        self.collected.origins.push((origin, generation));
    }

    /// A third of one half of `in_flight`: a batch is read while one waits and one is written. One larger record
    /// passes alone.
    fn is_full(&self) -> bool {
        let share = self.parts.batch.in_flight.bytes() / 6;
        self.collected.origins.len() >= self.parts.batch.max_records as usize
            || self.collected.bytes >= self.parts.batch.max_bytes.bytes().min(share)
    }

    fn batch_is_due(&self) -> bool {
        match self.collected.first_read {
            Some(first) => self.is_full() || first.elapsed() >= self.parts.batch.linger.get(),
            None => self.positions.values().any(|known| known.store_start || known.next != known.sent),
        }
    }

    // ---- preparing and sending -------------------------------------------------------------------------------------

    fn send_batch(&mut self) {
        let collected = std::mem::take(&mut self.collected);
        let first_read = collected.first_read.unwrap_or_else(Instant::now);
        // Before any wait: what is collected during one belongs to the next batch.
        let mut progress = self.take_progress();
        let mut sources = Vec::with_capacity(collected.origins.len());
        let mut records = Vec::with_capacity(collected.origins.len());
        for (origin, generation) in collected.origins {
            let origin = Arc::new(origin);
            let Some(outcome) = self.prepare(&origin, &mut records) else { return };
            // A wait for a schema may have cost us the partition.
            let position = self.positions.get(&partition_of(&origin));
            if position.is_some_and(|known| known.generation == generation) {
                sources.push(Source { origin, outcome });
            }
        }
        progress.retain(|owned| {
            let position = self.positions.get(&owned.progress.partition);
            position.is_some_and(|known| known.generation == owned.generation)
        });
        self.parts.meters.consumed(sources.len() as u64);
        let group = collected.group;
        let prepared = Prepared { sources, records, progress, group, first_read };
        self.send(Work::Batch(Box::new(prepared)));
    }

    /// `None`: the task was abandoned while a schema was waited for.
    fn prepare(&mut self, origin: &Arc<Origin>, records: &mut Vec<Record>) -> Option<Outcome> {
        loop {
            let start = records.len();
            match self.parts.preparer.prepare(origin, records) {
                Made::Records => return Some(Outcome::Records(start..records.len())),
                Made::Filtered => return Some(Outcome::Filtered),
                Made::Rejected(reject) => return Some(Outcome::Rejected(Box::new(reject))),
                Made::SchemaNeeded(side, needed) => self.fetch_schema(side, needed)?,
            }
        }
    }

    /// An unreachable registry is waited for: it is never a record's fault.
    fn fetch_schema(&mut self, side: Side, needed: SchemaNeeded) -> Option<()> {
        let decoder = self.parts.preparer.decoder(side);
        let (meters, task) = (self.parts.meters.clone(), self.parts.task);
        let drain = self.parts.stop.drain.clone();
        let fetched = self.wait_for(async move {
            let mut backoff = Backoff::new();
            loop {
                let cause = match decoder.fetch(&needed).await {
                    Ok(()) => break Ok(()),
                    Err(Failure::Fatal(cause)) => break Err(Some(cause)),
                    Err(failure) => failure.to_string(),
                };
                let delay = backoff.next_delay();
                meters.waiting(task, cause, Some(time::now_ms() + delay.as_millis() as i64));
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    () = drain.cancelled() => break Err(None),
                }
            }
        })?;
        match fetched {
            Ok(()) => {
                self.parts.meters.not_waiting(self.parts.task);
                Some(())
            }
            Err(cause) => {
                if let Some(cause) = cause {
                    self.fail(TaskEnd::Failed(cause.to_string()));
                }
                None
            }
        }
    }

    fn take_progress(&mut self) -> Vec<OwnedProgress> {
        let mut progress = Vec::with_capacity(self.positions.len());
        for (partition, position) in &mut self.positions {
            if position.next == position.sent && !position.store_start {
                continue;
            }
            progress.push(OwnedProgress {
                progress: Progress {
                    partition: partition.clone(),
                    expected: position.sent,
                    next: position.next,
                    last_timestamp_ms: position.last_timestamp_ms,
                },
                generation: position.generation,
            });
            position.sent = position.next;
            position.store_start = false;
        }
        progress
    }

    fn send(&mut self, work: Work) {
        let sender = self.parts.work.clone();
        let sent = self.wait_for(async move { sender.send(work).await.is_ok() });
        if sent != Some(true) {
            // The writer ended (its end says why), or nobody waits for us any more.
            self.fail(TaskEnd::Stopped);
        }
    }

    /// The one way to wait: reports are taken meanwhile, and a long wait pauses the partitions and polls on, so that
    /// the group does not expel this member. `None`: abandoned.
    fn wait_for<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        enum Next<T> {
            Done(T),
            Report(Report),
            Abandoned,
            Slice,
        }
        let runtime = self.parts.runtime.clone();
        let abandon = self.parts.stop.abandon.clone();
        let started = Instant::now();
        let mut paused = false;
        let mut future = pin!(future);
        let done = loop {
            let slice = if paused { Duration::from_millis(1) } else { LONG_WAIT };
            let reports = &mut self.parts.reports;
            let next = runtime.block_on(async {
                tokio::select! {
                    biased;
                    value = &mut future => Next::Done(value),
                    Some(report) = reports.recv() => Next::Report(report),
                    () = abandon.cancelled() => Next::Abandoned,
                    () = tokio::time::sleep(slice) => Next::Slice,
                }
            });
            match next {
                Next::Done(value) => break Some(value),
                Next::Abandoned => break None,
                Next::Report(report) => self.take_report(report),
                Next::Slice => {}
            }
            if !paused && started.elapsed() >= LONG_WAIT {
                self.pause(true);
                paused = true;
            }
            if paused && let Some(event) = self.parts.consumer.poll(POLL) {
                self.handle(event);
            }
            self.commit_now_and_then();
        };
        if paused {
            self.pause(false);
        }
        done
    }

    fn pause(&mut self, on: bool) {
        let consumer = &mut self.parts.consumer;
        let done = if on { consumer.pause_all() } else { consumer.resume_all() };
        if let Err(cause) = done {
            tracing::warn!(event = "pause_failed", connector = %self.parts.connector, %cause);
        }
    }
}

fn partition_of(origin: &Origin) -> TopicPartition {
    TopicPartition { topic: origin.topic.clone(), partition: origin.partition }
}

fn start_offset(begin: Begin) -> StartOffset {
    match begin {
        Begin::At(offset) => StartOffset::At(offset),
        Begin::Earliest => StartOffset::Earliest,
        Begin::Latest => StartOffset::Latest,
        Begin::Time(milliseconds) => StartOffset::Time(milliseconds),
    }
}

fn out_of_range(connector: &str, partition: &TopicPartition, wanted: i64, low: i64, high: i64) -> String {
    let what = if wanted < low {
        format!("offsets {wanted} to {} are gone (retention was faster, or the topic was made anew)", low - 1)
    } else {
        format!("the topic ends at {high}: it was truncated or made anew")
    };
    format!(
        "{partition}: offset {wanted} is next, but Kafka has {low} to {high}; {what}. Nothing is skipped silently; to go on from what is there: connect offsets {connector} set --to earliest --topic {} --partition {}",
        partition.topic, partition.partition
    )
}
