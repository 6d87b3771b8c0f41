//! The context of a plugin's `check`, and the contract that it may compare its configuration with.

use std::path::PathBuf;

use crate::failure::Cause;
use crate::value::{PathStep, ValueRef};

/// Context of a check: everything comes from files, nothing from the network.
#[derive(Clone, Copy, Default)]
pub struct CheckContext<'a> {
    /// The contract of the records that reach the plugin, if a local one is named and no transform changes them.
    pub contract: Option<&'a dyn Contract>,
    /// Whether records without a value (tombstones) reach the plugin.
    pub keeps_tombstones: bool,
}

/// A compiled set of rules for a key or value. Records are validated against it, and a sink's `check` compares it with what the
/// sink needs.
pub trait Contract: Send + Sync {
    /// `Err` says where the value breaks the contract, what was found and what was expected.
    fn check(&self, value: ValueRef<'_>) -> Result<(), Cause>;

    /// What the contract says about the node that these steps lead to from the root. `None` is any element of an array.
    fn field(&self, steps: &[Option<PathStep>]) -> ContractField;
}

/// What a contract says about one node of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractField {
    pub presence: Presence,
    /// Type names of JSON Schema (`string`, `integer`, …); empty if any type is allowed or nothing is known.
    pub types: Vec<String>,
    /// Position in the contract's file that says so.
    pub place: Option<ContractPlace>,
}

impl ContractField {
    /// What is certain of a field if the contract decides about it by a condition, or says nothing.
    pub fn unknown(place: Option<ContractPlace>) -> ContractField {
        ContractField {
            presence: Presence::Unknown,
            types: Vec::new(),
            place,
        }
    }
}

/// Whether a node exists in every valid record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Always,
    Sometimes,
    /// No valid record has it, for example a name that `additionalProperties = false` excludes.
    Never,
    Unknown,
}

/// A position in a contract's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractPlace {
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}
