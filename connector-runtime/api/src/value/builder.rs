//! Building a [`Value`] from events: how codecs, `serde` and plugins make one.
//!
//! ```
//! # use connect_api::{ValueBuilder, ValueLimits};
//! let mut builder = ValueBuilder::new(ValueLimits::default());
//! builder.begin_object()?;
//! builder.key("photo")?;
//! builder.bytes(&[0xff, 0xd8])?;
//! builder.key("sizes")?;
//! builder.begin_array()?;
//! builder.integer(640)?;
//! builder.end()?;
//! builder.end()?;
//! assert_eq!(builder.finish().to_json(), r#"{"photo":"/9g=","sizes":[640]}"#);
//! # Ok::<(), connect_api::BuildError>(())
//! ```
//!
//! What comes from a payload may exceed a limit or name a member twice: that is a [`BuildError`]. An event that cannot
//! come here, such as a key in an array, is a defect of the caller and an assertion. After an error the builder is of no
//! further use.

use std::fmt::Write;

use bytes::Bytes;
use bytestring::ByteString;

use super::binary::Binary;
use super::limits::ValueLimits;
use super::node::{Node, Span};
use super::nodes::{BuildError, Nodes};
use super::{Kind, Value, ValueRef};

/// A value under construction. See the module's documentation.
pub struct ValueBuilder {
    nodes: Nodes,
    /// What the finished value shares with another; empty if it is made from nothing.
    buffer: ByteString,
    binary: Binary,
    open: Vec<Container>,
    names: RecentNames,
    /// Bytes of all names so far.
    named: usize,
}

/// An array or object that is still open.
struct Container {
    /// Index of its node.
    start: usize,
    members: u32,
    expects: Expected,
}

#[derive(Clone, Copy, PartialEq)]
enum Expected {
    Element,
    Key,
    Member,
}

impl ValueBuilder {
    /// For a value that shares nothing.
    pub fn new(limits: ValueLimits) -> ValueBuilder {
        ValueBuilder {
            nodes: Nodes::new(limits),
            buffer: ByteString::new(),
            binary: Binary::default(),
            open: Vec::new(),
            names: RecentNames::default(),
            named: 0,
        }
    }

    /// For what is decoded from `payload`: parts of it that become bytes are not copied.
    pub fn of_payload(payload: Bytes, limits: ValueLimits) -> ValueBuilder {
        ValueBuilder {
            binary: Binary::of_payload(payload),
            ..ValueBuilder::new(limits)
        }
    }

    /// For what is made from parts of `source`: its strings and bytes are not copied.
    pub fn sharing(source: &Value, limits: ValueLimits) -> ValueBuilder {
        ValueBuilder {
            buffer: source.buffer.clone(),
            binary: source
                .binary
                .as_ref()
                .map(|binary| binary.shared())
                .unwrap_or_default(),
            ..ValueBuilder::new(limits)
        }
    }

    pub fn null(&mut self) -> Result<(), BuildError> {
        self.value(Node::Null)
    }

    pub fn boolean(&mut self, boolean: bool) -> Result<(), BuildError> {
        self.value(Node::Bool(boolean))
    }

    pub fn string(&mut self, content: &str) -> Result<(), BuildError> {
        let span = self.text(content)?;
        self.value(Node::String(span))
    }

    /// A string that is likely to occur again, such as a symbol of an enum: its text is kept once.
    pub fn symbol(&mut self, content: &str) -> Result<(), BuildError> {
        let span = self.name(content)?;
        self.value(Node::String(span))
    }

    /// Bytes as they are. Only JSON text has them in base64.
    pub fn bytes(&mut self, content: &[u8]) -> Result<(), BuildError> {
        self.check_bytes(content.len())?;
        let span = self.binary.span_of(content);
        self.value(Node::Bytes(span))
    }

