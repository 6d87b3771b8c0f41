//! JSON Schemas of the configuration types: how they are generated for validation, messages and editors, and how they are
//! followed along a value.

use connect_api::{pointer, schema_of};
use connect_contracts::type_of;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Value as Json, json};

use super::formats;

/// The schema of one of the engine's configuration types.
pub(super) fn of<T: JsonSchema>() -> Json {
    tidy(schema_of::<T>())
}

/// Simplifies a generated schema: see [`Tidy`].
pub fn tidy(mut schema: Schema) -> Json {
    Tidy.transform(&mut schema);
    schema.to_value()
}

/// Removes the null of `Option`, because TOML has none, and merges the variants of an enum with docstrings into one `enum`,
/// so that a wrong word gives one error that lists the right ones.
#[derive(Clone, Debug)]
struct Tidy;

impl Transform for Tidy {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        drop_null(schema);
        flatten_enum(schema);
    }
}

fn drop_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if object.get("default").is_some_and(Json::is_null) {
        object.remove("default");
    }
    if let Some(Json::Array(types)) = object.get_mut("type") {
        types.retain(|word| word != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    if let Some(Json::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    for keyword in ["anyOf", "oneOf"] {
        let Some(Json::Array(branches)) = object.get_mut(keyword) else {
            continue;
        };
        branches.retain(|branch| branch.get("type").is_none_or(|word| word != "null"));
        let [Json::Object(only)] = branches.as_slice() else {
            continue;
        };
        let only = only.clone();
        object.remove(keyword);
        for (key, value) in only {
            // The field's own description takes precedence over that of its type.
            object.entry(key).or_insert(value);
        }
    }
}

fn flatten_enum(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let Some(Json::Array(branches)) = object.get("oneOf") else {
        return;
    };
    let mut words = Vec::new();
    let mut meanings = Vec::new();
    for branch in branches {
        if branch.get("type") != Some(&json!("string")) {
            return;
        }
        match (branch.get("const"), branch.get("enum")) {
            (Some(word), _) => {
                let meaning = branch.get("description").and_then(Json::as_str);
                if let (Some(meaning), Some(word)) = (meaning, word.as_str()) {
                    let meaning = meaning.replace('\n', " ");
                    meanings.push(format!("`{word}`: {meaning}"));
                }
                words.push(word.clone());
            }
            (None, Some(Json::Array(plain))) => words.extend(plain.iter().cloned()),
            _ => return,
        }
    }
    let description = object.get("description").and_then(Json::as_str);
    let lines: Vec<String> = description
        .map(str::to_owned)
        .into_iter()
        .chain(meanings)
        .collect();
    object.remove("oneOf");
    object.insert("type".into(), json!("string"));
    object.insert("enum".into(), Json::Array(words));
    if !lines.is_empty() {
        object.insert("description".into(), json!(lines.join("\n")));
    }
}

/// The keys of the table that a schema describes.
pub(super) fn keys(schema: &Json) -> Vec<String> {
    let properties = schema.get("properties").and_then(Json::as_object);
    let keys = properties
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .cloned();
    keys.collect()
}

/// The types that a schema allows, in JSON Schema's words.
pub(super) fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(word)) => vec![word],
        Some(Json::Array(words)) => words.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn allows_type(schema: &Json, word: &str) -> bool {
    let types = types(schema);
    types.is_empty() || types.contains(&word) || (word == "integer" && types.contains(&"number"))
}

/// The alternatives of `oneOf` or `anyOf`, if the schema has some.
pub(super) fn alternatives(schema: &Json) -> Option<&Vec<Json>> {
    let mut keywords = ["oneOf", "anyOf"].iter();
    keywords.find_map(|keyword| schema.get(keyword)?.as_array())
}

/// The branch of `oneOf` or `anyOf` that `value` is meant to match: the one whose tag is written, otherwise the only one
/// of its type. A schema without branches is its own branch.
pub(super) fn branch<'s>(schema: &'s Json, value: &Json) -> &'s Json {
    let Some(alternatives) = alternatives(schema) else {
        return schema;
    };
    alternatives
        .iter()
        .filter(|alternative| allows_type(alternative, type_of(value)))
        .max_by_key(|alternative| usize::from(tag_matches(alternative, value)))
        .map_or(schema, |alternative| branch(alternative, value))
}

/// Whether a member that this branch fixes with `const` has that value.
pub(super) fn tag_matches(branch: &Json, value: &Json) -> bool {
    let Some(properties) = branch.get("properties").and_then(Json::as_object) else {
        return false;
    };
    properties.iter().any(|(name, property)| {
        property
            .get("const")
            .is_some_and(|tag| value.get(name) == Some(tag))
    })
}

/// The schema of the member or element `step` of a value.
pub(super) fn child<'s>(schema: &'s Json, step: &str) -> &'s Json {
    const ANYTHING: &Json = &Json::Bool(true);
    let member = schema.get("properties").and_then(|all| all.get(step));
    member
        .or_else(|| schema.get("additionalProperties"))
        .or_else(|| schema.get("items"))
        .unwrap_or(ANYTHING)
}

/// Calls `visit` with each string of `value`, its schema and its pointer. `value` is at `pointer`, and `schema` describes it.
pub(super) fn visit_strings(
    value: &mut Json,
    schema: &Json,
    pointer: &str,
    visit: &mut dyn FnMut(&mut Json, &Json, &str),
) {
    let schema = branch(schema, value);
    match value {
        Json::Object(members) => {
            for (name, member) in members {
                let pointer = pointer::member(pointer, name);
                visit_strings(member, child(schema, name), &pointer, visit);
            }
        }
        Json::Array(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                let pointer = format!("{pointer}/{index}");
                visit_strings(element, child(schema, "items"), &pointer, visit);
            }
        }
        Json::String(_) => visit(value, schema, pointer),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// A valid value for a leaf whose placeholder has no value here; `None` if any text is valid.
pub(super) fn stand_in(schema: &Json) -> Option<Json> {
    let first = schema.get("enum").and_then(|words| words.get(0));
    if let Some(value) = first.or_else(|| schema.get("default")) {
        return Some(value.clone());
    }
    if let Some(format) = formats::of(schema) {
        return format.stand_in.map(Json::from);
    }
    match types(schema).as_slice() {
        ["integer" | "number"] => Some(schema.get("minimum").cloned().unwrap_or_else(|| json!(1))),
        ["boolean"] => Some(json!(false)),
        _ => None,
    }
}
