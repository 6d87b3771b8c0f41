//! What a sink is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::check::CheckContext;
use crate::failure::{Cause, Result};
use crate::finding::{Explanation, Finding};
use crate::record::{Batch, Header, OtherProgress, Progress, Resume, TopicPartition};
use crate::units::SchemaFile;
use crate::value::ValueRef;

/// A kind of sink: the word in `type = "…"`, its configuration, and how to open it.
#[async_trait]
pub trait SinkPlugin: 'static {
    /// The word in `type = "…"`.
    const NAME: &'static str;
    /// One line for `connect plugins`.
    const ABOUT: &'static str;
    /// A minimal `[[sinks]]` table.
    const EXAMPLE: &'static str;
    /// The finding codes that `check` below may use.
    const EXPLANATIONS: &'static [Explanation] = &[];
    /// Whether records go to standard output. `run` then leaves the terminal to them and draws no live table there.
    const WRITES_TO_TERMINAL: bool = false;
    /// What stands in the `[[sinks]]` table beside the engine's keys. Needs `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned + JsonSchema + Send + Sync + 'static;
    type Sink: Sink + 'static;

    /// What this sink promises as it is configured.
    fn guarantee(_config: &Self::Config) -> Guarantee {
        Guarantee::AtLeastOnce
    }

    /// The Kafka topics that this sink writes to: a connector that reads one of them would never end.
    fn target_topics(_config: &Self::Config) -> Vec<String> {
        Vec::new()
    }

    /// Finds problems without network, database or secrets. What JSON Schema can say is already checked.
    fn check(_config: &Self::Config, _context: &CheckContext<'_>) -> Vec<Finding> {
        Vec::new()
    }

    /// Returns a sink that is ready to write. Called once a task; an outage is `Failure::Retry`.
    async fn open(config: &Self::Config, context: SinkContext) -> Result<Self::Sink>;
}

/// An open sink. One task owns it: no locks are needed inside.
#[async_trait]
pub trait Sink: Send {
    /// Partitions came to this task. A sink that stores progress beside its rows says where each resumes, in the
    /// order asked.
    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Resume>> {
        Ok(vec![Resume::UseGroup; partitions.len()])
    }

    /// All or nothing: `Ok` means that every record and the batch's progress survive a crash from here on.
    /// After any failure nothing of this batch counts.
    async fn write(&mut self, batch: &Batch<'_>) -> Result<()>;

    /// For `connect offsets NAME show`: what is stored for these partitions, without taking them over. `None` where the
    /// sink stores no progress at all.
    async fn stored_progress(
        &mut self,
        _partitions: &[TopicPartition],
    ) -> Result<Option<Vec<Option<i64>>>> {
        Ok(None)
    }

    /// What is stored about these topics for connectors of other names, as far as nothing is stored for this one: a
    /// connector that got another name begins anew, and its user is told. Nothing where the sink stores no progress.
    async fn progress_of_others(&mut self, _topics: &[Arc<str>]) -> Result<Vec<OtherProgress>> {
        Ok(Vec::new())
    }

    /// For `connect offsets NAME set`: the connector continues at these offsets. Only called while nothing else runs.
    async fn store_progress(&mut self, _positions: &[(TopicPartition, i64)]) -> Result<()> {
        Ok(())
    }

    /// Lets go of connections. Called once; dropping without it must be harmless too.
    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a connector promises, as `run` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarantee {
    AtLeastOnce,
    /// For readers that read committed records only.
    ExactlyOnceReadCommitted,
    ExactlyOnce,
    /// A source: each polled record is in its topic once.
    OnceFromPoll,
}

impl std::fmt::Display for Guarantee {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Guarantee::AtLeastOnce => "at least once",
            Guarantee::ExactlyOnceReadCommitted | Guarantee::ExactlyOnce => "exactly once",
            Guarantee::OnceFromPoll => "once from poll",
        })
    }
}

/// What the engine hands to a sink that opens.
#[derive(Clone)]
pub struct SinkContext {
    /// The connector's name: part of the identity of stored progress.
    pub connector: Arc<str>,
    /// The name of this `[[sinks]]` entry.
    pub sink: Arc<str>,
    /// Number of the task, from 0.
    pub task: u32,
    /// Identity of the Kafka cluster: part of the identity of stored progress.
    pub cluster_id: Arc<str>,
    /// Rows or records written, shown on screens; a sink adds to it after each durable write.
    pub rows_written: Counter,
    /// For sinks that write to Kafka.
    pub publishers: Arc<dyn PublisherFactory>,
    /// Compiles contracts that a sink's own configuration names.
    pub contracts: Arc<dyn ContractCompiler>,
}

/// A number that only grows, shared with the metrics.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A record for Kafka.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub topic: Arc<str>,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
    pub timestamp_ms: Option<i64>,
}

/// Makes the engine's publishers.
#[async_trait]
pub trait PublisherFactory: Send + Sync {
    /// A publisher for this task. The topics are proven to exist (or are made, where the connector says so).
    async fn publisher(&self, topics: &[Arc<str>]) -> Result<Box<dyn Publisher>>;
}

/// Writes to Kafka on behalf of a sink. The engine owns the client, its transactions and the consumer group.
#[async_trait]
pub trait Publisher: Send {
    /// All of `messages` and the batch's progress in one transaction. `Refused` names messages by their index.
    /// Once a sink uses a publisher, only this moves the connector's progress.
    async fn publish(&mut self, messages: Vec<Outgoing>, progress: &[Progress]) -> Result<()>;
}

/// Compiles JSON Schema files into checks.
pub trait ContractCompiler: Send + Sync {
    fn compile(&self, schema: &SchemaFile) -> Result<Arc<dyn ContractCheck>, Cause>;
}

/// A compiled contract.
pub trait ContractCheck: Send + Sync {
    /// `Err` says where the value breaks the contract, what was found and what was expected.
    fn check(&self, value: ValueRef<'_>) -> Result<(), Cause>;
}
