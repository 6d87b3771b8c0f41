//! References: where a value comes from. A path into the value, into the element of `each`, or metadata.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::leaf::leaf_type;
use crate::record::{Key, Record};
use crate::time;
use crate::value::{FieldPath, PathRoot};
use crate::value::{Value, ValueRef};

/// A path into the value (`$…`), into the element of `each` (`@…`), or a record's metadata (`#…`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    Path(FieldPath),
    Metadata(Metadata),
}

/// The metadata of a record: `#topic`, `#key` and others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Metadata {
    Topic,
    /// The topic that a router chose; without a router, the record's own.
    RoutedTopic,
    Partition,
    Offset,
    /// The record's timestamp.
    Timestamp,
    /// The time at which the record is processed.
    Now,
    Key,
    /// `#key.NAME`: a path into the decoded key.
    KeyField(FieldPath),
    /// The number of the element of `each`, from 1.
    Index,
    /// The index among the records that a split made, from 0.
    Ordinal,
    /// `#header.NAME`: the last header of this name, as text.
    Header(Arc<str>),
}

const WORDS: [(&str, Metadata); 9] = [
    ("#topic", Metadata::Topic),
    ("#routed_topic", Metadata::RoutedTopic),
    ("#partition", Metadata::Partition),
    ("#offset", Metadata::Offset),
    ("#timestamp", Metadata::Timestamp),
    ("#now", Metadata::Now),
    ("#key", Metadata::Key),
    ("#index", Metadata::Index),
    ("#ordinal", Metadata::Ordinal),
];

/// The element of `each` that is being written.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    pub value: ValueRef<'a>,
    /// From 1.
    pub index: u32,
}

