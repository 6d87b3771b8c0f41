//! Describes schemas and values in messages.

use connect_api::{Duration, Leaf as _, Size};
use serde_json::Value as Json;

use super::formats;
use super::schema;

/// The expected value: "an integer", "a duration such as \"200ms\"", "\"a\" or \"b\"".
pub(super) fn expected(node: &Json) -> String {
    if let Some(Json::Array(options)) = node.get("enum") {
        return alternatives(options);
    }
    if let Some(format) = formats::of(node) {
        return format.expected.to_owned();
    }
    let mut parts: Vec<String> = match schema::alternatives(node) {
        Some(branches) => branches.iter().map(expected).collect(),
        None => schema::types(node)
            .into_iter()
            .map(|word| expected_type(word, node))
            .collect(),
    };
    parts.dedup();
    if parts.is_empty() {
        "another value".to_owned()
    } else {
        parts.join(" or ")
    }
}

fn expected_type(word: &str, node: &Json) -> String {
    match word {
        "string" => "a string".to_owned(),
        "integer" => "an integer".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => match node.get("items").map(schema::types).as_deref() {
            Some(["string"]) => "a list of strings".to_owned(),
            Some(["object"]) => "a list of tables".to_owned(),
            _ => "a list".to_owned(),
        },
        "object" => table(node),
        other => other.to_owned(),
    }
}

/// A table with the keys that it requires.
fn table(node: &Json) -> String {
    let required = node.get("required").and_then(Json::as_array);
    let keys = required.into_iter().flatten().filter_map(Json::as_str);
    let keys: Vec<String> = keys.map(|key| format!("`{key}`")).collect();
    match keys.split_last() {
        None => "a table".to_owned(),
        Some((only, [])) => format!("a table with {only}"),
        Some((last, others)) => format!("a table with {} and {last}", others.join(", ")),
    }
}

/// A value to type for a key of this schema.
pub(super) fn example(node: &Json) -> String {
    if let Some(first) = node.get("enum").and_then(|options| options.get(0)) {
        return toml(first);
    }
    let example = node.get("examples").and_then(|all| all.get(0));
    if let Some(example) = example.or_else(|| node.get("default")) {
        return toml(example);
    }
    if let Some(format) = formats::of(node) {
        return toml(&Json::from(format.example));
    }
    match schema::types(node).first().copied() {
        Some("integer" | "number") => node
            .get("minimum")
            .map_or("1".to_owned(), |minimum| minimum.to_string()),
        Some("boolean") => "true".to_owned(),
        Some("array") => "[…]".to_owned(),
        Some("object") => "{ … }".to_owned(),
        _ => "\"…\"".to_owned(),
    }
}

/// What to type for a missing key: a line, or the header of a table.
pub(super) fn addition(pointer: &str, name: &str, node: &Json) -> String {
    let steps = pointer
        .split('/')
        .skip(1)
        .filter(|step| step.parse::<usize>().is_err());
    let header = steps.collect::<Vec<_>>().join(".");
    let items = node.get("items").map(schema::types).unwrap_or_default();
    match (schema::types(node).as_slice(), items.as_slice()) {
        (["array"], ["object"]) => format!("a table with the header [[{header}]]"),
        (["object"], _) => format!("a table with the header [{header}]"),
        _ => format!("{name} = {}", example(node)),
    }
}

/// Keys of Kafka Connect, and what replaces them here.
const KAFKA_CONNECT: [(&str, &str); 17] = [
    ("connector.class", "`type` in [[sinks]] or [source]"),
    ("tasks.max", "`tasks`, such as tasks = 2"),
    ("topics.regex", "`topics_regex`"),
    ("key.converter", "`format` in [key]"),
    ("value.converter", "`format` and `schema` in [value]"),
    (
        "errors.deadletterqueue.topic.name",
        "`dead_letter_topic` in [errors]",
    ),
    (
        "errors.deadletterqueue.context.headers.enable",
        "always on: dead letters carry their reason",
    ),
    (
        "errors.retry.timeout",
        "not needed: the connector waits until an outage ends",
    ),
    (
        "errors.log.enable",
        "not needed: every rejected record is logged",
    ),
    ("connection.url", "`url` in [[sinks]]"),
    ("connection.user", "`user` in [[sinks]]"),
    ("connection.password", "`password` in [[sinks]]"),
    ("insert.mode", "`mode` in [[sinks.tables]]"),
    ("pk.fields", "`key` in [[sinks.tables]]"),
    ("table.name.format", "`table` in [[sinks.tables]]"),
    ("batch.size", "`max_records` in [batch]"),
    ("poll.interval.ms", "`every` in [source]"),
];

