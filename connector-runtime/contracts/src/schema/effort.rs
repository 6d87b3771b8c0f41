//! Limits of the work to explain why a value is invalid.
//!
//! Validity is decided once for each node and schema. An explanation costs more: for `anyOf` and `oneOf` the validator collects the
//! errors of every branch, and in a recursive schema the branches multiply at each level. One deeply nested record could exhaust
//! the memory. So the work is estimated first, and above the limits the message says only that the value does not fit.

use connect_api::{Kind, ValueRef};
use serde_json::Value as Json;

use super::Documents;
use super::graph::SchemaCost;

/// Nested schemas of one explanation, which recurses with larger frames than validation.
const DEEPEST: u32 = 2_000;
/// Errors that one explanation may collect.
const MOST_ERRORS: u64 = 100_000;

/// The choices (`anyOf`, `oneOf`) of a schema.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choices {
    /// The number of branches in all of them.
    total: u64,
    /// The number of branches in the largest.
    most: u64,
    /// Whether the schema is recursive.
    is_recursive: bool,
    /// The depth of nested schemas that apply to one node.
    nested: u32,
    /// How often a recursive schema is applied to one member or element. Validation caches results, an explanation does not.
    again: u64,
}

impl Choices {
    pub(super) fn of(documents: &Documents, cost: &SchemaCost) -> Choices {
        let mut choices = Choices {
            is_recursive: cost.is_recursive,
            nested: cost.nested,
            again: cost.again,
            ..Choices::default()
        };
        for document in documents.values() {
            choices.count(&document.value);
        }
        choices
    }

    fn count(&mut self, schema: &Json) {
        match schema {
            Json::Object(members) => {
                for (name, member) in members {
                    if let ("anyOf" | "oneOf", Json::Array(branches)) = (name.as_str(), member) {
                        self.total += branches.len() as u64;
                        self.most = self.most.max(branches.len() as u64);
                    }
                    self.count(member);
                }
            }
            Json::Array(elements) => elements.iter().for_each(|element| self.count(element)),
            _ => {}
        }
    }

    /// Whether an explanation of `value` stays within the limits.
    pub(super) fn are_few_for(self, value: ValueRef<'_>) -> bool {
        let (places, depth) = size_of(value);
        if self.nested.saturating_mul(depth + 1) > DEEPEST {
            return false;
        }
        let visits = places.saturating_mul(self.again.saturating_pow(depth));
        if self.again > 1 && visits > MOST_ERRORS {
            return false;
        }
        if self.total == 0 {
            return true;
        }
        let ways = if self.is_recursive {
            self.most.saturating_pow(depth)
        } else {
            self.total
        };
        places.saturating_mul(ways) <= MOST_ERRORS
    }
}

/// The number of nodes of a value, and its depth.
fn size_of(value: ValueRef<'_>) -> (u64, u32) {
    let inner: Vec<(u64, u32)> = match value.kind() {
        Kind::Array(elements) => elements.map(size_of).collect(),
        Kind::Object(members) => members.map(|(_, member)| size_of(member)).collect(),
        _ => return (1, 0),
    };
    inner
        .into_iter()
        .fold((1, 1), |(places, depth), (inside, below)| {
            (places + inside, depth.max(below + 1))
        })
}
