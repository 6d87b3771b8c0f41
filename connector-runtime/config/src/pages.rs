//! What `connect plugins` shows of the files themselves, and of the engine's keys in a plugin's table: the schemas that
//! validate them.

use connect_api::PluginKind;
use serde_json::Value as Json;

use super::schema;
use super::written::{ProcessFile, SinkFile, SinkTable, SourceFile, TransformTable};

/// A kind of file.
pub struct FilePage {
    /// What is typed to see it.
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
            schema: schema::of::<SinkFile>(),
        },
        FilePage {
            name: "connector",
            about: "a source connector asks a source and writes to a topic",
            example: SOURCE_CONNECTOR,
            schema: schema::of::<SourceFile>(),
        },
        FilePage {
            name: "connect.toml",
            about: "settings of the process, in or beside the folder of the connectors",
            example: include_str!("../../../examples/connect.toml"),
            schema: schema::of::<ProcessFile>(),
        },
    ]
}

/// The engine's keys of the table of a sink or transform, without `type`.
pub fn engine_keys(kind: PluginKind) -> Json {
    let mut keys = match kind {
        PluginKind::Sink => schema::of::<SinkTable>(),
        PluginKind::Transform => schema::of::<TransformTable>(),
        PluginKind::Source => return Json::Null,
    };
    for list in ["properties", "required"] {
        match keys.get_mut(list) {
            Some(Json::Object(properties)) => drop(properties.remove("type")),
            Some(Json::Array(required)) => required.retain(|name| name != "type"),
            _ => {}
        }
    }
    keys
}

const SINK_CONNECTOR: &str = include_str!("examples/sink.toml");

const SOURCE_CONNECTOR: &str = include_str!("examples/source.toml");