/// What replaces a key of Kafka Connect. TOML makes tables of the dots in a key, so a table may be the start of a key.
pub(super) fn kafka_connect(key: &str, value: &Json) -> Option<String> {
    let key = key
        .rsplit("].")
        .next()
        .unwrap_or_default()
        .trim_matches('"');
    let begins = |theirs: &str| {
        let rest = theirs
            .strip_prefix(key)
            .filter(|rest| rest.starts_with('.'));
        rest.is_some_and(|rest| value.pointer(&rest.replace('.', "/")).is_some())
    };
    let is_meant = |theirs: &str| theirs == key || begins(theirs);
    let (theirs, ours) = KAFKA_CONNECT.iter().find(|(theirs, _)| is_meant(theirs))?;
    Some(format!("Kafka Connect's `{theirs}` is here {ours}"))
}

/// The first sentence of a description, without its full stop.
pub(super) fn meaning(node: &Json) -> Option<String> {
    let description = node.get("description")?.as_str()?;
    let line = description.split("\n\n").next()?.replace('\n', " ");
    let sentence = line
        .split_once(". ")
        .map_or(line.as_str(), |(first, _)| first);
    Some(sentence.trim_end_matches('.').to_owned())
}

/// A value as TOML writes it on one line.
pub fn toml(value: &Json) -> String {
    match value {
        Json::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(toml).collect();
            format!("[{}]", elements.join(", "))
        }
        Json::Object(members) if members.is_empty() => "{}".to_owned(),
        Json::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, member)| format!("{name} = {}", toml(member)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// A value in words, cut if it is long.
pub(super) fn found(value: &Json) -> String {
    match value {
        Json::String(text) => format!("the string {}", toml(&Json::String(cut(text)))),
        Json::Number(number) if number.is_f64() => format!("the number {number}"),
        Json::Number(number) => format!("the integer {number}"),
        Json::Bool(value) => value.to_string(),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "a table".to_owned(),
        Json::Null => "nothing".to_owned(),
    }
}

fn cut(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// `"a", "b" or "c"`
pub(super) fn alternatives(options: &[Json]) -> String {
    let mut written: Vec<String> = options.iter().map(toml).collect();
    match (written.pop(), written.is_empty()) {
        (Some(last), false) => format!("{} or {last}", written.join(", ")),
        (Some(only), true) => only,
        (None, _) => "nothing".to_owned(),
    }
}

/// `a`, `b`, `c`
pub(super) fn list<S: AsRef<str>>(names: &[S]) -> String {
    let mut names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.sort_unstable();
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// What to type for a value that has the wrong type but can be converted.
pub(super) fn conversion(
    value: &Json,
    node: &Json,
    header: Option<&str>,
    hidden: bool,
) -> Option<String> {
    let wants = |word: &str| schema::types(node).contains(&word);
    let format = node
        .get("format")
        .and_then(Json::as_str)
        .unwrap_or_default();
    match (value, header) {
        (Json::Object(_), Some(header)) if wants("array") => Some(format!(
            "each element has a header with two brackets: [{header}]"
        )),
        (Json::Array(_), Some(header)) if wants("object") => {
            let single = header.trim_start_matches('[').trim_end_matches(']');
            Some(format!("there is only one such table: write [{single}]"))
        }
        (Json::String(_), _) if hidden => None,
        (Json::String(text), _) if wants("integer") && text.trim().parse::<i64>().is_ok() => {
            Some(format!("write {} without quotes", text.trim()))
        }
        (Json::String(text), _) if wants("number") && text.trim().parse::<f64>().is_ok() => {
            Some(format!("write {} without quotes", text.trim()))
        }
        (Json::String(text), _) if wants("boolean") => match text.as_str() {
            "true" | "false" => Some(format!("write {text} without quotes")),
            _ => None,
        },
        (Json::String(text), _) if wants("array") => {
            Some(format!("write [{}]", toml(&Json::String(text.clone()))))
        }
        (Json::Number(number), _) if format == Duration::FORMAT => Some(format!(
            "write it with its unit: \"{number}s\" or \"{number}ms\""
        )),
        (Json::Number(number), _) if format == Size::FORMAT => Some(format!(
            "write it with its unit: \"{number}B\" or \"{number}MiB\""
        )),
        (Json::Number(_) | Json::Bool(_), _)
            if wants("string") && format.is_empty() && node.get("enum").is_none() =>
        {
            Some(format!("write \"{value}\""))
        }
        _ => None,
    }
}
