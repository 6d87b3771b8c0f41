//! The JSON model of a record's key and value.
//!
//! A [`Value`] is a *tape*: one flat vector of small nodes in document order. Strings and numbers are ranges
//! into the record's one buffer (one reference count a record, not one allocation a string), so decoding a record
//! copies nothing. Text that a transform makes lives in the value's own `text`. Numbers keep the digits they were
//! written with: nothing passes through a float unless somebody asks for one.
//!
//! Read a value through [`ValueRef`], a `Copy` cursor; change it with [`Value::insert`], [`Value::remove`] and
//! [`Value::rename`].

mod cursor;
mod edit;
mod json;
mod serde_json;

use bytestring::ByteString;

pub use cursor::{Elements, Kind, Members, Number, ValueRef};
pub use edit::EditError;
pub use json::{JsonError, JsonLimits};

/// An owned JSON value. See the module's documentation for how it is stored.
#[derive(Clone)]
pub struct Value {
    /// The record's bytes, known to be UTF-8.
    buffer: ByteString,
    /// Text that is not in `buffer`: unescaped strings and what transforms made.
    text: String,
    /// The document in preorder: the root is the first node. None at all stands for one string, the whole buffer: most
    /// keys are that, and then cost no allocation.
    nodes: Vec<Node>,
}

/// One place of the tape. An object's members follow it as key, value, key, value, …
#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    Null,
    Bool(bool),
    Number(Span),
    String(Span),
    /// `nodes` counts the whole subtree, this node included: the next sibling is that many places on.
    Array {
        members: u32,
        nodes: u32,
    },
    Object {
        members: u32,
        nodes: u32,
    },
}

impl Node {
    #[inline]
    fn extent(self) -> usize {
        match self {
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::String(_) => 1,
            Node::Array { nodes, .. } | Node::Object { nodes, .. } => nodes as usize,
        }
    }
}

/// A range of bytes in the buffer or, where the top bit of `start` is set, in the value's own text.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    start: u32,
    length: u32,
}

const IN_TEXT: u32 = 1 << 31;

impl Span {
    fn in_buffer(start: usize, length: usize) -> Span {
        Span {
            start: start as u32,
            length: length as u32,
        }
    }

    /// Appends `content` to `text` and points at it.
    fn append(text: &mut String, content: &str) -> Span {
        let start = text.len() as u32 | IN_TEXT;
        text.push_str(content);
        Span {
            start,
            length: content.len() as u32,
        }
    }

    #[inline]
    fn is_in_text(self) -> bool {
        self.start & IN_TEXT != 0
    }
}

impl Value {
    /// JSON `null`. (A record without any value has no `Value` at all: that is a tombstone.)
    pub fn null() -> Value {
        Value::of_node(Node::Null)
    }

    pub fn boolean(value: bool) -> Value {
        Value::of_node(Node::Bool(value))
    }

    pub fn string(content: &str) -> Value {
        let mut value = Value::null();
        let span = Span::append(&mut value.text, content);
        value.nodes = vec![Node::String(span)];
        value
    }

    pub fn integer(number: i64) -> Value {
        Value::digits(&number.to_string())
    }

    /// A number from its JSON digits, for example `12345678901234567.89`. The caller vouches that they are a JSON number.
    fn digits(digits: &str) -> Value {
        let mut value = Value::null();
        let span = Span::append(&mut value.text, digits);
        value.nodes = vec![Node::Number(span)];
        value
    }

    /// A number with exactly these digits, or `None` if they are not one JSON number.
    pub fn number(digits: &str) -> Option<Value> {
        let parsed = Value::parse_json(
            bytes::Bytes::copy_from_slice(digits.as_bytes()),
            JsonLimits::default(),
        );
        matches!(parsed.ok()?.root().kind(), Kind::Number(_)).then(|| Value::digits(digits.trim()))
    }

    /// A string whose bytes are `buffer` itself, uncopied: how a `string` key is decoded.
    pub fn string_in(buffer: ByteString) -> Value {
        Value {
            buffer,
            text: String::new(),
            nodes: Vec::new(),
        }
    }

    pub fn empty_object() -> Value {
        Value::of_node(Node::Object {
            members: 0,
            nodes: 1,
        })
    }

    fn of_node(node: Node) -> Value {
        Value {
            buffer: ByteString::new(),
            text: String::new(),
            nodes: vec![node],
        }
    }

    /// The cursor at the top.
    #[inline]
    pub fn root(&self) -> ValueRef<'_> {
        ValueRef::new(self, 0)
    }

    /// Bytes of memory that this value holds beside the record's buffer.
    pub fn memory_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.text.capacity()
    }

    #[inline]
    fn node(&self, index: usize) -> Node {
        self.nodes
            .get(index)
            .copied()
            .unwrap_or_else(|| self.whole_buffer())
    }

    #[cold]
    fn whole_buffer(&self) -> Node {
        Node::String(Span::in_buffer(0, self.buffer.len()))
    }

    /// Writes the node down that no node stands for.
    fn with_root(&mut self) {
        if self.nodes.is_empty() {
            self.nodes.push(self.whole_buffer());
        }
    }

    #[inline]
    fn content(&self, span: Span) -> &str {
        let source = if span.is_in_text() {
            self.text.as_str()
        } else {
            &*self.buffer
        };
        let start = (span.start & !IN_TEXT) as usize;
        source
            .get(start..start + span.length as usize)
            .unwrap_or_default()
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.root() == other.root()
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.to_json())
    }
}
