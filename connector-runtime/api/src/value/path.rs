//! Paths into a record: RFC 9535 queries, parsed by `jsonpath-rust` once and walked here.
//!
//! `$…` starts at the record's value, `@…` at the element of a table's `each`.

use std::fmt;
use std::sync::Arc;

use jsonpath_rust::parser::model::{Segment, Selector};

use super::ValueRef;
use crate::leaf::leaf_type;

/// Where a path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathRoot {
    /// `$`: the record's value.
    Value,
    /// `@`: the element that `each` is at.
    Element,
}

/// One step of a path that selects at most one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathStep {
    Name(Box<str>),
    /// Negative counts from the end.
    Index(i64),
}

impl PathStep {
    pub(crate) fn follow<'a>(&self, from: ValueRef<'a>) -> Option<ValueRef<'a>> {
        match self {
            PathStep::Name(name) => from.get(name),
            PathStep::Index(place) => from.at(*place),
        }
    }
}

/// A singular path: it selects one node or none.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    text: Arc<str>,
    root: PathRoot,
    steps: Arc<[PathStep]>,
}

impl FieldPath {
    /// Parses `$.a.b[0]['c d']` or the same with `@`.
    pub fn parse(text: &str) -> Result<FieldPath, String> {
        let (root, segments) = parse_query(text)?;
        let steps = segments
            .into_iter()
            .map(|segment| match segment {
                Segment::Selector(Selector::Name(name)) => Ok(PathStep::Name(name.into())),
                Segment::Selector(Selector::Index(place)) => Ok(PathStep::Index(place)),
                _ => Err(format!(
                    "`{text}` can lead to several places; a path of names and indexes such as `$.store.id` leads to one"
                )),
            })
            .collect::<Result<Vec<_>, String>>()?;
        Ok(FieldPath {
            text: text.into(),
            root,
            steps: steps.into(),
        })
    }

    /// The path `$.name`, whatever characters the name has.
    pub fn of_member(name: &str) -> FieldPath {
        let steps = [PathStep::Name(name.into())];
        FieldPath {
            text: format!("${}", text_of_member(name)).into(),
            root: PathRoot::Value,
            steps: steps.into(),
        }
    }

    pub fn root(&self) -> PathRoot {
        self.root
    }

    pub fn steps(&self) -> &[PathStep] {
        &self.steps
    }

    /// Follows the path from `start`, the node of `$` or `@`.
    pub fn follow<'a>(&self, start: ValueRef<'a>) -> Option<ValueRef<'a>> {
        self.steps
            .iter()
            .try_fold(start, |place, step| step.follow(place))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

leaf_type!(FieldPath {
    const FORMAT: &'static str = "field-path";
    const ABOUT: &'static str = "A path that leads to one place: `$.store.id`, `$.items[0].sku`, `$['odd name']` (RFC 9535).";
    const EXPECTED: &'static str = "a path such as \"$.store.id\"";
    const EXAMPLE: &'static str = "$.…";
    const STAND_IN: Option<&'static str> = Some("$");
});

/// The step to a member, as a path has it: `.name`, or `['odd name']`.
pub(crate) fn text_of_member(name: &str) -> String {
    let plain = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain {
        format!(".{name}")
    } else {
        format!("['{}']", escape(name))
    }
}

/// The name between single quotes in a path (RFC 9535, section 2.3.1.1).
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '\\' | '\'' => escaped.extend(['\\', character]),
            '\0'..='\u{1f}' => escaped.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// One step of a path that may select several nodes.
#[derive(Clone, Debug, PartialEq)]
enum ManyStep {
    One(PathStep),
    /// Every element of an array, every member of an object.
    All,
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: i64,
    },
}

/// A path that may select several nodes: names, indexes, `[*]` and slices. Used by `each`.
#[derive(Clone, PartialEq)]
pub struct ElementsPath {
    text: Arc<str>,
    steps: Arc<[ManyStep]>,
}

impl ElementsPath {
    pub fn parse(text: &str) -> Result<ElementsPath, String> {
        let (root, segments) = parse_query(text)?;
        if root == PathRoot::Element {
            return Err(format!(
                "`{text}` must start with `$`: `each` starts at the record's value"
            ));
        }
        let steps = segments
            .into_iter()
            .map(|segment| match segment {
                Segment::Selector(Selector::Name(name)) => {
                    Ok(ManyStep::One(PathStep::Name(name.into())))
                }
                Segment::Selector(Selector::Index(place)) => {
                    Ok(ManyStep::One(PathStep::Index(place)))
                }
                Segment::Selector(Selector::Wildcard) => Ok(ManyStep::All),
                Segment::Selector(Selector::Slice(start, end, step)) => {
                    Ok(ManyStep::Slice { start, end, step: step.unwrap_or(1) })
                }
                _ => Err(format!(
                    "`{text}`: only names, indexes, `[*]` and slices are taken here, such as `$.items[*]`"
                )),
            })
            .collect::<Result<Vec<_>, String>>()?;
        Ok(ElementsPath {
            text: text.into(),
            steps: steps.into(),
        })
    }

