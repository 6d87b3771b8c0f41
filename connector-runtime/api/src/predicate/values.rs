//! Nodes of a record as CEL values. Objects and arrays are passed by reference and walked when CEL asks for a member; scalars
//! become CEL's own types, strings by reference.

use std::fmt;
use std::sync::OnceLock;

use cel::ExecutionError;
use cel::common::traits::{Adder, Container, Indexer, Iterable, Iterator as CelIterator, Sizer};
use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelInt, CelList, CelNull, CelString, CelUInt, Kind as CelKind,
    LIST_TYPE, MAP_TYPE, Type,
};
use cel::common::value::{CowVal, Val};

use super::budget;
use super::functions::to_plain;
use crate::record::Header;
use crate::value::{Kind, Number, ValueRef};

/// The CEL value of a node.
pub(super) fn of_node<'a>(node: ValueRef<'a>) -> Box<dyn Val + 'a> {
    match node.kind() {
        Kind::Null => Box::new(CelNull),
        Kind::Bool(boolean) => Box::new(CelBool::from(boolean)),
        Kind::Number(number) => of_number(number),
        Kind::String(content) => Box::new(CelString::from(content)),
        Kind::Bytes(content) => Box::new(CelBytes::from(content)),
        Kind::Array(_) => Box::new(ListVal {
            array: node,
            elements: OnceLock::new(),
        }),
        Kind::Object(_) => Box::new(MapVal {
            fields: MapFields::Object(node),
            names: OnceLock::new(),
        }),
    }
}

fn of_number<'a>(number: Number<'a>) -> Box<dyn Val + 'a> {
    match (number.as_i64(), number.as_u64()) {
        (Some(integer), _) => Box::new(CelInt::from(integer)),
        (None, Some(unsigned)) => Box::new(CelUInt::from(unsigned)),
        (None, None) => Box::new(CelDouble::from(number.as_f64())),
    }
}

/// The source of a map's members.
#[derive(Clone, Copy)]
enum MapFields<'a> {
    Object(ValueRef<'a>),
    Headers(&'a [Header]),
}

impl<'a> MapFields<'a> {
    fn get(self, name: &str) -> Option<Box<dyn Val + 'a>> {
        match self {
            MapFields::Object(object) => {
                // A lookup is a linear search.
                budget::take(object.members().map_or(0, |members| members.len()));
                object.get(name).map(of_node)
            }
            MapFields::Headers(headers) => {
                let last = headers.iter().rev().find(|header| header.name == name)?;
                let bytes = last.value.as_deref()?;
                Some(match std::str::from_utf8(bytes) {
                    Ok(text) => Box::new(CelString::from(text)),
                    Err(_) => Box::new(CelBytes::from(bytes)),
                })
            }
        }
    }

    fn names(self) -> Vec<&'a str> {
        match self {
            MapFields::Object(object) => object
                .members()
                .into_iter()
                .flatten()
                .map(|(name, _)| name)
                .collect(),
            MapFields::Headers(headers) => {
                let mut names: Vec<&str> =
                    headers.iter().map(|header| header.name.as_str()).collect();
                names.sort_unstable();
                names.dedup();
                names.retain(|name| self.get(name).is_some());
                names
            }
        }
    }
}

/// An object of the record, or its headers.
pub(super) struct MapVal<'a> {
    fields: MapFields<'a>,
    /// Filled when a macro iterates over the names.
    names: OnceLock<Vec<CelString<'a>>>,
}

impl<'a> MapVal<'a> {
    pub(super) fn of_headers(headers: &'a [Header]) -> MapVal<'a> {
        MapVal {
            fields: MapFields::Headers(headers),
            names: OnceLock::new(),
        }
    }
}

impl fmt::Debug for MapVal<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("map of the record")
    }
}

impl Val for MapVal<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.get_type().kind() == CelKind::Map
            && to_plain(self).is_ok_and(|plain| plain.equals(other))
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(MapVal {
            fields: self.fields,
            names: OnceLock::new(),
        })
    }
}

impl Indexer for MapVal<'_> {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let Some(name) = name.downcast_ref::<CelString>() else {
            return Err(ExecutionError::UnexpectedType {
                got: name.get_type().name().to_owned(),
                want: "the name of a member".to_owned(),
            });
        };
        match self.fields.get(name.inner()) {
            Some(member) => Ok(CowVal::Owned(member)),
            None => Err(ExecutionError::no_such_key(name.inner())),
        }
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(name).map(CowVal::into_owned)
    }
}

