//! The lag of each partition of a connector.
//!
//! Tasks report what is durable and what was read; a timer of the engine reports the ends of partitions. Neither waits for the
//! other, so the lag grows while a sink is down.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use connect_api::TopicPartition;

/// A snapshot of one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionStatus {
    pub topic: Arc<str>,
    pub partition: i32,
    /// The task that reads it; `None` after the connector has failed.
    pub task: Option<u32>,
    /// Everything below this offset is durable in every sink; `None`: not known yet.
    pub position: Option<i64>,
    /// The offset after the last record that readers of committed records get; `None`: not known yet.
    pub end: Option<i64>,
    /// Records between the two. Where transaction markers or compaction leave gaps, an estimate by the share of offsets
    /// that were records so far.
    pub lag_records: Option<u64>,
    /// The age of the oldest record between the two, by its own time; of one that was not read yet, how long it is known
    /// to be there.
    pub lag_seconds: Option<f64>,
}

/// The part of a batch that belongs to one partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadRange {
    pub(crate) first: i64,
    /// The time of its first record, in milliseconds since 1970.
    pub(crate) first_time_ms: Option<i64>,
    /// How many offsets it spans.
    pub(crate) offsets: u64,
    /// How many of them were records.
    pub(crate) records: u64,
}

/// The partitions of one connector.
#[derive(Debug, Default)]
pub(super) struct Partitions(BTreeMap<TopicPartition, Known>);

#[derive(Debug, Default)]
struct Known {
    task: Option<u32>,
    position: Option<i64>,
    end: Option<i64>,
    /// First offset and time (milliseconds since 1970) of what was read and is not durable, batch by batch.
    unfinished: VecDeque<(i64, i64)>,
    /// When a record behind the position was first seen, in milliseconds since 1970.
    behind_since_ms: Option<i64>,
    offsets_read: u64,
    records_read: u64,
}

impl Partitions {
    pub(super) fn assigned(&mut self, task: u32, partitions: &[TopicPartition]) {
        for partition in partitions {
            let known = Known {
                task: Some(task),
                ..Known::default()
            };
            self.0.insert(partition.clone(), known);
        }
    }

    pub(super) fn revoked(&mut self, partitions: &[TopicPartition]) {
        self.0
            .retain(|partition, _| !partitions.contains(partition));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Everything below `next` is durable.
    pub(super) fn reached(&mut self, partition: &TopicPartition, next: i64) {
        if let Some(known) = self.0.get_mut(partition) {
            known.reached(next);
        }
    }

    /// The expected start of a partition, before a task asks its sinks.
    pub(super) fn starts(&mut self, partition: &TopicPartition, next: i64) {
        if let Some(known) = self.0.get_mut(partition) {
            known.position.get_or_insert(next);
        }
    }

    pub(super) fn read(&mut self, partition: &TopicPartition, range: ReadRange) {
        if let Some(known) = self.0.get_mut(partition) {
            known.offsets_read += range.offsets;
            known.records_read += range.records;
            if let Some(time_ms) = range.first_time_ms {
                known.unfinished.push_back((range.first, time_ms));
            }
        }
    }

    /// The group's position for a connector that has failed: another process may continue with its partitions.
    pub(super) fn committed(&mut self, partition: &TopicPartition, next: Option<i64>) {
        let known = self.0.entry(partition.clone()).or_default();
        known.task = None;
        if let Some(next) = next.max(known.position) {
            known.reached(next);
        }
    }

    pub(super) fn ends(&mut self, partition: &TopicPartition, end: i64, now_ms: i64) {
        if let Some(known) = self.0.get_mut(partition) {
            known.end = Some(end);
            if known.offsets_behind() > Some(0) {
                known.behind_since_ms.get_or_insert(now_ms);
            } else {
                known.behind_since_ms = None;
            }
        }
    }

    pub(super) fn names(&self) -> Vec<(TopicPartition, bool)> {
        let known = self.0.iter();
        known
            .map(|(partition, known)| (partition.clone(), known.position.is_some()))
            .collect()
    }

    pub(super) fn look(&self, now_ms: i64) -> Vec<PartitionStatus> {
        let look = |(partition, known): (&TopicPartition, &Known)| PartitionStatus {
            topic: partition.topic.clone(),
            partition: partition.partition,
            task: known.task,
            position: known.position,
            end: known.end,
            lag_records: known.lag_records(),
            lag_seconds: known.lag_seconds(now_ms),
        };
        self.0.iter().map(look).collect()
    }
}

impl Known {
    fn reached(&mut self, next: i64) {
        if self.position < Some(next) {
            self.behind_since_ms = None;
        }
        self.position = Some(next);
        while self
            .unfinished
            .front()
            .is_some_and(|(first, _)| *first < next)
        {
            self.unfinished.pop_front();
        }
    }

