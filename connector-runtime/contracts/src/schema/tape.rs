//! `jsonschema`'s representation traits for [`ValueRef`], so that it validates values without a copy.
//!
//! Bytes are a base64 string to a schema: `{"type": "string", "contentEncoding": "base64"}` describes them, as readers of the
//! JSON text see them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connect_api::{Elements, Kind, Members, Number, ValueRef};
use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object};
use jsonschema::types::JsonType;

use super::equality;

/// The representation: [`connect_api::Value`].
pub(crate) struct Tape;

/// A node of a value, or the name of a member, for `propertyNames`.
#[derive(Clone, Copy)]
pub(crate) enum TapeNode<'a> {
    Value(ValueRef<'a>),
    Name(&'a str),
}

impl Json for Tape {
    type Node<'a> = TapeNode<'a>;
    type PreparedKey = Box<str>;
    type StringBuffer = ();

    /// A lookup walks the members one by one, so one pass over all of them is nearly always the cheaper way.
    const KEYS_PER_LOOKUP: usize = 16;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>(_: &mut (), string: &str, f: impl FnOnce(TapeNode<'_>) -> T) -> T {
        f(TapeNode::Name(string))
    }
}

impl<'a> Node<'a, Tape> for TapeNode<'a> {
    type Object = TapeObject<'a>;
    type Array = TapeArray<'a>;
    type Number = TapeNumber<'a>;

    fn as_object(&self) -> Option<TapeObject<'a>> {
        self.value()?.members().map(TapeObject)
    }

    fn as_array(&self) -> Option<TapeArray<'a>> {
        self.value()?.elements().map(TapeArray)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            TapeNode::Value(value) => match value.kind() {
                Kind::String(content) => Some(Cow::Borrowed(content)),
                Kind::Bytes(content) => Some(Cow::Owned(STANDARD.encode(content))),
                _ => None,
            },
            TapeNode::Name(name) => Some(Cow::Borrowed(name)),
        }
    }

    fn as_number(&self) -> Option<TapeNumber<'a>> {
        self.value()?.as_number().map(TapeNumber)
    }

    fn as_boolean(&self) -> Option<bool> {
        self.value()?.as_bool()
    }

    fn is_null(&self) -> bool {
        matches!(self, TapeNode::Value(value) if value.is_null())
    }

    fn json_type(&self) -> JsonType {
        match self {
            TapeNode::Name(_) => JsonType::String,
            TapeNode::Value(value) => match value.kind() {
                Kind::Null => JsonType::Null,
                Kind::Bool(_) => JsonType::Boolean,
                Kind::Number(_) => JsonType::Number,
                Kind::String(_) | Kind::Bytes(_) => JsonType::String,
                Kind::Array(_) => JsonType::Array,
                Kind::Object(_) => JsonType::Object,
            },
        }
    }

    /// `enum` and `const` ask this for every record, so nothing is built on the way.
    fn equals_value(&self, expected: &serde_json::Value) -> bool {
        match self {
            TapeNode::Name(name) => expected.as_str() == Some(name),
            TapeNode::Value(value) => equals(*value, expected),
        }
    }

    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        Cow::Owned(match self {
            TapeNode::Value(value) => value.to_serde_json(),
            TapeNode::Name(name) => (*name).into(),
        })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(match self {
            TapeNode::Value(value) => {
                let (address, index) = value.identity();
                NodeIdentity::tagged(address, index)
            }
            TapeNode::Name(name) => NodeIdentity::new(name.as_ptr().addr()),
        })
    }
}

impl<'a> TapeNode<'a> {
    pub(super) fn value(&self) -> Option<ValueRef<'a>> {
        match self {
            TapeNode::Value(value) => Some(*value),
            TapeNode::Name(_) => None,
        }
    }
}

