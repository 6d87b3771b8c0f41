//! Configuration: reads connector files and `connect.toml`, reports every problem of every file, and resolves the connectors
//! that have none.
//!
//! The stages of a file: [`files`] (reads it) → [`parse`] (TOML to JSON and spans) → [`plugin_tables`] (separates the keys of
//! plugins) → [`stages`] (replaces placeholders, validates by schema) → [`checks`] (what no schema expresses) → [`plugins`]
//! (plugins check themselves) → [`connector`] (a file without errors is deserialized).

mod batch;
mod checks;
mod codes;
mod conditions;
mod connector;
mod errors;
mod file;
mod files;
mod finding;
mod formats;
mod formatted;
mod http;
mod inherited;
mod interpolate;
mod kafka;
mod kafka_table;
mod literal_secrets;
mod load;
mod loading;
mod mask;
mod pages;
mod parse;
mod plugin_tables;
mod plugins;
mod process;
mod render;
mod resolve;
mod schema;
mod schema_file;
mod section;
mod spans;
mod stages;
mod stop_after;
mod suggest;
mod tables;
#[cfg(test)]
mod tests;
mod validate;
mod wording;

pub use batch::BatchConfig;
pub use errors::{Discard, ErrorsConfig, Tolerance};
pub use finding::{Findings, Place, PlacedFinding};
pub use http::{HttpAddress, HttpConfig, TlsFiles};
pub use load::{load, load_process, load_with};
pub use loading::Mode;
pub use pages::{FilePage, engine_keys, file_pages};
pub use resolve::{
    BrokenConnector, ConfiguredSink, ConfiguredSource, ConfiguredTransform, Connector,
    ConnectorKind, Fingerprint, LONGEST_LANE_NAME, Loaded, MOST_LANES, ProcessConfig,
    SinkConnector, SinkFormats, SourceConnector, Topics,
};
pub use schema::tidy;
pub use schema_file::{connector_schema, process_schema};
pub use stop_after::StopAfter;
pub use suggest::nearest;
pub use tables::CreateTopics;
pub use wording::toml as toml_value;

use connect_api::{Explanation, Plugins};

/// The explanations of all finding codes, those of the engine and those of the plugins.
pub fn explanations(plugins: &Plugins) -> Vec<Explanation> {
    let of_plugins = plugins.all().flat_map(|plugin| plugin.explanations);
    let mut all: Vec<Explanation> = codes::ALL
        .iter()
        .copied()
        .chain(of_plugins)
        .copied()
        .collect();
    all.sort_by_key(|explanation| explanation.code);
    all.dedup_by_key(|explanation| explanation.code);
    all
}
