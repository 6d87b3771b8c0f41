//! `[errors]`: what happens to records that cannot be decoded, validated, transformed or written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stop_after::StopAfter;

/// What happens to bad records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorsConfig {
    /// What happens at a bad record.
    pub tolerance: Tolerance,
    /// The topic for bad records, with their bytes and the reason; for tolerance = "all".
    #[schemars(extend("format" = "topic-name"))]
    pub dead_letter_topic: Option<String>,
    /// "discard": keep nothing of bad records; instead of `dead_letter_topic`.
    pub dead_letter: Option<Discard>,
    /// Stop if so many of the latest records were rejected, for example { rejects = 100, in_last = 1000 }, or "never".
    /// Default: stop if all of the first 100 records that a task reads, or a source polls, after a start were rejected;
    /// filtered records do not count. For tolerance = "all".
    pub stop_after: StopAfter,
    /// For development: logs, status and the headers of dead letters may contain values of records. Otherwise they contain only types and lengths. Default: true with --embedded.
    pub show_values: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// Stop at the first bad record; nothing is skipped.
    #[default]
    None,
    /// Dead-letter bad records and continue.
    All,
}

/// The only word of `dead_letter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discard {
    /// Count bad records and keep nothing of them.
    Discard,
}
