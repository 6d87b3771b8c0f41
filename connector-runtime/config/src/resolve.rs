//! What is meant: the configuration that the engine runs, after every file was read, checked and completed with defaults.
//!
//! What is *written* in a file are the types of `written.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use connect_api::{
    Duration, Pattern, Predicate, Reference, Secret, SinkFactory, Size, SourceFactory, StartAt,
    TransformFactory,
};
use connect_contracts::{FormatConfig, RegistryConfig};

use sha2::{Digest, Sha256};

use super::finding::Findings;
use super::http::HttpConfig;
use super::stop_after::StopAfter;

/// Everything that [`load`](super::load) found.
#[derive(Debug)]
pub struct Loaded {
    /// The connectors whose files have no errors, in the order of their files.
    pub connectors: Vec<Connector>,
    pub process: ProcessConfig,
    /// The findings of all files, in the order of files and lines.
    pub findings: Findings,
    /// The connectors whose files have errors.
    pub broken: Vec<BrokenConnector>,
    /// How many schema files were compiled.
    pub contracts: usize,
}

/// A file that should be a connector and has errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenConnector {
    pub name: Arc<str>,
    pub file: PathBuf,
}

/// One connector file.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Identity of the consumer group (`connect-<name>`) and of stored progress.
    pub name: Arc<str>,
    pub file: PathBuf,
    pub fingerprint: Fingerprint,
    pub kind: ConnectorKind,
}

/// The beginning of the SHA-256 digest of a connector's file as it is written, placeholders and all: processes that share a
/// group know by it whether they run the same file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(u32);

impl Fingerprint {
    pub fn of(text: &str) -> Fingerprint {
        let digest: [u8; 32] = Sha256::digest(text).into();
        let [a, b, c, d, ..] = digest;
        Fingerprint(u32::from_be_bytes([a, b, c, d]))
    }

    /// Of the eight digits at the end of a text such as `connect-sales-0.1a2b3c4d`.
    pub fn at_end_of(text: &str) -> Option<Fingerprint> {
        let (_, digits) = text.rsplit_once('.')?;
        let is_ours = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok()?;
        is_ours.then_some(Fingerprint(number))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}", self.0)
    }
}

#[derive(Clone, Debug)]
pub enum ConnectorKind {
    /// From Kafka to somewhere.
    Sink(SinkConnector),
    /// From somewhere to Kafka.
    Source(SourceConnector),
}

#[derive(Clone, Debug)]
pub struct SinkConnector {
    pub topics: Topics,
    pub tasks: u32,
    /// `None`: a string, decoded only if it is read.
    pub key: Option<FormatConfig>,
    pub value: FormatConfig,
    pub transforms: Vec<ConfiguredTransform>,
    /// At least one; their names differ.
    pub sinks: Vec<ConfiguredSink>,
    pub batch: BatchConfig,
    pub errors: ErrorsConfig,
    pub create_topics: Option<CreateTopics>,
}

#[derive(Clone, Debug)]
pub enum Topics {
    Named(Vec<String>),
    /// Topics whose whole name matches.
    Pattern(Pattern),
}

impl Topics {
    /// Whether records of this topic are read.
    pub fn contains(&self, topic: &str) -> bool {
        match self {
            Topics::Named(names) => names.iter().any(|name| name == topic),
            // As the consumer subscribes: the whole name has to match.
            Topics::Pattern(pattern) => Pattern::parse(&format!("^(?:{})$", pattern.as_str()))
                .is_ok_and(|whole| whole.is_match(topic)),
        }
    }
}

#[derive(Clone, Debug)]
pub struct SourceConnector {
    pub topic: String,
    /// What the produced record's key is made from; `None`: as the source made it.
    pub key: Option<Reference>,
    /// `None`: text and bytes as they are, everything else as JSON.
    pub key_format: Option<FormatConfig>,
    pub source: ConfiguredSource,
    pub transforms: Vec<ConfiguredTransform>,
    pub value: FormatConfig,
    pub errors: ErrorsConfig,
    pub create_topics: Option<CreateTopics>,
}

#[derive(Clone)]
pub struct ConfiguredTransform {
    /// The word in `type = "…"`.
    pub kind: &'static str,
    pub when: Option<Predicate>,
    pub factory: Arc<dyn TransformFactory>,
}

