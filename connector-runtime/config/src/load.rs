//! From a folder to connectors: every file is read and checked to its end, whatever was found before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connect_api::Plugins;

use super::code;
use super::connector;
use super::files;
use super::finding::Findings;
use super::loading::{Loading, Mode};
use super::process;
use super::report::Draft;
use super::resolve::{BrokenConnector, Connector, Loaded, ProcessConfig};

/// Reads the connectors below `dir` and the settings of the process from `config` (default: `connect.toml` in or beside
/// the folder).
#[expect(
    clippy::disallowed_methods,
    reason = "placeholders are what the ban sends settings through"
)]
pub fn load(dir: &Path, config: Option<&Path>, plugins: &Plugins, mode: Mode) -> Loaded {
    load_with(dir, config, plugins, mode, &|name| std::env::var(name).ok())
}

/// The settings of the process as their file is now, for a run; `None`: there is no file, or it has errors.
#[expect(
    clippy::disallowed_methods,
    reason = "placeholders are what the ban sends settings through"
)]
pub fn load_process(dir: &Path, config: Option<&Path>) -> Option<ProcessConfig> {
    let plugins = Plugins::new();
    let loading = Loading::new(dir, &plugins, Mode::Run, &|name| std::env::var(name).ok());
    let process = process::load(&loading, dir, config);
    let report = process.report?;
    (!report.has_errors()).then_some(process.config)
}

/// [`load`] with the environment as an argument.
pub fn load_with(
    dir: &Path,
    config: Option<&Path>,
    plugins: &Plugins,
    mode: Mode,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Loaded {
    let mut loading = Loading::new(dir, plugins, mode, environment);
    let process = process::load(&loading, dir, config);
    loading.defaults = process.defaults;
    if mode == Mode::RunEmbedded {
        loading.defaults.errors.show_values.get_or_insert(true);
    }
    // A broken connect.toml may well hold the registry.
    let broken = process
        .report
        .as_ref()
        .is_some_and(|report| report.has_errors());
    loading.has_registry = broken || process.config.registry.is_some();

    let (paths, mut reports) = files::connector_files(dir);
    reports.extend(process.report);
    let mut findings = Findings::default();
    let mut read = Vec::new();
    for path in &paths {
        read.push(connector::load(&mut loading, path));
    }
    refuse_equal_names(&mut read);

    let (mut connectors, mut broken) = (Vec::new(), Vec::new());
    for file in read {
        let connector::Read {
            name,
            connector,
            report,
            ..
        } = file;
        match connector {
            Some(connector) if !report.has_errors() => connectors.push(connector),
            _ => broken.push(BrokenConnector {
                name,
                file: report.path.clone(),
            }),
        }
        reports.push(report);
    }
    reports.sort_by(|one, other| one.path.cmp(&other.path));
    for report in reports {
        findings.extend(report.finish());
    }
    Loaded {
        connectors,
        process: process.config,
        findings,
        broken,
        contracts: loading.contracts.count(),
    }
}

/// A name is an identity: the second file that uses it is refused.
fn refuse_equal_names(files: &mut [connector::Read]) {
    let mut owners: BTreeMap<Arc<str>, PathBuf> = BTreeMap::new();
    for file in files {
        let Some(owner) = owners.get(&file.name) else {
            owners.insert(file.name.clone(), file.report.path.clone());
            continue;
        };
        let message = format!("two connectors are called `{}`", file.name);
        file.report.add(
            Draft::error(code::DUPLICATE_NAME, file.name_place.clone(), message)
                .label(format!("{} has this name already", owner.display()))
                .help("give this one another `name`: it is the identity of its consumer group and of its progress")
                .at("/name"),
        );
    }
}

impl Loaded {
    /// The connector of this name.
    pub fn connector(&self, name: &str) -> Option<&Connector> {
        self.connectors
            .iter()
            .find(|connector| &*connector.name == name)
    }
}
