//! What is written: the keys of a connector file and of `connect.toml`, as serde and schemars see them. The doc comments
//! here are the documentation that editors, `connect schema` and error messages show.
//!
//! The plugins' own keys are not here: each plugin table is validated against its plugin's own type.

use std::collections::BTreeMap;

use connect_api::{Duration, Pattern, Predicate, Reference, Size, StartAt};
use connect_contracts::{FormatConfig, RegistryConfig};
use schemars::JsonSchema;
use serde::Deserialize;

use super::http::HttpTable;
use super::kafka_table;
use super::resolve::{BatchConfig, CreateTopics, Discard, ErrorsConfig, Tolerance};
use super::stop_after::StopAfter;

/// The two directions of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From topics to a sink.
    Sink,
    /// From a source to a topic.
    Source,
}

/// A connector that reads topics and writes to a sink.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SinkFile {
    /// Identity of the consumer group and of stored progress: connect-<name>. Default: the file's name.
    #[allow(dead_code, reason = "read before anything else is looked at")]
    #[schemars(extend("format" = "connector-name"))]
    pub(super) name: Option<String>,
    /// The topics to read.
    #[serde(default)]
    #[schemars(length(min = 1), schema_with = "topic_names")]
    pub(super) topics: Option<Vec<String>>,
    /// The topics to read, as a regular expression over their whole names; in place of `topics`. At most 1,000 topics.
    pub(super) topics_regex: Option<Pattern>,
    /// How many tasks read at a time in each process.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1024))]
    pub(super) tasks: u32,
    /// Where to begin if no position is stored: "earliest" (default), "latest", "group" or an RFC 3339 time.
    #[schemars(extend("default" = "earliest"))]
    pub(super) start: Option<StartAt>,
    /// What the bytes of the key are. Without this table they are text, decoded only if it is read.
    pub(super) key: Option<FormatConfig>,
    /// What the bytes of the value are, and the contract that it must keep. Default: JSON without a contract.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) value: FormatConfig,
    /// What changes records on their way, in this order.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) transforms: Vec<TransformTable>,
    /// Where the records go.
    #[schemars(length(min = 1))]
    pub(super) sinks: Vec<SinkTable>,
    /// How much is read before it is written.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) batch: BatchTable,
    /// What happens to bad records.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) errors: ErrorsTable,
    /// Creates the topics if they are missing. Without this table they are waited for.
    pub(super) create_topics: Option<CreateTopicsTable>,
}

/// A connector that asks a source and writes to a topic.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceFile {
    /// Identity of the connector and of its stored positions. Default: the file's name.
    #[allow(dead_code, reason = "read before anything else is looked at")]
    #[schemars(extend("format" = "connector-name"))]
    pub(super) name: Option<String>,
    /// The topic to write to.
    #[schemars(extend("format" = "topic-name", "examples" = ["PointOfSale"]))]
    pub(super) topic: String,
    /// What the produced record's key is made from, such as "$.transaction_id". Default: what the source says.
    pub(super) key: Option<Reference>,
    /// What the bytes of the key will be. Default: text and bytes as they are, everything else as JSON.
    pub(super) key_format: Option<FormatConfig>,
    /// Where the records come from.
    #[allow(
        dead_code,
        reason = "only its schema is used: the table belongs to the plugin"
    )]
    pub(super) source: SourceTable,
    /// What changes records on their way, in this order.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) transforms: Vec<TransformTable>,
    /// What the bytes of the value will be, and the contract that it must keep. Default: JSON without a contract.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) value: FormatConfig,
    /// What happens to bad records.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) errors: ErrorsTable,
    /// Creates the topic if it is missing.
    pub(super) create_topics: Option<CreateTopicsTable>,
}

/// The engine's keys of a `[[sinks]]` table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SinkTable {
    /// The kind of sink; `connect plugins` lists them.
    #[allow(dead_code, reason = "read before the plugin's keys are looked at")]
    pub(super) r#type: String,
    /// Part of the identity of stored progress; each sink of a connector has another. Default: the type.
    #[schemars(extend("format" = "connector-name"))]
    pub(super) name: Option<String>,
    /// Only records that meet this condition go there.
    pub(super) when: Option<Predicate>,
    /// Where the sink writes messages: what the bytes of their key will be. Default: what the sink says.
    pub(super) key_format: Option<FormatConfig>,
    /// Where the sink writes messages: what the bytes of their value will be, and the contract that it must keep. Default:
    /// JSON without a contract.
    pub(super) value_format: Option<FormatConfig>,
    /// Where this sink begins if no position of it is stored. Default: the connector's `start`.
    pub(super) start: Option<StartAt>,
}

/// The engine's keys of a `[[transforms]]` table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransformTable {
    /// The kind of transform; `connect plugins` lists them.
    #[allow(dead_code, reason = "read before the plugin's keys are looked at")]
    pub(super) r#type: String,
    /// Only records that meet this condition are changed.
    pub(super) when: Option<Predicate>,
}

/// The engine's keys of the `[source]` table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTable {
    /// The kind of source; `connect plugins` lists them.
    #[allow(dead_code, reason = "read before the plugin's keys are looked at")]
    pub(super) r#type: String,
}

