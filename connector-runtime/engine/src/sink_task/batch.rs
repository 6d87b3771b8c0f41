//! A prepared batch: its inputs with their outcomes, the selection of each lane, and the progress it makes.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use tokio::time::Instant;

use connect_api::{Origin, Predicate, Progress, Record, TopicPartition};
use connect_kafka::{Generation, GroupMetadata};

use crate::records::rejection::{Rejection, RejectionStage};

/// What became of one input while it was prepared.
pub(crate) enum Outcome {
    /// A range of the batch's records.
    Records(Range<usize>),
    Filtered,
    Rejected(Box<Rejection>),
}

impl Outcome {
    pub(crate) fn rejected(rejection: Rejection) -> Outcome {
        Outcome::Rejected(Box::new(rejection))
    }
}

/// One record as Kafka held it, with its outcome.
pub(crate) struct Input {
    pub(crate) origin: Arc<Origin>,
    pub(crate) outcome: Outcome,
}

/// A batch that is ready to be written.
pub(crate) struct Prepared {
    /// In arrival order.
    pub(crate) inputs: Vec<Input>,
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
        let input = self.inputs.get(index);
        &input
            .expect("an index of an input lies within its batch")
            .origin
    }
}

/// The records of a batch that one lane takes: the result of its `when` for every record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// By index of the record in its batch.
    taken: Vec<bool>,
    /// By index of the input: the condition fails on it, so this lane takes none of its records.
    pub(crate) rejected: BTreeMap<usize, Rejection>,
}

impl Selection {
    pub(crate) fn takes(&self, record: usize) -> bool {
        let taken = self.taken.get(record).copied();
        taken.expect("every record of the batch was asked about")
    }

    /// Evaluates the condition for every record.
    pub(crate) fn of(when: &Predicate, inputs: &[Input], records: &[Record]) -> Selection {
        let mut selection = Selection {
            taken: vec![false; records.len()],
            rejected: BTreeMap::new(),
        };
        for (index, input) in inputs.iter().enumerate() {
            let Outcome::Records(made) = &input.outcome else {
                continue;
            };
            for record in made.clone() {
                let asked = records.get(record).expect("what an input became is there");
                match when.matches(asked) {
                    Ok(is_taken) => {
                        let slot = selection.taken.get_mut(record);
                        *slot.expect("every record has a slot") = is_taken;
                    }
                    Err(reason) => {
                        let rejection = Rejection::plain(
                            RejectionStage::Transformation,
                            "sinks.when",
                            "PredicateError",
                            reason,
                        );
                        selection.rejected.insert(index, rejection);
                        break;
                    }
                }
            }
        }
        selection
    }
}

/// Progress under one assignment of a partition.
#[derive(Clone)]
pub(crate) struct OwnedProgress {
    /// Of the reader, which starts at the smallest position of all lanes.
    pub(crate) progress: Progress,
    pub(crate) generation: Generation,
    /// The start of each lane under this assignment.
    pub(crate) starts: Arc<[LaneStart]>,
    /// This is the first progress under this assignment.
    pub(crate) is_first: bool,
}

/// The start of a lane in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneStart {
    /// Everything below it is durable in this lane.
    pub(crate) offset: i64,
    /// Set at the first start of a sink that stores progress: it stores this position although no record moves it.
    pub(crate) store: bool,
}

impl OwnedProgress {
    /// The progress of one lane; `None` where it does not move.
    pub(crate) fn of_lane(&self, lane: usize) -> Option<Progress> {
        let start = self.starts.get(lane).expect("every lane starts somewhere");
        let expected = self.progress.expected.max(start.offset);
        let next = self.progress.next.max(start.offset);
        (next > expected || (self.is_first && start.store)).then(|| Progress {
            expected,
            next,
            ..self.progress.clone()
        })
    }
}

/// The start of a lane in each partition that it starts later than this progress does.
pub(crate) fn starts_of(progress: &[OwnedProgress], lane: usize) -> HashMap<(&Arc<str>, i32), i64> {
    let later = progress.iter().filter_map(|owned| {
        let TopicPartition { topic, partition } = &owned.progress.partition;
        let start = owned.starts.get(lane).expect("every lane starts somewhere");
        let is_later = start.offset > owned.progress.expected;
        is_later.then_some(((topic, *partition), start.offset))
    });
    later.collect()
}

/// The memory that a record takes in flight, headers included.
pub(crate) fn bytes_of(origin: &Origin) -> u64 {
    let bytes = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    let headers = origin.headers.iter();
    let headers: usize = headers
        .map(|header| header.name.len() + bytes(&header.value))
        .sum();
    (bytes(&origin.key) + bytes(&origin.value) + headers) as u64
}
