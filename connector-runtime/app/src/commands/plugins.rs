//! `connect plugins`: lists the plugins of this program, and the keys of each plugin and file.

use connect_api::{PluginAbout, PluginKind, Plugins};
use connect_config::{FilePage, engine_keys, file_pages, nearest, tidy, toml_value};
use serde_json::{Value as Json, json};

use crate::arguments::{OutputFormat, PluginsArguments};
use crate::{exit, output};

pub(crate) fn run(arguments: &PluginsArguments, plugins: &Plugins) -> u8 {
    let all = all(plugins);
    let chosen: Vec<&Plugin> = match &arguments.name {
        None => all.iter().collect(),
        Some(name) => all.iter().filter(|plugin| plugin.name == name).collect(),
    };
    if chosen.is_empty() {
        let program = output::program_name();
        let name = arguments.name.as_deref().unwrap_or_default();
        let hint = match nearest(name, all.iter().map(|plugin| plugin.name)) {
            Some(near) => format!("did you mean `{program} plugins {near}`?"),
            None => format!("`{program} plugins` lists all of them"),
        };
        output::report(&format!(
            "error: no plugin or file is named `{name}`; {hint}"
        ));
        return exit::USAGE;
    }
    output::data(&match (arguments.format, &arguments.name) {
        (OutputFormat::Json, _) => json_of(&chosen),
        (OutputFormat::Text, None) => list(&chosen),
        (OutputFormat::Text, Some(_)) => {
            let pages: Vec<String> = chosen.iter().map(|plugin| page(plugin)).collect();
            pages.join("\n\n")
        }
    })
}

/// A plugin or a kind of file.
struct Plugin {
    kind: Kind,
    name: &'static str,
    about: &'static str,
    example: &'static str,
    schema: Json,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plugin(PluginKind),
    File,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Plugin(kind) => kind.word(),
            Kind::File => "file",
        }
    }
}

fn all(plugins: &Plugins) -> Vec<Plugin> {
    let plugin = |about: PluginAbout| Plugin {
        kind: Kind::Plugin(about.kind),
        name: about.name,
        about: about.about,
        example: about.example,
        schema: tidy((about.schema)()),
    };
    let file = |page: FilePage| Plugin {
        kind: Kind::File,
        name: page.name,
        about: page.about,
        example: page.example,
        schema: page.schema,
    };
    let files = file_pages().into_iter().map(file);
    plugins.all().map(plugin).chain(files).collect()
}

fn list(plugins: &[&Plugin]) -> String {
    let width = plugins
        .iter()
        .map(|plugin| plugin.name.len())
        .max()
        .unwrap_or_default();
    let mut lines = Vec::new();
    let mut kind = None;
    for plugin in plugins {
        if kind != Some(plugin.kind) {
            kind = Some(plugin.kind);
            lines.push(format!("{}s", plugin.kind.word()));
        }
        lines.push(format!("  {:width$}  {}", plugin.name, plugin.about));
    }
    let example = plugins.first().map_or("NAME", |plugin| plugin.name);
    let program = output::program_name();
    lines.push(format!(
        "\n{program} plugins {example}   shows its keys, their defaults and an example"
    ));
    lines.join("\n")
}

fn page(plugin: &Plugin) -> String {
    let mut lines = vec![
        format!("{} {}: {}", plugin.kind.word(), plugin.name, plugin.about),
        String::new(),
        "keys".to_owned(),
    ];
    let mut keys = Keys::default();
    keys.list(&plugin.schema, "");
    lines.extend(keys.lines);
    if let Kind::Plugin(kind) = plugin.kind {
        lines.extend(keys_of_engine(kind, &plugin.schema));
    }
    lines.extend([String::new(), "example".to_owned()]);
    lines.extend(
        plugin
            .example
            .trim()
            .lines()
            .map(|line| format!("  {line}").trim_end().to_owned()),
    );
    lines.join("\n")
}

/// The keys that every plugin of a kind has, unless the plugin documents them itself. The page of the connector has
/// the keys of their tables.
fn keys_of_engine(kind: PluginKind, plugin: &Json) -> Vec<String> {
    let mut engine = engine_keys(kind);
    let described = plugin.get("properties").and_then(Json::as_object);
    let Some(properties) = engine.get_mut("properties").and_then(Json::as_object_mut) else {
        return Vec::new();
    };
    properties.retain(|name, _| described.is_none_or(|described| !described.contains_key(name)));
    for property in properties.values_mut() {
        if let Some(property) = property.as_object_mut() {
            property.remove("properties");
        }
    }
    let mut keys = Keys::default();
    keys.list(&engine, "");
    let mut lines = keys.lines;
    if !lines.is_empty() {
        let program = output::program_name();
        lines.insert(
            0,
            format!(
                "\nand the keys of every {}; for more: {program} plugins connector",
                kind.word()
            ),
        );
    }
    lines
}

