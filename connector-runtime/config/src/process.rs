//! `connect.toml`: settings of the process.

use std::collections::BTreeMap;
use std::path::Path;

use connect_contracts::RegistryConfig;
use serde_json::Value as Json;

use super::code;
use super::exposed;
use super::files;
use super::http::{self, HttpConfig};
use super::interpolate::Interpolation;
use super::kafka;
use super::loading::Loading;
use super::parse::{Syntax, parse};
use super::places::Places;
use super::report::{Draft, Report};
use super::resolve::ProcessConfig;
use super::schema;
use super::validate::{Unit, validate};
use super::written::{DefaultsTable, ProcessFile};

const DEFAULT_SERVERS: &str = "localhost:9092";
const SERVERS_VARIABLE: &str = "KAFKA_BOOTSTRAP_SERVERS";

/// The settings of the process, and what was found in their file.
pub(super) struct Process {
    pub(super) config: ProcessConfig,
    pub(super) defaults: DefaultsTable,
    pub(super) report: Option<Report>,
}

impl Process {
    fn without_file(loading: &Loading<'_>) -> Process {
        let servers = (loading.environment)(SERVERS_VARIABLE).filter(|servers| !servers.is_empty());
        Process {
            config: ProcessConfig {
                file: None,
                servers_are_default: servers.is_none(),
                bootstrap_servers: servers.unwrap_or_else(|| DEFAULT_SERVERS.to_owned()),
                kafka: BTreeMap::new(),
                registry: None,
                http: HttpConfig::default(),
            },
            defaults: DefaultsTable::default(),
            report: None,
        }
    }
}

/// Reads `connect.toml` beside or in the folder, or the file that was named.
pub(super) fn load(loading: &Loading<'_>, folder: &Path, named: Option<&Path>) -> Process {
    let mut process = Process::without_file(loading);
    let Some(file) = named
        .map(Path::to_owned)
        .or_else(|| files::process_file(folder))
    else {
        return process;
    };
    process.config.file = Some(file.clone());
    let report = match files::read(&file, files::root_of(&file).as_deref()) {
        Ok(report) => read(loading, report, &mut process),
        Err(report) => report,
    };
    process.report = Some(report);
    process
}

fn read(loading: &Loading<'_>, mut report: Report, process: &mut Process) -> Report {
    let mut document = parse(&mut report);
    let schema = schema::of::<ProcessFile>();
    let places = &document.places;
    Interpolation {
        mode: loading.mode,
        places,
        report: &mut report,
        environment: loading.environment,
    }
    .walk(&mut document.root, &schema, "");
    exposed::check_file(&mut report);
    if document.syntax != Syntax::Scrambled {
        let unit = Unit {
            owner: "connect.toml",
            schema: &schema,
            value: &document.root,
            pointer: "",
            engine_keys: &[],
            outer_keys: &[],
        };
        validate(&unit, places, document.syntax, &mut report);
    }
    kafka::read(
        document.root.get("kafka"),
        loading.mode,
        places,
        &mut report,
        &mut process.config,
    );
    process.config.registry = registry(document.root.get("registry"), places, &mut report);
    if report.has_errors() {
        return report;
    }
    match serde_json::from_value::<ProcessFile>(document.root) {
        Ok(written) => {
            process.config.http = http::resolve(written.http, places, &mut report);
            process.defaults = written.defaults;
        }
        Err(error) => report.add(Draft::error(code::REJECTED, 0..0, error.to_string())),
    }
    report
}

/// `[registry]`, checked even where other tables have errors.
fn registry(table: Option<&Json>, places: &Places, report: &mut Report) -> Option<RegistryConfig> {
    if report.has_errors_in("/registry") {
        return None;
    }
    let registry: RegistryConfig = serde_json::from_value(table?.clone()).ok()?;
    for finding in registry.check() {
        if !report.is_unknown(&format!("/registry{}", finding.pointer)) {
            report.add(Draft::of_finding("/registry", finding, places));
        }
    }
    Some(registry)
}
