//! How much work it is to say why a value is refused.
//!
//! Whether a value is valid is decided once for each place and schema. Saying why is another matter: for `anyOf` and
//! `oneOf` the validator collects the errors of every branch, and in a schema that contains itself the branches multiply at
//! each level. One deeply nested record could take all memory. So the work is estimated first, and where it is too much the
//! rejection says only that the value does not fit.

use connect_api::{Kind, ValueRef};
use serde_json::Value as Json;

use super::Documents;
use super::graph::SchemaCost;

/// Schemas that one explanation may enter one inside the other: it recurses, with larger frames than the check itself.
const DEEPEST: u32 = 2_000;
/// Errors that one explanation may collect on its way.
const MOST_ERRORS: u64 = 100_000;

/// What a schema has of choices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choices {
    /// Branches of all `anyOf` and `oneOf` together.
    total: u64,
    /// Branches of the largest of them.
    most: u64,
    /// Whether a schema contains itself.
    is_recursive: bool,
    /// Schemas that apply to the same node one inside the other.
    nested: u32,
    /// How often what contains itself is applied to one member or element. The check remembers results, the explanation
    /// does not.
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

    /// Whether an explanation of `value` stays within bounds.
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

/// Places in a value, and how deep they lie.
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
