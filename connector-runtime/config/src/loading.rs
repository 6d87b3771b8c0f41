//! What loading one file needs from around it: how strict to be, the environment, defaults, contracts that are compiled.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connect_api::{ContractPlace, Plugins};
use connect_contracts::{Contracts, JsonSchemaContract, RegistryConfig};

use super::files;
use super::written::DefaultsTable;

/// How strict loading is about what only the machine of the connector has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `connect check`: an unset variable is only noted.
    Check,
    /// `connect check --env`: an unset variable is an error.
    CheckEnv,
    /// `connect run`.
    Run,
    /// `connect run --embedded`: for development, so that `errors.show_values` is on unless the files say otherwise.
    RunEmbedded,
}

/// What loading one file needs from around it.
pub(super) struct Loading<'a> {
    /// The real path of the folder that is loaded.
    pub(super) root: Option<PathBuf>,
    pub(super) plugins: &'a Plugins,
    pub(super) mode: Mode,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    pub(super) defaults: DefaultsTable,
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
            defaults: DefaultsTable::default(),
            has_registry: true,
            contracts: ContractFiles::default(),
        }
    }
}

/// The contracts that files name, compiled once each.
#[derive(Default)]
pub(super) struct ContractFiles {
    contracts: Option<Contracts>,
    seen: std::collections::BTreeSet<PathBuf>,
}

impl ContractFiles {
    pub(super) fn count(&self) -> usize {
        self.seen.len()
    }

    /// Compiles a schema file; `Err` is the finding, whose place the caller knows.
    pub(super) fn compile(
        &mut self,
        path: &Path,
    ) -> Result<Arc<JsonSchemaContract>, ContractProblem> {
        const NO_REGISTRY: Option<&RegistryConfig> = None;
        self.seen.insert(path.to_owned());
        let contracts = match &mut self.contracts {
            Some(contracts) => contracts,
            empty => {
                empty.insert(
                    Contracts::new(NO_REGISTRY).map_err(|cause| ContractProblem {
                        message: cause.message,
                        help: cause.help,
                        place: None,
                    })?,
                )
            }
        };
        contracts
            .compile_file(path)
            .map_err(|problem| ContractProblem {
                message: problem.message,
                help: problem.help,
                place: Some(ContractPlace {
                    file: problem.file,
                    line: problem.line,
                    column: problem.column,
                }),
            })
    }
}

/// Why a schema file is no contract.
pub(super) struct ContractProblem {
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) place: Option<ContractPlace>,
}
