//! A table against its schema: each error of the validator becomes one finding in the words of the file's author.

mod leaf;

use connect_api::pointer;
use std::collections::BTreeMap;
use std::ops::Range;

use connect_api::{Leaf, Secret};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::code;
use super::formats;
use super::parse::Syntax;
use super::places::{Places, dotted};
use super::report::{Draft, Report};
use super::schema;
use super::suggest::nearest;
use super::words;

/// A table that one schema describes.
pub(super) struct Unit<'a> {
    /// What its keys are keys of: "a sink connector", "sink postgres".
    pub(super) owner: &'a str,
    pub(super) schema: &'a Json,
    pub(super) value: &'a Json,
    /// JSON pointer of the table from the root of the file.
    pub(super) pointer: &'a str,
    /// Keys of the table that the engine has taken out.
    pub(super) engine_keys: &'a [&'a str],
    /// Keys of the connector itself, which people put below a table header by mistake.
    pub(super) outer_keys: &'a [&'a str],
}

/// Adds every problem of the table to the report.
pub(super) fn validate(unit: &Unit<'_>, places: &Places, syntax: Syntax, report: &mut Report) {
    let mut options = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .should_validate_formats(true);
    for format in formats::all() {
        options = options.with_format(format.name, move |text: &str| (format.check)(text).is_ok());
    }
    let validator = match options.build(unit.schema) {
        Ok(validator) => validator,
        Err(error) => {
            let message = format!("the schema of {} is not usable: {error}", unit.owner);
            report.add(Draft::error(
                code::PLUGIN_SCHEMA,
                places.key(unit.pointer),
                message,
            ));
            return;
        }
    };
    let mut findings = Collector {
        unit,
        places,
        syntax,
        report,
        keys: BTreeMap::new(),
    };
    for error in validator.iter_errors(unit.value) {
        findings.take(&error);
    }
    findings.finish_keys();
}

/// Unknown and missing keys of one table: one of each may be one mistake.
#[derive(Default)]
struct Keys {
    unknown: Vec<String>,
    missing: Vec<String>,
    known: Vec<String>,
    schema: Json,
}

struct Collector<'a> {
    unit: &'a Unit<'a>,
    places: &'a Places,
    syntax: Syntax,
    report: &'a mut Report,
    keys: BTreeMap<String, Keys>,
}

