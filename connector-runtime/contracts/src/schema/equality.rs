//! Equality by JSON Schema: numbers by value, objects in any order of members.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use connect_api::{Elements, Kind, ValueRef};
use jsonschema::json::Node;

use super::tape::TapeNode;
use crate::decimal::ExactDecimal;

/// Up to this many elements, comparing all pairs is cheaper than hashing.
const FEW: usize = 16;

pub(super) fn equal(left: ValueRef<'_>, right: ValueRef<'_>) -> bool {
    match (left.kind(), right.kind()) {
        (Kind::Null, Kind::Null) => true,
        (Kind::Bool(left), Kind::Bool(right)) => left == right,
        (Kind::Number(left), Kind::Number(right)) => same_number(left.as_str(), right.as_str()),
        (Kind::Array(left), Kind::Array(right)) => {
            left.len() == right.len() && left.zip(right).all(|(left, right)| equal(left, right))
        }
        (Kind::Object(mut left), Kind::Object(right)) => {
            left.len() == right.len()
                && left.all(|(name, member)| {
                    let other = right.get(name);
                    other.is_some_and(|other| equal(member, other))
                })
        }
        _ => match (string_of(left), string_of(right)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
    }
}

/// The string that schemas see, which is base64 for bytes.
fn string_of(value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    TapeNode::Value(value).as_string()
}

/// Whether two JSON numbers have one value.
pub(super) fn same_number(left: &str, right: &str) -> bool {
    left == right || decimal(left) == decimal(right)
}

/// Whether no two elements are equal.
pub(super) fn is_unique(elements: Elements<'_>) -> bool {
    let elements: Vec<ValueRef<'_>> = elements.collect();
    let is_new = |(index, element): (usize, &ValueRef<'_>)| {
        let mut before = elements.iter().take(index);
        !before.any(|other| equal(*element, *other))
    };
    if elements.len() <= FEW {
        return elements.iter().enumerate().all(is_new);
    }
    let mut seen: HashMap<u64, Vec<ValueRef<'_>>> = HashMap::with_capacity(elements.len());
    elements.iter().all(|element| {
        let alike = seen.entry(hash_of(*element)).or_default();
        let is_new = !alike.iter().any(|other| equal(*element, *other));
        alike.push(*element);
        is_new
    })
}

/// A hash that is the same for equal values.
fn hash_of(value: ValueRef<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value.kind() {
        Kind::Null => 0_u8.hash(&mut hasher),
        Kind::Bool(boolean) => (1_u8, boolean).hash(&mut hasher),
        Kind::Number(number) => (2_u8, decimal(number.as_str())).hash(&mut hasher),
        Kind::Array(elements) => {
            3_u8.hash(&mut hasher);
            elements.for_each(|element| hash_of(element).hash(&mut hasher));
        }
        Kind::Object(members) => {
            // Independent of the order.
            let members = members.map(|(name, member)| {
                let mut hasher = DefaultHasher::new();
                (name, hash_of(member)).hash(&mut hasher);
                hasher.finish()
            });
            (4_u8, members.fold(0, u64::wrapping_add)).hash(&mut hasher);
        }
        _ => (5_u8, string_of(value)).hash(&mut hasher),
    }
    hasher.finish()
}

pub(super) fn decimal(digits: &str) -> ExactDecimal {
    ExactDecimal::parse(digits).expect("the digits of a JSON number are a number")
}
