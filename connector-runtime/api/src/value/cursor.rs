//! Reading a [`Value`]: a `Copy` cursor, and iterators over members and elements.

use super::shape::ShapedNodes;
use super::{Node, Value};

/// One node of a [`Value`] and all below it; cheap to copy.
#[derive(Clone, Copy)]
pub struct ValueRef<'a> {
    pub(super) value: &'a Value,
    pub(super) index: usize,
}

/// What a node is.
#[derive(Clone, Copy)]
pub enum Kind<'a> {
    Null,
    Bool(bool),
    Number(Number<'a>),
    String(&'a str),
    /// Bytes as they are. JSON text has them in base64.
    Bytes(&'a [u8]),
    Array(Elements<'a>),
    Object(Members<'a>),
}

/// A JSON number, as the digits it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a> {
    digits: &'a str,
}

impl<'a> Number<'a> {
    #[inline]
    pub fn as_str(self) -> &'a str {
        self.digits
    }

    /// The number if it is written as an integer and fits.
    pub fn as_i64(self) -> Option<i64> {
        self.digits.parse().ok()
    }

    pub fn as_u64(self) -> Option<u64> {
        self.digits.parse().ok()
    }

    /// The nearest float. Infinite where the digits exceed every float.
    pub fn as_f64(self) -> f64 {
        self.digits.parse().unwrap_or(f64::NAN)
    }
}

impl<'a> ValueRef<'a> {
    #[inline]
    pub(super) fn new(value: &'a Value, index: usize) -> Self {
        ValueRef { value, index }
    }

    #[inline]
    pub(super) fn index(self) -> usize {
        self.index
    }

    /// Inlined always: its callers look at the kind at once, and then it costs half of what a call does.
    #[inline(always)]
    pub fn kind(self) -> Kind<'a> {
        let value = self.value;
        match value.node(self.index) {
            Node::Null => Kind::Null,
            Node::Bool(boolean) => Kind::Bool(boolean),
            Node::Number(span) => Kind::Number(Number {
                digits: value.content(span),
            }),
            Node::String(span) => Kind::String(value.content(span)),
            Node::Bytes(span) => Kind::Bytes(value.binary_content(span)),
            Node::Array { members, .. } => Kind::Array(Elements {
                value,
                next: self.index + 1,
                left: members,
            }),
            Node::Object { members, .. } => Kind::Object(Members {
                value,
                next: self.index + 1,
                left: members,
            }),
        }
    }

    /// `null`, `boolean`, `number`, `string`, `array` or `object`, the words of JSON Schema, or `bytes`.
    pub fn type_name(self) -> &'static str {
        match self.kind() {
            Kind::Null => "null",
            Kind::Bool(_) => "boolean",
            Kind::Number(_) => "number",
            Kind::String(_) => "string",
            Kind::Bytes(_) => "bytes",
            Kind::Array(_) => "array",
            Kind::Object(_) => "object",
        }
    }

    #[inline]
    pub fn is_null(self) -> bool {
        matches!(self.value.node(self.index), Node::Null)
    }

    #[inline]
    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::Bool(boolean) => Some(boolean),
            _ => None,
        }
    }

    #[inline]
    pub fn as_str(self) -> Option<&'a str> {
        match self.kind() {
            Kind::String(content) => Some(content),
            _ => None,
        }
    }

    /// Bytes as they are; a string is none.
    #[inline]
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self.kind() {
            Kind::Bytes(content) => Some(content),
            _ => None,
        }
    }

    #[inline]
    pub fn as_number(self) -> Option<Number<'a>> {
        match self.kind() {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The elements of an array; `None` for anything else.
    #[inline]
    pub fn elements(self) -> Option<Elements<'a>> {
        match self.kind() {
            Kind::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The members of an object; `None` for anything else.
    #[inline]
    pub fn members(self) -> Option<Members<'a>> {
        match self.kind() {
            Kind::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The values of an object's members by their index, if none of them contains others: then each is at a place of its
    /// own on the tape, and no other has to be passed.
    #[inline]
    pub fn scalars(self) -> Option<Scalars<'a>> {
        match self.value.node(self.index) {
            // Two nodes a member, its name and its value.
            Node::Object { members, nodes, .. } if nodes == 2 * members + 1 => Some(Scalars {
                value: self.value,
                first: self.index + 2,
                count: members as usize,
            }),
            _ => None,
        }
    }

    /// The member with this name, if this is an object that has it.
    pub fn get(self, name: &str) -> Option<ValueRef<'a>> {
        self.members()?.get(name)
    }

    /// The element at this index; negative ones count from the end (RFC 9535, section 2.3.3).
    pub fn at(self, index: i64) -> Option<ValueRef<'a>> {
        let mut elements = self.elements()?;
        let index = if index < 0 {
            index + elements.len() as i64
        } else {
            index
        };
        elements.nth(usize::try_from(index).ok()?)
    }

    /// Distinguishes this node from every other one: an address and an index.
    pub fn identity(self) -> (usize, u32) {
        (std::ptr::from_ref(self.value).addr(), self.index as u32)
    }

    /// A value of its own, sharing the record's buffer.
    pub fn to_value(self) -> Value {
        let extent = self.value.node(self.index).extent();
        // Without nodes the root is the whole buffer, and so is the copy.
        let nodes = self.value.nodes.part(self.index..self.index + extent);
        Value {
            buffer: self.value.buffer.clone(),
            text: self.value.text.clone(),
            nodes: nodes.unwrap_or_else(|| ShapedNodes::without_shapes(Vec::new())),
            binary: self.value.binary.clone(),
        }
    }
}