/// Equality of JSON Schema: numbers by their value, member order does not matter.
fn equals(value: ValueRef<'_>, expected: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    match (value.kind(), expected) {
        (Kind::Null, Json::Null) => true,
        (Kind::Bool(found), Json::Bool(expected)) => found == *expected,
        (Kind::String(found), Json::String(expected)) => found == expected,
        (Kind::Bytes(found), Json::String(expected)) => STANDARD.encode(found) == *expected,
        (Kind::Number(found), Json::Number(expected)) => {
            equality::same_number(found.as_str(), &expected.to_string())
        }
        (Kind::Array(found), Json::Array(expected)) => {
            found.len() == expected.len()
                && found
                    .zip(expected)
                    .all(|(element, other)| equals(element, other))
        }
        (Kind::Object(mut found), Json::Object(expected)) => {
            found.len() == expected.len()
                && found.all(|(name, member)| {
                    expected
                        .get(name)
                        .is_some_and(|other| equals(member, other))
                })
        }
        _ => false,
    }
}

/// An object's members.
pub(crate) struct TapeObject<'a>(Members<'a>);

impl<'a> Object<'a, Tape> for TapeObject<'a> {
    type Node = TapeNode<'a>;
    type MemberName = &'a str;
    type MembersIter = TapeMembers<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, key: &Box<str>) -> Option<TapeNode<'a>> {
        self.0.get(key).map(TapeNode::Value)
    }

    fn members(&self) -> TapeMembers<'a> {
        TapeMembers(self.0)
    }
}

pub(crate) struct TapeMembers<'a>(Members<'a>);

impl<'a> Iterator for TapeMembers<'a> {
    type Item = (&'a str, TapeNode<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0
            .next()
            .map(|(name, value)| (name, TapeNode::Value(value)))
    }
}

/// An array's elements.
pub(crate) struct TapeArray<'a>(Elements<'a>);

impl<'a> Array<'a, Tape> for TapeArray<'a> {
    type Node = TapeNode<'a>;
    type ElementsIter = std::iter::Map<Elements<'a>, fn(ValueRef<'a>) -> TapeNode<'a>>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> Self::ElementsIter {
        self.0.map(TapeNode::Value)
    }

    fn is_unique(&self) -> bool {
        equality::is_unique(self.0)
    }
}

/// A number by its digits.
pub(crate) struct TapeNumber<'a>(Number<'a>);

impl JsonNumber for TapeNumber<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.0.as_u64()
    }

    fn as_i64(&self) -> Option<i64> {
        self.0.as_i64()
    }

    fn as_f64(&self) -> Option<f64> {
        let nearest = self.0.as_f64();
        nearest.is_finite().then_some(nearest)
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0.as_str())
    }

    /// For messages only. A number beyond the range of doubles becomes the largest double.
    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(serde_json::from_str(self.0.as_str()).unwrap_or_else(|_| {
            let sign = if self.0.as_str().starts_with('-') {
                -1.0
            } else {
                1.0
            };
            serde_json::Number::from_f64(f64::MAX * sign).unwrap_or_else(|| 0.into())
        }))
    }

    fn is_integer(&self) -> bool {
        is_integer(self.0.as_str())
    }

    fn is_written_as_integer(&self) -> bool {
        !self.0.as_str().contains(['.', 'e', 'E'])
    }
}

/// Whether the digits, fraction and exponent name a whole number: `1.0`, `12e1` and `1.5e1` do, `1.5` does not.
fn is_integer(number: &str) -> bool {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        None => (number, 0),
        Some((mantissa, exponent)) => match exponent.parse::<i64>() {
            Ok(exponent) => (mantissa, exponent),
            // Beyond 64 bits: every digit is shifted out, to one side or the other.
            Err(_) if exponent.starts_with('-') => (mantissa, i64::MIN),
            Err(_) => (mantissa, i64::MAX),
        },
    };
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        return fraction.len() as i64 <= exponent;
    }
    let integer = integer.trim_start_matches('-');
    let significant = integer.trim_end_matches('0');
    let zeros = (integer.len() - significant.len()) as i64;
    significant.is_empty() || zeros.saturating_add(exponent) >= 0
}
