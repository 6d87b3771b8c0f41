//! Validates a section by its schema: each error of the validator becomes one finding in terms of the file.

mod values;

use std::collections::BTreeMap;

use connect_api::{Finding, Leaf, Secret, pointer};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::codes;
use super::file::{ConfigFile, Syntax};
use super::formats;
use super::schema;
use super::section::Section;
use super::spans::dotted;
use super::suggest::nearest;
use super::wording;

/// Reports every problem of the section. `connector_keys` are the top-level keys of a connector, which may be below a table
/// header by mistake.
pub(super) fn validate(section: &Section, connector_keys: &[String], file: &mut ConfigFile) {
    let mut options = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .should_validate_formats(true);
    for format in formats::all() {
        options = options.with_format(format.name, move |text: &str| (format.check)(text).is_ok());
    }
    let validator = match options.build(&section.schema) {
        Ok(validator) => validator,
        Err(error) => {
            let message = format!("the schema of {} cannot be used: {error}", section.owner);
            file.add_at_key(codes::PLUGIN_SCHEMA.error(&section.pointer, message));
            return;
        }
    };
    let mut collector = Collector {
        section,
        connector_keys,
        file,
        keys: BTreeMap::new(),
    };
    for error in validator.iter_errors(&section.value) {
        collector.take(&error);
    }
    collector.report_keys();
}

/// The unknown and missing keys of one table: one of each may be one mistake.
#[derive(Default)]
struct Keys {
    unknown: Vec<String>,
    missing: Vec<String>,
    known: Vec<String>,
    schema: Json,
}

struct Collector<'a> {
    section: &'a Section,
    connector_keys: &'a [String],
    file: &'a mut ConfigFile,
    keys: BTreeMap<String, Keys>,
}

