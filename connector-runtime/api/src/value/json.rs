//! JSON text to [`Value`] and back. The syntax is jiter's; the tape, the limits and the refusal of duplicate keys are ours.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use bytestring::ByteString;
use jiter::{Jiter, Peek};

use super::limits::ValueLimits;
use super::node::{MOST_BYTES, Node, Span};
use super::nodes::{BuildError, Nodes};
use super::{Kind, Value, ValueRef};

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

impl Value {
    /// Parses one JSON document without copying it.
    ///
    /// Refused beside bad syntax: bytes that are not UTF-8, an object with one key twice, and what exceeds `limits`.
    pub fn parse_json(bytes: Bytes, limits: ValueLimits) -> Result<Value, JsonError> {
        if bytes.len() > MOST_BYTES {
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
            nodes: Nodes {
                list: Vec::with_capacity(buffer.len() / BYTES_A_NODE + 4),
                text: String::new(),
                limits,
            },
        };
        let parsed = parser.document();
        let (nodes, offset) = (parser.nodes, parser.jiter.current_index());
        match parsed {
            Ok(()) => Ok(Value {
                buffer,
                text: nodes.text,
                nodes: nodes.list,
                binary: None,
            }),
            Err(Problem::Syntax(error)) => Err(JsonError {
                message: error.error_type.to_string(),
                offset: error.index,
            }),
            Err(Problem::Refused(error)) => Err(JsonError {
                message: error.message,
                offset,
            }),
        }
    }

    /// The value as compact JSON.
    pub fn to_json(&self) -> String {
        self.root().to_json()
    }
}

enum Problem {
    Syntax(jiter::JiterError),
    Refused(BuildError),
}

impl From<BuildError> for Problem {
    fn from(error: BuildError) -> Self {
        Problem::Refused(error)
    }
}

impl From<jiter::JiterError> for Problem {
    fn from(error: jiter::JiterError) -> Self {
        Problem::Syntax(error)
    }
}

struct Parser<'a> {
    base: &'a str,
    jiter: Jiter<'a>,
    nodes: Nodes,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<(), Problem> {
        let first = self.jiter.peek()?;
        self.value(first, 0)?;
        self.jiter.finish()?;
        let most = self.nodes.limits.nodes;
        if self.nodes.list.len() > most {
            return Err(BuildError::new(format!("more than {most} values and names")).into());
        }
        Ok(())
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
                let span = span_of(self.base, &mut self.nodes.text, self.jiter.known_str()?);
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
        self.nodes.check_digits(digits.len())?;
        let span = Span::within(self.base.as_bytes(), digits)
            .expect("the digits of a number are a part of the document");
        self.nodes.push(Node::Number(span));
        Ok(())
    }

    fn array(&mut self, depth: u32) -> Result<(), Problem> {
        self.nodes.check_depth(depth)?;
        let start = self.nodes.open();
        let mut members = 0;
        let mut next = self.jiter.known_array()?;
        while let Some(peek) = next {
            self.value(peek, depth)?;
            members += 1;
            next = self.jiter.array_step()?;
        }
        self.nodes.close_array(start, members);
        Ok(())
    }

    fn object(&mut self, depth: u32) -> Result<(), Problem> {
        self.nodes.check_depth(depth)?;
        let start = self.nodes.open();
        let mut members: u32 = 0;
        let mut key = self.jiter.known_object()?;
        while let Some(name) = key {
            let span = span_of(self.base, &mut self.nodes.text, name);
            self.nodes.push(Node::String(span));
            members += 1;
            self.nodes.check_members(members)?;
            let peek = self.jiter.peek()?;
            self.value(peek, depth)?;
            key = self.jiter.next_key()?;
        }
        Ok(self.nodes.close_object(start, members, self.base)?)
    }
}

/// Where `content` is in `base`; text that the parser had to unescape is elsewhere and kept in `text`.
#[inline]
fn span_of(base: &str, text: &mut String, content: &str) -> Span {
    Span::within(base.as_bytes(), content.as_bytes()).unwrap_or_else(|| Span::append(text, content))
}

impl ValueRef<'_> {
    /// This node and all below it as compact JSON.
    pub fn to_json(self) -> String {
        let mut out = Vec::with_capacity(64);
        self.write_json(&mut out);
        String::from_utf8(out).expect("JSON text is UTF-8")
    }

    /// Appends compact JSON to `out`. Numbers are written with the digits they came with, bytes in base64 (RFC 4648,
    /// section 4, with padding).
    pub fn write_json(self, out: &mut Vec<u8>) {
        match self.kind() {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::Bool(true) => out.extend_from_slice(b"true"),
            Kind::Bool(false) => out.extend_from_slice(b"false"),
            Kind::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
            Kind::String(content) => write_string(content, out),
            Kind::Bytes(content) => {
                out.push(b'"');
                out.extend_from_slice(STANDARD.encode(content).as_bytes());
                out.push(b'"');
            }
            Kind::Array(elements) => {
                out.push(b'[');
                for (index, element) in elements.enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    element.write_json(out);
                }
                out.push(b']');
            }
            Kind::Object(members) => {
                out.push(b'{');
                for (index, (name, member)) in members.enumerate() {
                    if index > 0 {
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