impl Container for MapVal<'_> {
    fn contains(&self, name: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(name
            .downcast_ref::<CelString>()
            .is_some_and(|name| self.fields.get(name.inner()).is_some()))
    }
}

impl Sizer for MapVal<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(self.fields.names().len() as i64)
    }
}

impl Iterable for MapVal<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn CelIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        let names = self.names.get_or_init(|| {
            let names = self.fields.names().into_iter();
            names.map(CelString::from).collect()
        });
        Box::new(Names(names.iter()))
    }
}

struct Names<'b, 'a>(std::slice::Iter<'b, CelString<'a>>);

impl<'b, 'a: 'v, 'v> CelIterator<'b, 'v> for Names<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        let next = self.0.next().filter(|_| budget::take(1));
        next.map(|name| name as &(dyn Val + 'v))
    }
}

/// An array of the record.
struct ListVal<'a> {
    array: ValueRef<'a>,
    /// Filled when a macro iterates over the elements, because CEL's iterators lend.
    elements: OnceLock<Vec<Box<dyn Val + 'a>>>,
}

impl<'a> ListVal<'a> {
    fn elements(&self) -> &Vec<Box<dyn Val + 'a>> {
        self.elements.get_or_init(|| {
            let elements = self.array.elements().into_iter().flatten();
            elements
                .take_while(|_| budget::take(1))
                .map(of_node)
                .collect()
        })
    }
}

impl fmt::Debug for ListVal<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("list of the record")
    }
}

impl Val for ListVal<'_> {
    fn get_type(&self) -> &Type {
        &LIST_TYPE
    }

    fn cel_type() -> &'static Type {
        &LIST_TYPE
    }

    fn as_adder<'b, 'v>(&'b self) -> Option<&'b (dyn Adder + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.get_type().kind() == CelKind::List
            && to_plain(self).is_ok_and(|plain| plain.equals(other))
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        of_node(self.array)
    }
}

impl Adder for ListVal<'_> {
    fn add<'b, 'v>(&'b self, right: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let mut joined: Vec<Box<dyn Val + 'v>> = Vec::new();
        joined.extend(
            self.elements()
                .iter()
                .map(|element| element.clone_as_boxed()),
        );
        let Some(right) = right.as_iterable() else {
            return Err(ExecutionError::no_such_overload(
                "_+_",
                vec!["list".into(), right.get_type().name().into()],
            ));
        };
        let mut elements = right.iter();
        while let Some(element) = elements.next() {
            joined.push(element.clone_as_boxed());
        }
        Ok(CowVal::owned(CelList::from(joined)))
    }
}

impl Indexer for ListVal<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let Some(index) = index.downcast_ref::<CelInt>() else {
            return Err(ExecutionError::UnexpectedType {
                got: index.get_type().name().to_owned(),
                want: "the index of an element".to_owned(),
            });
        };
        // CEL has no negative indexes.
        let index = *index.inner();
        let element = self.array.at(index).filter(|_| index >= 0);
        match element {
            Some(element) => Ok(CowVal::Owned(of_node(element))),
            None => Err(ExecutionError::IndexOutOfBounds(index.into())),
        }
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Container for ListVal<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        let elements = self.array.elements().into_iter().flatten();
        let mut elements = elements.take_while(|_| budget::take(1));
        Ok(elements.any(|element| of_node(element).equals(value)))
    }
}

impl Sizer for ListVal<'_> {
    fn size(&self) -> CelInt {
        let length = self.array.elements().map_or(0, |elements| elements.len());
        CelInt::from(length as i64)
    }
}

impl Iterable for ListVal<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn CelIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(ElementIterator(self.elements().iter()))
    }
}

struct ElementIterator<'b, 'a>(std::slice::Iter<'b, Box<dyn Val + 'a>>);

impl<'b, 'a: 'v, 'v> CelIterator<'b, 'v> for ElementIterator<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        let next = self.0.next().filter(|_| budget::take(1));
        next.map(|element| &**element as &(dyn Val + 'v))
    }
}
