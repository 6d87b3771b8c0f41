//! The configuration that the engine runs: connectors and settings of the process, checked and completed with defaults.
//!
//! The tables of the files are the types of `tables.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use connect_api::{
    Pattern, Predicate, Reference, Secret, SinkFactory, SourceFactory, StartAt, TransformFactory,
};
use connect_contracts::{FormatConfig, RegistryConfig};
use sha2::{Digest, Sha256};

use super::batch::BatchConfig;
use super::errors::ErrorsConfig;
use super::finding::Findings;
use super::http::HttpConfig;
use super::tables::CreateTopics;

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

/// The first four bytes of the SHA-256 digest of a connector's file, before placeholders are replaced. Processes that share a
/// group compare it to detect that they run different files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(u32);

impl Fingerprint {
    pub fn of(text: &str) -> Fingerprint {
        let digest: [u8; 32] = Sha256::digest(text).into();
        let [a, b, c, d, ..] = digest;
        Fingerprint(u32::from_be_bytes([a, b, c, d]))
    }

    /// Parses the eight digits at the end of a text such as `connect-sales-0.1a2b3c4d`.
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
    /// `None`: text, decoded only if something reads it.
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
            // The consumer subscribes in the same way: the whole name must match.
            Topics::Pattern(pattern) => Pattern::parse(&format!("^(?:{})$", pattern.as_str()))
                .is_ok_and(|whole| whole.is_match(topic)),
        }
    }
}

#[derive(Clone, Debug)]
pub struct SourceConnector {
    pub topic: String,
    /// The value that becomes the key of the produced record; `None`: the source's key.
    pub key: Option<Reference>,
    /// `None`: text and bytes unchanged, everything else as JSON.
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

/// The formats of the messages that a sink writes; `None`: the sink's own default.
#[derive(Clone, Debug, Default)]
pub struct SinkFormats {
    pub key: Option<FormatConfig>,
    pub value: Option<FormatConfig>,
}

/// The limits of the number of sinks of a connector and of the length of their names in bytes: Kafka stores their positions in
/// the metadata of the group's offset, which has at most 4096 bytes.
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
    /// Where it starts if no position is stored. `None`: the files do not say, so the engine starts at the earliest offset,
    /// unless the group has offsets already: then it asks the user.
    pub start: Option<StartAt>,
    pub factory: Arc<dyn SinkFactory>,
}

#[derive(Clone)]
pub struct ConfiguredSource {
    /// The word in `type = "…"`.
    pub kind: &'static str,
    pub factory: Arc<dyn SourceFactory>,
}

/// Prints the plugin's name instead of the erased plugin, which may contain secrets.
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