impl Collector<'_> {
    fn take(&mut self, error: &ValidationError<'_>) {
        let within = error.instance_path().as_str();
        let pointer = format!("{}{within}", self.unit.pointer);
        if self.report.is_unknown(&pointer) {
            return;
        }
        let node = self.node(error);
        match error.kind() {
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                self.take_branch(error, context, &node, &pointer);
            }
            Kind::AdditionalProperties { unexpected } => {
                let keys = self.keys_at(pointer, node);
                keys.unknown.extend(unexpected.iter().cloned());
            }
            Kind::Required { property } => {
                let missing = property.as_str().unwrap_or_default().to_owned();
                self.keys_at(pointer, node).missing.push(missing);
            }
            // What `additionalProperties = false` is for a table that has no keys at all.
            Kind::FalseSchema => {
                let table = self.unit.value.pointer(within).and_then(Json::as_object);
                let names: Vec<String> = table
                    .into_iter()
                    .flat_map(|table| table.keys().cloned())
                    .collect();
                self.keys_at(pointer, node).unknown.extend(names);
            }
            // That a number is none of these words follows from its type, of which another error tells.
            Kind::Enum { .. }
                if !error.instance().is_string() && schema::types(&node) == ["string"] => {}
            Kind::UniqueItems => self.repeated(error.instance(), &pointer),
            _ => {
                let draft = self.leaf(error, &node, &pointer);
                self.report.add(draft);
            }
        }
    }

    /// The part of the schema that the error speaks of.
    fn node(&self, error: &ValidationError<'_>) -> Json {
        let path = error.schema_path().as_str();
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.unit
            .schema
            .pointer(parent)
            .cloned()
            .unwrap_or_default()
    }

    /// Of several alternatives, speaks about the one that its author had in mind.
    fn take_branch(
        &mut self,
        error: &ValidationError<'_>,
        context: &[Vec<ValidationError<'static>>],
        node: &Json,
        pointer: &str,
    ) {
        let here = error.instance_path().as_str();
        let alternatives: Vec<&Json> = ["anyOf", "oneOf"]
            .iter()
            .filter_map(|keyword| node.get(keyword)?.as_array())
            .flatten()
            .collect();
        let of_this_type = |errors: &Vec<ValidationError<'_>>| {
            !errors.iter().any(|error| {
                matches!(error.kind(), Kind::Type { .. }) && error.instance_path().as_str() == here
            })
        };
        let tagged = context
            .iter()
            .zip(&alternatives)
            .find(|(_, alternative)| schema::tag_matches(alternative, error.instance()));
        let mut fitting = context.iter().filter(|errors| of_this_type(errors));
        let chosen = match (tagged, fitting.next(), fitting.next()) {
            (Some((errors, _)), ..) => Some(errors),
            (None, Some(only), None) => Some(only),
            _ => None,
        };
        match chosen {
            Some(errors) => match errors.as_slice() {
                [only]
                    if matches!(only.kind(), Kind::Enum { .. })
                        && only.instance_path().as_str() == here =>
                {
                    // Words are not all that can be written here.
                    let expected = format!("expected {}", words::expected(node));
                    let draft = self.leaf(only, node, pointer).label(expected);
                    self.report.add(draft);
                }
                errors => errors.iter().for_each(|error| self.take(error)),
            },
            None => {
                let draft = match tag_of(&alternatives) {
                    Some((tag, options)) if error.instance().is_object() => {
                        self.wrong_tag(error.instance(), &tag, &options, pointer)
                    }
                    _ => self.wrong_type(error.instance(), node, pointer),
                };
                self.report.add(draft);
            }
        }
    }

    fn wrong_tag(&self, value: &Json, tag: &str, options: &[Json], pointer: &str) -> Draft {
        let mut pointer = pointer.to_owned();
        pointer::push(&mut pointer, tag);
        match value.get(tag) {
            Some(found) => self.wrong_word(found, options, &pointer),
            None => Draft::error(
                code::MISSING_KEY,
                self.places.value(&pointer),
                format!("the key `{tag}` is missing"),
            )
            .label(format!("needs `{tag}`"))
            .help(format!("write {tag} = {}", words::alternatives(options)))
            .at(pointer),
        }
    }

    fn keys_at(&mut self, pointer: String, node: Json) -> &mut Keys {
        let is_unit = pointer == self.unit.pointer;
        let engine_keys = self.unit.engine_keys;
        self.keys.entry(pointer).or_insert_with(|| {
            let mut known: Vec<String> = node
                .get("properties")
                .and_then(Json::as_object)
                .map(|properties| properties.keys().cloned().collect())
                .unwrap_or_default();
            if is_unit {
                known.extend(engine_keys.iter().map(|key| (*key).to_owned()));
            }
            Keys {
                known,
                schema: node,
                ..Keys::default()
            }
        })
    }

    fn finish_keys(&mut self) {
        for (pointer, mut keys) in std::mem::take(&mut self.keys) {
            keys.unknown.sort();
            keys.unknown.dedup();
            for name in std::mem::take(&mut keys.unknown) {
                let renamed = nearest(&name, &keys.missing).map(str::to_owned);
                if let Some(renamed) = &renamed {
                    keys.missing.retain(|missing| missing != renamed);
                }
                let draft = self.unknown_key(&pointer, &name, renamed.as_deref(), &keys);
                self.report.add(draft);
            }
            // A key that a syntax error has swallowed is not missing.
            if self.syntax == Syntax::Whole {
                for name in std::mem::take(&mut keys.missing) {
                    let draft = self.missing_key(&pointer, &name, &keys.schema);
                    self.report.add(draft);
                }
            }
        }
    }

    fn unknown_key(
        &mut self,
        table: &str,
        name: &str,
        renamed: Option<&str>,
        keys: &Keys,
    ) -> Draft {
        let mut pointer = table.to_owned();
        pointer::push(&mut pointer, name);
        let unused = || keys.known.iter().filter(|known| *known != name);
        let near = renamed.or_else(|| nearest(name, unused()));
        self.hide_value(&pointer, near, &keys.schema);
        let owner = self.owner(table);
        let draft = Draft::error(
            code::UNKNOWN_KEY,
            self.places.key(&pointer),
            format!("unknown key `{name}`"),
        )
        .at(pointer.clone())
        .label(format!("not a key of {owner}"));
        let within = pointer.strip_prefix(self.unit.pointer).unwrap_or(&pointer);
        let value = self.unit.value.pointer(within).unwrap_or(&Json::Null);
        if let Some(help) = words::kafka_connect(&dotted(within), value) {
            return draft.help(help);
        }
        if let Some(known) = near {
            return draft.help(format!("{owner} has the key `{known}`"));
        }
        if !table.is_empty() && self.unit.outer_keys.contains(&name) {
            return draft.help(format!(
                "`{name}` is a key of the connector: move it above the first [table]"
            ));
        }
        draft.help(if keys.known.is_empty() {
            format!("{owner} has no keys")
        } else {
            format!("{owner} has the keys {}", words::list(&keys.known))
        })
    }

    /// A secret under a misspelt key is still a secret; so may be anything in a table that holds some.
    fn hide_value(&mut self, pointer: &str, near: Option<&str>, table: &Json) {
        let is_secret = |schema: &Json| {
            schema
                .get("format")
                .is_some_and(|format| format == Secret::FORMAT)
        };
        let mut properties = table
            .get("properties")
            .and_then(Json::as_object)
            .into_iter()
            .flatten();
        let hide = match near {
            Some(near) => is_secret(schema::child(table, near)),
            None => properties.any(|(_, property)| is_secret(property)),
        };
        let within = pointer.strip_prefix(self.unit.pointer).unwrap_or(pointer);
        if hide && self.unit.value.pointer(within).is_some_and(Json::is_string) {
            self.report.secrets.push(self.places.value(pointer));
        }
    }

    fn missing_key(&self, table: &str, name: &str, schema: &Json) -> Draft {
        let property = schema::child(schema, name);
        let owner = self.owner(table);
        let mut pointer = table.to_owned();
        pointer::push(&mut pointer, name);
        let meaning = words::meaning(property).map(|text| format!("  # {text}"));
        Draft::error(
            code::MISSING_KEY,
            self.table_place(table),
            format!("the key `{name}` is missing"),
        )
        .label(format!("{owner} needs `{name}`"))
        .help(format!(
            "add {}{}",
            words::addition(&pointer, name, property),
            meaning.unwrap_or_default()
        ))
        .at(pointer)
    }

    /// The header of a table; the first line for the file itself.
    fn table_place(&self, pointer: &str) -> Range<usize> {
        match pointer {
            "" => 0..self.report.text.lines().next().map_or(0, str::len),
            _ => {
                let span = self.places.value(pointer);
                // An inline table is underlined as a whole only if it is short.
                let text = self.report.text.get(span.clone()).unwrap_or_default();
                let line = text.lines().next().map_or(0, str::len);
                span.start..span.start + line
            }
        }
    }

    fn owner(&self, table: &str) -> String {
        if table == self.unit.pointer {
            self.unit.owner.to_owned()
        } else {
            format!("`{}`", dotted(table))
        }
    }
}

/// The member that tells the alternatives apart, and the words that it may be.
fn tag_of(alternatives: &[&Json]) -> Option<(String, Vec<Json>)> {
    let first = alternatives.first()?.get("properties")?.as_object()?;
    let (tag, _) = first
        .iter()
        .find(|(_, property)| property.get("const").is_some())?;
    let options = alternatives
        .iter()
        .filter_map(|alternative| {
            alternative
                .get("properties")?
                .get(tag)?
                .get("const")
                .cloned()
        })
        .collect();
    Some((tag.clone(), options))
}
