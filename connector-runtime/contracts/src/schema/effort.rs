//! How much work it is to say why a value is refused.
//!
//! Whether a value is valid is decided once for each place and schema. Saying why is another matter: for `anyOf` and
//! `oneOf` the validator collects the errors of every branch, and in a schema that contains itself the branches multiply at
//! each level. One deeply nested record could take all memory. So the work is estimated first, and where it is too much the
//! rejection says only that the value does not fit.

use std::collections::HashSet;

use connect_api::{Kind, ValueRef, pointer};
use serde_json::Value as Json;

use super::Documents;
use super::folder::{id_of, percent_decoded, resolve, without_fragment};

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
    recursive: bool,
}

impl Choices {
    pub(super) fn of(documents: &Documents, root: &str) -> Choices {
        let mut choices = Choices::default();
        let mut references = Vec::new();
        for (uri, document) in documents {
            let base = id_of(uri, &document.value).unwrap_or_else(|| uri.clone());
            choices.count(&document.value, uri, &base, String::new(), &mut references);
        }
        let start = Target {
            uri: root.to_owned(),
            pointer: String::new(),
        };
        choices.recursive |= leads_to_itself(&start, &references, &mut vec![], &mut HashSet::new());
        choices
    }

    fn count(
        &mut self,
        schema: &Json,
        uri: &str,
        base: &str,
        pointer: String,
        references: &mut Vec<Reference>,
    ) {
        match schema {
            Json::Object(members) => {
                for (name, member) in members {
                    if let ("anyOf" | "oneOf", Json::Array(branches)) = (name.as_str(), member) {
                        self.total += branches.len() as u64;
                        self.most = self.most.max(branches.len() as u64);
                    }
                    // Which schema these mean depends on the way there.
                    self.recursive |= matches!(name.as_str(), "$dynamicRef" | "$recursiveRef");
                    if let ("$ref", Json::String(reference)) = (name.as_str(), member) {
                        match target_of(base, reference) {
                            Some(target) => references.push(Reference {
                                from: (uri.to_owned(), pointer.clone()),
                                target,
                            }),
                            None => self.recursive = true,
                        }
                    }
                    let pointer = pointer::member(&pointer, name);
                    self.count(member, uri, base, pointer, references);
                }
            }
            Json::Array(elements) => {
                for (place, element) in elements.iter().enumerate() {
                    self.count(element, uri, base, format!("{pointer}/{place}"), references);
                }
            }
            _ => {}
        }
    }

    /// Whether an explanation of `value` stays within bounds.
    pub(super) fn are_few_for(self, value: ValueRef<'_>) -> bool {
        if self.total == 0 {
            return true;
        }
        let (places, depth) = size_of(value);
        let ways = if self.recursive {
            self.most.saturating_pow(depth)
        } else {
            self.total
        };
        places.saturating_mul(ways) <= MOST_ERRORS
    }
}

/// A `$ref`: the document and pointer of the object that has it, and where it leads.
struct Reference {
    from: (String, String),
    target: Target,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Target {
    uri: String,
    pointer: String,
}

/// `None` for anchors: where they are, only the validator knows.
fn target_of(base: &str, reference: &str) -> Option<Target> {
    let uri = resolve(base, reference)?;
    let pointer = uri.split_once('#').map_or("", |(_, fragment)| fragment);
    (pointer.is_empty() || pointer.starts_with('/')).then(|| Target {
        uri: without_fragment(&uri).to_owned(),
        pointer: percent_decoded(pointer),
    })
}

/// Whether following the references below `here` comes back to a place on the way.
fn leads_to_itself(
    here: &Target,
    references: &[Reference],
    way: &mut Vec<Target>,
    done: &mut HashSet<Target>,
) -> bool {
    if way.contains(here) {
        return true;
    }
    if done.contains(here) {
        return false;
    }
    way.push(here.clone());
    let below = |reference: &&Reference| {
        let (uri, pointer) = &reference.from;
        let rest = pointer.strip_prefix(&here.pointer);
        *uri == here.uri && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let found = references
        .iter()
        .filter(below)
        .any(|reference| leads_to_itself(&reference.target, references, way, done));
    way.pop();
    done.insert(here.clone());
    found
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
