//! Configures the plugins of a connector file and lets them check themselves.

use std::sync::Arc;

use connect_api::{
    CheckContext, PluginEntry, PluginKind, Plugins, SinkFactory, SourceFactory, TransformFactory,
};
use serde_json::Value as Json;

use super::checks;
use super::codes;
use super::file::ConfigFile;
use super::plugin_tables::PluginTable;
use super::resolve::ConfiguredTransform;
use super::tables::TransformTable;

/// The plugins of a file, each with its name, in the order of the file.
#[derive(Default)]
pub(super) struct ConfiguredPlugins {
    pub(super) sinks: Vec<(&'static str, Arc<dyn SinkFactory>)>,
    pub(super) sources: Vec<(&'static str, Arc<dyn SourceFactory>)>,
    pub(super) transforms: Vec<(&'static str, Arc<dyn TransformFactory>)>,
}

/// Configures each plugin whose table has no errors, and reports what it finds.
pub(super) fn configure(
    plugins: &Plugins,
    tables: Vec<PluginTable>,
    context: &CheckContext<'_>,
    root: &Json,
    file: &mut ConfigFile,
) -> ConfiguredPlugins {
    let mut configured = ConfiguredPlugins::default();
    for table in tables {
        let pointer = table.section.pointer.clone();
        if file.has_errors_in(&pointer) {
            continue;
        }
        match table.kind {
            PluginKind::Sink => {
                if let Some((name, factory)) = one(plugins.sinks(), table, file) {
                    checks::target_topics(&factory.target_topics(), root, &pointer, file);
                    if !factory.writes_formats() {
                        checks::unused_formats(name, root, &pointer, file);
                    }
                    file.add_all(&pointer, factory.check(context));
                    configured.sinks.push((name, factory));
                }
            }
            PluginKind::Source => {
                if let Some((name, factory)) = one(plugins.sources(), table, file) {
                    file.add_all(&pointer, factory.check(context));
                    configured.sources.push((name, factory));
                }
            }
            PluginKind::Transform => {
                if let Some((name, factory)) = one(plugins.transforms(), table, file) {
                    file.add_all(&pointer, factory.build().err());
                    configured.transforms.push((name, factory));
                }
            }
        }
    }
    configured
}

fn one<Factory>(
    entries: &[PluginEntry<Factory>],
    table: PluginTable,
    file: &mut ConfigFile,
) -> Option<(&'static str, Factory)> {
    let entry = entries.iter().find(|entry| entry.name == table.name)?;
    let section = table.section;
    match (entry.configure)(section.value) {
        Ok(factory) => Some((entry.name, factory)),
        Err(reason) => {
            // The stand-in for an unset variable may not deserialize; the real value is checked where it is set.
            if !file.has_unknown_in(&section.pointer) {
                let message = format!("{} cannot use this table: {reason}", section.owner);
                file.add(codes::REJECTED.error(section.pointer, message));
            }
            None
        }
    }
}

/// The transforms with the conditions of their tables.
pub(super) fn with_conditions(
    factories: Vec<(&'static str, Arc<dyn TransformFactory>)>,
    tables: Vec<TransformTable>,
) -> Vec<ConfiguredTransform> {
    factories
        .into_iter()
        .zip(tables)
        .map(|((kind, factory), table)| ConfiguredTransform {
            kind,
            when: table.when,
            factory,
        })
        .collect()
}