    fn offsets_behind(&self) -> Option<u64> {
        let behind = self.end?.saturating_sub(self.position?);
        Some(u64::try_from(behind).unwrap_or(0))
    }

    fn lag_records(&self) -> Option<u64> {
        let offsets = self.offsets_behind()?;
        if offsets == 0 || self.offsets_read == 0 {
            return Some(offsets);
        }
        let share = self.records_read as f64 / self.offsets_read as f64;
        // A single offset may be a record, however rare records are.
        Some(((offsets as f64 * share).round() as u64).max(1))
    }

    fn lag_seconds(&self, now_ms: i64) -> Option<f64> {
        if self.offsets_behind()? == 0 {
            return Some(0.0);
        }
        let oldest = self.unfinished.front().map(|(_, time_ms)| *time_ms);
        let since_ms = oldest.or(self.behind_since_ms)?;
        Some((now_ms - since_ms).max(0) as f64 / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;

    fn partition() -> TopicPartition {
        TopicPartition {
            topic: "sales".into(),
            partition: 0,
        }
    }

    fn range(first: i64, first_time_ms: i64, offsets: u64, records: u64) -> ReadRange {
        ReadRange {
            first,
            first_time_ms: Some(first_time_ms),
            offsets,
            records,
        }
    }

    fn lag(partitions: &Partitions, now_ms: i64) -> (Option<u64>, Option<f64>) {
        let look = partitions.look(now_ms);
        (look[0].lag_records, look[0].lag_seconds)
    }

    #[test]
    fn the_lag_grows_while_nothing_is_durable_and_falls_when_it_is() {
        let mut partitions = Partitions::default();
        partitions.assigned(1, &[partition()]);
        partitions.ends(&partition(), 10, 0);
        assert_eq!(lag(&partitions, 0), (None, None), "no position is known");
        partitions.reached(&partition(), 0);
        partitions.ends(&partition(), 10, 1_000);
        assert_eq!(lag(&partitions, 3_000), (Some(10), Some(2.0)));
        partitions.read(&partition(), range(0, -7_000, 4, 4));
        partitions.read(&partition(), range(4, -6_000, 4, 4));
        assert_eq!(lag(&partitions, 3_000), (Some(10), Some(10.0)));
        partitions.ends(&partition(), 100, 4_000);
        assert_eq!(lag(&partitions, 4_000), (Some(100), Some(11.0)));
        partitions.reached(&partition(), 4);
        assert_eq!(lag(&partitions, 4_000), (Some(96), Some(10.0)));
        partitions.reached(&partition(), 100);
        assert_eq!(lag(&partitions, 4_000), (Some(0), Some(0.0)));
        partitions.revoked(&[partition()]);
        assert_eq!(partitions.look(0), []);
    }

    /// A source that commits every second record: each transaction ends with a marker.
    #[test]
    fn markers_are_no_records() {
        let mut partitions = Partitions::default();
        partitions.assigned(0, &[partition()]);
        partitions.reached(&partition(), 0);
        partitions.read(&partition(), range(0, 0, 30, 20));
        partitions.reached(&partition(), 30);
        partitions.ends(&partition(), 330, 0);
        assert_eq!(lag(&partitions, 0).0, Some(200));
        partitions.ends(&partition(), 31, 0);
        assert_eq!(lag(&partitions, 0).0, Some(1));
    }

    #[test]
    fn a_failed_connector_follows_its_group() {
        let mut partitions = Partitions::default();
        partitions.assigned(0, &[partition()]);
        partitions.reached(&partition(), 7);
        partitions.committed(&partition(), Some(5));
        partitions.ends(&partition(), 10, 0);
        assert_eq!(
            lag(&partitions, 0).0,
            Some(3),
            "the group is behind the sink"
        );
        partitions.committed(&partition(), Some(9));
        assert_eq!(lag(&partitions, 0).0, Some(1), "another process goes on");
        assert_eq!(partitions.look(0)[0].task, None);
    }
}