    /// A number with exactly these digits.
    pub fn number(&mut self, digits: &str) -> Result<(), BuildError> {
        if !is_json_number(digits) {
            return Err(BuildError::new(format!(
                "{digits:?} is not a number of JSON"
            )));
        }
        self.nodes.check_digits(digits.len())?;
        let span = self.text(digits)?;
        self.value(Node::Number(span))
    }

    pub fn integer(&mut self, number: i64) -> Result<(), BuildError> {
        self.written(format_args!("{number}"))
    }

    pub fn unsigned(&mut self, number: u64) -> Result<(), BuildError> {
        self.written(format_args!("{number}"))
    }

    /// The shortest digits that are this number and no other. See [`ValueBuilder::double`] for what is not finite.
    pub fn float(&mut self, number: f32) -> Result<(), BuildError> {
        if number.is_finite() {
            self.written(format_args!("{number:?}"))
        } else {
            self.symbol(word_of(number.into()))
        }
    }

    /// The shortest digits that are this number and no other. What JSON has no number for becomes the word that
    /// databases and Avro's own JSON know: `NaN`, `Infinity` or `-Infinity`.
    pub fn double(&mut self, number: f64) -> Result<(), BuildError> {
        if number.is_finite() {
            self.written(format_args!("{number:?}"))
        } else {
            self.symbol(word_of(number))
        }
    }

    pub fn begin_array(&mut self) -> Result<(), BuildError> {
        self.begin(Expected::Element)
    }

    pub fn begin_object(&mut self) -> Result<(), BuildError> {
        self.begin(Expected::Key)
    }

    /// The name of the member that comes next.
    pub fn key(&mut self, name: &str) -> Result<(), BuildError> {
        let span = self.name(name)?;
        let container = self.open.last_mut().expect("a key belongs to an object");
        assert!(
            container.expects == Expected::Key,
            "a key comes where an object expects one"
        );
        container.expects = Expected::Member;
        container.members += 1;
        let members = container.members;
        self.nodes.check_members(members)?;
        self.push(Node::String(span))
    }

    /// Ends the innermost array or object.
    pub fn end(&mut self) -> Result<(), BuildError> {
        let container = self.open.pop().expect("what ends has begun");
        match container.expects {
            Expected::Element => {
                self.nodes.close_array(container.start, container.members);
                Ok(())
            }
            Expected::Key => {
                self.nodes
                    .close_object(container.start, container.members, &self.buffer)
            }
            Expected::Member => unreachable!("a key is followed by its value"),
        }
    }

    /// A copy of `source` and all below it.
    pub fn copy(&mut self, source: ValueRef<'_>) -> Result<(), BuildError> {
        match source.kind() {
            Kind::Null => self.null(),
            Kind::Bool(boolean) => self.boolean(boolean),
            Kind::Number(number) => {
                let span = self.text(number.as_str())?;
                self.value(Node::Number(span))
            }
            Kind::String(content) => self.string(content),
            Kind::Bytes(content) => self.bytes(content),
            Kind::Array(elements) => {
                self.begin_array()?;
                for element in elements {
                    self.copy(element)?;
                }
                self.end()
            }
            Kind::Object(members) => {
                self.begin_object()?;
                for (name, member) in members {
                    self.key(name)?;
                    self.copy(member)?;
                }
                self.end()
            }
        }
    }

    /// The value. Everything that began has ended.
    pub fn finish(self) -> Value {
        assert!(self.open.is_empty(), "every array and object has ended");
        assert!(!self.nodes.list.is_empty(), "a value has been built");
        let value = self.nodes.finish(self.buffer, self.binary.if_used());
        value.with_shareable_text()
    }

    fn begin(&mut self, expects: Expected) -> Result<(), BuildError> {
        self.place_value()?;
        let start = self.nodes.open();
        self.open.push(Container {
            start,
            members: 0,
            expects,
        });
        self.nodes.check_depth(self.open.len() as u32)
    }

