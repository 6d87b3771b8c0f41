//! The quick answer for usual values of usual schemas.
//!
//! An [`Acceptance`] decides the keywords that most contracts consist of, in one pass over the value and without a
//! validator's general machinery. It may only accept: whatever it does not accept goes to the validator, which alone
//! refuses and says why. A schema with a keyword that is not known here has no acceptance. Debug builds, and so all tests,
//! assert that the validator accepts what is accepted here.

mod text;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use connect_api::{Elements, Kind, Members, Number, ValueRef};
use serde_json::{Map, Value as Json};

use super::numbers::{NumberBound, PlainNumber};
use text::CheckedFormat;

/// Keywords that say nothing about which values are valid.
const ANNOTATIONS: [&str; 12] = [
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "default",
    "definitions",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
    "writeOnly",
];

/// A compiled schema that accepts most of what is valid, and nothing else.
#[derive(Default)]
pub(super) struct Acceptance {
    /// One bit for each type that is allowed; `None`: all are.
    types: Option<u8>,
    bounds: Vec<NumberBound>,
    shortest: usize,
    longest: Option<usize>,
    format: Option<CheckedFormat>,
    /// `enum` or `const` of strings.
    strings: Option<HashSet<String>>,
    object: Option<ObjectRules>,
    items: Option<Box<Acceptance>>,
    fewest_items: usize,
    most_items: Option<usize>,
    all_of: Vec<Acceptance>,
    /// One of each list has to accept.
    any_of: Option<Vec<Acceptance>>,
}

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const INTEGER: u8 = 4;
/// A number that is not known to be an integer.
const NUMBER: u8 = 8;
const STRING: u8 = 16;
const ARRAY: u8 = 32;
const OBJECT: u8 = 64;

impl Acceptance {
    /// `None` if the schema says something that is not decided here. `is_known` tells which formats the validator checks.
    pub(super) fn of(schema: &Json, is_known: &dyn Fn(&str) -> bool) -> Option<Acceptance> {
        let schema = match schema {
            Json::Bool(true) => return Some(Acceptance::default()),
            Json::Object(schema) => schema,
            _ => return None,
        };
        let mut acceptance = Acceptance::default();
        for (keyword, value) in schema {
            acceptance.add(keyword, value, schema, is_known)?;
        }
        acceptance.object = ObjectRules::of(schema, is_known)?;
        Some(acceptance)
    }

    fn add(
        &mut self,
        keyword: &str,
        value: &Json,
        schema: &Map<String, Json>,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Option<()> {
        let list = |value: &Json| -> Option<Vec<Acceptance>> {
            let branches = value.as_array()?.iter();
            branches
                .map(|branch| Acceptance::of(branch, is_known))
                .collect()
        };
        match keyword {
            "type" => self.types = Some(types_of(value)?),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                // Draft 4 has booleans beside the bounds.
                let is_number = value.is_number();
                self.bounds
                    .push(NumberBound::of(schema, keyword, value).filter(|_| is_number)?);
            }
            "minLength" => self.shortest = size(value)?,
            "maxLength" => self.longest = Some(size(value)?),
            "format" => {
                let format = value.as_str()?;
                if is_known(format) {
                    self.format = Some(CheckedFormat::of(format)?);
                }
            }
            "const" => self.strings = Some(HashSet::from([value.as_str()?.to_owned()])),
            "enum" if !schema.contains_key("const") => {
                let options = value.as_array()?.iter();
                let strings = options.map(|option| Some(option.as_str()?.to_owned()));
                self.strings = Some(strings.collect::<Option<_>>()?);
            }
            // A list is one schema for each place.
            "items" if !value.is_array() && !schema.contains_key("prefixItems") => {
                self.items = Some(Box::new(Acceptance::of(value, is_known)?));
            }
            "minItems" => self.fewest_items = size(value)?,
            "maxItems" => self.most_items = Some(size(value)?),
            "allOf" => self.all_of = list(value)?,
            "anyOf" => self.any_of = Some(list(value)?),
            // Of objects.
            "properties" | "required" | "additionalProperties" => {}
            annotation if ANNOTATIONS.contains(&annotation) => {}
            _ => return None,
        }
        Some(())
    }

    /// Whether the value is surely valid.
    pub(super) fn accepts(&self, value: ValueRef<'_>) -> bool {
        let (types, is_accepted) = match value.kind() {
            Kind::Null => (NULL, self.strings.is_none()),
            Kind::Bool(_) => (BOOLEAN, self.strings.is_none()),
            Kind::Number(number) => self.look_at_number(number),
            Kind::String(content) => (STRING, self.accepts_text(content)),
            // Bytes are text to a schema, and rare.
            Kind::Bytes(_) => return false,
            Kind::Array(elements) => (ARRAY, self.accepts_elements(elements)),
            Kind::Object(members) => {
                let object = self.object.as_ref();
                let is_accepted = object.is_none_or(|object| object.accepts(members));
                (OBJECT, self.strings.is_none() && is_accepted)
            }
        };
        is_accepted
            && self.types.is_none_or(|allowed| allowed & types != 0)
            && (!self.has_branches() || self.branches_accept(value))
    }

