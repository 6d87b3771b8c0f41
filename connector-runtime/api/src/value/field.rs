//! A field that a transform reads or writes: a name, or a path where the field lies deeper.

use std::fmt;

use super::path::{FieldPath, PathRoot, PathStep};
use super::{Value, ValueRef};
use crate::leaf::leaf_type;

/// `total`, the member of that name; or `$.store.id`, a path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Field(FieldPath);

impl Field {
    /// A text with a dot or a bracket that does not start with `$` is refused: it may be a name or be meant as a path.
    pub fn parse(text: &str) -> Result<Field, String> {
        if text.starts_with('$') {
            return FieldPath::parse(text).map(Field);
        }
        if text.is_empty() {
            return Err("a field has a name; `total` and `$.store.id` are fields".into());
        }
        if text.contains(['.', '[', ']', '@', '#']) {
            let member = FieldPath::of_member(text);
            return Err(format!(
                "`{text}` is not the name of a field; a path starts with `$`, as in `$.store.id`, and a member with that very name is `{member}`"
            ));
        }
        Ok(Field(FieldPath::of_member(text)))
    }

    pub fn path(&self) -> &FieldPath {
        &self.0
    }

    /// The name, where the field is a member at the top.
    pub fn member_name(&self) -> Option<&str> {
        match self.0.steps() {
            [PathStep::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// The node of the field.
    pub fn get<'a>(&self, value: &'a Value) -> Option<ValueRef<'a>> {
        debug_assert!(self.0.root() == PathRoot::Value);
        self.0.follow(value.root())
    }
}

/// As a path, `$.total`.
impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

leaf_type!(Field {
    const FORMAT: &'static str = "field";
    const ABOUT: &'static str = "A field: the name of a member, `total`, or a path, `$.store.id` and `$['odd.name']`.";
    const EXPECTED: &'static str = "a field such as \"total\" or \"$.store.id\"";
    const EXAMPLE: &'static str = "$.…";
    const STAND_IN: Option<&'static str> = Some("field");
});
