//! The reading half of a task, a thread of its own.
//!
//! One turn of the loop: take what the writer reported (store and commit it), start newly assigned partitions, collect a batch
//! (by count, bytes, age or a stop; across polls), prepare it, send it. Only the send, a question to the sink and a schema that
//! must be fetched can take long; all three go through [`Reader::wait_for`], which keeps the group's membership: after 5 s it
//! pauses the partitions and continues to poll. A normal write is shorter, and nothing is paused for it, because pausing
//! discards what was prefetched (measured: 5,000 instead of 160,000 records/s).
//!
//! A partition's records count only under the assignment (*generation*) they were read in. When a partition is revoked, the
//! reader drops the records that it has collected, and the writer those of a batch in flight.

mod collect;
mod rebalance;
mod send;
mod start;
pub(crate) mod waits;

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use connect_api::{Cause, Origin, Position, Predicate, StartAt, TopicPartition};
use connect_kafka::{Generation, GroupMetadata};
use tokio::sync::mpsc;

use tokio::time::Instant;

use crate::backlog::ReaderBacklog;
use crate::backoff::Backoff;
use crate::control::{CLOSE_WITHIN, Stop, TaskEnd, panic_cause};
use crate::sink_task::assignment::{Assigned, Generations};
use crate::sink_task::batch::LaneStart;
use crate::sink_task::feed::Feed;
use crate::sink_task::halves::{Accepts, Resumed, SharedGroup, Work, WriterReport};
use crate::sink_task::lane_positions::PartitionPositions;
use crate::sink_task::prepare::Preparer;
use crate::sink_task::start_position::FirstSights;
use crate::status::{LaneMeters, Meters};
use crate::waiting::Waiting;
use connect_config::BatchConfig;
use waits::Waits;

const POLL: Duration = Duration::from_millis(50);
/// The parts from which a reader is built.
pub(crate) struct ReaderParts<F> {
    pub(crate) connector: Arc<str>,
    pub(crate) task: u32,
    pub(crate) feed: F,
    pub(crate) preparer: Preparer,
    pub(crate) batch: BatchConfig,
    /// In the order of the file.
    pub(crate) lanes: Vec<ReaderLane>,
    /// Whether the reader commits the group's offsets. `false`: a sink's Kafka transactions do.
    pub(crate) moves_group: bool,
    pub(crate) generations: Generations,
    /// Once a sink accepts, it is flushed before revoked partitions are given back.
    pub(crate) accepts: Accepts,
    pub(crate) group: SharedGroup,
    pub(crate) first_sights: FirstSights,
    pub(crate) backlog: Option<ReaderBacklog>,
    pub(crate) meters: Meters,
    pub(crate) work: mpsc::Sender<Work>,
    pub(crate) reports: mpsc::Receiver<WriterReport>,
    pub(crate) stop: Stop,
    pub(crate) runtime: Waits,
}

/// The part of a `[[sinks]]` entry that the reader uses.
pub(crate) struct ReaderLane {
    pub(crate) name: Arc<str>,
    /// The records that this lane takes.
    pub(crate) when: Option<Predicate>,
    /// The `start` of the file, which applies without a position.
    pub(crate) start: Option<StartAt>,
    pub(crate) meters: LaneMeters,
}

pub(crate) struct Reader<F> {
    parts: ReaderParts<F>,
    /// The partitions that have started, by generation: a generation identifies one assignment of one partition, and every
    /// record is looked up here.
    positions: BTreeMap<Generation, Reading>,
    /// Assigned partitions about which the sinks are not asked yet.
    to_ask: Vec<Assigned>,
    /// `to_ask` comes from the writer's [`WriterReport::Superseded`], not from the group.
    superseded: bool,
    /// The sinks have answered about these partitions, which are not sought yet.
    to_start: Vec<Resumed>,
    /// The durable position of each lane in each assigned partition. The group may not have it yet.
    durable: HashMap<TopicPartition, Arc<[i64]>>,
    next_start: Instant,
    start_backoff: Backoff,
    collected: Collected,
    failed: Option<TaskEnd>,
    /// The last wait that was logged, until a record arrives.
    waited_for: Option<Cause>,
    /// Stored with the client, not committed yet.
    uncommitted: bool,
    last_commit: Instant,
    /// A wait takes so long that the writer will not answer soon.
    waits_long: bool,
    last_shared: Instant,
}

/// How far an assigned partition is read.
struct Reading {
    partition: TopicPartition,
    /// The position of the sinks once everything sent so far is durable.
    sent: i64,
    next: i64,
    /// The start of each lane.
    starts: Arc<[LaneStart]>,
    /// Nothing was sent yet, and some lane has to store its start although no record moved it.
    store_start: bool,
    is_first: bool,
    /// Records collected and not sent yet, with the time of the first.
    records: u64,
    first_timestamp_ms: Option<i64>,
    last_timestamp_ms: Option<i64>,
}

#[derive(Default)]
struct Collected {
    origins: Vec<(Arc<Origin>, Generation)>,
    bytes: u64,
    first_read: Option<Instant>,
    group: Option<GroupMetadata>,
}

