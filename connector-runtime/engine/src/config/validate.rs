//! A table against its schema: each error of the validator becomes one finding in the words of the file's author.

use std::collections::BTreeMap;
use std::ops::Range;

use connect_api::leaf::{LeafCheck, SECRET_FORMAT, leaf_formats};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::code;
use super::names;
use super::parse::{Places, Syntax, dotted, push_pointer};
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

/// Every leaf format with its parser: those of the plugin API and those of the engine.
fn formats() -> impl Iterator<Item = (&'static str, LeafCheck)> {
    leaf_formats()
        .into_iter()
        .filter(|(name, _)| *name != names::START_FORMAT)
        .chain(names::FORMATS)
}

/// Adds every problem of the table to the report.
pub(super) fn validate(unit: &Unit<'_>, places: &Places, syntax: Syntax, report: &mut Report) {
    let mut options = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .should_validate_formats(true);
    for (name, check) in formats() {
        options = options.with_format(name, move |text: &str| check(text).is_ok());
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
            Some(errors) => errors.iter().for_each(|error| self.take(error)),
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
        push_pointer(&mut pointer, tag);
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
        push_pointer(&mut pointer, name);
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
        draft.help(match keys.known.is_empty() {
            true => format!("{owner} has no keys"),
            false => format!("{owner} has the keys {}", words::list(&keys.known)),
        })
    }

    /// A secret under a misspelt key is still a secret; so may be anything in a table that holds some.
    fn hide_value(&mut self, pointer: &str, near: Option<&str>, table: &Json) {
        let is_secret = |schema: &Json| {
            schema
                .get("format")
                .is_some_and(|format| format == SECRET_FORMAT)
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
        push_pointer(&mut pointer, name);
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
        match table == self.unit.pointer {
            true => self.unit.owner.to_owned(),
            false => format!("`{}`", dotted(table)),
        }
    }

    fn leaf(&self, error: &ValidationError<'_>, node: &Json, pointer: &str) -> Draft {
        let value = error.instance().as_ref();
        match error.kind() {
            Kind::Type { .. } => self.wrong_type(value, node, pointer),
            Kind::Enum { options } => match options.as_ref() {
                Json::Array(options) => self.wrong_word(value, options, pointer),
                other => self.wrong_word(value, std::slice::from_ref(other), pointer),
            },
            Kind::Constant { expected_value } => self.wrong_word(
                value,
                std::slice::from_ref(expected_value.as_ref()),
                pointer,
            ),
            Kind::Format { format } => self.bad_leaf(value, format, node, pointer),
            Kind::Minimum { limit } => {
                self.out_of_range(pointer, value, &format!("at least {limit}"))
            }
            Kind::Maximum { limit } => {
                self.out_of_range(pointer, value, &format!("at most {limit}"))
            }
            Kind::ExclusiveMinimum { limit } => {
                self.out_of_range(pointer, value, &format!("more than {limit}"))
            }
            Kind::ExclusiveMaximum { limit } => {
                self.out_of_range(pointer, value, &format!("less than {limit}"))
            }
            Kind::MinItems { limit }
            | Kind::MinLength { limit }
            | Kind::MinProperties { limit } => {
                self.wrong_length(pointer, value, "at least", *limit)
            }
            Kind::MaxItems { limit }
            | Kind::MaxLength { limit }
            | Kind::MaxProperties { limit } => self.wrong_length(pointer, value, "at most", *limit),
            Kind::Pattern { pattern } => {
                let expected =
                    words::meaning(node).unwrap_or_else(|| format!("text that matches {pattern}"));
                Draft::error(
                    code::BAD_VALUE,
                    self.places.value(pointer),
                    format!(
                        "{} cannot be {}",
                        self.name(pointer),
                        self.shown(value, pointer)
                    ),
                )
                .label(format!("expected {expected}"))
                .at(pointer)
            }
            _ => Draft::error(
                code::BAD_VALUE,
                self.places.value(pointer),
                format!("{}: {}", self.name(pointer), error.masked()),
            )
            .at(pointer),
        }
    }

    fn wrong_type(&self, value: &Json, node: &Json, pointer: &str) -> Draft {
        let span = self.table_place(pointer);
        let expected = words::expected(node);
        let found = self.found(value, pointer);
        let draft = Draft::error(
            code::WRONG_TYPE,
            span.clone(),
            format!("{} must be {expected}, found {found}", self.name(pointer)),
        )
        .label(format!("expected {expected}"))
        .at(pointer);
        let header = self
            .report
            .text
            .get(span)
            .filter(|text| text.starts_with('['));
        let within = pointer.strip_prefix(self.unit.pointer).unwrap_or(pointer);
        let help = words::kafka_connect(&dotted(within), value)
            .or_else(|| words::conversion(value, node, header, self.is_secret(pointer)))
            .or_else(|| words::meaning(node).map(|meaning| format!("meaning: {meaning}")));
        match help {
            Some(help) => draft.help(help),
            None => draft,
        }
    }

    fn wrong_word(&self, value: &Json, options: &[Json], pointer: &str) -> Draft {
        let expected = words::alternatives(options);
        let draft = Draft::error(
            code::UNKNOWN_WORD,
            self.places.value(pointer),
            format!(
                "{} cannot be {}",
                self.name(pointer),
                self.shown(value, pointer)
            ),
        )
        .label(format!("expected {expected}"))
        .at(pointer);
        let written = value.as_str().unwrap_or_default();
        match nearest(written, options.iter().filter_map(Json::as_str)) {
            Some(near) => draft.help(format!("did you mean \"{near}\"?")),
            None => draft,
        }
    }

    /// The leaf's own parser says what is wrong with it.
    fn bad_leaf(&self, value: &Json, format: &str, node: &Json, pointer: &str) -> Draft {
        let text = value.as_str().unwrap_or_default();
        let check = formats().find(|(name, _)| *name == format);
        let reason = check.and_then(|(_, check)| check(text).err());
        let written = self.found(value, pointer);
        let message = match reason {
            // What a placeholder stands for is not shown, and the parser's words would show it.
            Some(reason) if !written.contains("${") && !self.is_secret(pointer) => reason,
            _ => format!("{written} is not {}", words::expected(node)),
        };
        Draft::error(
            code::BAD_VALUE,
            self.places.value(pointer),
            format!("{}: {message}", self.name(pointer)),
        )
        .label(format!("expected {}", words::expected(node)))
        .at(pointer)
    }

    fn out_of_range(&self, pointer: &str, value: &Json, expected: &str) -> Draft {
        Draft::error(
            code::OUT_OF_RANGE,
            self.places.value(pointer),
            format!(
                "{} must be {expected}, found {}",
                self.name(pointer),
                self.shown(value, pointer)
            ),
        )
        .label(format!("expected {expected}"))
        .at(pointer)
    }

    fn wrong_length(&self, pointer: &str, value: &Json, comparison: &str, limit: u64) -> Draft {
        let unit = match (value, limit) {
            (Json::Array(_), 1) => "element",
            (Json::Array(_), _) => "elements",
            (Json::Object(_), 1) => "key",
            (Json::Object(_), _) => "keys",
            (_, 1) => "character",
            _ => "characters",
        };
        let length = match value {
            Json::Array(elements) => elements.len(),
            Json::Object(members) => members.len(),
            other => other.as_str().map_or(0, |text| text.chars().count()),
        };
        let message = match length {
            0 => format!("{} is empty", self.name(pointer)),
            _ => format!(
                "{} has {length} {}s",
                self.name(pointer),
                unit.trim_end_matches('s')
            ),
        };
        Draft::error(code::OUT_OF_RANGE, self.table_place(pointer), message)
            .label(format!("expected {comparison} {limit} {unit}"))
            .at(pointer)
    }

    fn repeated(&mut self, value: &Json, pointer: &str) {
        let elements = value.as_array().map(Vec::as_slice).unwrap_or_default();
        for (index, element) in elements.iter().enumerate() {
            if !elements.iter().take(index).any(|before| before == element) {
                continue;
            }
            let pointer = format!("{pointer}/{index}");
            let found = self.shown(element, &pointer);
            self.report.add(
                Draft::error(
                    code::REPEATED,
                    self.places.value(&pointer),
                    format!("{found} is in the list twice"),
                )
                .label("listed above already")
                .help("leave one of them")
                .at(pointer),
            );
        }
    }

    fn name(&self, pointer: &str) -> String {
        let key = dotted(pointer.get(self.unit.pointer.len()..).unwrap_or(pointer));
        match key.as_str() {
            "" => self.unit.owner.to_owned(),
            key => format!("`{key}`"),
        }
    }

    fn is_secret(&self, pointer: &str) -> bool {
        let place = self.places.value(pointer);
        self.report.secrets.contains(&place)
    }

    /// The value as it is written.
    fn shown(&self, value: &Json, pointer: &str) -> String {
        let found = self.found(value, pointer);
        for kind in ["the string ", "the integer ", "the number "] {
            if let Some(written) = found.strip_prefix(kind) {
                return written.to_owned();
            }
        }
        found
    }

    /// The value in words; what a placeholder or a secret stands for is not shown.
    fn found(&self, value: &Json, pointer: &str) -> String {
        if self.is_secret(pointer) {
            return "a value that is not shown".to_owned();
        }
        let written = self.report.text.get(self.places.value(pointer));
        match written {
            Some(written) if written.contains("${") && !value.is_object() && !value.is_array() => {
                format!("what {written} stands for")
            }
            _ => words::found(value),
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
