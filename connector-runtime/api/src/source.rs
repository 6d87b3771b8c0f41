//! The traits of a source, its records and its positions.

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
    /// The keys of the `[source]` table besides the engine's own. Needs `#[serde(deny_unknown_fields)]`.
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

    /// All records up to these positions are in Kafka; the source may acknowledge them to the external system.
    async fn commit(&mut self, _positions: &Positions) -> Result<()> {
        Ok(())
    }

    /// Closes connections. Called once; dropping the source without it must be harmless too.
    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The result of one poll.
#[derive(Debug, Default)]
pub struct Polled {
    pub records: Vec<SourceRecord>,
    /// The positions after these records, committed in the same transaction. Only those that changed.
    pub positions: Positions,
    /// The source is exhausted: the connector is STOPPED once these records are in Kafka.
    pub finished: bool,
}

/// One record of a source.
#[derive(Clone, Debug)]
pub struct SourceRecord {
    /// Used unless the connector names another `key`.
    pub key: Option<Value>,
    pub value: Option<Value>,
    pub headers: Vec<Header>,
    /// Milliseconds since 1970; `None`: Kafka assigns its own timestamp.
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

/// What the engine passes to a source that opens.
#[derive(Clone, Debug)]
pub struct SourceContext {
    pub connector: Arc<str>,
    /// The last committed positions, by source partition.
    pub positions: Positions,
}

/// Positions of a source in Kafka Connect's form: for each source partition (any JSON object that names a part of the external
/// system) an offset (any JSON value that says how far it was read).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<String, String>);

impl Positions {
    /// The offset of this partition, if one is stored. An offset of another type is an error, never ignored.
    pub fn get<T: DeserializeOwned>(&self, partition: &impl Serialize) -> Result<Option<T>> {
        let Some(offset) = self.0.get(&json(partition)?) else {
            return Ok(None);
        };
        serde_json::from_str(offset).map(Some).map_err(|error| {
            Failure::Fatal(Cause::new(format!(
                "the stored position {offset} cannot be read as a position of this source: {error}"
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

    /// Overwrites positions with those of `newer`.
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
