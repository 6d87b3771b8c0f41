//! The road of a record through a sink connector.
//!
//! A task is two halves joined by two bounded channels. The *reader* ([`reader`]), a thread of its own, owns the
//! consumer: it collects a batch, prepares it ([`prepare`]: decode, contract, transforms) and sends it; it alone
//! stores and commits what the writer reports. The *writer* ([`writer`]), on the runtime, owns the sink: dead letters
//! of what was rejected, then the write (isolating refused records), then the report. While one batch is written the
//! next is read and prepared; backpressure is that the reader's channel holds one batch.

pub(crate) mod breaker;
pub(crate) mod dead_letter;
pub(crate) mod isolate;
pub(crate) mod other_names;
pub(crate) mod prepare;
pub(crate) mod reader;
pub(crate) mod reject;
pub(crate) mod start;
pub(crate) mod task;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use connect_api::{Origin, Progress, Record, Resume, TopicPartition};
use connect_kafka::{Generation, GroupMetadata};

use reject::Rejection;

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
    pub(crate) progress: Progress,
    pub(crate) generation: Generation,
}

/// From the reader to the writer.
pub(crate) enum Work {
    Batch(Box<Prepared>),
    /// Ask the sink where these partitions resume.
    Resume {
        partitions: Vec<(TopicPartition, Generation)>,
        /// The group moved them here; `false`: progress was superseded.
        after_rebalance: bool,
    },
}

/// From the writer to the reader.
pub(crate) enum Report {
    /// Everything below `next` is durable.
    Durable(Vec<(TopicPartition, i64, Generation)>),
    Resumed(Vec<(TopicPartition, Generation, Resume)>),
    /// The sink's progress is not what was expected, or an outcome is unclear: ask again where every partition resumes.
    Superseded,
}

/// Which assignment of each partition is current. The reader writes it, the writer asks before each write.
#[derive(Clone, Default)]
pub(crate) struct Generations(Arc<Mutex<HashMap<TopicPartition, Generation>>>);

impl Generations {
    pub(crate) fn set(&self, partition: TopicPartition, generation: Generation) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(partition, generation);
    }

    pub(crate) fn forget(&self, partition: &TopicPartition) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(partition);
    }

    pub(crate) fn is_current(&self, partition: &TopicPartition, generation: Generation) -> bool {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.get(partition) == Some(&generation)
    }
}
