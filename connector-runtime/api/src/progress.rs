//! Progress: the next offset of each partition, and who stores it.
//!
//! A position is stored only after every record below it is durable. So a connector that restarts skips nothing, and reads
//! nothing again that its sink has stored together with the progress.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;

use crate::failure::Result;

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: i32,
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} partition {}", self.topic, self.partition)
    }
}

/// The next offset to read in one partition: every record below it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub partition: TopicPartition,
    pub next: i64,
}

/// How far a batch moves one partition: from the offset that is expected to be stored to the next one to read,
/// rejected and filtered records included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub partition: TopicPartition,
    pub expected: i64,
    pub next: i64,
    /// Milliseconds since 1970 of the last record, for lag in seconds.
    pub last_timestamp_ms: Option<i64>,
}

/// Progress of one partition that is stored under the name of another connector or sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherProgress {
    pub connector: Arc<str>,
    /// The name of the `[[sinks]]` entry.
    pub sink: Arc<str>,
    pub partition: TopicPartition,
    pub next: i64,
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
            Guarantee::ExactlyOnceReadCommitted => "exactly once (read_committed)",
            Guarantee::ExactlyOnce => "exactly once",
            Guarantee::OnceFromPoll => "once from poll",
        })
    }
}

/// Who stores a connector's progress. The guarantee follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressHome {
    /// The consumer group, after the write: at least once.
    Group,
    /// The sink, in the same transaction as the rows: exactly once. The open sink has a [`ProgressStore`].
    Sink,
    /// The Kafka transaction that carries the records: exactly once for read_committed readers. The sink writes through
    /// a publisher of its context.
    KafkaTransaction,
}

impl ProgressHome {
    pub fn guarantee(self) -> Guarantee {
        match self {
            ProgressHome::Group => Guarantee::AtLeastOnce,
            ProgressHome::Sink => Guarantee::ExactlyOnce,
            ProgressHome::KafkaTransaction => Guarantee::ExactlyOnceReadCommitted,
        }
    }
}

/// The progress that a sink stores itself. No method has a default: a sink that stores progress must be able to show it
/// and to set it.
#[async_trait]
pub trait ProgressStore: Send {
    /// These partitions were assigned to this task: takes each over from its previous owner, which can store nothing from then
    /// on, and returns the next offsets in the order of `partitions`. `None`: nothing is stored for the partition yet.
    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>>;

    /// As [`ProgressStore::resume`], but takes nothing over: for `connect offsets NAME show`.
    async fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>>;

    /// Sets the positions at which the connector continues: for `connect offsets NAME set`. An owner that still runs is
    /// superseded.
    async fn store(&mut self, positions: &[Position]) -> Result<()>;

    /// The progress that is stored for these topics under another connector with this sink's name, or for another sink of this
    /// connector. Only topics for which this sink has stored nothing: a renamed connector or sink starts over, and a log line
    /// says how to continue from the old name.
    async fn of_other_names(&mut self, topics: &[Arc<str>]) -> Result<Vec<OtherProgress>>;

    /// Deletes the progress of these topics under this name, for `connect offsets NAME forget OLD`. An owner that still runs
    /// is superseded.
    async fn erase(&mut self, topics: &[Arc<str>]) -> Result<()>;
}

/// What the engine's publisher needs to move the connector's progress in its own transaction. Opaque to plugins: a sink
/// passes the batch on, and the token with it.
#[derive(Clone, Default)]
pub struct CommitToken(Option<Arc<dyn Any + Send + Sync>>);

impl CommitToken {
    pub fn new<T: Any + Send + Sync>(content: T) -> CommitToken {
        CommitToken(Some(Arc::new(content)))
    }

    /// The content, if the token was made with this type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }
}

impl std::fmt::Debug for CommitToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CommitToken")
    }
}
