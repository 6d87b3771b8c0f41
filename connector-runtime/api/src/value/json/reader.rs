//! The quick parser: plain JSON in one pass, with the shapes of the documents before.
//!
//! It takes nothing that the other parser does not take, and makes the same nodes. What it does not take may be valid all
//! the same; it says only `None`.

use bytes::Bytes;

use super::super::Value;
use super::super::limits::ValueLimits;
use super::super::node::{Node, Span};
use super::super::nodes::Nodes;
use super::super::shape::ShapeNumber;
use super::scan::{escaped, number_end, plain_end};
use super::shapes::{At, BEFORE_NAME, BEHIND_NAME, Shapes};
use super::{JsonError, parse};

/// Reads documents of one kind. It remembers in which order names come, never more than some 100 KiB.
pub struct JsonReader {
    limits: ValueLimits,
    shapes: Shapes,
}

impl JsonReader {
    pub fn new(limits: ValueLimits) -> JsonReader {
        JsonReader {
            limits,
            shapes: Shapes::new(),
        }
    }

    /// As [`Value::parse_json`].
    pub fn read(&mut self, bytes: Bytes) -> Result<Value, JsonError> {
        parse(bytes, self.limits, &mut self.shapes)
    }
}

/// The nodes of the document, or `None` for the other parser to decide.
pub(super) fn read(text: &str, nodes: Nodes, shapes: &mut Shapes) -> Option<Nodes> {
    let root = shapes.begin();
    let mut nodes = nodes;
    nodes.family = shapes.family();
    let mut reading = Reading {
        text,
        bytes: text.as_bytes(),
        at: 0,
        nodes,
        shapes,
    };
    let first = reading.token()?;
    reading.value(first, |_| root, 0)?;
    let is_whole = reading.token().is_none() && reading.at == text.len();
    let nodes = reading.nodes;
    (is_whole && nodes.list.len() <= nodes.limits.nodes).then_some(nodes)
}

struct Reading<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// What is read next.
    at: usize,
    nodes: Nodes,
    shapes: &'a mut Shapes,
}

