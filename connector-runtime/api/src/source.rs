//! What a source is.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::check::CheckContext;
use crate::failure::{Cause, Failure, Result};
use crate::finding::{Explanation, Finding};
use crate::record::Header;
use crate::value::Value;

/// A kind of source: the word in `type = "…"`, its configuration, and how to open it.
#[async_trait]
pub trait SourcePlugin: 'static {
    /// The word in `type = "…"`.
    const NAME: &'static str;
    /// One line for `connect plugins`.
    const ABOUT: &'static str;
    /// A minimal `[source]` table.
    const EXAMPLE: &'static str;
    /// The finding codes that `check` below may use.
    const EXPLANATIONS: &'static [Explanation] = &[];
    /// What stands in the `[source]` table beside the engine's keys. Needs `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned + JsonSchema + Send + Sync + 'static;
    type Source: Source + 'static;

    /// Finds problems without network, database or secrets.
    fn check(_config: &Self::Config, _context: &CheckContext<'_>) -> Vec<Finding> {
        Vec::new()
    }

    /// Returns a source that continues after the committed positions of the context.
    async fn open(config: &Self::Config, context: SourceContext) -> Result<Self::Source>;
}

/// An open source.
#[async_trait]
pub trait Source: Send {
    /// Waits for the next records. Cancel-safe: a dropped poll loses nothing, the next one returns the same.
    async fn poll(&mut self) -> Result<Polled>;

    /// Kafka has everything up to these positions; the outside world may be told to forget it.
    async fn commit(&mut self, _positions: &Positions) -> Result<()> {
        Ok(())
    }

    /// Lets go of connections. Called once; dropping without it must be harmless too.
    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What one poll brought.
#[derive(Debug, Default)]
pub struct Polled {
    pub records: Vec<SourceRecord>,
    /// The positions after these records; they are committed in the same transaction. Only what changed.
    pub positions: Positions,
    /// Nothing comes any more: the connector is STOPPED once these records are in Kafka.
    pub finished: bool,
}

/// One record that a source made.
#[derive(Clone, Debug)]
pub struct SourceRecord {
    /// Used unless the connector names another `key`.
    pub key: Option<Value>,
    pub value: Option<Value>,
    pub headers: Vec<Header>,
    /// Milliseconds since 1970; `None` lets Kafka put its own.
    pub timestamp_ms: Option<i64>,
}

impl SourceRecord {
    pub fn of_value(value: Value) -> SourceRecord {
        SourceRecord {
            key: None,
            value: Some(value),
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }
}

/// What the engine hands to a source that opens.
#[derive(Clone, Debug)]
pub struct SourceContext {
    pub connector: Arc<str>,
    /// What was committed last, for each source partition.
    pub positions: Positions,
}

/// Positions of a source in Kafka Connect's shape: for each source partition (any JSON object that names a part of
/// the outside world) an offset (any JSON value that says how far it was read).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<String, String>);

impl Positions {
    /// The offset of this partition, if one is stored. An offset of another shape is an error, never ignored.
    pub fn get<T: DeserializeOwned>(&self, partition: &impl Serialize) -> Result<Option<T>> {
        let Some(offset) = self.0.get(&json(partition)?) else {
            return Ok(None);
        };
        serde_json::from_str(offset).map(Some).map_err(|error| {
            Failure::Fatal(Cause::new(format!(
                "the stored position {offset} is not one of this source: {error}"
            )))
        })
    }

    pub fn set(&mut self, partition: &impl Serialize, offset: &impl Serialize) -> Result<()> {
        self.0.insert(json(partition)?, json(offset)?);
        Ok(())
    }

    /// From stored JSON texts.
    pub fn insert_json(&mut self, partition: String, offset: String) {
        self.0.insert(partition, offset);
    }

    /// As (partition, offset), both JSON texts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(partition, offset)| (partition.as_str(), offset.as_str()))
    }

    /// Takes over what `newer` says.
    pub fn merge(&mut self, newer: Positions) {
        self.0.extend(newer.0);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Canonical JSON: `serde_json`'s maps are sorted by key.
fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_value(value)
        .map(|value| value.to_string())
        .map_err(|error| {
            Failure::Fatal(Cause::new(format!(
                "a position cannot be written as JSON: {error}"
            )))
        })
}
