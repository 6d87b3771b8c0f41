//! A JSON Schema document with its text, and problems in it.

use std::path::PathBuf;
use std::sync::Arc;

use connect_api::{Cause, ContractPlace, JsonLimits, Value};

use super::numbers::schema_json;
use super::places;

/// Bytes of one document.
const LONGEST_SCHEMA: usize = 8 << 20;

/// A problem in a schema, with its location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaProblem {
    /// One sentence without a full stop.
    pub message: String,
    /// The file; for a schema of the registry its subject and version.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What to do about it.
    pub help: Option<String>,
}

impl std::fmt::Display for SchemaProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let SchemaProblem {
            message,
            file,
            line,
            column,
            ..
        } = self;
        write!(formatter, "{}:{line}:{column}: {message}", file.display())
    }
}

impl std::error::Error for SchemaProblem {}

impl From<SchemaProblem> for Cause {
    fn from(problem: SchemaProblem) -> Cause {
        Cause {
            code: None,
            message: problem.to_string(),
            help: problem.help,
            value: None,
            dependency: None,
        }
    }
}

/// A document and its text, for locations of problems.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
    pub(crate) value: serde_json::Value,
}

impl Document {
    pub(crate) fn parse(file: PathBuf, text: String) -> Result<Arc<Document>, SchemaProblem> {
        let at = |file: PathBuf, offset: usize, message: String| {
            let (line, column) = places::line_and_column(&text, offset);
            SchemaProblem {
                message,
                file,
                line,
                column,
                help: None,
            }
        };
        if text.len() > LONGEST_SCHEMA {
            let message = format!(
                "the schema has {} bytes, and {} MiB at most are read",
                text.len(),
                LONGEST_SCHEMA >> 20
            );
            return Err(at(file, 0, message));
        }
        // Our own parser refuses a repeated key in an object, where serde_json keeps the last.
        let parsed = Value::parse_json(text.clone().into(), JsonLimits::default());
        let value = match parsed {
            Ok(parsed) => schema_json(parsed.root()),
            Err(error) => {
                let message = format!("this is not JSON: {}", error.message);
                return Err(at(file, error.offset, message));
            }
        };
        if !value.is_object() && !value.is_boolean() {
            let found = match value {
                serde_json::Value::Array(_) => "an array",
                serde_json::Value::String(_) => "a string",
                serde_json::Value::Null => "null",
                _ => "a number",
            };
            let message = format!("a JSON Schema is an object, and this is {found}");
            return Err(at(file, 0, message));
        }
        Ok(Arc::new(Document { file, text, value }))
    }

    /// A problem at the location of `pointer`.
    pub(crate) fn problem(&self, pointer: &str, message: String) -> SchemaProblem {
        let place = self.place(pointer);
        SchemaProblem {
            message,
            file: place.file,
            line: place.line,
            column: place.column,
            help: None,
        }
    }

    pub(crate) fn place(&self, pointer: &str) -> ContractPlace {
        let offset = places::offset_of(&self.text, pointer);
        let (line, column) = places::line_and_column(&self.text, offset);
        ContractPlace {
            file: self.file.clone(),
            line,
            column,
        }
    }
}
