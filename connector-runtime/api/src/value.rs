//! The model of a record's key and value: JSON, and bytes.
//!
//! A [`Value`] is a *tape*: one flat vector of small nodes in document order. Strings and numbers are spans of the
//! record's one buffer (one reference count a record, not one allocation a string), so decoding a record copies nothing.
//! Text that a transform makes is in the value's own `text`. Numbers keep the digits they were written with: nothing
//! passes through a float unless somebody asks for one. Bytes stay bytes until JSON text is written, which has them in
//! base64.
//!
//! Read a value through [`ValueRef`], a `Copy` cursor; make one with [`ValueBuilder`]; change it with [`Value::insert`],
//! [`Value::remove`] and [`Value::rename`], and in every element of arrays with [`Value::replace_each`] and
//! [`Value::remove_each`].

mod binary;
mod builder;
mod cursor;
mod edit;
mod field;
mod fields;
mod json;
mod limits;
mod node;
mod nodes;
mod path;
mod serde_json;
mod serialize;
mod shape;

use bytes::Bytes;
use bytestring::ByteString;

use binary::Binary;
pub use builder::ValueBuilder;
pub use cursor::{Elements, Kind, MemberValues, Members, Number, Scalars, ValueRef};
pub use edit::{EditError, Rename};
pub use field::Field;
pub use fields::Fields;
pub use json::{JsonError, JsonReader};
pub use limits::ValueLimits;
use node::{Node, Span};
pub use nodes::BuildError;
pub use path::{ElementsPath, FieldPath, PathRoot, PathStep};
pub use shape::ByShape;
use shape::{ShapeNumber, ShapedNodes};

/// An owned value. See the module's documentation for how it is stored.
#[derive(Clone)]
pub struct Value {
    /// Text that values share, above all the record's bytes.
    buffer: ByteString,
    /// Text that is not in `buffer`: unescaped strings and what transforms made.
    text: String,
    /// The document in preorder: the root is the first node. No nodes at all are one string, the whole buffer: most keys
    /// are that, and then cost no allocation.
    nodes: ShapedNodes,
    /// What byte strings are spans of.
    binary: Option<Box<Binary>>,
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
        let mut text = String::new();
        let span = Span::append(&mut text, content);
        Value {
            text,
            ..Value::of_node(Node::String(span))
        }
    }

    pub fn integer(number: i64) -> Value {
        Value::digits(&number.to_string())
    }

    /// A number from digits that are known to be a number of JSON.
    fn digits(digits: &str) -> Value {
        let mut text = String::new();
        let span = Span::append(&mut text, digits);
        Value {
            text,
            ..Value::of_node(Node::Number(span))
        }
    }

    /// A number with exactly these digits, or `None` if they are not one JSON number.
    pub fn number(digits: &str) -> Option<Value> {
        let digits = digits.trim_matches([' ', '\t', '\n', '\r']);
        let fits = digits.len() <= ValueLimits::default().digits;
        (fits && builder::is_json_number(digits)).then(|| Value::digits(digits))
    }

    /// A string whose bytes are `buffer` itself, uncopied: how a `string` key is decoded.
    pub fn string_in(buffer: ByteString) -> Value {
        Value {
            buffer,
            text: String::new(),
            nodes: ShapedNodes::without_shapes(Vec::new()),
            binary: None,
        }
    }

    /// Bytes, uncopied: how a `bytes` key or value is decoded.
    pub fn bytes(content: Bytes) -> Value {
        let mut binary = Binary::of_payload(content.clone());
        let span = binary.span_of(&content);
        Value {
            binary: Some(Box::new(binary)),
            ..Value::of_node(Node::Bytes(span))
        }
    }

    pub fn empty_array() -> Value {
        Value::of_node(Node::Array {
            members: 0,
            nodes: 1,
        })
    }

    pub fn empty_object() -> Value {
        Value::of_node(Node::Object {
            shape: ShapeNumber::default(),
            members: 0,
            nodes: 1,
        })
    }

    fn of_node(node: Node) -> Value {
        Value {
            buffer: ByteString::new(),
            text: String::new(),
            nodes: ShapedNodes::without_shapes(vec![node]),
            binary: None,
        }
    }

    /// The cursor at the top.
    #[inline]
    pub fn root(&self) -> ValueRef<'_> {
        ValueRef::new(self, 0)
    }

    /// Bytes of memory that this value holds beside what it shares.
    pub fn memory_bytes(&self) -> usize {
        let binary = self.binary.as_ref();
        self.nodes.memory_bytes()
            + self.text.capacity()
            + binary.map_or(0, |binary| size_of::<Binary>() + binary.own_capacity())
    }

    #[inline]
    fn node(&self, index: usize) -> Node {
        self.nodes
            .get(index)
            .copied()
            .unwrap_or_else(|| self.implicit_root(index))
    }

    #[cold]
    fn implicit_root(&self, index: usize) -> Node {
        assert!(
            index == 0 && self.nodes.is_empty(),
            "an index is one of the value's nodes"
        );
        Node::String(Span::in_buffer(0, self.buffer.len()))
    }

    /// Pushes the implicit root node, which an edit needs.
    fn with_root(&mut self) {
        if self.nodes.is_empty() {
            let root = self.implicit_root(0);
            self.nodes.edit().push(root);
        }
    }

    #[inline]
    fn content(&self, span: Span) -> &str {
        let source = if span.is_own() {
            self.text.as_str()
        } else {
            &*self.buffer
        };
        source.get(span.range()).expect("a span is inside its text")
    }

    #[inline]
    fn binary_content(&self, span: Span) -> &[u8] {
        let binary = self.binary.as_ref();
        binary
            .expect("a value with byte strings has their content")
            .content(span)
    }

    /// Moves text that is not shared yet into the buffer that clones and parts of this value share.
    fn with_shareable_text(mut self) -> Value {
        if !self.buffer.is_empty() || self.text.is_empty() {
            return self;
        }
        self.buffer = std::mem::take(&mut self.text).into();
        for node in self.nodes.edit() {
            if let Node::String(span) | Node::Number(span) = node {
                *span = span.shared();
            }
        }
        self
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
