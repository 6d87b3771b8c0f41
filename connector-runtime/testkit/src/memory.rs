//! A sink in memory that keeps every promise: rows and progress change together, and only if the progress is the
//! expected one and still belongs to the writer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connect_api::{
    Batch, Cause, CheckContext, Failure, Finding, OtherProgress, Position, ProgressHome,
    ProgressStore, RejectedRecord, Result, Sink, SinkContext, SinkFactory, TopicPartition, Value,
    Written,
};

use crate::faults::{Faults, Faulty};

/// The durable state. Clones share it, like connections to one database.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Durable>>);

#[derive(Default)]
struct Durable {
    rows: Vec<(TopicPartition, i64, Option<Value>)>,
    progress: BTreeMap<(Identity, TopicPartition), Stored>,
}

/// The owner of progress.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    connector: Arc<str>,
    sink: Arc<str>,
}

#[derive(Clone, Copy, Default)]
struct Stored {
    next: Option<i64>,
    /// Every owner increments it when it takes over.
    epoch: u64,
}

impl Default for Identity {
    /// The identity of a sink without a name.
    fn default() -> Identity {
        Identity::new("memory", "memory")
    }
}

impl Identity {
    fn new(connector: &str, sink: &str) -> Identity {
        Identity {
            connector: connector.into(),
            sink: sink.into(),
        }
    }
}

impl Memory {
    /// The offsets of all written records of all partitions, in the order of writing.
    pub fn offsets(&self) -> Vec<i64> {
        let durable = self.0.lock().unwrap();
        durable.rows.iter().map(|(_, offset, _)| *offset).collect()
    }

    /// The written rows: partition, offset, value.
    pub fn rows(&self) -> Vec<(TopicPartition, i64, Option<Value>)> {
        self.0.lock().unwrap().rows.clone()
    }

    /// The stored next offset of a partition.
    pub fn progress(&self, partition: &TopicPartition) -> Option<i64> {
        self.stored_for(&Identity::default(), partition)
    }

    fn stored_for(&self, identity: &Identity, partition: &TopicPartition) -> Option<i64> {
        let key = (identity.clone(), partition.clone());
        self.0.lock().unwrap().progress.get(&key)?.next
    }

    /// A sink that writes here. It refuses records whose value has a member `refuse`.
    pub fn sink(&self) -> MemorySink {
        self.sink_as(Identity::default())
    }

    /// Like [`Memory::sink`], for this connector and `[[sinks]]` entry, with its own progress.
    pub fn sink_of(&self, connector: &str, sink: &str) -> MemorySink {
        self.sink_as(Identity::new(connector, sink))
    }

    fn sink_as(&self, identity: Identity) -> MemorySink {
        MemorySink {
            memory: self.clone(),
            identity,
            epochs: BTreeMap::new(),
        }
    }

    /// A factory of sinks that write here and fail as `faults` says.
    pub fn factory(&self, faults: Faults) -> Arc<dyn SinkFactory> {
        Arc::new(MemoryFactory {
            memory: self.clone(),
            faults,
        })
    }
}

/// A sink that writes to a [`Memory`].
pub struct MemorySink {
    memory: Memory,
    identity: Identity,
    /// The epochs of the partitions that it took over.
    epochs: BTreeMap<TopicPartition, u64>,
}

impl MemorySink {
    fn take_over(&mut self, partition: &TopicPartition) -> Option<i64> {
        let mut durable = self.memory.0.lock().unwrap();
        let stored = durable.stored(&self.identity, partition);
        stored.epoch += 1;
        self.epochs.insert(partition.clone(), stored.epoch);
        stored.next
    }
}

impl Durable {
    fn stored(&mut self, identity: &Identity, partition: &TopicPartition) -> &mut Stored {
        let key = (identity.clone(), partition.clone());
        self.progress.entry(key).or_default()
    }
}

#[async_trait]
impl Sink for MemorySink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        tokio::task::yield_now().await;
        let refusals: Vec<RejectedRecord> = batch
            .records
            .iter()
            .enumerate()
            .filter(|(_, record)| {
                record
                    .root()
                    .is_some_and(|root| root.get("refuse").is_some())
            })
            .map(|(record, _)| RejectedRecord {
                record,
                cause: Cause::new("the value has a member `refuse`"),
            })
            .collect();
        if !refusals.is_empty() {
            return Err(Failure::Refused(refusals));
        }
        for progress in &batch.progress {
            // A sink that did not resume takes over now.
            if !self.epochs.contains_key(&progress.partition) {
                self.take_over(&progress.partition);
            }
        }
        let mut durable = self.memory.0.lock().unwrap();
        for progress in &batch.progress {
            let stored = *durable.stored(&self.identity, &progress.partition);
            if self.epochs.get(&progress.partition) != Some(&stored.epoch) {
                return Err(Failure::Superseded(Cause::new(format!(
                    "{} belongs to another owner",
                    progress.partition
                ))));
            }
            if stored.next.is_some_and(|next| next != progress.expected) {
                return Err(Failure::Superseded(Cause::new(format!(
                    "{} is at {:?}, expected {}",
                    progress.partition, stored.next, progress.expected
                ))));
            }
        }
        for progress in &batch.progress {
            let stored = durable.stored(&self.identity, &progress.partition);
            stored.next = Some(progress.next);
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
        let resumed = partitions.iter().map(|one| self.take_over(one));
        Ok(resumed.collect())
    }

    async fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        let stored = partitions.iter();
        let stored = stored.map(|one| self.memory.stored_for(&self.identity, one));
        Ok(stored.collect())
    }

    async fn store(&mut self, positions: &[Position]) -> Result<()> {
        let mut durable = self.memory.0.lock().unwrap();
        for position in positions {
            let stored = durable.stored(&self.identity, &position.partition);
            stored.next = Some(position.next);
            stored.epoch += 1;
        }
        Ok(())
    }

    async fn of_other_names(&mut self, topics: &[Arc<str>]) -> Result<Vec<OtherProgress>> {
        let durable = self.memory.0.lock().unwrap();
        let all = durable.progress.iter();
        let all = all.filter_map(|((identity, partition), stored)| {
            Some((identity, partition, stored.next?))
        });
        let (own, others): (Vec<_>, Vec<_>) =
            all.partition(|(identity, _, _)| **identity == self.identity);
        let has_begun = |topic: &Arc<str>| own.iter().any(|(_, known, _)| known.topic == *topic);
        // One equal name of two is enough.
        let is_related = |other: &Identity| {
            other.connector == self.identity.connector || other.sink == self.identity.sink
        };
        let others = others.into_iter().filter(|(identity, partition, _)| {
            is_related(identity)
                && topics.contains(&partition.topic)
                && !has_begun(&partition.topic)
        });
        let others = others.map(|(identity, partition, next)| OtherProgress {
            connector: identity.connector.clone(),
            sink: identity.sink.clone(),
            partition: partition.clone(),
            next,
        });
        Ok(others.collect())
    }

    async fn erase(&mut self, topics: &[Arc<str>]) -> Result<()> {
        let mut durable = self.memory.0.lock().unwrap();
        durable.progress.retain(|(identity, partition), _| {
            *identity != self.identity || !topics.contains(&partition.topic)
        });
        Ok(())
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
