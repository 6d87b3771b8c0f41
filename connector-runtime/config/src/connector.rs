//! One connector file, from text to a [`Connector`].

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use connect_api::{
    CheckContext, Contract, PluginEntry, PluginKind, SinkFactory, SourceFactory, TransformFactory,
};
use connect_contracts::JsonSchemaContract;
use serde_json::Value as Json;

use super::checks;
use super::code;
use super::conditions;
use super::exposed;
use super::files;
use super::interpolate::Interpolation;
use super::leaves;
use super::loading::Loading;
use super::parse::{Document, Syntax, parse};
use super::places::Places;
use super::plugin_tables::{self, PluginTable};
use super::report::{Draft, Report};
use super::resolve::{
    ConfiguredSink, ConfiguredSource, ConfiguredTransform, Connector, ConnectorKind, Fingerprint,
    SinkConnector, SinkFormats, SourceConnector, Topics,
};
use super::schema;
use super::validate::{Unit, validate};
use super::written::{Direction, SinkFile, SourceFile};

/// What one file turned out to be.
pub(super) struct Read {
    pub(super) name: Arc<str>,
    /// Where the name stands.
    pub(super) name_place: Range<usize>,
    /// `None` if there are errors.
    pub(super) connector: Option<Connector>,
    pub(super) report: Report,
}

/// Reads one file and checks everything about it that does not need the other files.
pub(super) fn load(loading: &mut Loading<'_>, path: &Path) -> Read {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut report = match files::read(path, loading.root.as_deref()) {
        Ok(report) => report,
        Err(report) => {
            return Read {
                name: stem.into(),
                name_place: 0..0,
                connector: None,
                report,
            };
        }
    };
    let document = parse(&mut report);
    let written_name = document.root.get("name").and_then(Json::as_str);
    let name: Arc<str> = written_name.unwrap_or(&stem).into();
    let name_place = match written_name {
        Some(_) => document.places.value("/name"),
        None => 0..0,
    };
    let kind = match document.syntax {
        Syntax::Scrambled => None,
        Syntax::Whole | Syntax::Gaps => check(loading, document, &name, &mut report),
    };
    exposed::check_file(&mut report);
    let connector = kind.map(|kind| Connector {
        name: name.clone(),
        file: path.to_owned(),
        fingerprint: Fingerprint::of(&report.text),
        kind,
    });
    Read {
        name,
        name_place,
        connector,
        report,
    }
}

fn check(
    loading: &mut Loading<'_>,
    document: Document,
    name: &str,
    report: &mut Report,
) -> Option<ConnectorKind> {
    let Document {
        mut root,
        places,
        syntax,
    } = document;
    let direction = checks::direction(&root, &places, syntax, report)?;
    let (owner, schema) = match direction {
        Direction::Sink => ("a sink connector", schema::of::<SinkFile>()),
        Direction::Source => ("a source connector", schema::of::<SourceFile>()),
    };
    let mut tables = plugin_tables::take(&mut root, direction, loading.plugins, &places, report);
    let mut interpolation = Interpolation {
        mode: loading.mode,
        places: &places,
        report,
        environment: loading.environment,
    };
    interpolation.walk(&mut root, &schema, "");
    for table in &mut tables {
        interpolation.walk(&mut table.value, &table.schema, &table.pointer);
    }
    let outer_keys: Vec<&str> = keys(&schema);
    validate(
        &Unit {
            owner,
            schema: &schema,
            value: &root,
            pointer: "",
            engine_keys: &[],
            outer_keys: &outer_keys,
        },
        &places,
        syntax,
        report,
    );
    for table in &tables {
        let unit = Unit {
            owner: &table.owner(),
            schema: &table.schema,
            value: &table.value,
            pointer: &table.pointer,
            engine_keys: plugin_tables::engine_keys(table.kind),
            outer_keys: &outer_keys,
        };
        validate(&unit, &places, syntax, report);
    }
    let keep_tombstones = conditions::keep_tombstones(&root);
    let mut check_leaf = |leaf: &leaves::Leaf<'_>| {
        leaves::check_file(loading, leaf, &places, report);
        if keep_tombstones {
            conditions::check_tombstones(leaf, &places, report);
        }
    };
    leaves::each(&root, &schema, "", &mut check_leaf);
    for table in &tables {
        leaves::each(&table.value, &table.schema, &table.pointer, &mut check_leaf);
    }
    checks::connector(&root, direction, name, loading, &places, report);
    if syntax != Syntax::Whole {
        return None;
    }
    let contract = contract_of_values(loading, &root, direction);
    let plugins = configure(loading, tables, contract.as_deref(), &root, &places, report);
    if report.has_errors() {
        None
    } else {
        resolve(loading, root, direction, plugins, report)
    }
}