    /// The number's type, and whether its bounds allow it.
    fn look_at_number(&self, number: Number<'_>) -> (u8, bool) {
        let mut bounds = self.bounds.iter();
        let (is_integer, is_allowed) = match PlainNumber::of(number.as_str()) {
            Some(plain) => {
                let is_allowed =
                    |bound: &NumberBound| bound.allows_plain(&plain) || bound.allows(number);
                (plain.is_written_as_integer, bounds.all(is_allowed))
            }
            None => {
                let is_integer = !number.as_str().contains(['.', 'e', 'E']);
                (is_integer, bounds.all(|bound| bound.allows(number)))
            }
        };
        let types = if is_integer { INTEGER } else { NUMBER };
        (types, is_allowed && self.strings.is_none())
    }

    fn accepts_elements(&self, elements: Elements<'_>) -> bool {
        let count = elements.len();
        self.strings.is_none()
            && count >= self.fewest_items
            && self.most_items.is_none_or(|most| count <= most)
            && self.items.as_ref().is_none_or(|items| {
                let elements = &mut elements.into_iter();
                elements.all(|element| items.accepts(element))
            })
    }

    fn has_branches(&self) -> bool {
        self.any_of.is_some() || !self.all_of.is_empty()
    }

    fn branches_accept(&self, value: ValueRef<'_>) -> bool {
        let accepts = |branch: &Acceptance| branch.accepts(value);
        let any_of = self.any_of.as_ref();
        self.all_of.iter().all(accepts)
            && any_of.is_none_or(|branches| branches.iter().any(accepts))
    }

    fn accepts_text(&self, content: &str) -> bool {
        text::is_at_least(content, self.shortest)
            && self
                .longest
                .is_none_or(|longest| text::is_at_most(content, longest))
            && self.format.is_none_or(|format| format.accepts(content))
            && self
                .strings
                .as_ref()
                .is_none_or(|strings| strings.contains(content))
    }
}

/// What a schema says about members.
struct ObjectRules {
    members: Vec<Member>,
    /// One bit for each member that must be there.
    required: u64,
    /// About members without a rule of their own; `None` refuses them.
    others: Option<Box<Acceptance>>,
    /// The member that came first in the last object.
    first: AtomicUsize,
}

struct Member {
    name: Box<str>,
    /// `None`: only required.
    rules: Option<Acceptance>,
    /// The member that came next in the last object. A guess: one that another task overwrote costs a
    /// search, never a wrong answer.
    next: AtomicUsize,
}

impl ObjectRules {
    /// `Some(None)` if nothing is said.
    fn of(
        schema: &Map<String, Json>,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Option<Option<ObjectRules>> {
        let keywords = ["properties", "required", "additionalProperties"];
        if !keywords.iter().any(|keyword| schema.contains_key(*keyword)) {
            return Some(None);
        }
        let mut rules = ObjectRules {
            members: Vec::new(),
            required: 0,
            others: match schema.get("additionalProperties") {
                Some(Json::Bool(false)) => None,
                Some(others) => Some(Box::new(Acceptance::of(others, is_known)?)),
                None => Some(Box::default()),
            },
            first: AtomicUsize::new(0),
        };
        if let Some(properties) = schema.get("properties") {
            for (name, schema) in properties.as_object()? {
                let acceptance = Acceptance::of(schema, is_known)?;
                rules.add(name, Some(acceptance));
            }
        }
        if let Some(required) = schema.get("required") {
            for name in required.as_array()? {
                let name = name.as_str()?;
                let known = rules
                    .members
                    .iter()
                    .position(|member| *member.name == *name);
                let index = known.unwrap_or_else(|| rules.add(name, None));
                rules.required |= 1_u64.checked_shl(u32::try_from(index).ok()?)?;
            }
        }
        Some(Some(rules))
    }

    fn add(&mut self, name: &str, rules: Option<Acceptance>) -> usize {
        self.members.push(Member {
            name: name.into(),
            rules,
            next: AtomicUsize::new(self.members.len() + 1),
        });
        self.members.len() - 1
    }

    fn accepts(&self, members: Members<'_>) -> bool {
        let mut found = 0_u64;
        let mut guess = &self.first;
        for (name, value) in members {
            let Some((index, member)) = self.member(name, guess) else {
                match &self.others {
                    Some(others) if others.accepts(value) => continue,
                    _ => return false,
                }
            };
            guess = &member.next;
            found |= 1_u64.checked_shl(index as u32).unwrap_or(0);
            let rules = match &member.rules {
                Some(rules) => rules,
                None => match &self.others {
                    Some(others) => others,
                    None => return false,
                },
            };
            if !rules.accepts(value) {
                return false;
            }
        }
        found & self.required == self.required
    }

    /// The member of this name, most likely the one that came here last time.
    fn member(&self, name: &str, guess: &AtomicUsize) -> Option<(usize, &Member)> {
        let guessed = guess.load(Ordering::Relaxed);
        if let Some(member) = self.members.get(guessed)
            && *member.name == *name
        {
            return Some((guessed, member));
        }
        let mut members = self.members.iter().enumerate();
        let found = members.find(|(_, member)| *member.name == *name)?;
        guess.store(found.0, Ordering::Relaxed);
        Some(found)
    }
}

fn types_of(value: &Json) -> Option<u8> {
    let bit = |name: &Json| {
        Some(match name.as_str()? {
            "null" => NULL,
            "boolean" => BOOLEAN,
            "integer" => INTEGER,
            "number" => INTEGER | NUMBER,
            "string" => STRING,
            "array" => ARRAY,
            "object" => OBJECT,
            _ => return None,
        })
    };
    match value {
        Json::Array(names) => names
            .iter()
            .try_fold(0, |types, name| Some(types | bit(name)?)),
        name => bit(name),
    }
}

fn size(value: &Json) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

#[cfg(test)]
mod tests;
