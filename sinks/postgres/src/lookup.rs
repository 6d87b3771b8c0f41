//! Finding the members that columns are made of in one pass over an object.
//!
//! Looking each column's name up by itself would read the object once a column. Records of a topic mostly have their
//! members in one order: where a member stood in the last record, the same one is expected in the next.

use std::collections::HashMap;

use connect_api::{PathStep, ValueRef};

/// The names that are looked for in one kind of object, each with a slot.
#[derive(Default)]
pub(crate) struct Lookup {
    names: Vec<Box<str>>,
    slots: HashMap<Box<str>, usize>,
    /// For each place of a member in the object, the slot that it had last time.
    expected: Vec<Option<usize>>,
}

/// What an object has for each slot.
pub(crate) type SlotValues<'a> = Vec<Option<ValueRef<'a>>>;

impl Lookup {
    /// The slot of a name.
    pub(crate) fn slot(&mut self, name: &str) -> usize {
        let next = self.names.len();
        let slot = *self.slots.entry(name.into()).or_insert(next);
        if slot == next {
            self.names.push(name.into());
        }
        slot
    }

    /// Fills `found` with what the object has.
    pub(crate) fn fill<'a>(&mut self, object: Option<ValueRef<'a>>, found: &mut SlotValues<'a>) {
        found.clear();
        found.resize(self.names.len(), None);
        let members = object.and_then(ValueRef::members).into_iter().flatten();
        for (place, (name, value)) in members.enumerate() {
            let slot = match self.expected.get(place) {
                Some(Some(slot)) if self.names.get(*slot).is_some_and(|known| **known == *name) => {
                    Some(*slot)
                }
                _ => self.learn(place, name),
            };
            if let Some(place) = slot.and_then(|slot| found.get_mut(slot)) {
                *place = Some(value);
            }
        }
    }

    fn learn(&mut self, place: usize, name: &str) -> Option<usize> {
        /// Objects with more members than this are looked up by name beyond it.
        const LONGEST: usize = 1_000;
        let slot = self.slots.get(name).copied();
        if place < LONGEST {
            if self.expected.len() <= place {
                self.expected.resize(place + 1, None);
            }
            if let Some(expected) = self.expected.get_mut(place) {
                *expected = slot;
            }
        }
        slot
    }
}

/// Follows the rest of a path.
pub(crate) fn follow<'a>(start: ValueRef<'a>, steps: &[PathStep]) -> Option<ValueRef<'a>> {
    steps.iter().try_fold(start, |place, step| match step {
        PathStep::Name(name) => place.get(name),
        PathStep::Index(index) => place.at(*index),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;
    use connect_api::{JsonLimits, Value};

    #[test]
    fn members_in_any_order() {
        let mut lookup = Lookup::default();
        let slots = ["a", "b", "a", "c"].map(|name| lookup.slot(name));
        assert_eq!(slots, [0, 1, 0, 2]);
        let cases = [
            (r#"{"a":1,"b":2,"c":3}"#, "1 2 3"),
            (r#"{"a":4,"b":5,"c":6}"#, "4 5 6"),
            (r#"{"x":0,"c":7,"b":8}"#, "- 8 7"),
            (r#"{"a":1,"b":2,"c":3}"#, "1 2 3"),
            (r#"{"b":9}"#, "- 9 -"),
            ("{}", "- - -"),
            ("[1]", "- - -"),
        ];
        for (json, expected) in cases {
            let value = Value::parse_json(Bytes::from(json), JsonLimits::default()).unwrap();
            let mut found = Vec::new();
            lookup.fill(Some(value.root()), &mut found);
            let words: Vec<String> = found
                .iter()
                .map(|found| found.map_or("-".into(), |value| value.to_json()))
                .collect();
            assert_eq!(words.join(" "), expected, "{json}");
        }
    }
}
