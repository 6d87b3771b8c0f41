//! The JSON Schemas of a connector file and of `connect.toml` for editors, composed from those of the engine and of the
//! registered plugins.
//!
//! Editors validate by `if` and `then`, but complete and explain only the keys in `properties`. So a table with alternatives
//! lists the keys of all of them there, and an alternative repeats only the keys that differ.

use std::collections::BTreeSet;

use connect_api::{PluginKind, Plugins};
use serde_json::{Map, Value as Json, json};

use super::schema;
use super::tables::{self, ProcessFile, SinkConnectorFile, SourceConnectorFile};

const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";

/// What `connect schema` prints. Draft 7, which Taplo (Even Better TOML) reads: a plugin's keys follow its `type`.
pub fn connector_schema(plugins: &Plugins) -> Json {
    let mut sink = schema::of::<SinkConnectorFile>();
    let mut source = schema::of::<SourceConnectorFile>();
    let transforms = alternatives(plugins, PluginKind::Transform);
    for file in [&mut sink, &mut source] {
        if let Some(table) = file.pointer_mut("/properties/transforms/items") {
            open(table, transforms.clone());
        }
    }
    if let Some(table) = sink.pointer_mut("/properties/sinks/items") {
        open(table, alternatives(plugins, PluginKind::Sink));
    }
    if let Some(table) = source.pointer_mut("/properties/source") {
        open(table, alternatives(plugins, PluginKind::Source));
    }
    let mut files = [
        Alternative::new("a sink connector", sink),
        Alternative::new("a source connector", source),
    ];
    let properties = union(&mut files, &Map::new());
    let [sink, source] = files;
    json!({
        "$schema": DRAFT_7,
        "title": "A connector",
        "description": "A sink connector reads `topics` and has [[sinks]]; a source connector has a [source] and writes to `topic`.",
        "type": "object",
        "properties": properties,
        // For Tombi, whose strict mode reports keys that no `properties` list, in a condition as well.
        "if": { "required": ["source"], "additionalProperties": true },
        "then": source.schema,
        "else": sink.schema,
    })
}

/// What `connect schema connect.toml` prints.
pub fn process_schema() -> Json {
    let mut file = schema::of::<ProcessFile>();
    if let Some(file) = file.as_object_mut() {
        file.insert("$schema".to_owned(), json!(DRAFT_7));
        file.insert("title".to_owned(), json!("connect.toml"));
    }
    file
}

/// One of several schemas that a table may have.
#[derive(Clone)]
struct Alternative {
    /// The owner of the keys, to which different descriptions are attributed.
    owner: String,
    schema: Json,
}

impl Alternative {
    fn new(owner: &str, mut schema: Json) -> Alternative {
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("$schema");
            schema.remove("title");
        }
        Alternative {
            owner: owner.to_owned(),
            schema,
        }
    }

    fn properties(&mut self) -> &mut Map<String, Json> {
        self.schema
            .as_object_mut()
            .expect("the schema of a table is an object")
            .entry("properties")
            .or_insert_with(|| Json::Object(Map::new()))
            .as_object_mut()
            .expect("`properties` is an object")
    }
}

/// The plugins of a kind, each with its own keys and with those of the engine, which the table describes.
fn alternatives(plugins: &Plugins, kind: PluginKind) -> Vec<Alternative> {
    let all = plugins.all().filter(|about| about.kind == kind);
    all.map(|about| {
        let mut plugin = Alternative::new(about.name, schema::tidy((about.schema)()));
        if let Some(keys) = plugin.schema.as_object_mut() {
            keys.insert("description".to_owned(), json!(about.about));
        }
        let properties = plugin.properties();
        for key in schema::keys(&tables::engine_keys(kind)) {
            properties.entry(key).or_insert(Json::Bool(true));
        }
        plugin
    })
    .collect()
}

/// Gives a table the keys of the plugin that `type` names.
fn open(table: &mut Json, mut plugins: Vec<Alternative>) {
    let names: Vec<String> = plugins.iter().map(|plugin| plugin.owner.clone()).collect();
    let Some(table) = table.as_object_mut() else {
        return;
    };
    table.remove("additionalProperties");
    if let Some(Json::Object(properties)) = table.get_mut("properties") {
        if let Some(Json::Object(kind)) = properties.get_mut("type") {
            kind.insert("enum".to_owned(), json!(names));
        }
        let keys = union(&mut plugins, properties);
        properties.extend(keys);
    }
    if let Some(Json::Object(chain)) = plugins.into_iter().rev().fold(None, else_if) {
        table.extend(chain);
    }
}

/// The keys of this plugin if `type` is its name, otherwise those of the next plugin. This is a chain instead of a list in
/// `allOf`, because Taplo completes nothing in a table with such a list.
fn else_if(otherwise: Option<Json>, plugin: Alternative) -> Option<Json> {
    let mut chain = Map::new();
    let is_it = json!({
        "properties": { "type": { "const": plugin.owner } },
        "required": ["type"],
        "additionalProperties": true,
    });
    chain.insert("if".to_owned(), is_it);
    chain.insert("then".to_owned(), plugin.schema);
    chain.extend(otherwise.map(|otherwise| ("else".to_owned(), otherwise)));
    Some(Json::Object(chain))
}

/// The keys of all alternatives except those that the table describes, each with a schema that allows what any of them
/// allows. A key with the same schema in all alternatives becomes `true` in them.
fn union(alternatives: &mut [Alternative], described: &Map<String, Json>) -> Map<String, Json> {
    let mut keys = Map::new();
    let mut names = BTreeSet::new();
    for one in alternatives.iter_mut() {
        names.extend(one.properties().keys().cloned());
    }
    names.retain(|name| !described.contains_key(name));
    for name in names {
        let meanings: Vec<(String, Json)> = alternatives
            .iter_mut()
            .filter_map(|one| Some((one.owner.clone(), one.properties().get(&name)?.clone())))
            .filter(|(_, schema)| schema.is_object())
            .collect();
        let Some((_, first)) = meanings.first() else {
            continue;
        };
        if meanings.iter().any(|(_, schema)| schema != first) {
            keys.insert(name, any_of(&meanings));
            continue;
        }
        for one in alternatives.iter_mut() {
            if let Some(property) = one.properties().get_mut(&name) {
                *property = Json::Bool(true);
            }
        }
        keys.insert(name, first.clone());
    }
    keys
}

/// The schema of a key with several meanings: it has all descriptions, and a value is valid if one meaning allows it.
fn any_of(meanings: &[(String, Json)]) -> Json {
    let described: Vec<String> = meanings
        .iter()
        .filter_map(|(owner, schema)| {
            let description = schema.get("description")?.as_str()?;
            Some(format!("{owner}: {description}"))
        })
        .collect();
    let mut schemas: Vec<Json> = Vec::new();
    for (_, schema) in meanings {
        let mut schema = schema.clone();
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("description");
        }
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    let mut merged = match schemas.as_slice() {
        [Json::Object(only)] => only.clone(),
        _ => Map::from_iter([("anyOf".to_owned(), Json::Array(schemas))]),
    };
    merged.insert("description".to_owned(), json!(described.join("\n")));
    Json::Object(merged)
}
