//! The `[key]`, `[value]` and `[registry]` tables.

mod check;
mod format;
mod registry;

use connect_api::{Cause, FilePath, SchemaFile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use format::Format;
pub(crate) use registry::topic_subject;
pub use registry::{RegistryConfig, RegistrySubject, RegistryVersion, SubjectStrategy};

/// The format of a record's key or value, and its contract.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FormatConfig {
    /// The format of the bytes.
    pub format: Format,
    /// The JSON Schema that every decoded value must be valid against.
    pub schema: Option<SchemaFile>,
    /// The contract is in the schema registry: each message names its schema by the id in its first five bytes.
    pub registry: Option<RegistrySubject>,
    /// For writing: the file of the schema to write with, in the format's own language (an Avro schema, a .proto file, a JSON
    /// Schema for the registry, the `schema` of an envelope). Without it the subject's version in the registry is used, and an
    /// envelope's schema is inferred from each value.
    pub write_schema: Option<FilePath>,
    /// What a tombstone (a record without a value) means.
    pub tombstone: TombstonePolicy,
}

/// Whether messages of a format are read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    Read,
    Write,
}

/// What a tombstone (a record without a value) means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TombstonePolicy {
    /// The record is rejected.
    #[default]
    Reject,
    /// It deletes the row that the key names.
    Delete,
    /// The record is skipped.
    Ignore,
}

impl FormatConfig {
    /// The default for keys: text.
    pub fn text() -> FormatConfig {
        FormatConfig {
            format: Format::named("string").expect("text is a format"),
            ..FormatConfig::default()
        }
    }

    /// The text of `write_schema`.
    pub(crate) fn write_schema_text(&self) -> Result<Option<String>, Cause> {
        let Some(file) = &self.write_schema else {
            return Ok(None);
        };
        std::fs::read_to_string(file.as_path())
            .map(Some)
            .map_err(|error| {
                Cause::new(format!(
                    "`write_schema` {} cannot be read: {error}",
                    file.as_path().display()
                ))
            })
    }

    /// The name of the write schema in messages.
    pub(crate) fn write_schema_name(&self) -> String {
        let file = self.write_schema.as_ref();
        file.map(|file| file.as_path().display().to_string())
            .unwrap_or_default()
    }
}