/// How much is read before it is written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchTable {
    /// The most records of a batch.
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = BatchConfig::default().max_records))]
    pub(super) max_records: Option<u32>,
    /// The most bytes of a batch; one larger record passes alone.
    #[schemars(extend("default" = BatchConfig::default().max_bytes))]
    pub(super) max_bytes: Option<Size>,
    /// How long a batch may wait for more records.
    #[schemars(extend("default" = BatchConfig::default().linger))]
    pub(super) linger: Option<Duration>,
    /// All bytes that a task may hold at a time.
    #[schemars(extend("default" = BatchConfig::default().in_flight))]
    pub(super) in_flight: Option<Size>,
}

/// What happens to bad records.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorsTable {
    /// What a bad record does.
    #[schemars(extend("default" = Tolerance::default()))]
    pub(super) tolerance: Option<Tolerance>,
    /// Where bad records go with their bytes and the reason; for tolerance = "all".
    #[schemars(extend("format" = "topic-name"))]
    pub(super) dead_letter_topic: Option<String>,
    /// "discard": keep nothing of bad records; in place of `dead_letter_topic`.
    pub(super) dead_letter: Option<Discard>,
    /// Stop if so many of the latest records were rejected, for example { rejects = 100, in_last = 1000 }, or "never".
    /// Default: stop if all of the first 100 records that a task reads, or a source polls, after a start were rejected;
    /// filtered records do not count. For tolerance = "all".
    pub(super) stop_after: Option<StopAfter>,
    /// For development: logs, status and the headers of dead letters may hold values of records. Otherwise they hold types and lengths only. Default: true with --embedded.
    #[schemars(extend("default" = false))]
    pub(super) show_values: Option<bool>,
}

/// How a missing topic is created.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateTopicsTable {
    /// Its partitions.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) partitions: u32,
    /// Copies of each partition. Default: as the broker says.
    #[schemars(range(min = 1, max = 32767))]
    pub(super) replication: Option<u16>,
    /// Topic settings, such as { "cleanup.policy" = "compact" }.
    #[serde(default)]
    pub(super) config: BTreeMap<String, String>,
}

impl BatchTable {
    /// What is meant: what is written here, else what is written in `[defaults.batch]`, else the built-in values.
    pub(super) fn or(&self, defaults: &BatchTable) -> BatchConfig {
        let built_in = BatchConfig::default();
        BatchConfig {
            max_records: self
                .max_records
                .or(defaults.max_records)
                .unwrap_or(built_in.max_records),
            max_bytes: self
                .max_bytes
                .or(defaults.max_bytes)
                .unwrap_or(built_in.max_bytes),
            linger: self.linger.or(defaults.linger).unwrap_or(built_in.linger),
            in_flight: self
                .in_flight
                .or(defaults.in_flight)
                .unwrap_or(built_in.in_flight),
        }
    }
}

impl ErrorsTable {
    /// What is meant. Where dead letters go is inherited only by connectors that write some and do not say it themselves.
    pub(super) fn or(&self, defaults: &ErrorsTable) -> ErrorsConfig {
        let tolerance = self.tolerance.or(defaults.tolerance).unwrap_or_default();
        let says_where = self.dead_letter_topic.is_some() || self.dead_letter.is_some();
        let inherits = !says_where && tolerance == Tolerance::All;
        let place = if inherits { defaults } else { self };
        ErrorsConfig {
            tolerance,
            dead_letter_topic: place.dead_letter_topic.clone(),
            dead_letter: place.dead_letter,
            stop_after: self.stop_after.or(defaults.stop_after).unwrap_or_default(),
            show_values: self
                .show_values
                .or(defaults.show_values)
                .unwrap_or_default(),
        }
    }
}

impl From<CreateTopicsTable> for CreateTopics {
    fn from(table: CreateTopicsTable) -> CreateTopics {
        CreateTopics {
            partitions: table.partitions,
            replication: table.replication,
            config: table.config,
        }
    }
}

/// `connect.toml`: settings of the process.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProcessFile {
    #[allow(
        dead_code,
        reason = "read as it is: its names have dots, which TOML makes tables of"
    )]
    #[serde(default)]
    #[schemars(schema_with = "kafka_table::schema")]
    pub(super) kafka: serde::de::IgnoredAny,
    /// The schema registry.
    #[allow(
        dead_code,
        reason = "read by itself, so that it is checked where other tables have errors"
    )]
    pub(super) registry: Option<RegistryConfig>,
    /// Metrics, health and status.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) http: HttpTable,
    /// What connectors that do not say otherwise have.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) defaults: DefaultsTable,
}

/// What connectors that do not say otherwise have.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultsTable {
    /// As in a connector.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) batch: BatchTable,
    /// As in a connector.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) errors: ErrorsTable,
}

fn one() -> u32 {
    1
}

fn topic_names(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "items": { "type": "string", "format": "topic-name" },
        "minItems": 1,
        "uniqueItems": true,
        "examples": [["PointOfSale"]],
    })
}
