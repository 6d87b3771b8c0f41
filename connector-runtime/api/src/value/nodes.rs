//! The growing tape: what the JSON parser and [`super::ValueBuilder`] have in common.
//!
//! The JSON parsers work on this and not on the builder: they are recursive, so the machine's stack already knows which
//! containers are open, and a second stack would cost every record some hundred instructions.

use std::collections::HashSet;

use bytestring::ByteString;

use super::Value;
use super::binary::Binary;
use super::limits::ValueLimits;
use super::node::{Node, Span};
use super::shape::{Family, ShapeNumber, ShapedNodes};

/// Why something does not become a value: a limit, a key that occurs twice, a number that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// Half a sentence.
    pub message: String,
}

impl BuildError {
    pub(super) fn new(message: impl Into<String>) -> BuildError {
        BuildError {
            message: message.into(),
        }
    }
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for BuildError {}

pub(super) struct Nodes {
    pub(super) list: Vec<Node>,
    /// Text that is not in the buffer.
    pub(super) text: String,
    pub(super) limits: ValueLimits,
    /// What the shapes of the objects belong to; none where they have none.
    pub(super) family: Option<Family>,
}

impl Nodes {
    pub(super) fn new(limits: ValueLimits) -> Nodes {
        Nodes::with_capacity(0, limits)
    }

    pub(super) fn with_capacity(nodes: usize, limits: ValueLimits) -> Nodes {
        Nodes {
            list: Vec::with_capacity(nodes),
            text: String::new(),
            limits,
            family: None,
        }
    }

    /// The value of all nodes so far, which must be one. Strings that are not its own lie in `buffer`.
    pub(super) fn finish(self, buffer: ByteString, binary: Option<Box<Binary>>) -> Value {
        Value {
            buffer,
            text: self.text,
            nodes: ShapedNodes::new(self.list, self.family),
            binary,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, node: Node) {
        self.list.push(node);
    }

    /// Reserves the node of a container whose extent is not known yet.
    #[inline]
    pub(super) fn open(&mut self) -> usize {
        let start = self.list.len();
        self.list.push(Node::Null);
        start
    }

    pub(super) fn close_array(&mut self, start: usize, members: u32) {
        let nodes = self.extent_from(start);
        self.close(start, Node::Array { members, nodes });
    }

    /// Refuses two members of one name: they have no defined meaning (RFC 8259, section 4).
    pub(super) fn close_object(
        &mut self,
        start: usize,
        members: u32,
        buffer: &str,
    ) -> Result<(), BuildError> {
        self.close_known_object(start, members, ShapeNumber::default());
        self.refuse_duplicate_keys(start + 1, members as usize, buffer)
    }

    /// Closes an object whose members are known to have different names.
    #[inline]
    pub(super) fn close_known_object(&mut self, start: usize, members: u32, shape: ShapeNumber) {
        let nodes = self.extent_from(start);
        self.close(
            start,
            Node::Object {
                shape,
                members,
                nodes,
            },
        );
    }

    #[inline]
    fn extent_from(&self, start: usize) -> u32 {
        (self.list.len() - start) as u32
    }

    #[inline]
    fn close(&mut self, start: usize, node: Node) {
        *self
            .list
            .get_mut(start)
            .expect("a container's node was pushed when it was opened") = node;
    }

    #[inline]
    pub(super) fn check_depth(&self, depth: u32) -> Result<(), BuildError> {
        if depth > self.limits.depth {
            return Err(BuildError::new(format!(
                "nested more than {} deep",
                self.limits.depth
            )));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn check_members(&self, members: u32) -> Result<(), BuildError> {
        if members as usize > self.limits.members {
            return Err(BuildError::new(format!(
                "object of more than {} members",
                self.limits.members
            )));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn check_names(&self, bytes: usize) -> Result<(), BuildError> {
        if bytes > self.limits.names {
            return Err(BuildError::new(format!(
                "it becomes more than {} bytes of names",
                self.limits.names
            )));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn check_digits(&self, digits: usize) -> Result<(), BuildError> {
        if digits > self.limits.digits {
            return Err(BuildError::new(format!("number of {digits} digits")));
        }
        Ok(())
    }

    /// What `span` points at, where `buffer` is what the value will share.
    #[inline]
    pub(super) fn content<'s>(&'s self, span: Span, buffer: &'s str) -> &'s str {
        let source = if span.is_own() {
            self.text.as_str()
        } else {
            buffer
        };
        source.get(span.range()).expect("a span is inside its text")
    }

    fn refuse_duplicate_keys(
        &self,
        first: usize,
        members: usize,
        buffer: &str,
    ) -> Result<(), BuildError> {
        const FEW: usize = 32;
        let mut keys = self.keys(first, members, buffer);
        let duplicate = if members <= FEW {
            let mut marks = Marks::default();
            keys.enumerate()
                .find(|(count, key)| {
                    marks.has_or_adds(key.as_bytes())
                        && self.keys(first, *count, buffer).any(|other| other == *key)
                })
                .map(|(_, key)| key)
        } else {
            let mut seen = HashSet::with_capacity(members);
            keys.find(|key| !seen.insert(*key))
        };
        match duplicate {
            Some(key) => Err(BuildError::new(format!("key {key:?} twice in one object"))),
            None => Ok(()),
        }
    }

    fn keys<'s>(
        &'s self,
        first: usize,
        members: usize,
        buffer: &'s str,
    ) -> impl Iterator<Item = &'s str> {
        let mut next = first;
        (0..members).map(move |_| {
            let (Some(Node::String(span)), Some(member)) =
                (self.list.get(next), self.list.get(next + 1))
            else {
                unreachable!("a member is the string of its key and a value");
            };
            next += 1 + member.extent();
            self.content(*span, buffer)
        })
    }
}

/// A small filter of the keys of one object: a key it does not contain is new and is not compared with the others.
#[derive(Default)]
struct Marks([u64; 4]);

impl Marks {
    fn has_or_adds(&mut self, key: &[u8]) -> bool {
        let byte = |index: usize| usize::from(key.get(index).copied().unwrap_or(0));
        let hash = key.len() * 67
            + byte(0) * 5
            + byte(key.len() / 2) * 29
            + byte(key.len().wrapping_sub(1)) * 3;
        let bit = 1 << (hash % 64);
        let Some(word) = self.0.get_mut(hash / 64 % 4) else {
            return true;
        };
        let has = *word & bit != 0;
        *word |= bit;
        has
    }
}
