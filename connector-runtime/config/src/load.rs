//! Loads a folder of connector files. Every file is checked to its end, whatever was found in it or in other files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connect_api::Plugins;

use super::codes;
use super::connector;
use super::files;
use super::finding::Findings;
use super::loading::{Loading, Mode};
use super::process;
use super::resolve::{BrokenConnector, Connector, Fingerprint, Loaded, ProcessConfig};

/// Reads the connectors below `dir` and the settings of the process from `config` (default: `connect.toml` in the folder or
/// in the one above it).
#[expect(
    clippy::disallowed_methods,
    reason = "placeholders are what the ban sends settings through"
)]
pub fn load(dir: &Path, config: Option<&Path>, plugins: &Plugins, mode: Mode) -> Loaded {
    load_with(dir, config, plugins, mode, &|name| std::env::var(name).ok())
}

/// Rereads the settings of the process for a run; `None`: there is no file, or it has errors.
#[expect(
    clippy::disallowed_methods,
    reason = "placeholders are what the ban sends settings through"
)]
pub fn load_process(dir: &Path, config: Option<&Path>) -> Option<ProcessConfig> {
    let plugins = Plugins::new();
    let loading = Loading::new(dir, &plugins, Mode::Run, &|name| std::env::var(name).ok());
    let process = process::load(&loading, dir, config);
    let file = process.file?;
    (!file.has_errors()).then_some(process.config)
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
    // A `connect.toml` with errors may configure a registry all the same.
    let is_broken = process.file.as_ref().is_some_and(|file| file.has_errors());
    loading.has_registry = is_broken || process.config.registry.is_some();
    loading.defaults = process.defaults;

    let (paths, mut files) = files::connector_files(dir);
    files.extend(process.file);
    let mut read: Vec<connector::Read> = paths
        .iter()
        .map(|path| connector::load(&mut loading, path))
        .collect();
    refuse_equal_names(&mut read);

    let (mut connectors, mut broken) = (Vec::new(), Vec::new());
    for connector::Read { name, kind, file } in read {
        let path = file.path().to_owned();
        match kind {
            Some(kind) if !file.has_errors() => connectors.push(Connector {
                name,
                file: path,
                fingerprint: Fingerprint::of(&file.text()),
                kind,
            }),
            _ => broken.push(BrokenConnector { name, file: path }),
        }
        files.push(file);
    }
    files.sort_by(|one, other| one.path().cmp(other.path()));
    let mut findings = Findings::default();
    for file in files {
        findings.extend(file.finish());
    }
    Loaded {
        connectors,
        process: process.config,
        findings,
        broken,
        contracts: loading.contracts.count(),
    }
}

/// A name is an identity, so a second file with the same name is refused.
fn refuse_equal_names(files: &mut [connector::Read]) {
    let mut owners: BTreeMap<Arc<str>, PathBuf> = BTreeMap::new();
    for connector::Read { name, file, .. } in files {
        let Some(owner) = owners.get(name) else {
            owners.insert(name.clone(), file.path().to_owned());
            continue;
        };
        file.add(
            codes::DUPLICATE_NAME
                .error("/name", format!("two connectors are named `{name}`"))
                .with_label(format!("{} has the same name", owner.display()))
                .with_help("give this one another `name`: it is the identity of its consumer group and of its progress"),
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
