//! The JSON Schema of a connector file for editors, put together from the engine's types and the registered plugins'.

use connect_api::{PluginEntry, Plugins};
use serde_json::{Map, Value as Json, json};

use super::schema;
use super::written::{SinkFile, SourceFile};

/// What `connect schema` prints. Draft 7, which Taplo (Even Better TOML) reads: a plugin's keys follow its `type`.
pub fn connector_schema(plugins: &Plugins) -> Json {
    let mut sink = schema::of::<SinkFile>();
    let mut source = schema::of::<SourceFile>();
    let transform = |entry| branch(entry, &["when"]);
    let transforms: Vec<Json> = plugins.transforms().iter().map(transform).collect();
    let transform_names = names(plugins.transforms());
    for file in [&mut sink, &mut source] {
        if let Some(table) = file.pointer_mut("/properties/transforms/items") {
            open(table, &transform_names, transforms.clone());
        }
    }
    if let Some(table) = sink.pointer_mut("/properties/sinks/items") {
        let branches = plugins
            .sinks()
            .iter()
            .map(|entry| branch(entry, &["name", "when"]));
        open(table, &names(plugins.sinks()), branches.collect());
    }
    if let Some(table) = source.pointer_mut("/properties/source") {
        let branches = plugins.sources().iter().map(|entry| branch(entry, &[]));
        open(table, &names(plugins.sources()), branches.collect());
    }
    for file in [&mut sink, &mut source] {
        if let Some(file) = file.as_object_mut() {
            file.remove("$schema");
        }
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A connector",
        "description": "A sink connector reads `topics` and has [[sinks]]; a source connector has a [source] and writes to `topic`.",
        "type": "object",
        "if": { "required": ["source"] },
        "then": source,
        "else": sink,
    })
}

fn names<Factory>(entries: &[PluginEntry<Factory>]) -> Vec<&'static str> {
    entries.iter().map(|entry| entry.name).collect()
}

/// Lets the plugins say which keys a table has.
fn open(table: &mut Json, names: &[&str], branches: Vec<Json>) {
    if let Some(kind) = table
        .pointer_mut("/properties/type")
        .and_then(Json::as_object_mut)
    {
        kind.insert("enum".to_owned(), json!(names));
    }
    if let Some(table) = table.as_object_mut() {
        table.remove("additionalProperties");
        table.insert("allOf".to_owned(), Json::Array(branches));
    }
}

/// If the type is this plugin's name, the table has this plugin's keys.
fn branch<Factory>(entry: &PluginEntry<Factory>, engine_keys: &[&str]) -> Json {
    let mut keys = schema::tidy((entry.schema)());
    if let Some(keys) = keys.as_object_mut() {
        keys.remove("$schema");
        keys.remove("title");
        keys.insert("description".to_owned(), json!(entry.about));
        let properties = keys
            .entry("properties")
            .or_insert_with(|| Json::Object(Map::new()));
        if let Some(properties) = properties.as_object_mut() {
            for key in ["type"].iter().chain(engine_keys) {
                // Said above already; here they only must not be unknown.
                properties.insert((*key).to_owned(), Json::Bool(true));
            }
        }
    }
    json!({
        "if": { "properties": { "type": { "const": entry.name } }, "required": ["type"] },
        "then": keys,
    })
}
