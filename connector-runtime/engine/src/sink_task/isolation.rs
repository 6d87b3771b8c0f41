//! Which part of a batch is written next, while refused records are taken out of it.
//!
//! A batch is written whole. If the sink refuses records by name, they are taken out and the rest is written again. If
//! it knows only that some record is refused, the batch is halved in arrival order and each half is a write of its
//! own, with its own progress, down to one *source record*: all that it became stands or falls together. Since halves
//! are written in order, everything below the record at hand is always durable.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use connect_api::{Batch, CommitToken, Position, Progress, Record, TopicPartition};
use connect_kafka::OwnedPosition;

use crate::sink_task::accepted::AcceptedPart;
use crate::sink_task::assignment::Generations;
use crate::sink_task::batch::{
    Input, Outcome, OwnedProgress, Prepared, Selection, begins_of, bytes_of,
};
use crate::status::BatchEnd;

/// What is still to be written of one prepared batch.
pub(crate) struct Isolation<'a> {
    prepared: &'a Prepared,
    /// What this lane takes; `None`: everything.
    selection: Option<&'a Selection>,
    commit: CommitToken,
    /// Ranges of `prepared.sources`, in order.
    ranges: VecDeque<Range<usize>>,
    /// What becomes of each source record.
    fates: Vec<Fate>,
    /// What the partitions have reached, and where the batch takes them.
    partitions: BTreeMap<TopicPartition, Partition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is part of the write of its range.
    Written,
    Filtered,
    /// Rejected while it was prepared; nothing has become of it yet.
    Rejected,
    /// Rejected, and counted as dead-lettered or discarded: part of no write.
    Settled,
    /// This lane had it before it was read for another one.
    Had,
    /// Its partition belongs to somebody else now.
    NotOurs,
}

/// What became of a source record in one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneEnd {
    Written,
    Filtered,
    /// Dead-lettered or discarded.
    Settled,
    /// This lane had it before it was read for another one.
    Had,
    GivenBack,
}

struct Partition {
    owned: OwnedProgress,
    reached: i64,
}

/// One write: a batch, and whose source records it holds.
pub(crate) struct Write<'a> {
    pub(crate) batch: Batch<'a>,
    /// For each record of the batch, the index of its source record.
    pub(crate) source_of: Vec<usize>,
    range: Range<usize>,
}

impl Write<'_> {
    /// The source records of the batch, in order.
    pub(crate) fn sources(&self) -> Vec<usize> {
        let mut sources = self.source_of.clone();
        sources.dedup();
        sources
    }
}

/// A write that succeeded.
pub(crate) struct Finished {
    pub(crate) positions: Vec<OwnedPosition>,
    pub(crate) end: BatchEnd,
    /// Milliseconds since 1970 of the last record.
    pub(crate) last_timestamp_ms: Option<i64>,
}

