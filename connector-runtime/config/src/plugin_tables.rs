//! The plugins' tables of a connector file, each with its plugin's own schema.

use connect_api::{PluginKind, Plugins};
use serde_json::{Map, Value as Json};

use super::code;
use super::places::{Places, dotted};
use super::report::{Draft, Report};
use super::schema;
use super::suggest::nearest;
use super::words;
use super::written::Direction;

/// The keys of a plugin's table that belong to the engine.
pub(super) fn engine_keys(kind: PluginKind) -> &'static [&'static str] {
    match kind {
        PluginKind::Sink => &[
            "type",
            "name",
            "when",
            "start",
            "key_format",
            "value_format",
        ],
        PluginKind::Source => &["type"],
        PluginKind::Transform => &["type", "when"],
    }
}

/// The header of a plugin's table.
fn header(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Sink => "[[sinks]]",
        PluginKind::Source => "[source]",
        PluginKind::Transform => "[[transforms]]",
    }
}

/// The plugin's own part of one table.
pub(super) struct PluginTable {
    pub(super) kind: PluginKind,
    /// The word in `type = "…"`.
    pub(super) name: &'static str,
    pub(super) pointer: String,
    pub(super) schema: Json,
    pub(super) value: Json,
}

impl PluginTable {
    pub(super) fn owner(&self) -> String {
        format!("the {} {}", self.name, self.kind.word())
    }
}

/// Takes the plugins' keys out of the file; the engine's stay. A table of an unknown type is reported and left out.
pub(super) fn take(
    root: &mut Json,
    direction: Direction,
    plugins: &Plugins,
    places: &Places,
    report: &mut Report,
) -> Vec<PluginTable> {
    let mut taking = Taking {
        plugins,
        places,
        report,
        tables: Vec::new(),
    };
    match direction {
        Direction::Sink => taking.list(root, "sinks", PluginKind::Sink),
        Direction::Source => taking.table(
            root.get_mut("source"),
            "/source".to_owned(),
            PluginKind::Source,
        ),
    }
    taking.list(root, "transforms", PluginKind::Transform);
    taking.tables
}

struct Taking<'a> {
    plugins: &'a Plugins,
    places: &'a Places,
    report: &'a mut Report,
    tables: Vec<PluginTable>,
}

impl Taking<'_> {
    fn list(&mut self, root: &mut Json, key: &str, kind: PluginKind) {
        let Some(Json::Array(elements)) = root.get_mut(key) else {
            return;
        };
        for (index, element) in elements.iter_mut().enumerate() {
            self.table(Some(element), format!("/{key}/{index}"), kind);
        }
    }

    fn table(&mut self, table: Option<&mut Json>, pointer: String, kind: PluginKind) {
        let Some(Json::Object(members)) = table else {
            return;
        };
        let name = match members.get("type") {
            Some(Json::String(name)) => Some(name.clone()),
            Some(_) => None,
            None => {
                self.without_type(members, &pointer, kind);
                None
            }
        };
        let mut own = Map::new();
        for (key, value) in std::mem::take(members) {
            if engine_keys(kind).contains(&key.as_str()) {
                members.insert(key, value)
            } else {
                own.insert(key, value)
            };
        }
        let Some(name) = name else {
            return;
        };
        let mut all = self.plugins.all();
        match all.find(|plugin| plugin.kind == kind && plugin.name == name) {
            Some(plugin) => self.tables.push(PluginTable {
                kind,
                name: plugin.name,
                pointer,
                schema: schema::tidy((plugin.schema)()),
                value: Json::Object(own),
            }),
            None => self.unknown(kind, &name, format!("{pointer}/type")),
        }
    }

    /// Nothing else of such a table can be judged, so the one finding says what is known.
    fn without_type(&mut self, members: &mut Map<String, Json>, pointer: &str, kind: PluginKind) {
        let misspelt = nearest("type", members.keys()).map(str::to_owned);
        let known = words::list(&self.names(kind));
        let draft = match misspelt {
            Some(key) => Draft::error(
                code::UNKNOWN_KEY,
                self.places.key(&format!("{pointer}/{key}")),
                format!("unknown key `{key}`"),
            )
            .label(format!("not a key of {}", header(kind)))
            .help(format!("{} has the key `type`", header(kind))),
            None => Draft::error(
                code::MISSING_KEY,
                self.places.value(pointer),
                "the key `type` is missing",
            )
            .label(format!("{} needs `type`", dotted(pointer)))
            .help(format!("add type = \"…\"; this program has {known}")),
        };
        self.report.add(draft.at(pointer));
        // Reported here, in better words than the schema's.
        members.insert("type".to_owned(), Json::String(String::new()));
    }

    fn names(&self, kind: PluginKind) -> Vec<&'static str> {
        let all = self.plugins.all().filter(|plugin| plugin.kind == kind);
        all.map(|plugin| plugin.name).collect()
    }

    fn unknown(&mut self, kind: PluginKind, name: &str, pointer: String) {
        let names = self.names(kind);
        let word = kind.word();
        let mut all = self.plugins.all();
        let elsewhere = all.find(|plugin| plugin.kind != kind && plugin.name == name);
        let help = match (nearest(name, &names), elsewhere) {
            (_, Some(other)) => format!(
                "`{name}` is a {}: it stands below {}",
                other.kind.word(),
                header(other.kind)
            ),
            (Some(near), None) => format!("did you mean \"{near}\"?"),
            (None, None) => format!("this program has the {word}s {}", words::list(&names)),
        };
        self.report.add(
            Draft::error(
                code::UNKNOWN_PLUGIN,
                self.places.value(&pointer),
                format!("no {word} is called `{name}`"),
            )
            .label(format!("not a {word} of this program"))
            .help(help)
            .at(pointer),
        );
    }
}
