//! The functions that compiled conditions call in addition to CEL's own.

use std::any::Any;
use std::collections::HashMap;

use cel::ExecutionError;
use cel::common::types::{CelBool, CelList, CelMap, CelMapKey, CelString, Kind as CelKind, Type};
use cel::common::value::{CowVal, StaticVal, Val};

use crate::units::Pattern;

/// `@plain(x)`: converts an object or array of the record to CEL's own map or list; anything else is unchanged.
///
/// CEL's maps and lists are equal only to their own kind, and CEL asks the left operand. So the other operand of a comparison
/// is converted first if it may be a node of the record.
pub(super) fn plain<'b, 'v>(
    mut arguments: Vec<CowVal<'b, 'v>>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    match arguments.pop() {
        Some(value) if is_compound(&*value) => to_plain(&*value).map(CowVal::Owned),
        Some(value) => Ok(value),
        None => Err(ExecutionError::missing_argument_or_target()),
    }
}

fn is_compound(value: &dyn Val) -> bool {
    matches!(value.get_type().kind(), CelKind::List | CelKind::Map)
}

pub(super) fn to_plain<'v>(value: &(dyn Val + 'v)) -> Result<Box<dyn Val + 'v>, ExecutionError> {
    let (Some(iterable), true) = (value.as_iterable(), is_compound(value)) else {
        return Ok(value.clone_as_boxed());
    };
    let mut items = iterable.iter();
    if value.get_type().kind() == CelKind::List {
        let mut elements = Vec::new();
        while let Some(element) = items.next() {
            elements.push(to_plain(element)?);
        }
        return Ok(Box::new(CelList::from(elements)));
    }
    let mut members: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = HashMap::new();
    while let Some(name) = items.next() {
        let Some(indexer) = value.as_indexer() else {
            break;
        };
        let member = indexer.get(name)?;
        members.insert(name.clone_as_boxed().try_into()?, to_plain(&*member)?);
    }
    Ok(Box::new(CelMap::from(members)))
}

/// The type of compiled patterns. No expression can name it.
pub(super) const PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");
static PATTERN: Type = PATTERN_TYPE;

/// A pattern that was compiled with its condition.
#[derive(Clone, Debug)]
pub(super) struct PatternVal(pub(super) Pattern);

impl Val for PatternVal {
    fn get_type(&self) -> &Type {
        &PATTERN
    }

    fn cel_type() -> &'static Type {
        &PATTERN
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for PatternVal {}

/// `@matches(text, pattern)`.
pub(super) fn matches<'b, 'v>(
    arguments: Vec<CowVal<'b, 'v>>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = arguments.as_slice() else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let text = text.downcast_ref::<CelString>();
    let pattern = pattern.downcast_ref::<PatternVal>();
    match (text, pattern) {
        (Some(text), Some(pattern)) => Ok(CowVal::owned(CelBool::from(
            pattern.0.is_match(text.inner()),
        ))),
        _ => Err(ExecutionError::missing_argument_or_target()),
    }
}
