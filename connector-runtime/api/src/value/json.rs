//! JSON text to [`Value`] and back. The syntax is jiter's; the tape, the limits and the refusal of duplicate keys are ours.

use bytes::Bytes;
use bytestring::ByteString;
use jiter::{Jiter, Peek};

use super::{Kind, Node, Span, Value, ValueRef};

/// What a document may be at most, checked while it is parsed.
#[derive(Clone, Copy, Debug)]
pub struct JsonLimits {
    /// Arrays and objects inside each other.
    pub depth: u32,
    /// Digits of one number.
    pub digits: usize,
    /// Members of one object.
    pub members: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        JsonLimits {
            depth: 128,
            digits: 1_000,
            members: 100_000,
        }
    }
}

/// Why bytes are not the JSON that we take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong, as half a sentence.
    pub message: String,
    /// Where, in bytes from the start.
    pub offset: usize,
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} at byte {}", self.message, self.offset)
    }
}

impl std::error::Error for JsonError {}

/// What a node takes of usual JSON, names counted: enough room at the first attempt, and little to spare.
const BYTES_A_NODE: usize = 10;

/// Spans are 31 bits wide.
const LARGEST_DOCUMENT: usize = (1 << 31) - 1;

impl Value {
    /// Parses one JSON document without copying it.
    ///
    /// Refused beside bad syntax: bytes that are not UTF-8, an object with one key twice, and what exceeds `limits`.
    pub fn parse_json(bytes: Bytes, limits: JsonLimits) -> Result<Value, JsonError> {
        if bytes.len() > LARGEST_DOCUMENT {
            return Err(JsonError {
                message: "document of more than 2 GiB".into(),
                offset: 0,
            });
        }
        let buffer = match ByteString::try_from(bytes.clone()) {
            Ok(buffer) => buffer,
            Err(_) => {
                let offset = std::str::from_utf8(&bytes)
                    .err()
                    .map_or(0, |error| error.valid_up_to());
                return Err(JsonError {
                    message: "not UTF-8".into(),
                    offset,
                });
            }
        };
        let mut parser = Parser {
            base: &buffer,
            jiter: Jiter::new(buffer.as_bytes()),
            text: String::new(),
            nodes: Vec::with_capacity(buffer.len() / BYTES_A_NODE + 4),
            limits,
        };
        let parsed = parser.document();
        let (text, nodes, offset) = (parser.text, parser.nodes, parser.jiter.current_index());
        match parsed {
            Ok(()) => Ok(Value {
                buffer,
                text,
                nodes,
            }),
            Err(Problem::Syntax(error)) => Err(JsonError {
                message: error.error_type.to_string(),
                offset: error.index,
            }),
            Err(Problem::Refused(message)) => Err(JsonError { message, offset }),
        }
    }

    /// The value as compact JSON.
    pub fn to_json(&self) -> String {
        self.root().to_json()
    }
}

enum Problem {
    Syntax(jiter::JiterError),
    Refused(String),
}

impl From<jiter::JiterError> for Problem {
    fn from(error: jiter::JiterError) -> Self {
        Problem::Syntax(error)
    }
}

