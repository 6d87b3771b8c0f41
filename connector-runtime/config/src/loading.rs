//! What loading a file needs besides the file: the mode, the environment, inherited settings and compiled contracts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connect_api::{Plugins, Severity};
use connect_contracts::{Contracts, JsonSchemaContract, SchemaProblem};
use serde_json::Value as Json;

use super::files;

/// How strictly settings are checked that only the connector's machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `connect check`: an unset variable is a note.
    Check,
    /// `connect check --env`: an unset variable is an error.
    CheckEnv,
    /// `connect run`.
    Run,
    /// `connect run --embedded`: for development, so `errors.show_values` is true unless a file sets it.
    RunEmbedded,
}

impl Mode {
    /// The severity of a finding about a variable or a file that is missing on this machine. CI does not have what the
    /// connector's machine has.
    pub(super) fn severity_of_missing(self) -> Severity {
        match self {
            Mode::Check => Severity::Note,
            Mode::CheckEnv | Mode::Run | Mode::RunEmbedded => Severity::Error,
        }
    }
}

/// What loading a file needs besides the file.
pub(super) struct Loading<'a> {
    /// The real path of the folder that is loaded.
    pub(super) root: Option<PathBuf>,
    pub(super) plugins: &'a Plugins,
    pub(super) mode: Mode,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    /// `[defaults]` of `connect.toml`, without errors.
    pub(super) defaults: Json,
    pub(super) has_registry: bool,
    pub(super) contracts: ContractFiles,
}

impl<'a> Loading<'a> {
    pub(super) fn new(
        dir: &Path,
        plugins: &'a Plugins,
        mode: Mode,
        environment: &'a dyn Fn(&str) -> Option<String>,
    ) -> Loading<'a> {
        Loading {
            root: files::root_of(dir),
            plugins,
            mode,
            environment,
            defaults: Json::Null,
            has_registry: true,
            contracts: ContractFiles::new(),
        }
    }
}

/// The schema files that connector files name, each compiled once.
pub(super) struct ContractFiles {
    contracts: Contracts,
    seen: BTreeSet<PathBuf>,
}

impl ContractFiles {
    fn new() -> ContractFiles {
        ContractFiles {
            contracts: Contracts::new(None).expect("only a registry can be refused"),
            seen: BTreeSet::new(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.seen.len()
    }

    pub(super) fn compile(
        &mut self,
        path: &Path,
    ) -> Result<Arc<JsonSchemaContract>, SchemaProblem> {
        self.seen.insert(path.to_owned());
        self.contracts.compile_file(path)
    }
}
