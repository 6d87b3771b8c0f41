//! The records that a sink has accepted and not made durable yet, by partition and in order.
//!
//! Accepted records are still in flight (P5, P8). They are counted as delivered when the sink reports them as durable, and
//! given back if the sink loses them or their partition is revoked. This state decides up to which position a partition may be
//! reported.

use std::collections::{BTreeMap, VecDeque};
use tokio::time::Instant;

use connect_api::{Cause, Position, TopicPartition};
use connect_kafka::{Generation, OwnedPosition};

use crate::sink_task::assignment::Generations;
use crate::status::BatchEnd;

/// The records of one partition in one accepted write.
#[derive(Clone, Debug)]
pub(crate) struct AcceptedPart {
    pub(crate) reached: OwnedPosition,
    pub(crate) end: BatchEnd,
    pub(crate) bytes: u64,
    pub(crate) first_read: Instant,
    pub(crate) last_timestamp_ms: Option<i64>,
}

/// Records that became durable.
#[derive(Debug, Default)]
pub(crate) struct DurableRecords {
    pub(crate) positions: Vec<OwnedPosition>,
    pub(crate) end: BatchEnd,
    /// `None` if no write is durable as a whole yet.
    pub(crate) first_read: Option<Instant>,
    /// Milliseconds since 1970 of the last record.
    pub(crate) last_timestamp_ms: Option<i64>,
}

/// Everything that one sink has accepted.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    partitions: BTreeMap<TopicPartition, VecDeque<AcceptedPart>>,
    bytes: u64,
}

impl Accepted {
    pub(crate) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn add(&mut self, parts: Vec<AcceptedPart>) {
        for part in parts {
            self.bytes += part.bytes;
            let partition = part.reached.position.partition.clone();
            self.partitions
                .entry(partition)
                .or_default()
                .push_back(part);
        }
    }

    /// The sink reports these positions as durable. `Err`: a position exceeds what it accepted.
    pub(crate) fn durable(&mut self, positions: &[Position]) -> Result<DurableRecords, Cause> {
        let mut durable = DurableRecords::default();
        for position in positions {
            // A sink may repeat a position.
            let Some(parts) = self.partitions.get_mut(&position.partition) else {
                continue;
            };
            let last = parts.back().expect("a partition without parts is removed");
            if position.next > last.reached.position.next {
                return Err(Cause::new(format!(
                    "the sink reports {} as durable up to offset {}, but has accepted it only up to {}",
                    position.partition, position.next, last.reached.position.next
                )));
            }
            let generation = last.reached.generation;
            while let Some(part) = parts.pop_front_if(|part| {
                let next = part.reached.position.next;
                next <= position.next
            }) {
                self.bytes -= part.bytes;
                durable.add(&part);
            }
            durable.positions.push(OwnedPosition {
                position: position.clone(),
                generation,
            });
            if parts.is_empty() {
                self.partitions.remove(&position.partition);
            }
        }
        Ok(durable)
    }

    /// All that was accepted is durable.
    pub(crate) fn all_durable(&mut self) -> DurableRecords {
        let mut durable = DurableRecords::default();
        for parts in std::mem::take(&mut self.partitions).into_values() {
            parts.iter().for_each(|part| durable.add(part));
            let last = parts.back().expect("a partition without parts is removed");
            durable.positions.push(last.reached.clone());
        }
        self.bytes = 0;
        durable
    }

    /// Partitions that were revoked or reassigned since their records were accepted.
    pub(crate) fn stale(&self, generations: &Generations) -> Vec<TopicPartition> {
        let is_stale = |(name, parts): (&TopicPartition, &VecDeque<AcceptedPart>)| {
            let is_current = |generation: Generation| generations.is_current(name, generation);
            let stale = parts
                .iter()
                .any(|part| !is_current(part.reached.generation));
            stale.then(|| name.clone())
        };
        self.partitions.iter().filter_map(is_stale).collect()
    }

    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        self.partitions.keys().cloned().collect()
    }

    /// Drops the records of these partitions and returns their number.
    pub(crate) fn forget(&mut self, partitions: &[TopicPartition]) -> u64 {
        let mut records = 0;
        for partition in partitions {
            for part in self.partitions.remove(partition).into_iter().flatten() {
                self.bytes -= part.bytes;
                records += part.end.records();
            }
        }
        records
    }
}

impl DurableRecords {
    fn add(&mut self, part: &AcceptedPart) {
        self.end.add(part.end);
        let first_read = self.first_read.unwrap_or(part.first_read);
        self.first_read = Some(first_read.min(part.first_read));
        self.last_timestamp_ms = self.last_timestamp_ms.max(part.last_timestamp_ms);
    }
}