impl<F: Feed> Reader<F> {
    pub(crate) fn new(parts: ReaderParts<F>) -> Reader<F> {
        Reader {
            parts,
            positions: BTreeMap::new(),
            to_ask: Vec::new(),
            superseded: false,
            to_start: Vec::new(),
            durable: HashMap::new(),
            next_start: Instant::now(),
            start_backoff: Backoff::new(),
            collected: Collected::default(),
            failed: None,
            waited_for: None,
            uncommitted: false,
            last_commit: Instant::now(),
            waits_long: false,
            last_shared: Instant::now(),
        }
    }

    /// Runs until the task is stopped, fails, or the writer has ended. A panic, for example of a transform, ends this task only
    /// (P6), and the consumer leaves the group as after every other end.
    pub(crate) fn run(mut self) -> TaskEnd {
        let runtime = self.parts.runtime.clone();
        let _clock = runtime.enter();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.read())) {
            self.fail(TaskEnd::Crashed(panic_cause("reading", panic.as_ref())));
            // A hanging write must not hide the panic.
            self.parts.stop.drain.cancel();
        }
        self.finish()
    }

    fn read(&mut self) {
        // The writer's own result explains why it ended. Without new records no send would notice that.
        while !self.parts.stop.is_draining()
            && self.failed.is_none()
            && !self.parts.work.is_closed()
        {
            self.take_reports();
            self.ask_where_to_resume();
            self.start_resumed();
            self.collect();
            if self.batch_is_due() {
                self.send_batch();
            }
            self.commit_now_and_then();
            self.share_group_now_and_then();
        }
    }

    /// Lets the writer finish what it has, stores what it reports, and leaves the group.
    fn finish(mut self) -> TaskEnd {
        self.share_group();
        // The writer ends when the channel is closed.
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
        let in_process = self.parts.backlog.is_some();
        if in_process && self.parts.stop.exit.is_cancelled() {
            self.parts.feed.leave_to_exit();
        } else if !self.parts.feed.close(CLOSE_WITHIN) {
            tracing::warn!(
                event = "close_failed",
                connector = %self.parts.connector,
                "the consumer did not leave in time"
            );
        }
        self.failed.unwrap_or(TaskEnd::Stopped)
    }

    fn waiting(&self) -> Waiting {
        Waiting {
            connector: self.parts.connector.clone(),
            task: self.parts.task,
            lane: None,
            meters: self.parts.meters.clone(),
            stop: self.parts.stop.clone(),
        }
    }

    /// A wait is over: the same cause is logged again if it returns.
    fn recovered(&mut self) {
        self.waiting().over();
        self.waited_for = None;
    }

    fn fail(&mut self, end: TaskEnd) {
        self.failed.get_or_insert(end);
    }

    fn take_reports(&mut self) {
        while let Ok(report) = self.parts.reports.try_recv() {
            self.take_report(report);
        }
    }

    fn take_report(&mut self, report: WriterReport) {
        match report {
            WriterReport::Durable(positions) => {
                if let Some(backlog) = &self.parts.backlog {
                    backlog.reached(positions.iter().map(PartitionPositions::smallest));
                }
                self.remember_durable(&positions);
                if self.parts.moves_group {
                    self.store(&positions);
                }
            }
            WriterReport::Resumed(partitions) => {
                self.next_start = Instant::now();
                self.to_start.extend(partitions);
            }
            WriterReport::Superseded => {
                let partitions = self.parts.feed.start_over();
                self.forget(&partitions);
                self.assigned(partitions);
                self.superseded = true;
            }
        }
    }

    fn remember_durable(&mut self, positions: &[PartitionPositions]) {
        for reached in positions {
            if self.parts.feed.generation(&reached.partition) == Some(reached.generation) {
                let Position { partition, next } = reached.smallest();
                self.parts.meters.reached(&partition, next);
                self.durable.insert(partition, reached.lanes.clone());
            }
        }
    }

    fn store(&mut self, positions: &[PartitionPositions]) {
        let names = self.parts.lanes.iter().map(|lane| lane.name.clone());
        let names: Vec<Arc<str>> = names.collect();
        let positions = positions.iter().map(|reached| reached.to_group(&names));
        let positions: Vec<_> = positions.collect();
        self.parts.feed.store(&positions);
        self.uncommitted = true;
    }

    fn commit_now_and_then(&mut self) {
        const INTERVAL: Duration = Duration::from_millis(200);
        if !self.uncommitted || self.last_commit.elapsed() < INTERVAL {
            return;
        }
        self.commit();
    }

    fn commit(&mut self) {
        self.last_commit = Instant::now();
        match self.parts.feed.commit() {
            Ok(()) => self.uncommitted = false,
            Err(cause) => {
                tracing::warn!(event = "commit_failed", connector = %self.parts.connector, %cause);
            }
        }
    }

    /// Transactions that belong to no batch need the current group metadata, which change without an event for this member.
    /// Called about once a second, and never during a poll, so that the assignment belongs to these metadata.
    fn share_group(&self) {
        if !self.parts.moves_group {
            *self.parts.group.lock() = self.parts.feed.group_metadata();
        }
    }

    fn share_group_now_and_then(&mut self) {
        const INTERVAL: Duration = Duration::from_secs(1);
        if self.last_shared.elapsed() >= INTERVAL {
            self.last_shared = Instant::now();
            self.share_group();
        }
    }
}
