//! The plugins' tables of a connector file, each with the schema of its plugin.

use connect_api::{Finding, PluginAbout, PluginKind, Plugins, pointer};
use serde_json::{Map, Value as Json};

use super::codes;
use super::file::ConfigFile;
use super::schema;
use super::section::Section;
use super::spans::dotted;
use super::suggest::nearest;
use super::tables::{self, Direction};
use super::wording;

/// The header of a plugin's table.
fn header(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Sink => "[[sinks]]",
        PluginKind::Source => "[source]",
        PluginKind::Transform => "[[transforms]]",
    }
}

/// The plugin's own keys of one table.
pub(super) struct PluginTable {
    pub(super) kind: PluginKind,
    /// The word in `type = "…"`.
    pub(super) name: &'static str,
    pub(super) section: Section,
}

/// Moves the plugins' keys out of the file, and leaves those of the engine. A table of an unknown type is reported and
/// omitted.
pub(super) fn take(
    root: &mut Json,
    direction: Direction,
    plugins: &Plugins,
    file: &mut ConfigFile,
) -> Vec<PluginTable> {
    let mut taking = Taking {
        plugins,
        file,
        tables: Vec::new(),
    };
    match direction {
        Direction::Sink => taking.list(root, "sinks", PluginKind::Sink),
        Direction::Source => {
            if let Some(table) = root.get_mut("source") {
                taking.table(table, "/source".to_owned(), PluginKind::Source);
            }
        }
    }
    taking.list(root, "transforms", PluginKind::Transform);
    taking.tables
}

struct Taking<'a> {
    plugins: &'a Plugins,
    file: &'a mut ConfigFile,
    tables: Vec<PluginTable>,
}

impl Taking<'_> {
    fn list(&mut self, root: &mut Json, key: &str, kind: PluginKind) {
        let elements = root.get_mut(key).and_then(Json::as_array_mut);
        for (index, element) in elements.into_iter().flatten().enumerate() {
            self.table(element, format!("/{key}/{index}"), kind);
        }
    }

    fn table(&mut self, table: &mut Json, pointer: String, kind: PluginKind) {
        let Some(members) = table.as_object_mut() else {
            return;
        };
        let engine_keys = schema::keys(&tables::engine_keys(kind));
        let (engine, own): (Map<_, _>, Map<_, _>) = std::mem::take(members)
            .into_iter()
            .partition(|(key, _)| engine_keys.contains(key));
        *members = engine;
        let plugin = match members.get("type") {
            Some(Json::String(name)) => self.plugin(kind, name, &pointer),
            // Validation reports a type that is no string.
            Some(_) => None,
            None => {
                self.without_type(&own, &pointer, kind);
                // The finding is more precise than that of the schema would be.
                members.insert("type".to_owned(), Json::String(String::new()));
                None
            }
        };
        if let Some(plugin) = plugin {
            self.tables.push(PluginTable {
                kind,
                name: plugin.name,
                section: Section {
                    owner: format!("the {} {}", plugin.name, kind.word()),
                    pointer,
                    schema: schema::tidy((plugin.schema)()),
                    value: Json::Object(own),
                    engine_keys,
                },
            });
        }
    }

    /// The plugin of this name; reported if there is none.
    fn plugin(&mut self, kind: PluginKind, name: &str, table: &str) -> Option<PluginAbout> {
        let mut all = self.plugins.all();
        let found = all.find(|plugin| plugin.kind == kind && plugin.name == name);
        if found.is_none() {
            self.file.add(self.unknown(kind, name, table));
        }
        found
    }

    /// Nothing else of a table without a type can be checked, so its finding lists the known types.
    fn without_type(&mut self, own: &Map<String, Json>, table: &str, kind: PluginKind) {
        let header = header(kind);
        if let Some(key) = nearest("type", own.keys()) {
            self.file.add_at_key(
                codes::UNKNOWN_KEY
                    .error(pointer::member(table, key), format!("unknown key `{key}`"))
                    .with_label(format!("not a key of {header}"))
                    .with_help(format!("{header} has the key `type`")),
            );
        } else {
            let known = wording::list(&self.names(kind));
            self.file.add(
                codes::MISSING_KEY
                    .error(pointer::member(table, "type"), "the key `type` is missing")
                    .with_label(format!("{} needs `type`", dotted(table)))
                    .with_help(format!("add type = \"…\"; this program has {known}")),
            );
        }
    }

    fn names(&self, kind: PluginKind) -> Vec<&'static str> {
        let all = self.plugins.all().filter(|plugin| plugin.kind == kind);
        all.map(|plugin| plugin.name).collect()
    }

    fn unknown(&self, kind: PluginKind, name: &str, table: &str) -> Finding {
        let names = self.names(kind);
        let word = kind.word();
        let mut all = self.plugins.all();
        let elsewhere = all.find(|plugin| plugin.kind != kind && plugin.name == name);
        let help = match (nearest(name, &names), elsewhere) {
            (_, Some(other)) => format!(
                "`{name}` is a {}: it belongs in {}",
                other.kind.word(),
                header(other.kind)
            ),
            (Some(near), None) => format!("did you mean \"{near}\"?"),
            (None, None) => format!("this program has the {word}s {}", wording::list(&names)),
        };
        codes::UNKNOWN_PLUGIN
            .error(
                pointer::member(table, "type"),
                format!("no {word} is named `{name}`"),
            )
            .with_label(format!("not a {word} of this program"))
            .with_help(help)
    }
}
