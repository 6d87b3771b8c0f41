//! Changing a [`Value`]: the tape is spliced, and the ancestors' counts follow.

use super::node::{Node, Span};
use super::{Binary, Value};
use crate::path::{FieldPath, PathStep};

/// Why a place cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditError {
    pub message: String,
}

impl std::fmt::Display for EditError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for EditError {}

/// How far a path leads into the value.
struct Walk<'p> {
    /// The containers passed, outermost first; without the place reached.
    ancestors: Vec<usize>,
    /// The last place that exists.
    reached: usize,
    /// The steps that lead nowhere yet.
    rest: &'p [PathStep],
}

impl Value {
    /// Puts `new` at `path`, replacing what stands there. Missing objects on the way are made; a missing array
    /// element, or a step into something that is no object or array, is an error.
    pub fn insert(&mut self, path: &FieldPath, new: Value) -> Result<(), EditError> {
        self.with_root();
        let walk = self.walk(path.steps());
        let mut subtree = Vec::new();
        if let Some((first, inner)) = walk.rest.split_first() {
            let PathStep::Name(name) = first else {
                return Err(cannot(path, "there is no such array element"));
            };
            if !matches!(self.node(walk.reached), Node::Object { .. }) {
                let found = self.root_at(walk.reached).type_name();
                return Err(cannot(
                    path,
                    &format!("{found} found where an object was expected"),
                ));
            }
            subtree.push(Node::String(Span::append(&mut self.text, name)));
            let imported = self.import(new);
            self.wrap(path, inner, imported, &mut subtree)?;
            let end = walk.reached + self.node(walk.reached).extent();
            let container = walk.reached;
            let mut ancestors = walk.ancestors;
            ancestors.push(container);
            self.splice(end, 0, subtree, &ancestors);
            self.count_members(container, 1);
        } else {
            let removed = self.node(walk.reached).extent();
            let subtree = self.import(new);
            self.splice(walk.reached, removed, subtree, &walk.ancestors);
        }
        Ok(())
    }

    /// Takes away the member or element at `path`; `false` if there is none. The root cannot be removed.
    pub fn remove(&mut self, path: &FieldPath) -> bool {
        let walk = self.walk(path.steps());
        let Some(container) = walk.ancestors.last().copied() else {
            return false;
        };
        if !walk.rest.is_empty() {
            return false;
        }
        let extent = self.node(walk.reached).extent();
        let is_member = matches!(self.node(container), Node::Object { .. });
        let (start, removed) = if is_member {
            (walk.reached - 1, extent + 1)
        } else {
            (walk.reached, extent)
        };
        self.splice(start, removed, Vec::new(), &walk.ancestors);
        self.count_members(container, -1);
        true
    }

    /// Gives the member at `path` another name, in its place; `false` if there is none or the name is taken.
    pub fn rename(&mut self, path: &FieldPath, name: &str) -> bool {
        let walk = self.walk(path.steps());
        let Some(container) = walk.ancestors.last().copied() else {
            return false;
        };
        let is_member = matches!(self.node(container), Node::Object { .. });
        if !walk.rest.is_empty() || !is_member || self.root_at(container).get(name).is_some() {
            return false;
        }
        let span = Span::append(&mut self.text, name);
        if let Some(node) = self.nodes.get_mut(walk.reached - 1) {
            *node = Node::String(span);
        }
        true
    }

    fn root_at(&self, index: usize) -> super::ValueRef<'_> {
        super::ValueRef::new(self, index)
    }

    fn walk<'p>(&self, steps: &'p [PathStep]) -> Walk<'p> {
        let mut walk = Walk {
            ancestors: Vec::new(),
            reached: 0,
            rest: steps,
        };
        while let Some((step, rest)) = walk.rest.split_first() {
            let here = self.root_at(walk.reached);
            let Some(next) = step.follow(here) else { break };
            walk.ancestors.push(walk.reached);
            walk.reached = next.index();
            walk.rest = rest;
        }
        walk
    }

    /// Objects of one member each around `content`, one for each step.
    fn wrap(
        &mut self,
        path: &FieldPath,
        steps: &[PathStep],
        content: Vec<Node>,
        out: &mut Vec<Node>,
    ) -> Result<(), EditError> {
        for (place, step) in steps.iter().enumerate() {
            let PathStep::Name(name) = step else {
                return Err(cannot(path, "there is no such array element"));
            };
            let inner = steps.len() - place - 1;
            let nodes = (2 + inner * 2 + content.len()) as u32;
            out.push(Node::Object { members: 1, nodes });
            out.push(Node::String(Span::append(&mut self.text, name)));
        }
        out.extend(content);
        Ok(())
    }

    /// The nodes of `other`, pointing into this value's buffer where both share it and into its own storage otherwise.
    fn import(&mut self, mut other: Value) -> Vec<Node> {
        other.with_root();
        let shared = self.buffer.as_ptr() == other.buffer.as_ptr()
            && self.buffer.len() == other.buffer.len();
        let shift = self.text.len();
        self.text.push_str(&other.text);
        let mut nodes = std::mem::take(&mut other.nodes);
        for node in &mut nodes {
            match node {
                Node::String(span) | Node::Number(span) => {
                    if span.is_own() {
                        *span = Span::in_own(span.range().start + shift, span.range().len());
                    } else if !shared {
                        *span = Span::append(&mut self.text, other.content(*span));
                    }
                }
                Node::Bytes(span) => {
                    let payload = || {
                        Box::new(
                            other
                                .binary
                                .as_ref()
                                .map_or_else(Binary::default, |binary| binary.shared()),
                        )
                    };
                    let binary = self.binary.get_or_insert_with(payload);
                    *span = binary.span_of(other.binary_content(*span));
                }
                Node::Null | Node::Bool(_) | Node::Array { .. } | Node::Object { .. } => {}
            }
        }
        nodes
    }

    fn splice(&mut self, start: usize, removed: usize, added: Vec<Node>, ancestors: &[usize]) {
        let difference = added.len() as i64 - removed as i64;
        let _ = self.nodes.splice(start..start + removed, added).count();
        for ancestor in ancestors {
            if let Some(Node::Array { nodes, .. } | Node::Object { nodes, .. }) =
                self.nodes.get_mut(*ancestor)
            {
                *nodes = (i64::from(*nodes) + difference) as u32;
            }
        }
    }

    fn count_members(&mut self, container: usize, change: i32) {
        if let Some(Node::Array { members, .. } | Node::Object { members, .. }) =
            self.nodes.get_mut(container)
        {
            *members = members.saturating_add_signed(change);
        }
    }
}

fn cannot(path: &FieldPath, why: &str) -> EditError {
    EditError {
        message: format!("cannot write {path}: {why}"),
    }
}
