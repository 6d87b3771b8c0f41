//! One connector file, from text to a [`ConnectorKind`].

use std::path::Path;
use std::sync::Arc;

use connect_api::Contract;
use connect_contracts::JsonSchemaContract;
use serde_json::Value as Json;

use super::checks;
use super::conditions;
use super::file::{ConfigFile, Syntax};
use super::files;
use super::formatted;
use super::inherited;
use super::loading::Loading;
use super::parse::parse;
use super::plugin_tables;
use super::plugins::{self, ConfiguredPlugins};
use super::resolve::{
    ConfiguredSink, ConfiguredSource, ConnectorKind, SinkConnector, SinkFormats, SourceConnector,
    Topics,
};
use super::schema;
use super::section::Section;
use super::stages::interpolate_and_validate;
use super::tables::{Direction, SinkConnectorFile, SourceConnectorFile};

/// A connector file that was read.
pub(super) struct Read {
    pub(super) name: Arc<str>,
    /// `None` if there are errors.
    pub(super) kind: Option<ConnectorKind>,
    pub(super) file: ConfigFile,
}

/// Reads one file and checks everything about it that does not depend on other connectors.
pub(super) fn load(loading: &mut Loading<'_>, path: &Path) -> Read {
    let mut file = files::read(path, loading.root.as_deref());
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if file.has_errors() {
        let name = stem.into();
        let kind = None;
        return Read { name, kind, file };
    }
    let root = parse(&mut file);
    let written = root.get("name").and_then(Json::as_str);
    let name: Arc<str> = written.unwrap_or(&stem).into();
    let kind = match file.syntax {
        Syntax::Scrambled => None,
        Syntax::Whole | Syntax::Gaps => check(loading, root, &name, &mut file),
    };
    Read { name, kind, file }
}

fn check(
    loading: &mut Loading<'_>,
    mut root: Json,
    name: &str,
    file: &mut ConfigFile,
) -> Option<ConnectorKind> {
    let direction = checks::direction(&root, file)?;
    let (owner, schema) = match direction {
        Direction::Sink => ("a sink connector", schema::of::<SinkConnectorFile>()),
        Direction::Source => ("a source connector", schema::of::<SourceConnectorFile>()),
    };
    let mut tables = plugin_tables::take(&mut root, direction, loading.plugins, file);
    let keys = schema::keys(&schema);
    let mut root = Section::root(owner, schema, root);
    let mut sections = vec![&mut root];
    sections.extend(tables.iter_mut().map(|table| &mut table.section));
    interpolate_and_validate(sections, &keys, loading, file);

    let keeps_tombstones = conditions::keep_tombstones(&root.value);
    for section in
        std::iter::once(&mut root).chain(tables.iter_mut().map(|table| &mut table.section))
    {
        formatted::visit_formatted(section, file, &mut |string, file| {
            formatted::check_file(loading, string, file);
            if keeps_tombstones {
                conditions::check_tombstones(string, file);
            }
        });
    }
    checks::connector(&root, direction, name, loading, file);
    if file.syntax != Syntax::Whole {
        return None;
    }
    let contract = contract_of_values(loading, &root.value, direction);
    let context = connect_api::CheckContext {
        contract: contract
            .as_deref()
            .map(|contract| contract as &dyn Contract),
        keeps_tombstones,
    };
    let plugins = plugins::configure(loading.plugins, tables, &context, &root.value, file);
    resolve(loading, root.value, direction, plugins, file)
}

/// The contract of the records that reach a sink, if it is a file and no transform changes the records.
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

fn resolve(
    loading: &Loading<'_>,
    mut root: Json,
    direction: Direction,
    plugins: ConfiguredPlugins,
    file: &mut ConfigFile,
) -> Option<ConnectorKind> {
    let errors = inherited::errors(&root, loading);
    let batch = inherited::batch(&root, loading);
    let table = root.as_object_mut()?;
    table.insert("errors".to_owned(), errors);
    match direction {
        Direction::Sink => {
            table.insert("batch".to_owned(), batch);
            sink(file.typed(root)?, plugins)
        }
        Direction::Source => source(file.typed(root)?, plugins),
    }
}

fn sink(file: SinkConnectorFile, plugins: ConfiguredPlugins) -> Option<ConnectorKind> {
    let topics = match (file.topics, file.topics_regex) {
        (Some(names), _) => Topics::Named(names),
        (None, pattern) => Topics::Pattern(pattern?),
    };
    // A sink whose variables are not set may not be configured; the others must not get its table.
    if plugins.sinks.is_empty() || plugins.sinks.len() != file.sinks.len() {
        return None;
    }
    let sinks = plugins.sinks.into_iter().zip(file.sinks);
    let sinks: Vec<ConfiguredSink> = sinks
        .map(|((kind, factory), table)| ConfiguredSink {
            name: table.name.as_deref().unwrap_or(kind).into(),
            kind,
            when: table.when,
            start: table.start.or(file.start),
            formats: SinkFormats {
                key: table.key_format,
                value: table.value_format,
            },
            factory,
        })
        .collect();
    Some(ConnectorKind::Sink(SinkConnector {
        topics,
        tasks: file.tasks,
        key: file.key,
        value: file.value,
        transforms: plugins::with_conditions(plugins.transforms, file.transforms),
        sinks,
        batch: file.batch,
        errors: file.errors,
        create_topics: file.create_topics,
    }))
}

fn source(file: SourceConnectorFile, plugins: ConfiguredPlugins) -> Option<ConnectorKind> {
    let (kind, factory) = plugins.sources.into_iter().next()?;
    Some(ConnectorKind::Source(SourceConnector {
        topic: file.topic,
        key: file.key,
        key_format: file.key_format,
        source: ConfiguredSource { kind, factory },
        transforms: plugins::with_conditions(plugins.transforms, file.transforms),
        value: file.value,
        errors: file.errors,
        create_topics: file.create_topics,
    }))
}
