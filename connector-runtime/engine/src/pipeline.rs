//! The road of a record through a sink connector.
//!
//! A task is two halves joined by two bounded channels. The *reader* ([`reader`]), a thread of its own, owns the
//! consumer: it collects a batch, prepares it ([`prepare`]: decode, contract, transforms; [`select`]: each sink's `when`)
//! and sends it; it alone stores and commits what the writer reports. The *writer* ([`writer`]), on the runtime, settles
//! what was rejected and gives the batch to every *lane* ([`lane`]), one for each `[[sinks]]` entry: the write (isolating
//! refused records), then the report. While one batch is written the next is read and prepared; backpressure is that the
//! reader's channel holds one batch.

pub(crate) mod accepted;
pub(crate) mod breaker;
pub(crate) mod dead_letter;
pub(crate) mod isolate;
pub(crate) mod lane;
pub(crate) mod lane_positions;
pub(crate) mod other_names;
pub(crate) mod prepare;
pub(crate) mod reader;
pub(crate) mod rejection;
pub(crate) mod rejects;
pub(crate) mod select;
pub(crate) mod start;
pub(crate) mod task;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use connect_api::{Origin, Progress, Record, TopicPartition};
use connect_kafka::{Generation, GroupMetadata};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

use lane_positions::Reached;
use rejection::Rejection;
use select::Selection;

/// What became of one source record while it was prepared.
pub(crate) enum Outcome {
    /// These of the batch's records.
    Records(Range<usize>),
    Filtered,
    Rejected(Box<Rejection>),
}

/// One record as Kafka held it, and what became of it.
pub(crate) struct Source {
    pub(crate) origin: Arc<Origin>,
    pub(crate) outcome: Outcome,
}

/// A batch that is ready to be written.
pub(crate) struct Prepared {
    /// In arrival order.
    pub(crate) sources: Vec<Source>,
    pub(crate) records: Vec<Record>,
    /// What each lane takes of the records; `None`: all of them.
    pub(crate) selections: Vec<Option<Selection>>,
    /// In order of topic and partition.
    pub(crate) progress: Vec<OwnedProgress>,
    /// The consumer group as it was when the batch's first record was read.
    pub(crate) group: Option<GroupMetadata>,
    pub(crate) first_read: Instant,
}

impl Prepared {
    pub(crate) fn origin(&self, index: usize) -> &Arc<Origin> {
        let source = self.sources.get(index);
        &source
            .expect("an index of a source record lies within its batch")
            .origin
    }
}

/// Progress, and under which assignment of the partition it was made.
#[derive(Clone)]
pub(crate) struct OwnedProgress {
    /// Of what is read: from the smallest position of all lanes on.
    pub(crate) progress: Progress,
    pub(crate) generation: Generation,
    /// Where each lane began under this assignment.
    pub(crate) begins: Arc<[LaneBegin]>,
    /// The assignment's first progress.
    pub(crate) is_first: bool,
}

/// Where a lane begins in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneBegin {
    /// The lane has everything below.
    pub(crate) offset: i64,
    /// A first start of a sink that stores progress: it stores this position although no record moves it.
    pub(crate) store: bool,
}

impl OwnedProgress {
    /// The progress of one lane; `None` where it does not move.
    pub(crate) fn of_lane(&self, lane: usize) -> Option<Progress> {
        let begin = self.begins.get(lane).expect("every lane begins somewhere");
        let expected = self.progress.expected.max(begin.offset);
        let next = self.progress.next.max(begin.offset);
        (next > expected || (self.is_first && begin.store)).then(|| Progress {
            expected,
            next,
            ..self.progress.clone()
        })
    }
}

/// Where a lane begins in each partition in which it begins later than this progress.
pub(crate) fn begins_of(progress: &[OwnedProgress], lane: usize) -> HashMap<(&Arc<str>, i32), i64> {
    let later = progress.iter().filter_map(|owned| {
        let TopicPartition { topic, partition } = &owned.progress.partition;
        let begin = owned.begins.get(lane).expect("every lane begins somewhere");
        let is_later = begin.offset > owned.progress.expected;
        is_later.then_some(((topic, *partition), begin.offset))
    });
    later.collect()
}

/// A partition under one assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assigned {
    pub(crate) partition: TopicPartition,
    pub(crate) generation: Generation,
}

/// From the reader to the writer.
pub(crate) enum Work {
    Batch(Box<Prepared>),
    /// Ask the sink where these partitions resume.
    Resume {
        partitions: Vec<Assigned>,
        /// The group moved them here; `false`: progress was superseded.
        after_rebalance: bool,
    },
    /// The group takes partitions: make durable what the sinks have accepted, and answer once that is tried.
    Flush {
        /// Closed: the reader no longer waits, the partitions are gone.
        tried: oneshot::Sender<()>,
    },
}

/// From the writer to the reader.
pub(crate) enum Report {
    /// Everything below these positions is durable.
    Durable(Vec<Reached>),
    Resumed(Vec<Resumed>),
    /// The sink's progress is not what was expected, or an outcome is unclear, or what was accepted did not become
    /// durable: ask again where every partition resumes.
    Superseded,
}

/// What the sinks say about a partition that was assigned.
pub(crate) struct Resumed {
    pub(crate) assigned: Assigned,
    /// Of each lane.
    pub(crate) stored: Vec<Stored>,
}

/// Where a lane's progress is stored, and what its sink has of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// The consumer group has it.
    InGroup,
    /// The sink stores it: the next offset, if it has one yet.
    InSink(Option<i64>),
}

/// Which assignment of each partition is current. The reader writes it, the writer asks before each write.
#[derive(Clone, Default)]
pub(crate) struct Generations(Arc<Current>);

#[derive(Default)]
struct Current {
    generations: Mutex<HashMap<TopicPartition, Generation>>,
    forgotten: Notify,
}

impl Generations {
    pub(crate) fn set(&self, partition: TopicPartition, generation: Generation) {
        self.lock().insert(partition, generation);
    }

    pub(crate) fn forget(&self, partition: &TopicPartition) {
        self.lock().remove(partition);
        self.0.forgotten.notify_one();
    }

    pub(crate) fn is_current(&self, partition: &TopicPartition, generation: Generation) -> bool {
        self.lock().get(partition) == Some(&generation)
    }

    /// Returns after a partition was forgotten. One task at a time may wait.
    pub(crate) async fn forgotten(&self) {
        self.0.forgotten.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TopicPartition, Generation>> {
        self.0.generations.lock()
    }
}

/// Whether a sink of the task accepts records that it makes durable later: once one did, a revocation waits for a flush.
#[derive(Clone, Default)]
pub(crate) struct Accepts(Arc<AtomicBool>);

impl Accepts {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The consumer group as the reader last saw it, for transactions that belong to no batch.
pub(crate) type SharedGroup = Arc<Mutex<Option<GroupMetadata>>>;

/// What a record takes in memory. Headers count as much as key and value: they are in flight with them.
pub(crate) fn bytes_of(origin: &Origin) -> u64 {
    let bytes = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    let headers = origin.headers.iter();
    let headers: usize = headers
        .map(|header| header.name.len() + bytes(&header.value))
        .sum();
    (bytes(&origin.key) + bytes(&origin.value) + headers) as u64
}