/// What a reference resolves to.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved<'a> {
    /// There is no such node. Missing is not null.
    Missing,
    Value(ValueRef<'a>),
    Text(&'a str),
    Integer(i64),
    /// Milliseconds since 1970, UTC.
    Timestamp(i64),
}

impl Resolved<'_> {
    /// As a value; `None` if it is missing. Times become RFC 3339 text.
    pub fn to_value(&self) -> Option<Value> {
        Some(match self {
            Resolved::Missing => return None,
            Resolved::Value(value) => value.to_value(),
            Resolved::Text(text) => Value::string(text),
            Resolved::Integer(number) => Value::integer(*number),
            Resolved::Timestamp(milliseconds) => Value::string(&time::format_ms(*milliseconds)),
        })
    }

    /// As the bytes of a Kafka key; `None` if it is missing.
    pub fn key_bytes(&self) -> Option<Bytes> {
        match self {
            Resolved::Missing => None,
            Resolved::Value(value) => Some(Key::bytes_of(*value)),
            Resolved::Text(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
            Resolved::Integer(number) => Some(number.to_string().into()),
            Resolved::Timestamp(milliseconds) => Some(time::format_ms(*milliseconds).into()),
        }
    }
}

impl Reference {
    /// The names of all metadata, for suggestions; those that end with a dot take a name.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS
            .iter()
            .map(|(name, _)| *name)
            .chain(["#key.", "#header."])
    }

    pub fn parse(text: &str) -> Result<Reference, String> {
        if !text.starts_with('#') {
            return FieldPath::parse(text)
                .map(Reference::Path)
                .map_err(|reason| {
                    format!("{reason}; metadata starts with `#`, such as `#timestamp`")
                });
        }
        if let Some((_, word)) = WORDS.iter().find(|(name, _)| *name == text) {
            return Ok(Reference::Metadata(word.clone()));
        }
        if let Some(name) = text
            .strip_prefix("#header.")
            .filter(|name| !name.is_empty())
        {
            return Ok(Reference::Metadata(Metadata::Header(name.into())));
        }
        if let Some(rest) = text
            .strip_prefix("#key")
            .filter(|rest| rest.starts_with(['.', '[']))
        {
            return FieldPath::parse(&format!("${rest}"))
                .map(|path| Reference::Metadata(Metadata::KeyField(path)));
        }
        let known = WORDS.map(|(name, _)| name).join(" ");
        Err(format!(
            "`{text}` is not known; metadata are {known} #key.NAME #header.NAME"
        ))
    }

    /// Whether the reference starts at the element of `each` (`@…` or `#index`).
    pub fn needs_element(&self) -> bool {
        match self {
            Reference::Path(path) => path.root() == PathRoot::Element,
            Reference::Metadata(word) => *word == Metadata::Index,
        }
    }

    /// Whether it reads the decoded key.
    pub fn reads_key(&self) -> bool {
        matches!(
            self,
            Reference::Metadata(Metadata::Key | Metadata::KeyField(_))
        )
    }

    /// Resolves the reference. `now_ms` is the value of `#now`. `Err` says why the key or a header cannot be read.
    pub fn resolve<'a>(
        &self,
        record: &'a Record,
        element: Option<Element<'a>>,
        now_ms: i64,
    ) -> Result<Resolved<'a>, String> {
        let origin = &record.origin;
        Ok(match self {
            Reference::Path(path) => {
                let start = match path.root() {
                    PathRoot::Value => record.root(),
                    PathRoot::Element => element.map(|element| element.value),
                };
                found(start.and_then(|start| path.follow(start)))
            }
            Reference::Metadata(Metadata::Topic) => Resolved::Text(&origin.topic),
            Reference::Metadata(Metadata::RoutedTopic) => {
                Resolved::Text(record.routed_topic.as_ref().unwrap_or(&origin.topic))
            }
            Reference::Metadata(Metadata::Partition) => {
                Resolved::Integer(i64::from(origin.partition))
            }
            Reference::Metadata(Metadata::Offset) => Resolved::Integer(origin.offset),
            Reference::Metadata(Metadata::Timestamp) => origin
                .timestamp_ms
                .map_or(Resolved::Missing, Resolved::Timestamp),
            Reference::Metadata(Metadata::Now) => Resolved::Timestamp(now_ms),
            Reference::Metadata(Metadata::Ordinal) => Resolved::Integer(i64::from(record.ordinal)),
            Reference::Metadata(Metadata::Index) => element.map_or(Resolved::Missing, |element| {
                Resolved::Integer(i64::from(element.index))
            }),
            Reference::Metadata(Metadata::Key) => found(key_root(record)?),
            Reference::Metadata(Metadata::KeyField(path)) => {
                found(key_root(record)?.and_then(|key| path.follow(key)))
            }
            Reference::Metadata(Metadata::Header(name)) => {
                let last = origin
                    .headers
                    .iter()
                    .rev()
                    .find(|header| *header.name == **name);
                match last.and_then(|header| header.value.as_ref()) {
                    None => Resolved::Missing,
                    Some(bytes) => Resolved::Text(
                        std::str::from_utf8(bytes)
                            .map_err(|_| format!("header {name} is not UTF-8"))?,
                    ),
                }
            }
        })
    }
}

fn found(node: Option<ValueRef<'_>>) -> Resolved<'_> {
    node.map_or(Resolved::Missing, Resolved::Value)
}

fn key_root(record: &Record) -> Result<Option<ValueRef<'_>>, String> {
    match &record.key {
        Key::Absent => Ok(None),
        Key::Decoded(value) => Ok(Some(value.root())),
        Key::Undecodable(reason) => Err(reason.to_string()),
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Path(path) => path.fmt(formatter),
            Reference::Metadata(Metadata::Header(name)) => write!(formatter, "#header.{name}"),
            Reference::Metadata(Metadata::KeyField(path)) => {
                write!(
                    formatter,
                    "#key{}",
                    path.to_string().trim_start_matches('$')
                )
            }
            Reference::Metadata(word) => {
                let name = WORDS
                    .iter()
                    .find(|(_, known)| known == word)
                    .map_or("#", |(name, _)| name);
                formatter.write_str(name)
            }
        }
    }
}

leaf_type!(Reference {
    const FORMAT: &'static str = "reference";
    const ABOUT: &'static str = "A path (`$.store.id` from the value, `@.sku` from the element of `each`) or metadata: `#topic #routed_topic #partition #offset #timestamp #now #key #key.NAME #index #ordinal #header.NAME`.";
    const EXPECTED: &'static str = "a path such as \"$.store.id\" or metadata such as \"#timestamp\"";
    const EXAMPLE: &'static str = "$.…";
    const STAND_IN: Option<&'static str> = Some("$");
});
