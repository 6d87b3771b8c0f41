//! The isolation of refused records: chooses what the next write of a batch holds.
//!
//! A batch is written whole. If the sink names the refused records, they are removed and the rest is written again. If it
//! reports only that some record is refused, the batch is halved in arrival order, and each half is a write with its own
//! progress, down to one *input*, whose records are written or refused together. Halves are written in order, so everything
//! below the current record is always durable or accepted.

mod fates;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use connect_api::{Batch, CommitToken, Position, Progress, Record, TopicPartition};
use connect_kafka::{Generation, OwnedPosition};

use crate::sink_task::accepted::{AcceptedPart, DurableRecords};
use crate::sink_task::assignment::Generations;
use crate::sink_task::batch::{
    Input, Outcome, OwnedProgress, Prepared, Selection, bytes_of, starts_of,
};
use crate::status::BatchEnd;
use fates::{Fate, count};

pub(crate) use fates::LaneEnd;

/// The part of a prepared batch that one lane has not written yet.
pub(crate) struct Isolation<'a> {
    prepared: &'a Prepared,
    /// The records that this lane takes. `None`: all.
    selection: Option<&'a Selection>,
    commit: CommitToken,
    /// Ranges of `prepared.inputs`, in order.
    ranges: VecDeque<Range<usize>>,
    /// What becomes of each input.
    fates: Vec<Fate>,
    partitions: BTreeMap<TopicPartition, LaneProgress>,
}

/// A partition's progress in this lane. `expected` is what the last write reached.
struct LaneProgress {
    progress: Progress,
    generation: Generation,
}

/// One write: a batch, and whose inputs it holds.
pub(crate) struct Write<'a> {
    pub(crate) batch: Batch<'a>,
    /// For each record of the batch, the index of its input.
    pub(crate) input_of: Vec<usize>,
    range: Range<usize>,
}

impl Write<'_> {
    /// The inputs of the batch, in order.
    pub(crate) fn inputs(&self) -> Vec<usize> {
        let mut inputs = self.input_of.clone();
        inputs.dedup();
        inputs
    }
}

impl<'a> Isolation<'a> {
    pub(crate) fn new(prepared: &'a Prepared, lane: usize, commit: CommitToken) -> Isolation<'a> {
        let selection = prepared.selections.get(lane).and_then(Option::as_ref);
        let starts = starts_of(&prepared.progress, lane);
        let fate = |(index, input): (usize, &Input)| {
            let origin = &input.origin;
            let start = starts.get(&(&origin.topic, origin.partition));
            if start.is_some_and(|start| origin.offset < *start) {
                return Fate::Had;
            }
            match &input.outcome {
                Outcome::Filtered => Fate::Filtered,
                Outcome::Rejected(_) => Fate::Rejected,
                Outcome::Records(made) => match selection {
                    None => Fate::Written,
                    Some(selection) if selection.rejected.contains_key(&index) => Fate::Rejected,
                    Some(selection) if made.clone().any(|record| selection.takes(record)) => {
                        Fate::Written
                    }
                    Some(_) => Fate::Filtered,
                },
            }
        };
        let partition = |owned: &OwnedProgress| {
            let progress = LaneProgress {
                progress: owned.of_lane(lane)?,
                generation: owned.generation,
            };
            Some((owned.progress.partition.clone(), progress))
        };
        let inputs = prepared.inputs.iter().enumerate();
        Isolation {
            prepared,
            selection,
            commit,
            ranges: std::iter::once(0..prepared.inputs.len()).collect(),
            fates: inputs.map(fate).collect(),
            partitions: prepared.progress.iter().filter_map(partition).collect(),
        }
    }

    /// Gives up the inputs of partitions that were revoked or reassigned, and returns their number.
    pub(crate) fn drop_stale(&mut self, generations: &Generations) -> u64 {
        let before = self.partitions.len();
        self.partitions
            .retain(|name, partition| generations.is_current(name, partition.generation));
        if self.partitions.len() == before {
            return 0;
        }
        let stale: Vec<usize> = self
            .ranges
            .iter()
            .cloned()
            .flatten()
            .filter(|index| self.is_open(*index))
            .filter(|index| {
                let partition = self.input(*index).origin.topic_partition();
                !self.partitions.contains_key(&partition)
            })
            .collect();
        for index in &stale {
            self.set_fate(*index, Fate::NotOurs);
        }
        stale.len() as u64
    }

    /// The next write, or `None` once all is written.
    pub(crate) fn next_write(&mut self) -> Option<Write<'a>> {
        loop {
            let range = self.ranges.front()?.clone();
            let mut records = Vec::with_capacity(range.len());
            let mut input_of = Vec::with_capacity(range.len());
            for index in range
                .clone()
                .filter(|index| self.fate(*index) == Fate::Written)
            {
                records.extend(self.records_of(index));
                input_of.resize(records.len(), index);
            }
            let progress = self.progress_of(&range);
            if !records.is_empty() || !progress.is_empty() {
                return Some(Write {
                    batch: Batch {
                        records,
                        progress,
                        commit: self.commit.clone(),
                    },
                    input_of,
                    range,
                });
            }
            // Nothing in this range is ours any more.
            self.ranges.pop_front();
        }
    }

    /// The last range moves every partition to the end of the batch; an earlier one moves it past its own last record.
    fn progress_of(&self, range: &Range<usize>) -> Vec<Progress> {
        let reached = match self.ranges.len() {
            1 => None,
            _ => Some(self.positions_after(range.clone())),
        };
        let progress = self.partitions.iter().filter_map(|(name, partition)| {
            let progress = partition.progress.clone();
            let next = match &reached {
                None => progress.next,
                // Below the start of this lane there is nothing to move.
                Some(reached) => progress.expected.max(*reached.get(name)?),
            };
            Some(Progress { next, ..progress })
        });
        progress.collect()
    }

