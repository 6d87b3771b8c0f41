//! Configuration: every problem of every file at once, then the connectors that are meant.
//!
//! The road of a file: [`parse`] (text to JSON and places) → [`plugin_tables`] (the plugins' keys go to their plugins'
//! schemas) → [`interpolate`] (placeholders, paths) → [`validate`] (each error of the validator in the author's words) →
//! [`checks`] (what no schema says) → [`connector`] (only a file without errors is deserialized).

mod checks;
mod code;
mod conditions;
mod connector;
mod draw;
mod exposed;
mod files;
mod finding;
mod formats;
mod http;
mod interpolate;
mod kafka;
mod kafka_table;
mod leaves;
mod load;
mod loading;
mod mask;
mod pages;
mod parse;
mod places;
mod plugin_tables;
mod process;
mod report;
mod resolve;
mod schema;
mod schema_file;
mod stop_after;
mod suggest;
#[cfg(test)]
mod tests;
mod validate;
mod words;
mod written;

pub use finding::{Findings, Place, PlacedFinding};
pub use http::{HttpAddress, HttpConfig, TlsFiles};
pub use load::{load, load_process, load_with};
pub use loading::Mode;
pub use pages::{FilePage, engine_keys, file_pages};
pub use resolve::{
    BatchConfig, BrokenConnector, ConfiguredSink, ConfiguredSource, ConfiguredTransform, Connector,
    ConnectorKind, CreateTopics, Discard, ErrorsConfig, Fingerprint, LONGEST_LANE_NAME, Loaded,
    MOST_LANES, ProcessConfig, SinkConnector, SinkFormats, SourceConnector, Tolerance, Topics,
};
pub use schema::tidy;
pub use schema_file::{connector_schema, process_schema};
pub use stop_after::StopAfter;
pub use suggest::nearest;
pub use words::toml as toml_value;

use connect_api::{Explanation, Plugins};

/// The explanation of every finding code: the engine's and those that the plugins bring.
pub fn explanations(plugins: &Plugins) -> Vec<Explanation> {
    let of_plugins = plugins.all().flat_map(|plugin| plugin.explanations);
    let mut all: Vec<Explanation> = code::ALL
        .iter()
        .copied()
        .chain(of_plugins)
        .copied()
        .collect();
    all.sort_by_key(|explanation| explanation.code);
    all.dedup_by_key(|explanation| explanation.code);
    all
}
