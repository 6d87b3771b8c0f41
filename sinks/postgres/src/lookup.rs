//! Looks up the members for all columns in one pass over an object.
//!
//! Looking each column's name up by itself would read the object once a column. Records of a topic mostly have their
//! members in one order: where the parser knows the object's shape, no name is compared; elsewhere a member is expected
//! where it stood in the last record.

use std::collections::HashMap;

use connect_api::{ByShape, Members, PathStep, ValueRef};

/// The names of the members to look up, each with a slot.
#[derive(Default)]
pub(crate) struct Lookup {
    names: Vec<Box<str>>,
    slots: HashMap<Box<str>, usize>,
    of_shape: ByShape<ShapeSlots>,
    /// For each member index, the slot of the member in the last object of unknown shape.
    expected: Vec<Option<usize>>,
}

/// Which members of the objects of a shape have slots: the same, from either side.
struct ShapeSlots {
    /// For each slot, the index of its member.
    members: Box<[Option<usize>]>,
    /// For each member, its slot.
    slots: Box<[Option<usize>]>,
}

/// The value of each slot.
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

    /// Fills `found` with the object's members.
    pub(crate) fn fill<'a>(&mut self, object: Option<ValueRef<'a>>, found: &mut SlotValues<'a>) {
        found.clear();
        let object = object.and_then(|object| Some((object, object.members()?)));
        let Some((object, members)) = object else {
            found.resize(self.names.len(), None);
            return;
        };
        let slots = &self.slots;
        let of_shape = self.of_shape.get(object, |members| {
            ShapeSlots::new(
                members.map(|(name, _)| slots.get(name).copied()).collect(),
                slots.len(),
            )
        });
        if let Some(of_shape) = of_shape {
            of_shape.fill(object, members, found);
            return;
        }
        found.resize(self.names.len(), None);
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

impl ShapeSlots {
    fn new(slots: Box<[Option<usize>]>, count: usize) -> ShapeSlots {
        let mut members: Box<[Option<usize>]> = vec![None; count].into();
        for (index, slot) in slots.iter().enumerate() {
            if let Some(member) = slot.and_then(|slot| members.get_mut(slot)) {
                *member = Some(index);
            }
        }
        ShapeSlots { members, slots }
    }

    /// Fills `found`, which is empty, with what an object of this shape has.
    fn fill<'a>(&self, object: ValueRef<'a>, members: Members<'a>, found: &mut SlotValues<'a>) {
        debug_assert!(
            self.slots.len() == members.len(),
            "a shape has so many members"
        );
        match object.scalars() {
            Some(scalars) => {
                let members = self.members.iter();
                found.extend(members.map(|member| scalars.get((*member)?)));
            }
            None => {
                found.resize(self.members.len(), None);
                for (slot, value) in self.slots.iter().zip(members.values()) {
                    if let Some(place) = slot.and_then(|slot| found.get_mut(slot)) {
                        *place = Some(value);
                    }
                }
            }
        }
    }
}

/// Follows the remaining steps of a path.
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
