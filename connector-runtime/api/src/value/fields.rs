//! The fields that one entry of a transform's configuration means: one field or, with `[*]`, one in every element of an
//! array.

use std::fmt;
use std::sync::Arc;

use jsonpath_rust::parser::model::{Segment, Selector};

use super::field::Field;
use super::path::{PathRoot, PathStep, parse_query, text_of_member};
use crate::leaf::leaf_type;

/// One step of [`Fields`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FieldsStep {
    One(PathStep),
    /// `[*]`: every element of an array. Of an object it is not every member, as in RFC 9535: where a single object
    /// came instead of a list, its members are not what the path means, and a mask would miss the field in silence.
    EveryElement,
}

/// `total`, `$.store.id`, or a path into every element: `$.lines[*].card`, `$.orders[*].lines[*].card`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fields {
    text: Arc<str>,
    steps: Arc<[FieldsStep]>,
}

impl Fields {
    /// A text that does not start with `$` is read as [`Field`] reads it.
    pub fn parse(text: &str) -> Result<Fields, String> {
        if !text.starts_with('$') {
            let field = Field::parse(text)?;
            let steps = field.path().steps().iter().cloned().map(FieldsStep::One);
            return Ok(Fields {
                text: field.to_string().into(),
                steps: steps.collect(),
            });
        }
        let (root, segments) = parse_query(text)?;
        debug_assert!(root == PathRoot::Value);
        let steps = segments.into_iter().map(|segment| match segment {
            Segment::Selector(Selector::Name(name)) => {
                Ok(FieldsStep::One(PathStep::Name(name.into())))
            }
            Segment::Selector(Selector::Index(index)) => {
                Ok(FieldsStep::One(PathStep::Index(index)))
            }
            Segment::Selector(Selector::Wildcard) => Ok(FieldsStep::EveryElement),
            _ => Err(format!(
                "`{text}`: a path to fields consists of names, indexes and `[*]`, such as `$.lines[*].card`"
            )),
        });
        Ok(Fields {
            text: text.into(),
            steps: steps.collect::<Result<_, String>>()?,
        })
    }

    /// Whether this is `$`, the whole value.
    pub fn is_whole(&self) -> bool {
        self.steps.is_empty()
    }

    pub(crate) fn steps(&self) -> &[FieldsStep] {
        &self.steps
    }

    /// The path of one of the fields, `count` steps long: `[*]` is replaced by the element's index, in order.
    pub(crate) fn path_to(&self, count: usize, elements: &[usize]) -> String {
        let mut elements = elements.iter();
        let mut path = String::from("$");
        for step in self.steps.iter().take(count) {
            match step {
                FieldsStep::One(PathStep::Name(name)) => path.push_str(&text_of_member(name)),
                FieldsStep::One(PathStep::Index(index)) => path.push_str(&format!("[{index}]")),
                FieldsStep::EveryElement => match elements.next() {
                    Some(index) => path.push_str(&format!("[{index}]")),
                    None => path.push_str("[*]"),
                },
            }
        }
        path
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

leaf_type!(Fields {
    const FORMAT: &'static str = "fields";
    const ABOUT: &'static str = "A field, or one in every element of an array: the name of a member, `total`, or a path, `$.store.id`, `$.lines[*].card`.";
    const EXPECTED: &'static str = "a field such as \"total\" or \"$.lines[*].card\"";
    const EXAMPLE: &'static str = "$.…";
    const STAND_IN: Option<&'static str> = Some("field");
});