/// What a sink that writes messages writes them as; `None`: the sink's own default.
#[derive(Clone, Debug, Default)]
pub struct SinkFormats {
    pub key: Option<FormatConfig>,
    pub value: Option<FormatConfig>,
}

/// How many sinks a connector may have, and how long their names may be: Kafka keeps their positions beside the group's
/// offset, in at most 4096 bytes.
pub const MOST_LANES: usize = 16;
pub const LONGEST_LANE_NAME: usize = 100;

#[derive(Clone)]
pub struct ConfiguredSink {
    /// Default: its type.
    pub name: Arc<str>,
    /// The word in `type = "…"`.
    pub kind: &'static str,
    pub when: Option<Predicate>,
    pub formats: SinkFormats,
    /// Where it begins without a position. `None`: not written, which means earliest but asks where a group has offsets
    /// already.
    pub start: Option<StartAt>,
    pub factory: Arc<dyn SinkFactory>,
}

#[derive(Clone)]
pub struct ConfiguredSource {
    /// The word in `type = "…"`.
    pub kind: &'static str,
    pub factory: Arc<dyn SourceFactory>,
}

/// Prints the type's word in place of the erased plugin, which may hold secrets.
macro_rules! debug_as_kind {
    ($($type:ident),*) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.debug_struct(stringify!($type)).field("kind", &self.kind).finish_non_exhaustive()
            }
        }
    )*};
}
debug_as_kind!(ConfiguredTransform, ConfiguredSink, ConfiguredSource);

/// How much is read before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchConfig {
    pub max_records: u32,
    pub max_bytes: Size,
    /// How long a batch may wait for more records.
    pub linger: Duration,
    /// All bytes that a task may hold at a time.
    pub in_flight: Size,
}

impl Default for BatchConfig {
    fn default() -> BatchConfig {
        BatchConfig {
            max_records: 5000,
            max_bytes: Size::from_bytes(4 << 20),
            linger: Duration::from_millis(200),
            in_flight: Size::from_bytes(32 << 20),
        }
    }
}

impl BatchConfig {
    /// How many batches of the largest size `in_flight` holds: one half of it is the client's queue, the other half
    /// three batches, because one is read while one waits and one is written.
    pub const LARGEST_BATCHES_IN_FLIGHT: u64 = 6;

    /// How many bytes a sink may have accepted, with those that are being written: of the three batches, the one that is
    /// read and the one that waits are there too.
    pub fn may_be_accepted(&self) -> u64 {
        let batches = self.in_flight.bytes() / 2;
        batches.saturating_sub(2 * self.max_bytes.bytes())
    }

    /// Whether `max_bytes` is small enough for `in_flight`. The reader relies on it and cuts at `max_bytes` alone.
    pub fn fits_in_flight(&self) -> bool {
        self.max_bytes
            .bytes()
            .saturating_mul(Self::LARGEST_BATCHES_IN_FLIGHT)
            <= self.in_flight.bytes()
    }
}

/// What happens to bad records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorsConfig {
    pub tolerance: Tolerance,
    pub dead_letter_topic: Option<String>,
    /// In place of a topic.
    pub dead_letter: Option<Discard>,
    pub stop_after: StopAfter,
    /// Whether logs, status and headers of dead letters may hold content of records.
    pub show_values: bool,
}

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// Stop at the first bad record; nothing is skipped.
    #[default]
    None,
    /// Dead-letter bad records and go on.
    All,
}

/// The only word of `dead_letter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discard {
    /// Count bad records and keep nothing of them.
    Discard,
}

/// How missing topics are created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTopics {
    pub partitions: u32,
    /// `None`: as the broker's default says.
    pub replication: Option<u16>,
    /// Topic settings such as `cleanup.policy`.
    pub config: BTreeMap<String, String>,
}

/// Settings of the process, from `connect.toml`.
#[derive(Clone, Debug)]
pub struct ProcessConfig {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    pub bootstrap_servers: String,
    /// Neither `connect.toml` nor the environment says where Kafka is.
    pub servers_are_default: bool,
    /// Passed through to librdkafka; the engine's own keys are refused in it.
    pub kafka: BTreeMap<String, Secret>,
    pub registry: Option<RegistryConfig>,
    pub http: HttpConfig,
}
