//! A batch: what was read, what became of it, what each lane takes of it, and which progress it makes.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use tokio::time::Instant;

use connect_api::{Origin, Predicate, Progress, Record, TopicPartition};
use connect_kafka::{Generation, GroupMetadata};

use crate::records::rejection::{Rejection, RejectionStage};

/// What became of one input while it was prepared.
pub(crate) enum Outcome {
    /// These of the batch's records.
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

/// What one lane takes of a batch: the `when` of its `[[sinks]]` entry, asked of every record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// By index of the record in its batch.
    taken: Vec<bool>,
    /// By index of the input: its condition has no answer, so this lane takes nothing of it.
    pub(crate) rejected: BTreeMap<usize, Rejection>,
}

impl Selection {
    pub(crate) fn takes(&self, record: usize) -> bool {
        let taken = self.taken.get(record).copied();
        taken.expect("every record of the batch was asked about")
    }

    /// Asks the condition of every record.
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

/// Progress, and under which assignment of the partition it was made.
#[derive(Clone)]
pub(crate) struct OwnedProgress {
    /// Of what is read: from the smallest position of all lanes on.
    pub(crate) progress: Progress,
    pub(crate) generation: Generation,
    /// Where each lane began under this assignment.
    pub(crate) starts: Arc<[LaneStart]>,
    /// The assignment's first progress.
    pub(crate) is_first: bool,
}

/// Where a lane starts in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneStart {
    /// The lane has everything below.
    pub(crate) offset: i64,
    /// A first start of a sink that stores progress: it stores this position although no record moves it.
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

/// Where a lane starts in each partition in which it starts later than this progress.
pub(crate) fn starts_of(progress: &[OwnedProgress], lane: usize) -> HashMap<(&Arc<str>, i32), i64> {
    let later = progress.iter().filter_map(|owned| {
        let TopicPartition { topic, partition } = &owned.progress.partition;
        let start = owned.starts.get(lane).expect("every lane starts somewhere");
        let is_later = start.offset > owned.progress.expected;
        is_later.then_some(((topic, *partition), start.offset))
    });
    later.collect()
}

/// What a record takes in memory. Headers count as much as key and value: they are in flight with them.
pub(crate) fn bytes_of(origin: &Origin) -> u64 {
    let bytes = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    let headers = origin.headers.iter();
    let headers: usize = headers
        .map(|header| header.name.len() + bytes(&header.value))
        .sum();
    (bytes(&origin.key) + bytes(&origin.value) + headers) as u64
}