    /// The next offset of each partition after the inputs of `range`.
    fn positions_after(&self, range: Range<usize>) -> BTreeMap<TopicPartition, i64> {
        self.prepared
            .inputs
            .get(range)
            .expect("a range lies within the batch's inputs")
            .iter()
            .map(|input| (input.origin.topic_partition(), input.origin.offset + 1))
            .collect()
    }

    /// The write succeeded: its range is done. What is durable now, if the sink does not only accept.
    pub(crate) fn written(&mut self, write: &Write<'_>) -> DurableRecords {
        self.ranges.pop_front();
        let mut positions = Vec::with_capacity(write.batch.progress.len());
        for reached in &write.batch.progress {
            let partition = self
                .partitions
                .get_mut(&reached.partition)
                .expect("a write moves only partitions of its batch");
            partition.progress.expected = reached.next;
            positions.push(partition.position(reached.next));
        }
        let mut end = BatchEnd::default();
        for index in write.range.clone() {
            count(&mut end, self.fate(index));
        }
        let last = write
            .range
            .end
            .checked_sub(1)
            .and_then(|last| self.prepared.inputs.get(last));
        let last_timestamp_ms = last.and_then(|input| input.origin.timestamp_ms);
        DurableRecords {
            positions,
            end,
            first_read: Some(self.prepared.first_read),
            last_timestamp_ms,
        }
    }

    /// The records that the sink accepts with this write, by partition. Call it before [`Self::written`].
    pub(crate) fn parts(&self, write: &Write<'_>) -> Vec<AcceptedPart> {
        let mut parts: BTreeMap<&TopicPartition, AcceptedPart> = BTreeMap::new();
        for progress in &write.batch.progress {
            let partition = self.partitions.get(&progress.partition);
            let partition = partition.expect("a write has progress of its own partitions only");
            let part = AcceptedPart {
                reached: partition.position(progress.next),
                end: BatchEnd::default(),
                bytes: 0,
                first_read: self.prepared.first_read,
                last_timestamp_ms: progress.last_timestamp_ms,
            };
            parts.insert(&progress.partition, part);
        }
        for index in write.range.clone() {
            let fate = self.fate(index);
            if matches!(fate, Fate::Settled | Fate::Had | Fate::NotOurs) {
                continue;
            }
            let input = self.input(index);
            let part = parts.get_mut(&input.origin.topic_partition());
            let part = part.expect("a write moves the progress of every record in its range");
            count(&mut part.end, fate);
            if fate == Fate::Written {
                part.bytes += bytes_of(&input.origin);
            }
        }
        parts.into_values().collect()
    }

    /// The bytes of the records of a write, as Kafka held them.
    pub(crate) fn bytes_of(&self, write: &Write<'_>) -> u64 {
        let written = write.range.clone();
        written
            .filter(|index| self.fate(*index) == Fate::Written)
            .map(|index| bytes_of(&self.input(index).origin))
            .sum()
    }

    /// Halves the current range by the inputs that are still to be written. `false`: there is only one.
    pub(crate) fn halve(&mut self) -> bool {
        let Some(range) = self.ranges.front().cloned() else {
            return false;
        };
        let written: Vec<usize> = range
            .clone()
            .filter(|index| self.fate(*index) == Fate::Written)
            .collect();
        let Some(middle) = written
            .get(written.len() / 2)
            .copied()
            .filter(|_| written.len() > 1)
        else {
            return false;
        };
        self.ranges.pop_front();
        self.ranges.push_front(middle..range.end);
        self.ranges.push_front(range.start..middle);
        true
    }

    /// Gives up every input from `index` on; earlier ones are still written. Returns the number of inputs given up.
    pub(crate) fn cut_before(&mut self, index: usize) -> u64 {
        let before = self.remaining();
        let start = self.ranges.front().map_or(index, |range| range.start);
        self.ranges.clear();
        if start < index {
            self.ranges.push_back(start..index);
        }
        let reached = self.positions_after(start..index);
        for (name, partition) in &mut self.partitions {
            let LaneProgress { progress, .. } = partition;
            let reached = reached.get(name).copied().unwrap_or(progress.expected);
            progress.next = reached.max(progress.expected);
        }
        before - self.remaining()
    }

    /// The number of open inputs in ranges that are not done.
    pub(crate) fn remaining(&self) -> u64 {
        self.ranges
            .iter()
            .cloned()
            .flatten()
            .filter(|index| self.is_open(*index))
            .count() as u64
    }

    fn input(&self, index: usize) -> &'a Input {
        let input = self.prepared.inputs.get(index);
        input.expect("a range lies within the batch's inputs")
    }

    /// The records of an input that this lane takes.
    fn records_of(&self, index: usize) -> impl Iterator<Item = &'a Record> {
        let Outcome::Records(made) = &self.input(index).outcome else {
            unreachable!("only an input that became records is written")
        };
        let records = self.prepared.records.get(made.clone());
        let records = records.expect("what an input became lies within the batch's records");
        let selection = self.selection;
        let taken = records.iter().zip(made.clone());
        taken
            .filter(move |(_, record)| selection.is_none_or(|selection| selection.takes(*record)))
            .map(|(record, _)| record)
    }
}

impl LaneProgress {
    fn position(&self, next: i64) -> OwnedPosition {
        OwnedPosition {
            position: Position {
                partition: self.progress.partition.clone(),
                next,
            },
            generation: self.generation,
        }
    }
}
