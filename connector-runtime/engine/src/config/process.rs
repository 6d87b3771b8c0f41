//! `connect.toml`: settings of the process.

use std::collections::BTreeMap;
use std::path::Path;

use connect_api::{Secret, pointer};
use connect_contracts::RegistryConfig;
use serde_json::Value as Json;

use super::code;
use super::files;
use super::http::{self, HttpConfig};
use super::interpolate::Interpolation;
use super::load::Loading;
use super::parse::{Places, Syntax, parse};
use super::report::{Draft, Report};
use super::resolve::ProcessConfig;
use super::schema;
use super::suggest::nearest;
use super::validate::{Unit, validate};
use super::written::{DefaultsTable, ProcessFile};

const DEFAULT_SERVERS: &str = "localhost:9092";
const SERVERS_VARIABLE: &str = "KAFKA_BOOTSTRAP_SERVERS";
/// The two ways to write the cluster's address: as this project writes keys, and as Kafka does.
const SERVERS_KEYS: [&str; 2] = ["bootstrap_servers", "bootstrap.servers"];

/// The settings of the process, and what was found in their file.
pub(super) struct Process {
    pub(super) config: ProcessConfig,
    pub(super) defaults: DefaultsTable,
    pub(super) report: Option<Report>,
}

impl Process {
    fn without_file(loading: &Loading<'_>) -> Process {
        let servers = (loading.environment)(SERVERS_VARIABLE);
        Process {
            config: ProcessConfig {
                file: None,
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
    kafka(document.root.get("kafka"), places, &mut report, process);
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

/// `[kafka]`: any setting of librdkafka but those that the engine owns.
fn kafka(table: Option<&Json>, places: &Places, report: &mut Report, process: &mut Process) {
    let mut settings = BTreeMap::new();
    if let Some(table) = table {
        flatten(table, String::new(), "/kafka".to_owned(), &mut settings);
    }
    let mut servers: Option<String> = None;
    for (name, (pointer, value)) in settings {
        let Some(text) = scalar(value) else {
            report.add(
                Draft::error(
                    code::WRONG_TYPE,
                    places.value(&pointer),
                    format!("`{name}` must be a string, a number, true or false"),
                )
                .label("not a setting's value")
                .at(pointer),
            );
            continue;
        };
        if SERVERS_KEYS.contains(&name.as_str()) {
            if servers.replace(text).is_some() {
                report.add(
                    Draft::error(
                        code::BOOTSTRAP_TWICE,
                        places.key(&pointer),
                        "the address of the cluster is written under two names",
                    )
                    .label("one of the two")
                    .help("leave `bootstrap_servers`")
                    .at(pointer),
                );
            }
            continue;
        }
        if report.is_unknown(&pointer) {
            continue;
        }
        if let Err(cause) = connect_kafka::check_setting(&name, &text) {
            let of_java = connect_kafka::of_java(&name).is_some();
            let draft = if connect_kafka::is_setting(&name) && !of_java && cause.help.is_none() {
                Draft::error(code::KAFKA_SETTING, places.value(&pointer), cause.message)
                    .label("not a value of this setting")
            } else {
                Draft::error(code::KAFKA_SETTING, places.key(&pointer), cause.message)
                    .label("not a setting for [kafka]")
            };
            let help = cause.help.or_else(|| meant_setting(&name));
            report.add(match help {
                Some(help) => draft.help(help).at(pointer),
                None => draft.at(pointer),
            });
            continue;
        }
        if let Ok(secret) = Secret::parse(&text) {
            process.config.kafka.insert(name, secret);
        }
    }
    if let Some(servers) = servers {
        process.config.bootstrap_servers = servers;
    }
}

/// The setting that was probably meant by a name that is none.
fn meant_setting(name: &str) -> Option<String> {
    if let Some(ours) = connect_kafka::of_java(name) {
        return Some(format!("the Java client's `{name}` is here {ours}"));
    }
    if connect_kafka::is_setting(name) {
        return None;
    }
    let near = nearest(name, connect_kafka::allowed_settings())?;
    Some(format!("did you mean `{near}`?"))
}

/// `security.protocol = "SSL"` without quotes is a table in a table for TOML; here it is one name.
fn flatten<'v>(
    table: &'v Json,
    name: String,
    pointer: String,
    settings: &mut BTreeMap<String, (String, &'v Json)>,
) {
    match table {
        Json::Object(members) => {
            for (step, member) in members {
                let name = if name.is_empty() {
                    step.clone()
                } else {
                    format!("{name}.{step}")
                };
                let mut pointer = pointer.clone();
                pointer::push(&mut pointer, step);
                flatten(member, name, pointer, settings);
            }
        }
        other if !name.is_empty() => {
            settings.insert(name, (pointer, other));
        }
        _ => {}
    }
}

fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
        _ => None,
    }
}