impl Collector<'_> {
    fn take(&mut self, error: &ValidationError<'_>) {
        let within = error.instance_path().as_str();
        let pointer = format!("{}{within}", self.section.pointer);
        if self.file.is_unknown(&pointer) {
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
            // `additionalProperties = false` of a table without keys.
            Kind::FalseSchema => {
                let table = self.section.value.pointer(within);
                let names = table.and_then(Json::as_object).into_iter();
                let names = names.flat_map(serde_json::Map::keys).cloned();
                self.keys_at(pointer, node).unknown.extend(names);
            }
            // A number is none of these words because of its type, which another error reports.
            Kind::Enum { .. }
                if !error.instance().is_string() && schema::types(&node) == ["string"] => {}
            Kind::UniqueItems => self.repeated(error.instance(), &pointer),
            _ => {
                let finding = self.invalid_value(error, &node, &pointer);
                self.file.add(finding);
            }
        }
    }

    /// The part of the schema that the error is about.
    fn node(&self, error: &ValidationError<'_>) -> Json {
        let path = error.schema_path().as_str();
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let node = self.section.schema.pointer(parent);
        node.cloned().unwrap_or_default()
    }

    /// Of several alternatives, reports the errors of the one that was meant.
    fn take_branch(
        &mut self,
        error: &ValidationError<'_>,
        context: &[Vec<ValidationError<'static>>],
        node: &Json,
        pointer: &str,
    ) {
        let here = error.instance_path().as_str();
        let alternatives = schema::alternatives(node)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let of_this_type = |errors: &Vec<ValidationError<'_>>| {
            !errors.iter().any(|error| {
                matches!(error.kind(), Kind::Type { .. }) && error.instance_path().as_str() == here
            })
        };
        let tagged = context
            .iter()
            .zip(alternatives)
            .find(|(_, alternative)| schema::tag_matches(alternative, error.instance()));
        let mut fitting = context.iter().filter(|errors| of_this_type(errors));
        let chosen = match (tagged, fitting.next(), fitting.next()) {
            (Some((errors, _)), ..) => Some(errors.as_slice()),
            (None, Some(only), None) => Some(only.as_slice()),
            _ => None,
        };
        let finding = match chosen {
            // The alternatives are more than the words of this one.
            Some([only])
                if matches!(only.kind(), Kind::Enum { .. })
                    && only.instance_path().as_str() == here =>
            {
                let expected = format!("expected {}", wording::expected(node));
                self.invalid_value(only, node, pointer).with_label(expected)
            }
            Some(errors) => {
                errors.iter().for_each(|error| self.take(error));
                return;
            }
            None => match tag_of(alternatives) {
                Some((tag, options)) if error.instance().is_object() => {
                    self.wrong_tag(error.instance(), &tag, &options, pointer)
                }
                _ => self.wrong_type(error.instance(), node, pointer),
            },
        };
        self.file.add(finding);
    }

    fn wrong_tag(&self, value: &Json, tag: &str, options: &[Json], pointer: &str) -> Finding {
        let pointer = pointer::member(pointer, tag);
        match value.get(tag) {
            Some(found) => self.wrong_word(found, options, &pointer),
            None => codes::MISSING_KEY
                .error(pointer, format!("the key `{tag}` is missing"))
                .with_label(format!("needs `{tag}`"))
                .with_help(format!("write {tag} = {}", wording::alternatives(options))),
        }
    }

    fn keys_at(&mut self, pointer: String, node: Json) -> &mut Keys {
        let mut known = schema::keys(&node);
        if pointer == self.section.pointer {
            known.extend_from_slice(&self.section.engine_keys);
        }
        self.keys.entry(pointer).or_insert_with(|| Keys {
            known,
            schema: node,
            ..Keys::default()
        })
    }

    fn report_keys(&mut self) {
        for (table, mut keys) in std::mem::take(&mut self.keys) {
            keys.unknown.sort();
            keys.unknown.dedup();
            for name in &keys.unknown {
                let renamed = nearest(name, &keys.missing).map(str::to_owned);
                keys.missing
                    .retain(|missing| Some(missing) != renamed.as_ref());
                self.unknown_key(&table, name, renamed, &keys.known, &keys.schema);
            }
            // A key in text that does not parse is not missing.
            if self.file.syntax == Syntax::Whole {
                for name in &keys.missing {
                    let finding = self.missing_key(&table, name, &keys.schema);
                    self.file.add(finding);
                }
            }
        }
    }

    /// `renamed`: the missing key that was meant.
    fn unknown_key(
        &mut self,
        table: &str,
        name: &str,
        renamed: Option<String>,
        known: &[String],
        schema: &Json,
    ) {
        let owner = self.owner(table);
        let pointer = pointer::member(table, name);
        let within = pointer.strip_prefix(&self.section.pointer);
        let within = within.unwrap_or(&pointer);
        let value = self.section.value.pointer(within).unwrap_or(&Json::Null);
        let others = known.iter().filter(|known| *known != name);
        let near = renamed.or_else(|| nearest(name, others).map(str::to_owned));
        let help = wording::kafka_connect(&dotted(within), value);
        let help = help.unwrap_or_else(|| match &near {
            Some(near) => format!("{owner} has the key `{near}`"),
            None if !table.is_empty() && self.connector_keys.iter().any(|key| key == name) => {
                format!("`{name}` is a key of the connector: move it above the first [table]")
            }
            None if known.is_empty() => format!("{owner} has no keys"),
            None => format!("{owner} has the keys {}", wording::list(known)),
        });
        // A secret under a misspelt key is still a secret, and so may be any value of a table that has secrets.
        let may_be_secret = match &near {
            Some(near) => is_secret(schema::child(schema, near)),
            None => {
                let properties = schema.get("properties").and_then(Json::as_object);
                properties.is_some_and(|all| all.values().any(is_secret))
            }
        };
        if may_be_secret && value.is_string() {
            self.file.mask(&pointer);
        }
        let finding = codes::UNKNOWN_KEY.error(pointer, format!("unknown key `{name}`"));
        let finding = finding.with_label(format!("not a key of {owner}"));
        self.file.add_at_key(finding.with_help(help));
    }

    fn missing_key(&self, table: &str, name: &str, schema: &Json) -> Finding {
        let property = schema::child(schema, name);
        let pointer = pointer::member(table, name);
        let addition = wording::addition(&pointer, name, property);
        let meaning = wording::meaning(property).map(|text| format!("  # {text}"));
        codes::MISSING_KEY
            .error(pointer, format!("the key `{name}` is missing"))
            .with_label(format!("{} needs `{name}`", self.owner(table)))
            .with_help(format!("add {addition}{}", meaning.unwrap_or_default()))
    }

    fn owner(&self, table: &str) -> String {
        if table == self.section.pointer {
            self.section.owner.clone()
        } else {
            format!("`{}`", dotted(table))
        }
    }
}

fn is_secret(schema: &Json) -> bool {
    let format = schema.get("format");
    format.is_some_and(|format| format == Secret::FORMAT)
}

/// The member that distinguishes the alternatives, and the words that it may be.
fn tag_of(alternatives: &[Json]) -> Option<(String, Vec<Json>)> {
    let first = alternatives.first()?.get("properties")?.as_object()?;
    let (tag, _) = first
        .iter()
        .find(|(_, property)| property.get("const").is_some())?;
    let tag_in = |alternative: &Json| {
        let property = alternative.get("properties")?.get(tag)?;
        property.get("const").cloned()
    };
    let options = alternatives.iter().filter_map(tag_in).collect();
    Some((tag.clone(), options))
}
