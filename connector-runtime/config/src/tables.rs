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
    /// The topics to read, as a regular expression that matches their whole names; instead of `topics`. At most 1,000 topics.
    pub(super) topics_regex: Option<Pattern>,
    /// How many tasks read concurrently in each process.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1024))]
    pub(super) tasks: u32,
    /// Where to start if no position is stored: "earliest" (default), "latest", "group" or an RFC 3339 time.
    #[schemars(extend("default" = "earliest"))]
    pub(super) start: Option<StartAt>,
    /// The format of keys. Default: text, decoded only if something reads it.
    pub(super) key: Option<FormatConfig>,
    /// The format of values, and the contract that they must satisfy. Default: JSON without a contract.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) value: FormatConfig,
    /// Transforms, which are applied to each record in this order.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) transforms: Vec<TransformTable>,
    /// The sinks that records are written to.
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
    /// Creates missing topics. Without this table the connector waits for them.
    pub(super) create_topics: Option<CreateTopics>,
}

/// A connector that polls a source and writes to a topic.
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
    /// The value that becomes the key of the produced record, such as "$.transaction_id". Default: the key from the source.
    pub(super) key: Option<Reference>,
    /// The format of keys. Default: text and bytes unchanged, everything else as JSON.
    pub(super) key_format: Option<FormatConfig>,
    /// Where the records come from.
    #[allow(
        dead_code,
        reason = "only its schema is used, because the plugin deserializes the table"
    )]
    pub(super) source: SourceTable,
    /// Transforms, which are applied to each record in this order.
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) transforms: Vec<TransformTable>,
    /// The format of values, and the contract that they must satisfy. Default: JSON without a contract.
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
    /// Part of the identity of stored progress, unique in the connector. Default: the type.
    #[schemars(extend("format" = "connector-name"))]
    pub(super) name: Option<String>,
    /// Only records that satisfy this condition are written to this sink.
    pub(super) when: Option<Predicate>,
    /// For a sink that writes messages: the format of their keys. Default: that of the sink.
    pub(super) key_format: Option<FormatConfig>,
    /// For a sink that writes messages: the format of their values, and the contract that they must satisfy. Default: JSON
    /// without a contract.
    pub(super) value_format: Option<FormatConfig>,
    /// Where this sink starts if no position of it is stored. Default: the connector's `start`.
    pub(super) start: Option<StartAt>,
}

/// The engine's keys of a `[[transforms]]` table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransformTable {
    /// The kind of transform; `connect plugins` lists them.
    #[allow(dead_code, reason = "read before the file is checked")]
    pub(super) r#type: String,
    /// Only records that satisfy this condition are changed.
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
    /// Copies of each partition. Default: that of the broker.
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
    /// Settings that connectors inherit.
    #[allow(
        dead_code,
        reason = "read from JSON, to be merged with the tables of connectors"
    )]
    #[serde(default)]
    #[schemars(extend("default" = null))]
    pub(super) defaults: DefaultsTable,
}

/// Settings that connectors inherit.
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