struct Parser<'a> {
    base: &'a str,
    jiter: Jiter<'a>,
    text: String,
    nodes: Vec<Node>,
    limits: JsonLimits,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<(), Problem> {
        let first = self.jiter.peek()?;
        self.value(first, 0)?;
        Ok(self.jiter.finish()?)
    }

    fn value(&mut self, peek: Peek, depth: u32) -> Result<(), Problem> {
        match peek {
            Peek::Null => {
                self.jiter.known_null()?;
                self.nodes.push(Node::Null);
            }
            Peek::True | Peek::False => {
                let boolean = self.jiter.known_bool(peek)?;
                self.nodes.push(Node::Bool(boolean));
            }
            Peek::String => {
                let span = span_of(self.base, &mut self.text, self.jiter.known_str()?);
                self.nodes.push(Node::String(span));
            }
            Peek::Array => self.array(depth + 1)?,
            Peek::Object => self.object(depth + 1)?,
            _ => self.number(peek)?,
        }
        Ok(())
    }

    fn number(&mut self, peek: Peek) -> Result<(), Problem> {
        let digits = self.jiter.known_number_bytes(peek)?;
        if digits.len() > self.limits.digits {
            return Err(Problem::Refused(format!(
                "number of {} digits",
                digits.len()
            )));
        }
        let start = digits
            .as_ptr()
            .addr()
            .wrapping_sub(self.base.as_ptr().addr());
        self.nodes
            .push(Node::Number(Span::in_buffer(start, digits.len())));
        Ok(())
    }

    fn array(&mut self, depth: u32) -> Result<(), Problem> {
        self.check_depth(depth)?;
        let start = self.nodes.len();
        self.nodes.push(Node::Null);
        let mut members = 0;
        let mut next = self.jiter.known_array()?;
        while let Some(peek) = next {
            self.value(peek, depth)?;
            members += 1;
            next = self.jiter.array_step()?;
        }
        self.close(start, |nodes| Node::Array { members, nodes });
        Ok(())
    }

    fn object(&mut self, depth: u32) -> Result<(), Problem> {
        self.check_depth(depth)?;
        let start = self.nodes.len();
        self.nodes.push(Node::Null);
        let mut members: u32 = 0;
        let mut key = self.jiter.known_object()?;
        while let Some(name) = key {
            let span = span_of(self.base, &mut self.text, name);
            self.nodes.push(Node::String(span));
            members += 1;
            if members as usize > self.limits.members {
                return Err(Problem::Refused(format!(
                    "object of more than {} members",
                    self.limits.members
                )));
            }
            let peek = self.jiter.peek()?;
            self.value(peek, depth)?;
            key = self.jiter.next_key()?;
        }
        self.close(start, |nodes| Node::Object { members, nodes });
        self.refuse_duplicate_keys(start + 1, members as usize)
    }

    fn close(&mut self, start: usize, node: impl FnOnce(u32) -> Node) {
        let extent = (self.nodes.len() - start) as u32;
        if let Some(opened) = self.nodes.get_mut(start) {
            *opened = node(extent);
        }
    }

    fn check_depth(&self, depth: u32) -> Result<(), Problem> {
        if depth > self.limits.depth {
            return Err(Problem::Refused(format!(
                "nested more than {} deep",
                self.limits.depth
            )));
        }
        Ok(())
    }

    /// Two members of one name have no defined meaning (RFC 8259, section 4), so neither is believed.
    fn refuse_duplicate_keys(&self, first: usize, members: usize) -> Result<(), Problem> {
        const FEW: usize = 32;
        let mut keys = self.keys(first, members);
        let duplicate = if members <= FEW {
            let mut marks = Marks::default();
            keys.enumerate()
                .find(|(count, key)| {
                    marks.has_or_adds(key.as_bytes())
                        && self.keys(first, *count).any(|other| other == *key)
                })
                .map(|(_, key)| key)
        } else {
            let mut seen = std::collections::HashSet::with_capacity(members);
            keys.find(|key| !seen.insert(*key))
        };
        match duplicate {
            Some(key) => Err(Problem::Refused(format!("key {key:?} twice in one object"))),
            None => Ok(()),
        }
    }

    fn keys(&self, first: usize, members: usize) -> impl Iterator<Item = &str> {
        let mut next = first;
        (0..members).filter_map(move |_| {
            let Some(Node::String(span)) = self.nodes.get(next) else {
                return None;
            };
            next += 1 + self.nodes.get(next + 1).map_or(1, |node| node.extent());
            let (source, start) = if span.is_in_text() {
                (self.text.as_str(), span.start & !super::IN_TEXT)
            } else {
                (self.base, span.start)
            };
            source.get(start as usize..(start + span.length) as usize)
        })
    }
}

/// A small filter of the keys of one object: a key that it has not is new, and needs no comparing with the others.
#[derive(Default)]
struct Marks([u64; 4]);

impl Marks {
    fn has_or_adds(&mut self, key: &[u8]) -> bool {
        let byte = |place: usize| usize::from(key.get(place).copied().unwrap_or(0));
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

/// Where `content` stands in `base`; text that the parser had to unescape stands elsewhere and is kept in `text`.
fn span_of(base: &str, text: &mut String, content: &str) -> Span {
    let start = content.as_ptr().addr().wrapping_sub(base.as_ptr().addr());
    if start <= base.len() && start + content.len() <= base.len() {
        Span::in_buffer(start, content.len())
    } else {
        Span::append(text, content)
    }
}

impl ValueRef<'_> {
    /// This place and all below it as compact JSON.
    pub fn to_json(self) -> String {
        let mut out = Vec::with_capacity(64);
        self.write_json(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// Appends compact JSON to `out`. Numbers are written with the digits they came with.
    pub fn write_json(self, out: &mut Vec<u8>) {
        match self.kind() {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::Bool(true) => out.extend_from_slice(b"true"),
            Kind::Bool(false) => out.extend_from_slice(b"false"),
            Kind::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
            Kind::String(content) => write_string(content, out),
            Kind::Array(elements) => {
                out.push(b'[');
                for (place, element) in elements.enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    element.write_json(out);
                }
                out.push(b']');
            }
            Kind::Object(members) => {
                out.push(b'{');
                for (place, (name, member)) in members.enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    write_string(name, out);
                    out.push(b':');
                    member.write_json(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Escapes what JSON demands, and the controls U+007F to U+009F: JSON text is printed, and a terminal obeys them.
fn write_string(content: &str, out: &mut Vec<u8>) {
    // 0xc2 leads U+0080 to U+00BF.
    let plain = content
        .bytes()
        .all(|byte| byte >= 0x20 && !matches!(byte, b'"' | b'\\' | 0x7f | 0xc2));
    if plain {
        out.push(b'"');
        out.extend_from_slice(content.as_bytes());
        out.push(b'"');
        return;
    }
    out.push(b'"');
    for character in content.chars() {
        match character {
            '"' => out.extend_from_slice(br#"\""#),
            '\\' => out.extend_from_slice(br"\\"),
            '\n' => out.extend_from_slice(br"\n"),
            '\r' => out.extend_from_slice(br"\r"),
            '\t' => out.extend_from_slice(br"\t"),
            '\u{8}' => out.extend_from_slice(br"\b"),
            '\u{c}' => out.extend_from_slice(br"\f"),
            control if control.is_control() => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