impl Reading<'_> {
    /// The first byte behind blanks, which is not passed. `None` at the end, and for a control character.
    #[inline]
    fn token(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if byte > b' ' {
                return Some(byte);
            }
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                _ => return Some(byte),
            }
        }
    }

    /// The value whose first byte is `first`; objects in it begin where `inner` says.
    #[inline]
    fn value(
        &mut self,
        first: u8,
        inner: impl FnOnce(&mut Shapes) -> At,
        depth: u32,
    ) -> Option<()> {
        match first {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true", Node::Bool(true)),
            b'f' => self.word(b"false", Node::Bool(false)),
            b'n' => self.word(b"null", Node::Null),
            b'{' => {
                let inner = inner(self.shapes);
                self.object(inner, depth + 1)
            }
            b'[' => {
                let inner = inner(self.shapes);
                self.array(inner, depth + 1)
            }
            _ => None,
        }
    }

    #[inline]
    fn word(&mut self, word: &[u8], node: Node) -> Option<()> {
        let is_word = self.bytes.get(self.at..)?.starts_with(word);
        self.at += word.len();
        self.nodes.push(node);
        is_word.then_some(())
    }

    #[inline]
    fn number(&mut self) -> Option<()> {
        let end = number_end(self.bytes, self.at)?;
        let length = end - self.at;
        self.nodes.check_digits(length).ok()?;
        self.nodes
            .push(Node::Number(Span::in_buffer(self.at, length)));
        self.at = end;
        Some(())
    }

    #[inline]
    fn string(&mut self) -> Option<()> {
        let start = self.at + 1;
        let end = plain_end(self.bytes, start)?;
        let span = if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            Span::in_buffer(start, end - start)
        } else {
            self.unescaped(start, end)?
        };
        self.nodes.push(Node::String(span));
        Some(())
    }

    /// The string from `start` on, whose first escape is at `interrupt`, without its escapes.
    #[cold]
    fn unescaped(&mut self, start: usize, interrupt: usize) -> Option<Span> {
        let own = self.nodes.text.len();
        let (mut start, mut interrupt) = (start, interrupt);
        loop {
            self.nodes.text.push_str(self.text.get(start..interrupt)?);
            match self.bytes.get(interrupt)? {
                b'"' => break,
                b'\\' => {
                    let (character, end) = escaped(self.bytes, interrupt)?;
                    self.nodes.text.push(character);
                    start = end;
                    interrupt = plain_end(self.bytes, end)?;
                }
                _ => return None,
            }
        }
        self.at = interrupt + 1;
        Some(Span::in_own(own, self.nodes.text.len() - own))
    }

    fn array(&mut self, inner: At, depth: u32) -> Option<()> {
        self.nodes.check_depth(depth).ok()?;
        let start = self.nodes.open();
        self.at += 1;
        let mut members = 0;
        let mut first = self.token()?;
        while first != b']' {
            self.value(first, |_| inner, depth)?;
            members += 1;
            first = self.token()?;
            if first == b',' {
                self.at += 1;
                first = self.token()?;
                // A comma is followed by an element.
                if first == b']' {
                    return None;
                }
            } else if first != b']' {
                return None;
            }
        }
        self.at += 1;
        self.nodes.close_array(start, members);
        Some(())
    }

    fn object(&mut self, begin: At, depth: u32) -> Option<()> {
        self.nodes.check_depth(depth).ok()?;
        let start = self.nodes.open();
        self.at += 1;
        let (mut members, mut step) = (0, begin);
        let mut next = self.token()?;
        while next == b'"' {
            step = self.name(step)?;
            loop {
                members += 1;
                self.nodes.check_members(members).ok()?;
                self.member(step, depth)?;
                // Mostly the next member follows without blanks.
                match self.expected_name(step, 0) {
                    Some(next) => step = next,
                    None => break,
                }
            }
            next = self.token()?;
            if next == b',' {
                self.at += 1;
                next = self.token()?;
                if next != b'"' {
                    return None;
                }
            } else if next != b'}' {
                return None;
            }
        }
        if next != b'}' {
            return None;
        }
        self.at += 1;
        if step.is_some() {
            let shape = ShapeNumber::of_step(step);
            self.nodes.close_known_object(start, members, shape);
            return Some(());
        }
        self.nodes.close_object(start, members, self.text).ok()
    }

    /// The value of the member at this step.
    #[inline]
    fn member(&mut self, step: At, depth: u32) -> Option<()> {
        let first = self.token()?;
        self.value(first, |shapes| shapes.inner(step), depth)
    }

    /// Passes a name, if it is the one that came here last time, with the colon: in one comparison. Of what is before the
    /// name, `passed` bytes are passed already.
    #[inline]
    fn expected_name(&mut self, step: At, passed: usize) -> Option<At> {
        let (next, name) = self.shapes.expected(step)?;
        let name = name.get(passed..)?;
        if !self.bytes.get(self.at..)?.starts_with(name) {
            return None;
        }
        let before = BEFORE_NAME.len() - passed;
        let span = Span::in_buffer(self.at + before, name.len() - before - BEHIND_NAME.len());
        self.at += name.len();
        self.nodes.push(Node::String(span));
        Some(Some(next))
    }

    /// Reads a name, whose first quote comes next, and the colon behind it. Returns the step that it is.
    fn name(&mut self, step: At) -> Option<At> {
        const COMMA: usize = 1;
        if let Some(next) = self.expected_name(step, COMMA) {
            return Some(next);
        }
        let start = self.at + 1;
        self.string()?;
        let end = self.at - 1;
        if self.token()? != b':' {
            return None;
        }
        self.at += 1;
        // With escapes there are many ways to write one name.
        match self.bytes.get(start..end) {
            Some(name) if !name.contains(&b'\\') => self.shapes.follow(step, name).ok(),
            _ => Some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Both parsers agree about `text`, with the shapes of what came before; the quick one takes it if `is_quick`.
    fn check(text: &str, shapes: &mut Shapes, is_quick: bool) {
        let none = || Nodes::new(ValueLimits::default());
        let quick = read(text, none(), shapes);
        assert_eq!(quick.is_some(), is_quick, "{text}");
        let Some(quick) = quick else { return };
        let judged = super::super::judge::parse(text, none()).unwrap();
        assert_eq!(without_shapes(quick.list), judged.list, "{text}");
        assert_eq!(quick.text, judged.text, "{text}");
    }

    fn without_shapes(mut nodes: Vec<Node>) -> Vec<Node> {
        for node in &mut nodes {
            if let Node::Object { shape, .. } = node {
                *shape = ShapeNumber::default();
            }
        }
        nodes
    }

    #[test]
    fn shapes_change_nothing_but_the_time() {
        let cases = [
            (r#"{"a":1,"b":{"c":"x"},"d":[{"e":1},{"e":2}]}"#, true),
            (
                r#"{"a":2,"b":{"c":"y\n"},"d":[{"e":1},{"e":2,"f":3}]}"#,
                true,
            ),
            (r#"{ "a" : 3 , "b" : null, "d" : [] }"#, true),
            (r#"{"b":{"c":1,"c":2}}"#, false),
            (r#"{"a":1,"a":2}"#, false),
            (r#"{"a":1,"b":{"c":1},"a":2}"#, false),
            (r#"{"a":1,"b":{"c":1},"\u0061":2}"#, false),
            (r#"{"ab":1,"abc":2}"#, true),
            (r#"{"abc":1,"ab":2}"#, true),
            (r#"{"":1,"a":2}"#, true),
            (r#"{"a":1,"b"}"#, false),
            (r#"{"a":1,}"#, false),
            (r#"{"a":1 "b":2}"#, false),
            (r#"[1,]"#, false),
            (r#"[1 2]"#, false),
            (r#"{"a":01}"#, false),
            (r#"{"a":tru}"#, false),
            (r#"{"a":"\ud800"}"#, false),
            ("{\"a\":\"\u{1}\"}", false),
            (r#"{"a":1}x"#, false),
            ("{\"a\":1}\u{b}", false),
            (r#"{"a":1"#, false),
        ];
        let mut shapes = Shapes::new();
        for _ in 0..3 {
            for (text, is_quick) in cases {
                check(text, &mut shapes, is_quick);
                check(text, &mut Shapes::none(), is_quick);
            }
        }
    }

    #[test]
    fn names_that_are_data_fill_nothing_up() {
        let mut shapes = Shapes::new();
        for number in 0..5_000 {
            let text = format!(
                r#"{{"id":{number},"by_name":{{"k{number}":1,"l{number}":{{"m{number}":2}}}}}}"#
            );
            check(&text, &mut shapes, true);
        }
        let mut chains = Shapes::new();
        for number in 0..200 {
            let members: Vec<String> = (0..50).map(|n| format!(r#""{number}-{n}":{n}"#)).collect();
            let text = format!("{{{}}}", members.join(","));
            check(&text, &mut chains, true);
        }
    }
}
