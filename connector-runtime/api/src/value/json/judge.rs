//! The parser that decides about every document the quick one does not take, and says what is wrong where. The syntax is
//! jiter's; the tape, the limits and the refusal of duplicate keys are ours.

use jiter::{Jiter, Peek};

use super::super::node::{Node, Span};
use super::super::nodes::{BuildError, Nodes};
use super::JsonError;

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

/// The nodes of the document, or what is wrong with it.
pub(super) fn parse(base: &str, nodes: Nodes) -> Result<Nodes, JsonError> {
    let mut parser = Parser {
        base,
        jiter: Jiter::new(base.as_bytes()),
        nodes,
    };
    match parser.document() {
        Ok(()) => Ok(parser.nodes),
        Err(Problem::Syntax(error)) => Err(JsonError {
            message: error.error_type.to_string(),
            offset: error.index,
        }),
        Err(Problem::Refused(error)) => Err(JsonError {
            message: error.message,
            offset: parser.jiter.current_index(),
        }),
    }
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
