//! Which part of a batch is written next, while refused records are taken out of it.
//!
//! A batch is written whole. If the sink refuses records by name, they are taken out and the rest is written again. If
//! it knows only that some record is refused, the batch is halved in arrival order and each half is a write of its
//! own, with its own progress, down to one *source record*: all that it became stands or falls together. Since halves
//! are written in order, everything below the record at hand is always durable.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use connect_api::{Batch, Progress, TopicPartition};

use super::{Generations, Outcome, OwnedProgress, Prepared, Source};
use crate::status::BatchEnd;

/// What is still to be written of one prepared batch.
pub(crate) struct Isolation<'a> {
    prepared: &'a Prepared,
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
    /// Rejected while it was prepared, or refused by the sink.
    Rejected,
    /// Its partition belongs to somebody else now.
    NotOurs,
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

/// A write that is durable.
pub(crate) struct Written {
    pub(crate) progress: Vec<OwnedProgress>,
    pub(crate) end: BatchEnd,
    /// Milliseconds since 1970 of the last record.
    pub(crate) last_timestamp_ms: Option<i64>,
}

impl<'a> Isolation<'a> {
    pub(crate) fn new(prepared: &'a Prepared) -> Isolation<'a> {
        let fate = |source: &Source| match source.outcome {
            Outcome::Records(_) => Fate::Written,
            Outcome::Filtered => Fate::Filtered,
            Outcome::Rejected(_) => Fate::Rejected,
        };
        let partition = |owned: &OwnedProgress| {
            let partition = Partition {
                owned: owned.clone(),
                reached: owned.progress.expected,
            };
            (owned.progress.partition.clone(), partition)
        };
        Isolation {
            prepared,
            ranges: std::iter::once(0..prepared.sources.len()).collect(),
            fates: prepared.sources.iter().map(fate).collect(),
            partitions: prepared.progress.iter().map(partition).collect(),
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
        let mut dropped = 0;
        for index in self.ranges.iter().cloned().flatten() {
            let Some(source) = self.prepared.sources.get(index) else {
                continue;
            };
            let Some(fate) = self.fates.get_mut(index) else {
                continue;
            };
            if *fate != Fate::NotOurs && !self.partitions.contains_key(&partition_of(source)) {
                *fate = Fate::NotOurs;
                dropped += 1;
            }
        }
        dropped
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
                let Some(source) = self.prepared.sources.get(index) else {
                    continue;
                };
                let Outcome::Records(made) = &source.outcome else {
                    continue;
                };
                for record in self.prepared.records.get(made.clone()).unwrap_or_default() {
                    records.push(record);
                    source_of.push(index);
                }
            }
            let progress = self.progress_of(&range);
            if !records.is_empty() || !progress.is_empty() {
                return Some(Write {
                    batch: Batch { records, progress },
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
                Some(reached) => reached.get(name).copied(),
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
        let sources = self.prepared.sources.get(range).unwrap_or_default();
        sources
            .iter()
            .map(|source| (partition_of(source), source.origin.offset + 1))
            .collect()
    }

    /// The write succeeded: its range is done.
    pub(crate) fn written(&mut self, write: &Write<'_>) -> Written {
        self.ranges.pop_front();
        let mut progress = Vec::with_capacity(write.batch.progress.len());
        for reached in &write.batch.progress {
            let Some(partition) = self.partitions.get_mut(&reached.partition) else {
                continue;
            };
            partition.reached = reached.next;
            let generation = partition.owned.generation;
            progress.push(OwnedProgress {
                progress: reached.clone(),
                generation,
            });
        }
        let mut end = BatchEnd::default();
        for index in write.range.clone() {
            match self.fate(index) {
                Fate::Written => end.delivered += 1,
                Fate::Filtered => end.filtered += 1,
                Fate::Rejected => end.dead_lettered += 1,
                Fate::NotOurs => {}
            }
        }
        let last = write
            .range
            .end
            .checked_sub(1)
            .and_then(|last| self.prepared.sources.get(last));
        let last_timestamp_ms = last.and_then(|source| source.origin.timestamp_ms);
        Written {
            progress,
            end,
            last_timestamp_ms,
        }
    }

    /// The sink refused this source record: it goes into no further write.
    pub(crate) fn refuse(&mut self, index: usize) {
        if let Some(fate) = self.fates.get_mut(index) {
            *fate = Fate::Rejected;
        }
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
            partition.owned.progress.next = reached.get(name).copied().unwrap_or(partition.reached);
        }
        before - self.remaining()
    }

    /// The one source record of the range at hand that is still written.
    pub(crate) fn only_source(&self) -> Option<usize> {
        let mut range = self.ranges.front()?.clone();
        range.find(|index| self.fate(*index) == Fate::Written)
    }

    /// Whether the source record was ours when [`Self::drop_stale`] last looked.
    pub(crate) fn is_ours(&self, index: usize) -> bool {
        self.fate(index) != Fate::NotOurs
    }

    /// Source records in the ranges that are not done yet and are still ours.
    pub(crate) fn remaining(&self) -> u64 {
        self.ranges
            .iter()
            .cloned()
            .flatten()
            .filter(|index| self.is_ours(*index))
            .count() as u64
    }

    fn fate(&self, index: usize) -> Fate {
        self.fates.get(index).copied().unwrap_or(Fate::NotOurs)
    }
}

fn partition_of(source: &Source) -> TopicPartition {
    TopicPartition {
        topic: source.origin.topic.clone(),
        partition: source.origin.partition,
    }
}