/// Builds the lines that document keys.
#[derive(Default)]
struct Keys {
    lines: Vec<String>,
    /// The tables that are listed already, and where: another table with the same keys refers to it.
    listed: Vec<(Json, String)>,
}

impl Keys {
    /// Each key on a line with its type and default, and its meaning below. Keys of inner tables follow with their
    /// path.
    fn list(&mut self, schema: &Json, path: &str) {
        let required: Vec<&str> = strings(schema.get("required"));
        let properties = schema.get("properties").and_then(Json::as_object);
        let mut properties: Vec<_> = properties.into_iter().flatten().collect();
        properties.sort_by_key(|(name, _)| !required.contains(&name.as_str()));
        for (name, property) in properties {
            let key = format!("{path}{}", written_key(name));
            let kind = type_word(property);
            let default = match (required.contains(&name.as_str()), property.get("default")) {
                (true, _) => ", required".to_owned(),
                (false, Some(default)) => format!(", default {}", toml_value(default)),
                (false, None) => String::new(),
            };
            self.lines.push(format!("  {key:24}  {kind}{default}"));
            let description = property.get("description").and_then(Json::as_str);
            let description = description.unwrap_or_default().lines();
            self.lines.extend(
                description
                    .filter(|line| !line.is_empty())
                    .map(|line| format!("      {line}")),
            );
            self.inner(property, &key);
        }
    }

    /// The keys of the tables inside a key.
    fn inner(&mut self, property: &Json, key: &str) {
        let alternatives = branches(property).into_iter().flatten();
        let tables = [
            (Some(property), "."),
            (property.get("items"), "[]."),
            (property.get("additionalProperties"), ".NAME."),
        ];
        let tables = tables
            .into_iter()
            .filter_map(|(table, separator)| Some((table?, separator)))
            .chain(alternatives.map(|table| (table, ".")));
        for (table, separator) in tables {
            let Some(keys) = table.get("properties") else {
                continue;
            };
            if let Some((_, path)) = self.listed.iter().find(|(listed, _)| listed == keys) {
                self.lines.push(format!("      Its keys: see `{path}`."));
                continue;
            }
            self.listed.push((keys.clone(), key.to_owned()));
            self.list(table, &format!("{key}{separator}"));
        }
    }
}

/// A key as TOML writes it: quoted if it contains dots.
fn written_key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.chars().all(is_bare) {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}

/// The alternatives of a schema.
fn branches(schema: &Json) -> Option<&Vec<Json>> {
    let mut keywords = ["anyOf", "oneOf"].iter();
    keywords.find_map(|keyword| schema.get(keyword)?.as_array())
}

fn strings(list: Option<&Json>) -> Vec<&str> {
    let list = list.and_then(Json::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect()
}

fn type_word(schema: &Json) -> String {
    if let Some(Json::Array(words)) = schema.get("enum") {
        let words: Vec<String> = words.iter().map(toml_value).collect();
        return words.join(" | ");
    }
    let format = schema.get("format").and_then(Json::as_str);
    if let (Some(format), true) = (
        format,
        schema.get("type").is_some_and(|kind| kind == "string"),
    ) {
        return format.replace('-', " ");
    }
    if let Some(branches) = branches(schema) {
        let mut words: Vec<String> = branches.iter().map(type_word).collect();
        words.dedup();
        return words.join(" or ");
    }
    let types = match schema.get("type") {
        Some(Json::String(word)) => vec![word.as_str()],
        other => strings(other),
    };
    let words: Vec<String> = types
        .into_iter()
        .map(|word| match word {
            "array" => match schema.get("items") {
                Some(items) => format!("list of {}", type_word(items)),
                None => "list".to_owned(),
            },
            "object" => "table".to_owned(),
            other => other.to_owned(),
        })
        .collect();
    if words.is_empty() {
        "any value".to_owned()
    } else {
        words.join(" or ")
    }
}

fn json_of(plugins: &[&Plugin]) -> String {
    let all: Vec<_> = plugins
        .iter()
        .map(|plugin| {
            json!({
                "kind": plugin.kind.word(),
                "name": plugin.name,
                "about": plugin.about,
                "example": plugin.example,
                "schema": plugin.schema,
            })
        })
        .collect();
    format!("{:#}", json!({ "version": 1, "plugins": all }))
}
