//! Changing a [`Value`]: the tape is spliced, and the ancestors' counts follow.

mod many;

use super::node::{Node, Span};
use super::path::{FieldPath, PathStep};
use super::shape::ShapeNumber;
use super::{Binary, Value};

/// Why a node cannot be written.
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

/// A new name for the member at a path.
#[derive(Clone, Debug)]
pub struct Rename {
    pub path: FieldPath,
    pub name: String,
}

/// A member that is found, and the object that it is a member of.
struct Renamed<'r> {
    object: usize,
    /// Where the member's name is on the tape.
    name_node: usize,
    rename: &'r Rename,
}

/// How far a path leads into the value.
struct Walk<'p> {
    /// The containers on the path, outermost first, without the node reached.
    ancestors: Vec<usize>,
    /// The last node that exists.
    reached: usize,
    /// The steps that lead nowhere yet.
    rest: &'p [PathStep],
}

impl Value {
    /// Puts `new` at `path`, replacing the node there. Missing objects on the path are created; a missing array
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

    /// Gives members other names, all at once: every path leads through the names before the first of them changes, so
    /// names can be exchanged and handed on. A member keeps its position; one that is missing is passed over. If two
    /// members of an object would get one name, nothing is renamed.
    pub fn rename(&mut self, renames: &[Rename]) -> Result<(), EditError> {
        let mut renamed: Vec<Renamed<'_>> = Vec::with_capacity(renames.len());
        for rename in renames {
            let walk = self.walk(rename.path.steps());
            let (Some(object), []) = (walk.ancestors.last().copied(), walk.rest) else {
                continue;
            };
            if !matches!(self.node(object), Node::Object { .. }) {
                return Err(not_renamed(rename, "it is an element of an array"));
            }
            renamed.push(Renamed {
                object,
                name_node: walk.reached - 1,
                rename,
            });
        }
        for (index, one) in renamed.iter().enumerate() {
            self.check_free(one, renamed.get(..index).unwrap_or_default(), &renamed)?;
        }
        for one in renamed {
            let span = Span::append(&mut self.text, &one.rename.name);
            *self
                .nodes
                .edit()
                .get_mut(one.name_node)
                .expect("a member's name is on the tape before its value") = Node::String(span);
        }
        Ok(())
    }

    /// Whether no other member of the object has the name at the end: neither one that is `before` this one among those
    /// that get names, nor one that keeps its own.
    fn check_free(
        &self,
        one: &Renamed<'_>,
        before: &[Renamed<'_>],
        renamed: &[Renamed<'_>],
    ) -> Result<(), EditError> {
        let Renamed { object, rename, .. } = one;
        if let Some(other) = before.iter().find(|other| other.name_node == one.name_node) {
            let why = format!("{} is the same field", other.rename.path);
            return Err(not_renamed(rename, &why));
        }
        let mut of_this_object = before.iter().filter(|other| other.object == *object);
        if let Some(other) = of_this_object.find(|other| other.rename.name == rename.name) {
            let why = format!("{} gets this name too", other.rename.path);
            return Err(not_renamed(rename, &why));
        }
        let kept = self
            .root_at(*object)
            .get(&rename.name)
            .is_some_and(|holder| {
                let holder = holder.index() - 1;
                !renamed.iter().any(|other| other.name_node == holder)
            });
        if kept {
            return Err(not_renamed(rename, "there is such a field already"));
        }
        Ok(())
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
            out.push(Node::Object {
                shape: ShapeNumber::default(),
                members: 1,
                nodes,
            });
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
        let mut nodes = std::mem::take(other.nodes.edit());
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
        let _ = self
            .nodes
            .edit()
            .splice(start..start + removed, added)
            .count();
        self.grow(ancestors, difference);
    }

    /// Adds to the counts of nodes that containers keep.
    fn grow(&mut self, ancestors: &[usize], difference: i64) {
        for ancestor in ancestors {
            if let Some(Node::Array { nodes, .. } | Node::Object { nodes, .. }) =
                self.nodes.edit().get_mut(*ancestor)
            {
                *nodes = (i64::from(*nodes) + difference) as u32;
            }
        }
    }

    fn count_members(&mut self, container: usize, change: i32) {
        if let Some(Node::Array { members, .. } | Node::Object { members, .. }) =
            self.nodes.edit().get_mut(container)
        {
            *members = members.saturating_add_signed(change);
        }
    }
}

fn not_renamed(rename: &Rename, why: &str) -> EditError {
    let Rename { path, name } = rename;
    EditError {
        message: format!("{path} cannot be renamed to `{name}`: {why}"),
    }
}

fn cannot(path: &FieldPath, why: &str) -> EditError {
    EditError {
        message: format!("cannot write {path}: {why}"),
    }
}