fn keys(schema: &Json) -> Vec<&str> {
    let properties = schema.get("properties").and_then(Json::as_object);
    properties
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// The contract of the records that reach a sink: a local one, if no transform changes them.
fn contract_of_values(
    loading: &mut Loading<'_>,
    root: &Json,
    direction: Direction,
) -> Option<Arc<JsonSchemaContract>> {
    let transforms = root.get("transforms").and_then(Json::as_array);
    if direction == Direction::Source || transforms.is_some_and(|list| !list.is_empty()) {
        return None;
    }
    let path = root.pointer("/value/schema").and_then(Json::as_str)?;
    loading.contracts.compile(Path::new(path)).ok()
}

/// The plugins of a file, configured.
#[derive(Default)]
struct Configured {
    sinks: Vec<(&'static str, Arc<dyn SinkFactory>)>,
    sources: Vec<(&'static str, Arc<dyn SourceFactory>)>,
    transforms: Vec<(&'static str, Arc<dyn TransformFactory>)>,
}

/// Configures each plugin whose table is free of errors and lets it check itself.
fn configure(
    loading: &Loading<'_>,
    tables: Vec<PluginTable>,
    contract: Option<&JsonSchemaContract>,
    root: &Json,
    places: &Places,
    report: &mut Report,
) -> Configured {
    let context = CheckContext {
        contract: contract.map(|contract| contract as &dyn Contract),
        keeps_tombstones: conditions::keep_tombstones(root),
    };
    let plugins = loading.plugins;
    let mut configured = Configured::default();
    for table in tables {
        if report.has_errors_in(&table.pointer) {
            continue;
        }
        let pointer = table.pointer.clone();
        let findings = match table.kind {
            PluginKind::Sink => {
                one(plugins.sinks(), table, places, report).map(|(name, factory)| {
                    checks::target_topics(&factory.target_topics(), root, &pointer, places, report);
                    if !factory.writes_formats() {
                        checks::unused_formats(name, root, &pointer, places, report);
                    }
                    let findings = factory.check(&context);
                    configured.sinks.push((name, factory));
                    findings
                })
            }
            PluginKind::Source => {
                one(plugins.sources(), table, places, report).map(|(name, factory)| {
                    let findings = factory.check(&context);
                    configured.sources.push((name, factory));
                    findings
                })
            }
            PluginKind::Transform => {
                one(plugins.transforms(), table, places, report).map(|(name, factory)| {
                    let findings = factory.build().err().into_iter().collect();
                    configured.transforms.push((name, factory));
                    findings
                })
            }
        };
        for finding in findings.unwrap_or_default() {
            if !report.is_unknown(&format!("{pointer}{}", finding.pointer)) {
                report.add(Draft::of_finding(&pointer, finding, places));
            }
        }
    }
    configured
}

fn one<Factory>(
    entries: &[PluginEntry<Factory>],
    table: PluginTable,
    places: &Places,
    report: &mut Report,
) -> Option<(&'static str, Factory)> {
    let entry = entries.iter().find(|entry| entry.name == table.name)?;
    let owner = table.owner();
    match (entry.configure)(table.value) {
        Ok(factory) => Some((entry.name, factory)),
        Err(reason) => {
            // What stands in for an unset variable may not parse; the real value is looked at where it is set.
            if !report.has_unknown_in(&table.pointer) {
                let message = format!("{owner} does not take this: {reason}");
                report.add(
                    Draft::error(code::REJECTED, places.value(&table.pointer), message)
                        .at(table.pointer),
                );
            }
            None
        }
    }
}

fn resolve(
    loading: &Loading<'_>,
    root: Json,
    direction: Direction,
    plugins: Configured,
    report: &mut Report,
) -> Option<ConnectorKind> {
    let kind = match direction {
        Direction::Sink => serde_json::from_value(root).map(|file| sink(loading, file, plugins)),
        Direction::Source => {
            serde_json::from_value(root).map(|file| source(loading, file, plugins))
        }
    };
    match kind {
        Ok(kind) => kind,
        Err(error) => {
            if report.unknown.is_empty() {
                report.add(Draft::error(code::REJECTED, 0..0, error.to_string()));
            }
            None
        }
    }
}

fn sink(loading: &Loading<'_>, file: SinkFile, plugins: Configured) -> Option<ConnectorKind> {
    let topics = match (file.topics, file.topics_regex) {
        (Some(names), _) => Topics::Named(names),
        (None, Some(pattern)) => Topics::Pattern(pattern),
        (None, None) => return None,
    };
    let start = file.start;
    let sinks = plugins.sinks.into_iter().zip(file.sinks);
    let sinks: Vec<ConfiguredSink> = sinks
        .map(|((kind, factory), table)| ConfiguredSink {
            name: table.name.as_deref().unwrap_or(kind).into(),
            kind,
            when: table.when,
            start: table.start.or(start),
            formats: SinkFormats {
                key: table.key_format,
                value: table.value_format,
            },
            factory,
        })
        .collect();
    if sinks.is_empty() {
        return None;
    }
    let whens = file.transforms.into_iter().map(|table| table.when);
    Some(ConnectorKind::Sink(SinkConnector {
        topics,
        tasks: file.tasks,
        key: file.key,
        value: file.value,
        transforms: transforms(plugins.transforms, whens),
        sinks,
        batch: file.batch.or(&loading.defaults.batch),
        errors: file.errors.or(&loading.defaults.errors),
        create_topics: file.create_topics.map(Into::into),
    }))
}

fn source(loading: &Loading<'_>, file: SourceFile, plugins: Configured) -> Option<ConnectorKind> {
    let (kind, factory) = plugins.sources.into_iter().next()?;
    let whens = file.transforms.into_iter().map(|table| table.when);
    Some(ConnectorKind::Source(SourceConnector {
        topic: file.topic,
        key: file.key,
        key_format: file.key_format,
        source: ConfiguredSource { kind, factory },
        transforms: transforms(plugins.transforms, whens),
        value: file.value,
        errors: file.errors.or(&loading.defaults.errors),
        create_topics: file.create_topics.map(Into::into),
    }))
}

fn transforms(
    factories: Vec<(&'static str, Arc<dyn TransformFactory>)>,
    whens: impl Iterator<Item = Option<connect_api::Predicate>>,
) -> Vec<ConfiguredTransform> {
    factories
        .into_iter()
        .zip(whens)
        .map(|((kind, factory), when)| ConfiguredTransform {
            kind,
            when,
            factory,
        })
        .collect()
}