    fn value(&mut self, node: Node) -> Result<(), BuildError> {
        self.place_value()?;
        self.nodes.push(node);
        Ok(())
    }

    /// Counts the value that comes next in the container that it belongs to.
    fn place_value(&mut self) -> Result<(), BuildError> {
        self.check_nodes()?;
        match self.open.last_mut() {
            None => assert!(self.nodes.list.is_empty(), "a value has one root"),
            Some(container) => match container.expects {
                Expected::Element => container.members += 1,
                Expected::Member => container.expects = Expected::Key,
                Expected::Key => unreachable!("a member of an object begins with its key"),
            },
        }
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<(), BuildError> {
        self.check_nodes()?;
        self.nodes.push(node);
        Ok(())
    }

    fn check_nodes(&self) -> Result<(), BuildError> {
        if self.nodes.list.len() >= self.nodes.limits.nodes {
            return Err(BuildError::new(format!(
                "it becomes more than {} nulls, booleans, numbers, strings, arrays, objects and names",
                self.nodes.limits.nodes
            )));
        }
        Ok(())
    }

    fn check_bytes(&self, more: usize) -> Result<(), BuildError> {
        if self.nodes.text.len() + self.binary.own_bytes() + more > self.nodes.limits.bytes {
            return Err(BuildError::new(format!(
                "it becomes more than {} bytes of text",
                self.nodes.limits.bytes
            )));
        }
        Ok(())
    }

    fn text(&mut self, content: &str) -> Result<Span, BuildError> {
        // An empty string has no address to go by.
        if content.is_empty() {
            return Ok(Span::in_buffer(0, 0));
        }
        if let Some(span) = Span::within(self.buffer.as_bytes(), content.as_bytes()) {
            return Ok(span);
        }
        self.check_bytes(content.len())?;
        Ok(Span::append(&mut self.nodes.text, content))
    }

    fn written(&mut self, number: std::fmt::Arguments<'_>) -> Result<(), BuildError> {
        // An integer of 64 bits or a double has no more digits than this.
        const LONGEST: usize = 32;
        self.check_bytes(LONGEST)?;
        let start = self.nodes.text.len();
        self.nodes
            .text
            .write_fmt(number)
            .expect("a string takes any text");
        let span = Span::in_own(start, self.nodes.text.len() - start);
        self.value(Node::Number(span))
    }

    /// Names recur: in every element of an array, for example. One is kept once, and written each time that it appears.
    fn name(&mut self, name: &str) -> Result<Span, BuildError> {
        self.named = self.named.saturating_add(name.len());
        self.nodes.check_names(self.named)?;
        let slot = RecentNames::slot(name);
        if let Some(span) = self.names.at(slot)
            && span.length as usize == name.len()
            && self.nodes.content(span, &self.buffer) == name
        {
            return Ok(span);
        }
        let span = self.text(name)?;
        self.names.set(slot, span);
        Ok(span)
    }
}

/// Where the text of a name was put last, by a hash of the name. Made with the first name: most values that are built have
/// none.
#[derive(Default)]
struct RecentNames(Vec<Option<Span>>);

impl RecentNames {
    const SLOTS: usize = 128;

    /// FNV-1a: names are short and often differ in their last characters only.
    fn slot(name: &str) -> usize {
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        hash as usize % Self::SLOTS
    }

    fn at(&self, slot: usize) -> Option<Span> {
        self.0.get(slot).copied().flatten()
    }

    fn set(&mut self, slot: usize, span: Span) {
        self.0.resize(Self::SLOTS, None);
        *self.0.get_mut(slot).expect("a slot is a remainder") = Some(span);
    }
}

fn word_of(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// Whether `text` is a number by RFC 8259, section 6.
pub(super) fn is_json_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
    is_digits(whole)
        && !has_leading_zero
        && fraction.is_none_or(is_digits)
        && exponent
            .is_none_or(|exponent| is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}
