//! The pages of `connect plugins` about files and the engine's keys: the schemas that validate them, with examples.

use connect_api::PluginKind;
use serde_json::Value as Json;

use super::schema;
use super::tables::{self, ProcessFile, SinkConnectorFile, SourceConnectorFile};

/// A kind of file.
pub struct FilePage {
    /// The argument of `connect plugins`.
    pub name: &'static str,
    pub about: &'static str,
    pub example: &'static str,
    pub schema: Json,
}

/// The kinds of file that this program reads; a connector is one of two.
pub fn file_pages() -> Vec<FilePage> {
    vec![
        FilePage {
            name: "connector",
            about: "a sink connector reads topics and writes to sinks",
            example: SINK_CONNECTOR,
            schema: schema::of::<SinkConnectorFile>(),
        },
        FilePage {
            name: "connector",
            about: "a source connector polls a source and writes to a topic",
            example: SOURCE_CONNECTOR,
            schema: schema::of::<SourceConnectorFile>(),
        },
        FilePage {
            name: "connect.toml",
            about: "settings of the process, in or beside the folder of the connectors",
            example: include_str!("../../../examples/connect.toml"),
            schema: schema::of::<ProcessFile>(),
        },
    ]
}

/// The engine's keys in the table of a plugin, without `type`.
pub fn engine_keys(kind: PluginKind) -> Json {
    let mut keys = tables::engine_keys(kind);
    if let Some(properties) = keys.get_mut("properties").and_then(Json::as_object_mut) {
        properties.remove("type");
    }
    if let Some(required) = keys.get_mut("required").and_then(Json::as_array_mut) {
        required.retain(|name| name != "type");
    }
    keys
}

const SINK_CONNECTOR: &str = include_str!("examples/sink.toml");

const SOURCE_CONNECTOR: &str = include_str!("examples/source.toml");