impl<'a> Isolation<'a> {
    pub(crate) fn new(prepared: &'a Prepared, lane: usize, commit: CommitToken) -> Isolation<'a> {
        let selection = prepared.selections.get(lane).and_then(Option::as_ref);
        let begins = begins_of(&prepared.progress, lane);
        let fate = |(index, source): (usize, &Input)| {
            let origin = &source.origin;
            let begin = begins.get(&(&origin.topic, origin.partition));
            if begin.is_some_and(|begin| origin.offset < *begin) {
                return Fate::Had;
            }
            match &source.outcome {
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
            let progress = owned.of_lane(lane)?;
            let reached = progress.expected;
            let owned = OwnedProgress {
                progress,
                ..owned.clone()
            };
            let name = owned.progress.partition.clone();
            Some((name, Partition { owned, reached }))
        };
        let sources = prepared.sources.iter().enumerate();
        Isolation {
            prepared,
            selection,
            commit,
            ranges: std::iter::once(0..prepared.sources.len()).collect(),
            fates: sources.map(fate).collect(),
            partitions: prepared.progress.iter().filter_map(partition).collect(),
        }
    }

    /// Gives up what belongs to partitions that are not ours any more; returns how many source records that were.
    pub(crate) fn drop_stale(&mut self, generations: &Generations) -> u64 {
        let before = self.partitions.len();
        self.partitions
            .retain(|name, partition| generations.is_current(name, partition.owned.generation));
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
                let partition = self.source(*index).origin.topic_partition();
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
            let mut source_of = Vec::with_capacity(range.len());
            for index in range
                .clone()
                .filter(|index| self.fate(*index) == Fate::Written)
            {
                records.extend(self.records_of(index));
                source_of.resize(records.len(), index);
            }
            let progress = self.progress_of(&range);
            if !records.is_empty() || !progress.is_empty() {
                return Some(Write {
                    batch: Batch {
                        records,
                        progress,
                        commit: self.commit.clone(),
                    },
                    source_of,
                    range,
                });
            }
            // All of it belongs to somebody else by now.
            self.ranges.pop_front();
        }
    }

    /// The last range takes every partition to where the batch ends; an earlier one to its own last record.
    fn progress_of(&self, range: &Range<usize>) -> Vec<Progress> {
        let reached = match self.ranges.len() {
            1 => None,
            _ => Some(self.positions_after(range.clone())),
        };
        let mut progress = Vec::with_capacity(self.partitions.len());
        for (name, partition) in &self.partitions {
            let next = match &reached {
                None => Some(partition.owned.progress.next),
                // Below where this lane begins there is nothing to move.
                Some(reached) => reached.get(name).map(|next| partition.reached.max(*next)),
            };
            if let Some(next) = next {
                let template = partition.owned.progress.clone();
                progress.push(Progress {
                    expected: partition.reached,
                    next,
                    ..template
                });
            }
        }
        progress
    }

    /// Where each partition stands after the source records of `range`.
    fn positions_after(&self, range: Range<usize>) -> BTreeMap<TopicPartition, i64> {
        self.prepared
            .sources
            .get(range)
            .expect("a range lies within the batch's source records")
            .iter()
            .map(|source| (source.origin.topic_partition(), source.origin.offset + 1))
            .collect()
    }

    /// The write succeeded: its range is done.
    pub(crate) fn written(&mut self, write: &Write<'_>) -> Finished {
        self.ranges.pop_front();
        let mut positions = Vec::with_capacity(write.batch.progress.len());
        for reached in &write.batch.progress {
            let partition = self
                .partitions
                .get_mut(&reached.partition)
                .expect("a write moves only partitions of its batch");
            partition.reached = reached.next;
            let generation = partition.owned.generation;
            positions.push(OwnedPosition {
                position: Position {
                    partition: reached.partition.clone(),
                    next: reached.next,
                },
                generation,
            });
        }
        let mut end = BatchEnd::default();
        for index in write.range.clone() {
            count(&mut end, self.fate(index));
        }
        let last = write
            .range
            .end
            .checked_sub(1)
            .and_then(|last| self.prepared.sources.get(last));
        let last_timestamp_ms = last.and_then(|source| source.origin.timestamp_ms);
        Finished {
            positions,
            end,
            last_timestamp_ms,
        }
    }

    /// What the sink accepted with this write, by partition. To be asked before [`Self::written`].
    pub(crate) fn parts(&self, write: &Write<'_>) -> Vec<AcceptedPart> {
        let mut parts: BTreeMap<&TopicPartition, AcceptedPart> = BTreeMap::new();
        for progress in &write.batch.progress {
            let partition = self.partitions.get(&progress.partition);
            let partition = partition.expect("a write has progress of its own partitions only");
            let part = AcceptedPart {
                reached: OwnedPosition {
                    position: Position {
                        partition: progress.partition.clone(),
                        next: progress.next,
                    },
                    generation: partition.owned.generation,
                },
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
            let source = self.source(index);
            let part = parts.get_mut(&source.origin.topic_partition());
            let part = part.expect("a write moves the progress of every record in its range");
            count(&mut part.end, fate);
            if fate == Fate::Written {
                part.bytes += bytes_of(&source.origin);
            }
        }
        parts.into_values().collect()
    }

    /// The bytes of the records of a write, as Kafka held them.
    pub(crate) fn bytes_of(&self, write: &Write<'_>) -> u64 {
        let written = write.range.clone();
        written
            .filter(|index| self.fate(*index) == Fate::Written)
            .map(|index| bytes_of(&self.source(index).origin))
            .sum()
    }

    /// Something became of this rejected source record, and it is counted: it goes into no further write.
    pub(crate) fn settle(&mut self, index: usize) {
        assert!(self.is_open(index), "a source record has one end");
        self.set_fate(index, Fate::Settled);
    }

    /// Halves the range at hand by its source records that are still written. `false`: there is only one.
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

    /// Gives up everything from source record `index` on; what stands before it is still written. Returns how many
    /// source records that were.
    pub(crate) fn cut_before(&mut self, index: usize) -> u64 {
        let before = self.remaining();
        let start = self.ranges.front().map_or(index, |range| range.start);
        self.ranges.clear();
        if start < index {
            self.ranges.push_back(start..index);
        }
        let reached = self.positions_after(start..index);
        for (name, partition) in &mut self.partitions {
            let reached = reached.get(name).copied().unwrap_or(partition.reached);
            partition.owned.progress.next = reached.max(partition.reached);
        }
        before - self.remaining()
    }

    /// Whether nothing has become of this source record and it was ours when [`Self::drop_stale`] last looked.
    pub(crate) fn is_open(&self, index: usize) -> bool {
        !matches!(self.fate(index), Fate::NotOurs | Fate::Settled | Fate::Had)
    }

    /// Whether this lane takes nothing of the source record, without rejecting it.
    pub(crate) fn filters(&self, index: usize) -> bool {
        self.fate(index) == Fate::Filtered
    }

    /// How many source records of the batch were read after this one.
    pub(crate) fn seen_after(&self, index: usize) -> u64 {
        (self.fates.len() - index - 1) as u64
    }

    /// Input records in the ranges that are not done yet and are still open.
    pub(crate) fn remaining(&self) -> u64 {
        self.ranges
            .iter()
            .cloned()
            .flatten()
            .filter(|index| self.is_open(*index))
            .count() as u64
    }

    fn fate(&self, index: usize) -> Fate {
        let fate = self.fates.get(index).copied();
        fate.expect("each source record of the batch has a fate")
    }

    fn set_fate(&mut self, index: usize, fate: Fate) {
        let slot = self.fates.get_mut(index);
        *slot.expect("each source record of the batch has a fate") = fate;
    }

    fn source(&self, index: usize) -> &'a Input {
        let source = self.prepared.sources.get(index);
        source.expect("a range lies within the batch's source records")
    }

    /// Those of the records that a source record became which this lane takes.
    fn records_of(&self, index: usize) -> impl Iterator<Item = &'a Record> {
        let Outcome::Records(made) = &self.source(index).outcome else {
            unreachable!("only a source record that became records is written")
        };
        let records = self.prepared.records.get(made.clone());
        let records = records.expect("what a source record became lies within the batch's records");
        let selection = self.selection;
        let taken = records.iter().zip(made.clone());
        taken
            .filter(move |(_, record)| selection.is_none_or(|selection| selection.takes(*record)))
            .map(|(record, _)| record)
    }

    /// What became of a source record in this lane, once the batch is over.
    pub(crate) fn end_of(&self, index: usize) -> LaneEnd {
        let is_done = !self.ranges.iter().any(|range| range.contains(&index));
        match self.fate(index) {
            Fate::Settled => LaneEnd::Settled,
            Fate::Had => LaneEnd::Had,
            Fate::Written if is_done => LaneEnd::Written,
            Fate::Filtered if is_done => LaneEnd::Filtered,
            Fate::Written | Fate::Filtered | Fate::Rejected | Fate::NotOurs => LaneEnd::GivenBack,
        }
    }
}

fn count(end: &mut BatchEnd, fate: Fate) {
    match fate {
        Fate::Written => end.delivered += 1,
        Fate::Filtered => end.filtered += 1,
        Fate::Settled | Fate::Had | Fate::NotOurs => {}
        Fate::Rejected => {
            unreachable!("progress never passes a rejected record before something became of it")
        }
    }
}
