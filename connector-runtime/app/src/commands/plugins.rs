//! `connect plugins`: what this program can connect, and the keys of each plugin.

use connect_api::{PluginEntry, Plugins};
use connect_engine::config::{nearest, tidy, toml_value};
use serde_json::{Value as Json, json};

use crate::arguments::{Format, PluginsArguments};
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
            None => format!("`{program} plugins` lists them"),
        };
        output::talk(&format!("error: there is no plugin `{name}`; {hint}"));
        return exit::USAGE;
    }
    output::data(&match (arguments.format, &arguments.name) {
        (Format::Json, _) => json_of(&chosen),
        (Format::Text, None) => list(&chosen),
        (Format::Text, Some(_)) => {
            let pages: Vec<String> = chosen.iter().map(|plugin| page(plugin)).collect();
            pages.join("\n\n")
        }
    })
}

/// One plugin, whatever it is.
struct Plugin {
    kind: &'static str,
    name: &'static str,
    about: &'static str,
    example: &'static str,
    schema: Json,
}

fn all(plugins: &Plugins) -> Vec<Plugin> {
    fn of<Factory>(kind: &'static str, entries: &[PluginEntry<Factory>]) -> Vec<Plugin> {
        let one = |entry: &PluginEntry<Factory>| Plugin {
            kind,
            name: entry.name,
            about: entry.about,
            example: entry.example,
            schema: tidy((entry.schema)()),
        };
        entries.iter().map(one).collect()
    }
    let mut all = of("sink", plugins.sinks());
    all.extend(of("source", plugins.sources()));
    all.extend(of("transform", plugins.transforms()));
    all
}

fn list(plugins: &[&Plugin]) -> String {
    let width = plugins
        .iter()
        .map(|plugin| plugin.name.len())
        .max()
        .unwrap_or_default();
    let mut lines = Vec::new();
    let mut kind = "";
    for plugin in plugins {
        if plugin.kind != kind {
            kind = plugin.kind;
            lines.push(format!("{kind}s"));
        }
        lines.push(format!("  {:width$}  {}", plugin.name, plugin.about));
    }
    let example = plugins.first().map_or("NAME", |plugin| plugin.name);
    let program = output::program_name();
    lines.push(format!(
        "\n{program} plugins {example}   shows the keys of one, their defaults and an example"
    ));
    lines.join("\n")
}

fn page(plugin: &Plugin) -> String {
    let mut lines = vec![
        format!("{} {}: {}", plugin.kind, plugin.name, plugin.about),
        String::new(),
        "keys".to_owned(),
    ];
    keys(&plugin.schema, "", &mut lines);
    lines.extend(engine_keys(plugin.kind).map(str::to_owned));
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

/// The keys that every plugin of a kind has.
fn engine_keys(kind: &str) -> impl Iterator<Item = &'static str> {
    const NAME: &str = "  name                      name\n      Part of the identity of stored progress; by default the type.";
    const WHEN: &str = "  when                      predicate\n      Only records that meet this condition: CEL over value, key, headers, topic, partition, offset, timestamp.";
    let name = (kind == "sink").then_some(NAME);
    let when = (kind != "source").then_some(WHEN);
    name.into_iter().chain(when)
}

/// Each key on a line with its type and default, its meaning below; keys of inner tables follow with their path.
fn keys(schema: &Json, path: &str, lines: &mut Vec<String>) {
    let required: Vec<&str> = strings(schema.get("required"));
    let properties = schema.get("properties").and_then(Json::as_object);
    let mut properties: Vec<_> = properties.into_iter().flatten().collect();
    properties.sort_by_key(|(name, _)| !required.contains(&name.as_str()));
    for (name, property) in properties {
        let key = format!("{path}{name}");
        let kind = type_word(property);
        let default = match (required.contains(&name.as_str()), property.get("default")) {
            (true, _) => ", required".to_owned(),
            (false, Some(default)) => format!(", default {}", toml_value(default)),
            (false, None) => String::new(),
        };
        lines.push(format!("  {key:24}  {kind}{default}"));
        let description = property
            .get("description")
            .and_then(Json::as_str)
            .unwrap_or_default();
        lines.extend(
            description
                .lines()
                .filter(|line| !line.is_empty())
                .map(|line| format!("      {line}")),
        );
        let inner = [
            (property, "."),
            (property.get("items").unwrap_or(&Json::Null), "[]."),
            (
                property.get("additionalProperties").unwrap_or(&Json::Null),
                ".NAME.",
            ),
        ];
        for (table, separator) in inner {
            keys(table, &format!("{key}{separator}"), lines);
        }
    }
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
    let branches = ["anyOf", "oneOf"]
        .iter()
        .find_map(|keyword| schema.get(keyword)?.as_array());
    if let Some(branches) = branches {
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
                "kind": plugin.kind,
                "name": plugin.name,
                "about": plugin.about,
                "example": plugin.example,
                "schema": plugin.schema,
            })
        })
        .collect();
    format!("{:#}", json!({ "version": 1, "plugins": all }))
}
