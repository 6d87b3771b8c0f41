//! `connect.toml`: settings of the process.

use std::collections::BTreeMap;
use std::path::Path;

use connect_contracts::RegistryConfig;
use serde_json::Value as Json;

use super::file::ConfigFile;
use super::files;
use super::http::{self, HttpConfig};
use super::kafka;
use super::kafka_table::{DEFAULT_SERVERS, SERVERS_VARIABLE};
use super::loading::Loading;
use super::parse::parse;
use super::resolve::ProcessConfig;
use super::schema;
use super::section::Section;
use super::stages::interpolate_and_validate;
use super::tables::ProcessFile;

/// The settings of the process, and their file.
pub(super) struct Process {
    pub(super) config: ProcessConfig,
    /// `[defaults]`; null if the file has errors.
    pub(super) defaults: Json,
    /// `None`: there is no file.
    pub(super) file: Option<ConfigFile>,
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
            defaults: Json::Null,
            file: None,
        }
    }
}

/// Reads the named file, or the `connect.toml` of the folder.
pub(super) fn load(loading: &Loading<'_>, folder: &Path, named: Option<&Path>) -> Process {
    let mut process = Process::without_file(loading);
    let path = named
        .map(Path::to_owned)
        .or_else(|| files::process_file(folder));
    if let Some(path) = path {
        let mut file = files::read(&path, files::root_of(&path).as_deref());
        process.config.file = Some(path);
        if !file.has_errors() {
            check(loading, &mut file, &mut process);
        }
        process.file = Some(file);
    }
    process
}

fn check(loading: &Loading<'_>, file: &mut ConfigFile, process: &mut Process) {
    let mut section = Section::root("connect.toml", schema::of::<ProcessFile>(), parse(file));
    interpolate_and_validate(vec![&mut section], &[], loading, file);
    let root = section.value;
    let table = |name: &str| root.get(name).unwrap_or(&Json::Null);
    kafka::read(table("kafka"), loading.mode, file, &mut process.config);
    process.config.registry = registry(table("registry"), file);
    let defaults = table("defaults").clone();
    if let Some(typed) = file.typed::<ProcessFile>(root) {
        http::check(&typed.http, file);
        process.config.http = typed.http;
        process.defaults = defaults;
    }
}

/// `[registry]`, which is checked even if other tables have errors.
fn registry(table: &Json, file: &mut ConfigFile) -> Option<RegistryConfig> {
    if table.is_null() || file.has_errors_in("/registry") {
        return None;
    }
    let registry: RegistryConfig = serde_json::from_value(table.clone()).ok()?;
    file.add_all("/registry", registry.check());
    Some(registry)
}
