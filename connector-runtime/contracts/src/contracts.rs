//! The contracts of a process: compiled schema files and the registry, shared by all connectors.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connect_api::{Cause, Contract, ContractCompiler, Finding, SchemaFile, Side};
use parking_lot::Mutex;

use crate::config::{FormatConfig, RegistryConfig, Usage};
use crate::decode::Decoder;
use crate::encode::Encoder;
use crate::registry::Registry;
use crate::schema::{JsonSchemaContract, SchemaProblem};

/// Compiled schema files and the registry. Cheap to clone; clones share the state. A file is read once: a change is seen only
/// by a new `Contracts`.
#[derive(Clone)]
pub struct Contracts(Arc<Shared>);

struct Shared {
    files: Mutex<HashMap<PathBuf, Result<Arc<JsonSchemaContract>, SchemaProblem>>>,
    registry: Option<Arc<Registry>>,
}

/// The schema and the registry that a `[key]` or `[value]` table names.
struct Parts {
    schema: Option<Arc<JsonSchemaContract>>,
    registry: Option<Arc<Registry>>,
}

impl Contracts {
    /// Opens no connection. `Err`: the configuration does not pass its `check`, or a certificate file cannot be used.
    pub fn new(registry: Option<&RegistryConfig>) -> Result<Contracts, Cause> {
        if let Some(finding) = registry.and_then(|config| config.check().into_iter().next()) {
            return Err(cause_of(finding));
        }
        let registry = registry.map(Registry::new).transpose()?.map(Arc::new);
        Ok(Contracts(Arc::new(Shared {
            files: Mutex::default(),
            registry,
        })))
    }

    /// Compiles a JSON Schema file and everything that it refers to.
    pub fn compile_file(&self, path: &Path) -> Result<Arc<JsonSchemaContract>, SchemaProblem> {
        let mut files = self.0.files.lock();
        files
            .entry(path.to_path_buf())
            .or_insert_with(|| JsonSchemaContract::of_file(path).map(Arc::new))
            .clone()
    }

    /// A decoder for the keys or the values of a connector. No network access.
    pub fn decoder(&self, side: Side, config: &FormatConfig) -> Result<Decoder, Cause> {
        let Parts { schema, registry } = self.parts(config, Usage::Read)?;
        Decoder::new(side, config, schema, registry)
    }

    /// An encoder for the keys or the values of one topic. No network access.
    pub fn encoder(
        &self,
        side: Side,
        config: &FormatConfig,
        topic: &str,
    ) -> Result<Encoder, Cause> {
        let Parts { schema, registry } = self.parts(config, Usage::Write)?;
        Encoder::new(side, config, topic, schema, registry)
    }

    fn parts(&self, config: &FormatConfig, usage: Usage) -> Result<Parts, Cause> {
        if let Some(finding) = config.check(usage).into_iter().next() {
            return Err(cause_of(finding));
        }
        let schema = match &config.schema {
            Some(file) => Some(self.compile_file(file.as_path())?),
            None => None,
        };
        let registry = match (&config.registry, &self.0.registry) {
            (None, _) => None,
            (Some(_), Some(registry)) => Some(Arc::clone(registry)),
            (Some(_), None) => {
                return Err(Cause::new(
                    "the contract is in the schema registry, and no registry is configured",
                )
                .with_help("add `[registry] url = \"https://…\"` to connect.toml"));
            }
        };
        Ok(Parts { schema, registry })
    }
}

fn cause_of(finding: Finding) -> Cause {
    let cause = Cause::new(finding.message).with_code(finding.code);
    match finding.help {
        Some(help) => cause.with_help(help),
        None => cause,
    }
}

impl ContractCompiler for Contracts {
    fn compile(&self, schema: &SchemaFile) -> Result<Arc<dyn Contract>, Cause> {
        let compiled = self.compile_file(schema.as_path())?;
        Ok(compiled)
    }
}