/// Equal as JSON: member order does not matter, and numbers are equal if their digits are. Bytes equal bytes, and never
/// the string of their base64.
impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.kind(), other.kind()) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Bool(left), Kind::Bool(right)) => left == right,
            (Kind::Number(left), Kind::Number(right)) => left == right,
            (Kind::String(left), Kind::String(right)) => left == right,
            (Kind::Bytes(left), Kind::Bytes(right)) => left == right,
            (Kind::Array(left), Kind::Array(right)) => left.eq(right),
            (Kind::Object(mut left), Kind::Object(right)) => {
                left.len() == right.len()
                    && left.all(|(name, value)| other.get(name).is_some_and(|found| found == value))
            }
            _ => false,
        }
    }
}

impl std::fmt::Debug for ValueRef<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.to_json())
    }
}

/// Iterates over an array.
#[derive(Clone, Copy)]
pub struct Elements<'a> {
    value: &'a Value,
    next: usize,
    left: u32,
}

impl<'a> Iterator for Elements<'a> {
    type Item = ValueRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<ValueRef<'a>> {
        self.left = self.left.checked_sub(1)?;
        let element = ValueRef::new(self.value, self.next);
        self.next += self.value.node(self.next).extent();
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// Iterates over an object's members as (name, value), in the order they were written.
#[derive(Clone, Copy)]
pub struct Members<'a> {
    value: &'a Value,
    next: usize,
    left: u32,
}

impl<'a> Members<'a> {
    /// The values without the names, which are not even looked at.
    #[inline]
    pub fn values(self) -> MemberValues<'a> {
        MemberValues {
            value: self.value,
            next: self.next,
            left: self.left,
        }
    }

    /// The first member with this name, of those that are left.
    pub fn get(mut self, name: &str) -> Option<ValueRef<'a>> {
        while self.left > 0 {
            let key = self.value.node(self.next);
            let member = ValueRef::new(self.value, self.next + 1);
            self.left -= 1;
            self.next += 1 + self.value.node(self.next + 1).extent();
            // Most names differ in length, which is seen without reading the text.
            let Node::String(span) = key else {
                unreachable!("the name of a member is a string");
            };
            if span.length as usize == name.len() && self.value.content(span) == name {
                return Some(member);
            }
        }
        None
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, ValueRef<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let nodes = self.value.nodes.get(self.next..);
        let Some([Node::String(name), member, ..]) = nodes else {
            unreachable!("a member is the string of its name and a value");
        };
        let name = self.value.content(*name);
        let value = ValueRef::new(self.value, self.next + 1);
        self.next += 1 + member.extent();
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Members<'_> {}

/// The values of the members of an object that contains no others.
#[derive(Clone, Copy)]
pub struct Scalars<'a> {
    value: &'a Value,
    first: usize,
    count: usize,
}

impl<'a> Scalars<'a> {
    /// The value of the member with this index, in the order they were written.
    #[inline]
    pub fn get(self, index: usize) -> Option<ValueRef<'a>> {
        (index < self.count).then(|| ValueRef::new(self.value, self.first + 2 * index))
    }
}

/// Iterates over the values of an object's members, in the order they were written.
#[derive(Clone, Copy)]
pub struct MemberValues<'a> {
    value: &'a Value,
    next: usize,
    left: u32,
}

impl<'a> Iterator for MemberValues<'a> {
    type Item = ValueRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<ValueRef<'a>> {
        self.left = self.left.checked_sub(1)?;
        // The node of the name comes before each.
        let member = ValueRef::new(self.value, self.next + 1);
        self.next += 1 + self.value.node(self.next + 1).extent();
        Some(member)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for MemberValues<'_> {}
