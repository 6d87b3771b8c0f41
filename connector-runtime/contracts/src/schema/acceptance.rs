//! The quick answer for usual values of usual schemas.
//!
//! An [`Acceptance`] decides the keywords that most contracts consist of, in one pass over the value and without a
//! validator's general machinery. It may only accept: whatever it does not accept goes to the validator, which alone
//! refuses and says why. A schema with a keyword that is not known here has no acceptance. Debug builds, and so all tests,
//! assert that the validator accepts what is accepted here.
//!
//! It remembers which members objects had before, to compare no names of a shape that is known. So a use needs it for
//! itself: see [`super::pool`].

mod text;

use std::collections::HashSet;

use connect_api::{ByShape, Elements, Kind, Members, Number, ValueRef};
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
#[derive(Clone, Default)]
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
    /// `None` if the schema has a keyword that is not supported here. `is_known`: which formats the validator checks.
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
                // Draft 4 has booleans in addition to the bounds.
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
            // A list has one schema for each index.
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

    /// Whether the value is certainly valid.
    pub(super) fn accepts(&mut self, value: ValueRef<'_>) -> bool {
        let (types, is_accepted) = match value.kind() {
            Kind::Null => (NULL, self.strings.is_none()),
            Kind::Bool(_) => (BOOLEAN, self.strings.is_none()),
            Kind::Number(number) => self.look_at_number(number),
            Kind::String(content) => (STRING, self.accepts_text(content)),
            // Bytes are text to a schema, and rare.
            Kind::Bytes(_) => return false,
            Kind::Array(elements) => (ARRAY, self.accepts_elements(elements)),
            Kind::Object(members) => {
                let object = self.object.as_mut();
                let is_accepted = object.is_none_or(|object| object.accepts(value, members));
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

    fn accepts_elements(&mut self, elements: Elements<'_>) -> bool {
        let count = elements.len();
        self.strings.is_none()
            && count >= self.fewest_items
            && self.most_items.is_none_or(|most| count <= most)
            && self.items.as_mut().is_none_or(|items| {
                let elements = &mut elements.into_iter();
                elements.all(|element| items.accepts(element))
            })
    }

    fn has_branches(&self) -> bool {
        self.any_of.is_some() || !self.all_of.is_empty()
    }

    fn branches_accept(&mut self, value: ValueRef<'_>) -> bool {
        let accepts = |branch: &mut Acceptance| branch.accepts(value);
        let any_of = self.any_of.as_mut();
        self.all_of.iter_mut().all(accepts)
            && any_of.is_none_or(|branches| branches.iter_mut().any(accepts))
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
#[derive(Clone)]
struct ObjectRules {
    names: Names,
    rules: Vec<Acceptance>,
    /// Which of the rules the members of a shape have, in order; `None` where their names alone are not accepted.
    of_shape: ByShape<Option<Box<[usize]>>>,
}

/// The names of members that a schema mentions, and which rules they have.
#[derive(Clone)]
struct Names {
    known: Vec<KnownName>,
    /// One bit for each of them that must be there.
    required: u64,
    /// The rules of members without some of their own; `None` refuses them.
    others: Option<usize>,
    /// The name that came first in the last object whose shape was not known.
    first: usize,
}

#[derive(Clone)]
struct KnownName {
    name: Box<str>,
    /// `None`: only required.
    rules: Option<usize>,
    /// The name that came next in the last object.
    next: usize,
}

/// The names of an object so far.
#[derive(Clone, Copy, Default)]
struct Passed {
    last: Option<usize>,
    /// One bit for each.
    found: u64,
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
        let mut rules = Vec::new();
        let mut add = |one: Acceptance| {
            rules.push(one);
            rules.len() - 1
        };
        let mut names = Names {
            known: Vec::new(),
            required: 0,
            others: match schema.get("additionalProperties") {
                Some(Json::Bool(false)) => None,
                Some(others) => Some(add(Acceptance::of(others, is_known)?)),
                None => Some(add(Acceptance::default())),
            },
            first: 0,
        };
        if let Some(properties) = schema.get("properties") {
            for (name, schema) in properties.as_object()? {
                names.add(name, Some(add(Acceptance::of(schema, is_known)?)));
            }
        }
        if let Some(required) = schema.get("required") {
            for name in required.as_array()? {
                names.require(name.as_str()?)?;
            }
        }
        Some(Some(ObjectRules {
            names,
            rules,
            of_shape: ByShape::default(),
        }))
    }

    fn accepts(&mut self, object: ValueRef<'_>, members: Members<'_>) -> bool {
        let ObjectRules {
            names,
            rules,
            of_shape,
        } = self;
        let mut accepts = |index: usize, member: ValueRef<'_>| {
            let rules = rules.get_mut(index);
            rules
                .expect("names have the indexes of rules")
                .accepts(member)
        };
        if let Some(known) = of_shape.get(object, |members| names.rules_of_all(members)) {
            return known.as_ref().is_some_and(|known| {
                debug_assert!(known.len() == members.len(), "a shape has so many members");
                let mut members = known.iter().zip(members.values());
                members.all(|(index, member)| accepts(*index, member))
            });
        }
        let mut passed = Passed::default();
        for (name, member) in members {
            match names.rules_of(name, &mut passed) {
                Some(index) if accepts(index, member) => {}
                _ => return false,
            }
        }
        names.are_complete(passed)
    }
}

impl Names {
    fn add(&mut self, name: &str, rules: Option<usize>) -> usize {
        self.known.push(KnownName {
            name: name.into(),
            rules,
            next: self.known.len() + 1,
        });
        self.known.len() - 1
    }

    /// `None` where there are more names than bits.
    fn require(&mut self, name: &str) -> Option<()> {
        let known = self.known.iter().position(|known| *known.name == *name);
        let index = known.unwrap_or_else(|| self.add(name, None));
        self.required |= 1_u64.checked_shl(u32::try_from(index).ok()?)?;
        Some(())
    }

    fn are_complete(&self, passed: Passed) -> bool {
        passed.found & self.required == self.required
    }

    /// The rules of each member; `None` if one is refused or missing. Looks at nothing but the names.
    fn rules_of_all(&mut self, members: Members<'_>) -> Option<Box<[usize]>> {
        let mut passed = Passed::default();
        let rules = members.map(|(name, _)| self.rules_of(name, &mut passed));
        let rules = rules.collect::<Option<Box<[usize]>>>()?;
        self.are_complete(passed).then_some(rules)
    }

    /// The rules of the member that comes next; `None` if it is refused.
    fn rules_of(&mut self, name: &str, passed: &mut Passed) -> Option<usize> {
        let Some(index) = self.index_of(name, passed.last) else {
            return self.others;
        };
        passed.last = Some(index);
        passed.found |= 1_u64.checked_shl(index as u32).unwrap_or(0);
        self.known.get(index)?.rules.or(self.others)
    }

    /// The index of a name, most likely the one that came behind `last` last time.
    fn index_of(&mut self, name: &str, last: Option<usize>) -> Option<usize> {
        let guess = match last.and_then(|last| self.known.get(last)) {
            Some(last) => last.next,
            None => self.first,
        };
        let is_name = |known: &KnownName| *known.name == *name;
        if self.known.get(guess).is_some_and(is_name) {
            return Some(guess);
        }
        let found = self.known.iter().position(is_name)?;
        match last.and_then(|last| self.known.get_mut(last)) {
            Some(last) => last.next = found,
            None => self.first = found,
        }
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
