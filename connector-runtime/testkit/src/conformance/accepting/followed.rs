//! An accepting sink, and the positions that its answers mean for the engine.

use std::collections::BTreeMap;
use std::time::Instant;

use connect_api::{Batch, Position, Progress, Record, Result, Sink, TopicPartition, Written};

use crate::records::partition;

/// An open sink, with what the engine would know about it.
pub(super) struct Followed {
    pub(super) sink: Box<dyn Sink>,
    /// The offset where each partition started under this sink, or was replayed from.
    pub(super) began: BTreeMap<i32, i64>,
    /// The end of the accepted records.
    pub(super) accepted: BTreeMap<i32, i64>,
    /// The positions reported as durable.
    pub(super) durable: BTreeMap<i32, i64>,
    pub(super) flush_by: Option<Instant>,
}

impl Followed {
    pub(super) fn new(sink: Box<dyn Sink>) -> Followed {
        Followed {
            sink,
            began: BTreeMap::new(),
            accepted: BTreeMap::new(),
            durable: BTreeMap::new(),
            flush_by: None,
        }
    }

    pub(super) fn next(&self, partition: i32) -> i64 {
        *self
            .accepted
            .get(&partition)
            .expect("each partition has a start")
    }

    /// The offset from which the engine replays what is not durable.
    pub(super) fn resume(&self, partition: i32) -> i64 {
        let known = self.durable.get(&partition).or(self.began.get(&partition));
        *known.expect("each partition has a start")
    }

    pub(super) fn begin(&mut self, partition: i32, offset: i64) {
        self.began.insert(partition, offset);
        self.accepted.insert(partition, offset);
        self.durable.remove(&partition);
    }

    /// Checks that the positions belong to written partitions, never go back and never exceed what was accepted.
    pub(super) fn report(&mut self, positions: &[Position]) {
        for position in positions {
            let number = position.partition.partition;
            let durable = self.resume(number);
            assert!(
                position.next >= durable,
                "durable positions never go back: partition {number} was at {durable} and is at {}",
                position.next
            );
            let accepted = self.accepted.get(&number).copied();
            assert!(
                accepted.is_some_and(|accepted| position.next <= accepted),
                "only accepted records become durable: partition {number} at {}, accepted up to {accepted:?}",
                position.next
            );
            self.durable.insert(number, position.next);
        }
    }

    pub(super) fn held(&self) -> usize {
        let ends = self.accepted.iter();
        let held = ends.map(|(partition, end)| (end - self.resume(*partition)) as usize);
        held.sum()
    }

    /// Writes these records.
    pub(super) async fn write(&mut self, records: Vec<Record>) -> Result<()> {
        let mut progress: BTreeMap<i32, Progress> = BTreeMap::new();
        for record in &records {
            let number = record.origin.partition;
            let expected = self.next(number);
            let moved = progress.entry(number).or_insert_with(|| Progress {
                partition: partition(number),
                expected,
                next: expected,
                last_timestamp_ms: None,
            });
            moved.next = record.origin.offset + 1;
        }
        let progress = progress.into_values().collect();
        self.write_batch(&Batch::new(records.iter().collect(), progress))
            .await
    }

    pub(super) async fn write_batch(&mut self, batch: &Batch<'_>) -> Result<()> {
        let written = self.sink.write(batch).await?;
        for progress in &batch.progress {
            let number = progress.partition.partition;
            self.accepted.insert(number, progress.next);
        }
        match written {
            Written::Durable => {
                self.durable.clone_from(&self.accepted);
                self.flush_by = None;
            }
            Written::Accepted { durable, flush_by } => {
                self.report(&durable);
                self.flush_by = flush_by;
            }
        }
        Ok(())
    }

    pub(super) async fn flush(&mut self, promise: &str) {
        let positions = match self.sink.flush().await {
            Ok(positions) => positions,
            Err(failure) => panic!("{promise}: the flush fails: {failure}"),
        };
        self.report(&positions);
        for (partition, accepted) in &self.accepted {
            assert_eq!(
                self.resume(*partition),
                *accepted,
                "a flush reports every partition up to its last accepted record: partition {partition}"
            );
        }
        self.flush_by = None;
    }

    /// These partitions are replayed, or revoked.
    pub(super) async fn forget(&mut self, numbers: &[i32]) {
        let partitions: Vec<TopicPartition> = numbers.iter().map(|one| partition(*one)).collect();
        self.sink.forget(&partitions).await;
        for number in numbers {
            let resume = self.resume(*number);
            self.begin(*number, resume);
        }
    }
}
