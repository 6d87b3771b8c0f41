//! The tables of connector files and of `connect.toml`, from which serde deserializes and schemars derives schemas. The doc
//! comments are the documentation that editors, `connect schema` and messages show.
//!
//! Plugins' own keys are not among them: the table of a plugin is validated by the schema of the plugin's own type.

use std::collections::BTreeMap;

use connect_api::{Pattern, PluginKind, Predicate, Reference, StartAt};
use connect_contracts::{FormatConfig, RegistryConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::batch::BatchConfig;
use super::errors::ErrorsConfig;
use super::http::HttpConfig;
use super::kafka_table;
use super::schema;

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
pub(super) struct SinkConnectorFile {
    /// Identity of the consumer group and of stored progress: connect-<name>. Default: the file's name.
    #[allow(dead_code, reason = "read before the file is checked")]
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
    pub(super) batch: BatchConfig,
    /// What happens to bad records.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) errors: ErrorsConfig,
    /// Creates the topics if they are missing. Without this table they are waited for.
    pub(super) create_topics: Option<CreateTopics>,
}

/// A connector that asks a source and writes to a topic.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceConnectorFile {
    /// Identity of the connector and of its stored positions. Default: the file's name.
    #[allow(dead_code, reason = "read before the file is checked")]
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
        reason = "only its schema is used, because the plugin deserializes the table"
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
    pub(super) errors: ErrorsConfig,
    /// Creates the topic if it is missing.
    pub(super) create_topics: Option<CreateTopics>,
}

/// The engine's keys of a `[[sinks]]` table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SinkTable {
    /// The kind of sink; `connect plugins` lists them.
    #[allow(dead_code, reason = "read before the file is checked")]
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
    #[allow(dead_code, reason = "read before the file is checked")]
    pub(super) r#type: String,
    /// Only records that meet this condition are changed.
    pub(super) when: Option<Predicate>,
}

/// The engine's keys of the `[source]` table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTable {
    /// The kind of source; `connect plugins` lists them.
    #[allow(dead_code, reason = "read before the file is checked")]
    pub(super) r#type: String,
}

/// How a missing topic is created.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTopics {
    /// Its partitions.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    pub partitions: u32,
    /// Copies of each partition. Default: as the broker says.
    #[schemars(range(min = 1, max = 32767))]
    pub replication: Option<u16>,
    /// Topic settings, such as { "cleanup.policy" = "compact" }.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// `connect.toml`: settings of the process.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProcessFile {
    #[allow(
        dead_code,
        reason = "read from JSON: TOML makes tables of the dots in its keys"
    )]
    #[serde(default)]
    #[schemars(schema_with = "kafka_table::schema")]
    pub(super) kafka: serde::de::IgnoredAny,
    /// The schema registry.
    #[allow(
        dead_code,
        reason = "deserialized separately, so that it is checked even if other tables have errors"
    )]
    pub(super) registry: Option<RegistryConfig>,
    /// Metrics, health and status.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) http: HttpConfig,
    /// What connectors that do not say otherwise have.
    #[allow(
        dead_code,
        reason = "read from JSON, to be merged with the tables of connectors"
    )]
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) defaults: DefaultsTable,
}

/// What connectors that do not say otherwise have.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct DefaultsTable {
    /// As in a connector.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) batch: BatchConfig,
    /// As in a connector.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) errors: ErrorsConfig,
}

/// The engine's keys in the table of a plugin.
pub(super) fn engine_keys(kind: PluginKind) -> Json {
    match kind {
        PluginKind::Sink => schema::of::<SinkTable>(),
        PluginKind::Source => schema::of::<SourceTable>(),
        PluginKind::Transform => schema::of::<TransformTable>(),
    }
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
