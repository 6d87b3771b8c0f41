//! The traits of a sink, and the context that the engine opens it with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::check::{CheckContext, Contract};
use crate::failure::{Cause, Result};
use crate::finding::{Explanation, Finding};
use crate::progress::{Position, ProgressHome, ProgressStore, TopicPartition};
use crate::record::{Batch, Header, Side};
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
    /// Whether the sink encodes with [`SinkContext::encoders`], so that its table may have `key_format` and `value_format`.
    const WRITES_FORMATS: bool = false;
    /// The keys of the `[[sinks]]` table besides the engine's own. Needs `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned + JsonSchema + Send + Sync + 'static;
    type Sink: Sink + 'static;

    /// Who stores the progress of a connector with this sink.
    fn progress_home(_config: &Self::Config) -> ProgressHome {
        ProgressHome::Group
    }

    /// The Kafka topics that this sink writes to. A connector that also reads one of them would be a loop.
    fn target_topics(_config: &Self::Config) -> Vec<String> {
        Vec::new()
    }

    /// Finds problems without network, database or secrets. The JSON Schema has already been checked.
    fn check(_config: &Self::Config, _context: &CheckContext<'_>) -> Vec<Finding> {
        Vec::new()
    }

    /// Returns a sink that is ready to write. Called once for each task; an outage is `Failure::Retry`.
    async fn open(config: &Self::Config, context: SinkContext) -> Result<Self::Sink>;
}

/// An open sink. One task owns it: no locks are needed inside.
#[async_trait]
pub trait Sink: Send {
    /// Writes all of the batch or nothing. After an error nothing of it is written; records accepted before are still held.
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written>;

    /// Makes all accepted records durable, and returns the position of every partition that had accepted records. Called when
    /// `flush_by` passes, before a stop, when too many bytes are in flight, and when partitions are revoked. On revocation it has
    /// 4 s: records that are not durable by then are forgotten, and the next owner reads them again. After an error no accepted
    /// record counts as durable: the engine calls [`Sink::forget`] and delivers the records again.
    async fn flush(&mut self) -> Result<Vec<Position>> {
        Ok(Vec::new())
    }

    /// These partitions were revoked, or are read again from their last durable position: drops their accepted records that
    /// are not durable.
    async fn forget(&mut self, _partitions: &[TopicPartition]) {}

    /// The sink's own progress store: `Some` if and only if the plugin declares [`ProgressHome::Sink`].
    fn progress_store(&mut self) -> Option<&mut dyn ProgressStore> {
        None
    }

    /// Closes connections. Called once; dropping the sink without it must be harmless too.
    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// How durable a batch is after `write`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The records of the batch, and all that were accepted before, survive a crash.
    Durable,
    /// The sink holds the records; their positions are stored once they are durable.
    Accepted {
        /// Positions that became durable with this call. They may lie within the batch.
        durable: Vec<Position>,
        /// When the engine calls [`Sink::flush`] at the latest; `None`: only when it must.
        flush_by: Option<Instant>,
    },
}

/// What the engine passes to a sink that opens.
#[derive(Clone)]
pub struct SinkContext {
    /// The connector's name: part of the identity of stored progress.
    pub connector: Arc<str>,
    /// The name of this `[[sinks]]` entry.
    pub sink: Arc<str>,
    /// Index of the task.
    pub task: u32,
    /// Identity of the Kafka cluster: part of the identity of stored progress.
    pub cluster_id: Arc<str>,
    /// Rows or records written, for display; the sink adds to it after each durable write.
    pub rows_written: Counter,
    /// For sinks that write to Kafka.
    pub publishers: Arc<dyn PublisherFactory>,
    /// Compiles contracts that a sink's own configuration names.
    pub contracts: Arc<dyn ContractCompiler>,
    /// Makes encoders for the `key_format` and `value_format` of the sink's table.
    pub encoders: Arc<dyn EncoderFactory>,
}

/// A monotonic counter, shared with the metrics.
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
    /// A publisher for this task. Checks that the topics exist, or creates them if the connector says so.
    async fn publisher(&self, topics: &[Arc<str>]) -> Result<Box<dyn Publisher>>;
}

/// Writes to Kafka on behalf of a sink. The engine owns the client, its transactions and the consumer group.
#[async_trait]
pub trait Publisher: Send {
    /// Publishes all of `messages` or none. If the sink declares [`ProgressHome::KafkaTransaction`], the progress of `batch`,
    /// from which the messages were made, moves in the same transaction, and nothing else moves it. `Refused` names messages by
    /// their index.
    async fn publish(&mut self, messages: Vec<Outgoing>, batch: &Batch<'_>) -> Result<()>;
}

/// Compiles JSON Schema files into contracts.
pub trait ContractCompiler: Send + Sync {
    fn compile(&self, schema: &SchemaFile) -> Result<Arc<dyn Contract>, Cause>;
}

/// Makes encoders of the formats that a sink's table names.
#[async_trait]
pub trait EncoderFactory: Send + Sync {
    /// The encoder of one side of the records for `topic`, ready to use: its schema has been looked up, or registered if the
    /// table says so. `None` if the table names no format.
    async fn encoder(&self, side: Side, topic: &str) -> Result<Option<Arc<dyn Encode>>>;
}

/// Writes values in one format.
pub trait Encode: Send + Sync {
    /// `Err` says what the format or its schema cannot hold exactly.
    fn encode(&self, value: ValueRef<'_>) -> Result<Bytes, Cause>;
}