    /// The nodes that the path selects from `start`, in document order.
    pub fn follow<'a>(&self, start: ValueRef<'a>) -> Vec<ValueRef<'a>> {
        let mut places = vec![start];
        for step in self.steps.iter() {
            let mut next = Vec::new();
            for place in places {
                step.follow(place, &mut next);
            }
            places = next;
        }
        places
    }

    /// The steps as a contract sees them: `None` is any element.
    pub fn described(&self) -> Vec<Option<PathStep>> {
        self.steps
            .iter()
            .map(|step| match step {
                ManyStep::One(step) => Some(step.clone()),
                ManyStep::All | ManyStep::Slice { .. } => None,
            })
            .collect()
    }
}

impl ManyStep {
    fn follow<'a>(&self, from: ValueRef<'a>, out: &mut Vec<ValueRef<'a>>) {
        match self {
            ManyStep::One(step) => out.extend(step.follow(from)),
            ManyStep::All => {
                out.extend(from.elements().into_iter().flatten());
                out.extend(
                    from.members()
                        .into_iter()
                        .flatten()
                        .map(|(_, member)| member),
                );
            }
            ManyStep::Slice { start, end, step } => {
                let elements: Vec<_> = from.elements().into_iter().flatten().collect();
                let places = slice(elements.len() as i64, *start, *end, *step);
                out.extend(
                    places
                        .iter()
                        .filter_map(|place| elements.get(*place as usize)),
                );
            }
        }
    }
}

/// The indexes of a slice over `length` elements (RFC 9535, section 2.3.4.2.2).
fn slice(length: i64, start: Option<i64>, end: Option<i64>, step: i64) -> Vec<i64> {
    let normal = |place: i64| {
        if place >= 0 {
            place
        } else {
            length.saturating_add(place)
        }
    };
    if step == 0 {
        return Vec::new();
    }
    let stride = step.unsigned_abs() as usize;
    if step > 0 {
        let lower = normal(start.unwrap_or(0)).clamp(0, length);
        let upper = normal(end.unwrap_or(length)).clamp(0, length);
        (lower..upper).step_by(stride).collect()
    } else {
        let upper = normal(start.unwrap_or(length - 1)).clamp(-1, length - 1);
        let lower = end.map_or(-1, |end| normal(end).clamp(-1, length - 1));
        (lower + 1..=upper).rev().step_by(stride).collect()
    }
}

impl fmt::Display for ElementsPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for ElementsPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

leaf_type!(ElementsPath {
    const FORMAT: &'static str = "elements-path";
    const ABOUT: &'static str = "A path that leads to every element of an array: `$.items[*]` (RFC 9535: names, indexes, `[*]`, slices).";
    const EXPECTED: &'static str = "a path such as \"$.items[*]\"";
    const EXAMPLE: &'static str = "$.items[*]";
    const STAND_IN: Option<&'static str> = Some("$[*]");
});

pub(crate) fn parse_query(text: &str) -> Result<(PathRoot, Vec<Segment>), String> {
    let (root, query) = match text.strip_prefix('@') {
        Some(rest) => (PathRoot::Element, format!("${rest}")),
        None if text.starts_with('$') => (PathRoot::Value, text.to_owned()),
        None => {
            return Err(format!(
                "`{text}` is not a path: a path starts with `$` (the value) or `@` (the element of `each`)"
            ));
        }
    };
    let refuse = |reason: &str| {
        format!(
            "`{text}` is not a path of RFC 9535 ({reason}); `$.store.id` and `$['odd name'][0]` are"
        )
    };
    if has_stray_blank(&query) {
        return Err(refuse(
            "blank that is neither in brackets nor before a step",
        ));
    }
    let query = jsonpath_rust::parser::parse_json_path(&query)
        .map_err(|error| refuse(&reason(&query, &error.to_string())))?;
    Ok((root, query.segments))
}

/// The parser's reason. For a query that it cannot parse it contains only the position, in its own notation (`--> 1:4`).
fn reason(query: &str, error: &str) -> String {
    let first = error.lines().next().unwrap_or_default();
    let Some(place) = first
        .rsplit_once("--> 1:")
        .and_then(|(_, place)| place.trim().parse::<usize>().ok())
    else {
        return first.to_owned();
    };
    match query.chars().nth(place.saturating_sub(1)) {
        Some(found) => format!("`{found}` cannot stand at character {place}"),
        None => "it ends too early".to_owned(),
    }
}

/// Whether there are blanks outside brackets that no `.` or `[` follows: at the end, or inside a name, where the
/// parser takes `$.a b` for a member named `a b`. (The standard takes such a name in quotes only.)
fn has_stray_blank(query: &str) -> bool {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut characters = query.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => drop(characters.next()),
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            (None, ' ' | '\t' | '\r' | '\n') if depth == 0 => match characters.peek() {
                Some('.' | '[' | ' ' | '\t' | '\r' | '\n') => {}
                _ => return true,
            },
            _ => {}
        }
    }
    false
}
