//! A sink in memory that keeps every promise: rows and progress change together, and only where the progress is the
//! expected one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connect_api::{
    Batch, Cause, CheckContext, Failure, Finding, OtherProgress, Position, ProgressHome,
    ProgressStore, Refusal, Result, Sink, SinkContext, SinkFactory, TopicPartition, Value, Written,
};

use crate::faults::{Faults, Faulty};

/// What is durable. Clones share it, as connections to one database do.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Durable>>);

#[derive(Default)]
struct Durable {
    rows: Vec<(TopicPartition, i64, Option<Value>)>,
    progress: BTreeMap<TopicPartition, i64>,
}

impl Memory {
    /// The offsets written, in the order of writing, of all partitions.
    pub fn offsets(&self) -> Vec<i64> {
        let durable = self.0.lock().unwrap();
        durable.rows.iter().map(|(_, offset, _)| *offset).collect()
    }

    /// The rows written: partition, offset, value.
    pub fn rows(&self) -> Vec<(TopicPartition, i64, Option<Value>)> {
        self.0.lock().unwrap().rows.clone()
    }

    /// The next offset of a partition, as stored.
    pub fn progress(&self, partition: &TopicPartition) -> Option<i64> {
        self.0.lock().unwrap().progress.get(partition).copied()
    }

    /// A sink that writes here. It refuses records whose value has a member `refuse`.
    pub fn sink(&self) -> MemorySink {
        MemorySink(self.clone())
    }

    /// Sinks that write here and fail as `faults` say, for whoever opens sinks through the registry's factory.
    pub fn factory(&self, faults: Faults) -> Arc<dyn SinkFactory> {
        Arc::new(MemoryFactory {
            memory: self.clone(),
            faults,
        })
    }
}

/// A sink that writes to a [`Memory`].
pub struct MemorySink(Memory);

#[async_trait]
impl Sink for MemorySink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        tokio::task::yield_now().await;
        let refusals: Vec<Refusal> = batch
            .records
            .iter()
            .enumerate()
            .filter(|(_, record)| {
                record
                    .root()
                    .is_some_and(|root| root.get("refuse").is_some())
            })
            .map(|(record, _)| Refusal {
                record,
                cause: Cause::new("the value says `refuse`"),
            })
            .collect();
        if !refusals.is_empty() {
            return Err(Failure::Refused(refusals));
        }
        let mut durable = self.0.0.lock().unwrap();
        for progress in &batch.progress {
            let stored = durable.progress.get(&progress.partition);
            if stored.is_some_and(|stored| *stored != progress.expected) {
                return Err(Failure::Superseded(Cause::new(format!(
                    "{} is at {stored:?}, expected {}",
                    progress.partition, progress.expected
                ))));
            }
        }
        for progress in &batch.progress {
            durable
                .progress
                .insert(progress.partition.clone(), progress.next);
        }
        for record in &batch.records {
            let row = (
                record.topic_partition(),
                record.origin.offset,
                record.value.clone(),
            );
            durable.rows.push(row);
        }
        Ok(Written::Durable)
    }

    fn progress_store(&mut self) -> Option<&mut dyn ProgressStore> {
        Some(self)
    }
}

#[async_trait]
impl ProgressStore for MemorySink {
    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        self.stored(partitions).await
    }

    async fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        Ok(partitions.iter().map(|one| self.0.progress(one)).collect())
    }

    async fn store(&mut self, positions: &[Position]) -> Result<()> {
        let positions = positions.iter().cloned();
        let mut durable = self.0.0.lock().unwrap();
        durable
            .progress
            .extend(positions.map(|position| (position.partition, position.next)));
        Ok(())
    }

    /// One connector owns a memory.
    async fn of_other_names(&mut self, _topics: &[Arc<str>]) -> Result<Vec<OtherProgress>> {
        Ok(Vec::new())
    }
}

struct MemoryFactory {
    memory: Memory,
    faults: Faults,
}

#[async_trait]
impl SinkFactory for MemoryFactory {
    fn writes_to_terminal(&self) -> bool {
        false
    }

    fn writes_formats(&self) -> bool {
        false
    }

    fn progress_home(&self) -> ProgressHome {
        ProgressHome::Sink
    }

    fn target_topics(&self) -> Vec<String> {
        Vec::new()
    }

    fn check(&self, _context: &CheckContext<'_>) -> Vec<Finding> {
        Vec::new()
    }

    async fn open(&self, _context: SinkContext) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Faulty::new(
            self.memory.sink(),
            self.faults.clone(),
        )))
    }
}
