//! Records, their origin in Kafka, and batches of them.

use std::sync::Arc;

use bytes::Bytes;

use crate::progress::{CommitToken, Progress, TopicPartition};
use crate::value::{Kind, Value, ValueRef};

/// The part of a record: key and value each have a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Key,
    Value,
}

/// A header of a Kafka message; names may repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    pub value: Option<Bytes>,
}

/// A message as Kafka holds it: undecoded. A dead letter repeats it.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970; `None` if the message has no timestamp.
    pub timestamp_ms: Option<i64>,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
}

impl Origin {
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition {
            topic: self.topic.clone(),
            partition: self.partition,
        }
    }
}

/// A record's key after decoding.
#[derive(Clone, Debug)]
pub enum Key {
    /// The record has no key.
    Absent,
    Decoded(Value),
    /// The key's bytes do not fit its format, for this reason. It matters only to what reads the key.
    Undecodable(Arc<str>),
}

impl Key {
    /// The key as Kafka bytes: text and bytes unchanged, everything else as JSON, which is what a reader with the default key
    /// format expects.
    pub fn bytes_of(key: ValueRef<'_>) -> Bytes {
        match key.kind() {
            Kind::String(text) => Bytes::copy_from_slice(text.as_bytes()),
            Kind::Bytes(content) => Bytes::copy_from_slice(content),
            _ => key.to_json().into(),
        }
    }
}

impl Header {
    /// Prefix of the headers that only dead letters have: where a record was rejected and why.
    pub const OF_DEAD_LETTERS: &str = "__connect.errors.";

    /// Whether this is a header of dead letters. Any producer can write such a header, so code that forwards a record must
    /// drop it.
    pub fn is_of_dead_letter(&self) -> bool {
        self.name.starts_with(Header::OF_DEAD_LETTERS)
    }
}

/// One decoded record on its way through transforms into a sink. Several may stem from one source record.
#[derive(Clone, Debug)]
pub struct Record {
    /// The message it was decoded from, shared by all records that the message became.
    pub origin: Arc<Origin>,
    pub key: Key,
    /// `None` is a tombstone, which is not JSON `null`.
    pub value: Option<Value>,
    /// Index among the records that a split made; 0 without one.
    pub ordinal: u32,
    /// The topic that a router chose for sinks to write to (`#routed_topic`). Where the record came from is unchanged:
    /// topic, partition and offset identify it, and routed topics would make two records equal.
    pub routed_topic: Option<Arc<str>>,
}

impl Record {
    /// The value's root; `None` for a tombstone.
    pub fn root(&self) -> Option<ValueRef<'_>> {
        self.value.as_ref().map(Value::root)
    }

    pub fn topic_partition(&self) -> TopicPartition {
        self.origin.topic_partition()
    }
}

/// The input of one `write`: records in arrival order, which keeps the order within each partition, and the progress that
/// becomes durable together with them. All records may have been filtered: then there is progress alone.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    pub records: Vec<&'a Record>,
    /// In order of topic and partition, each once.
    pub progress: Vec<Progress>,
    /// For a publisher that moves the progress together with its messages.
    pub commit: CommitToken,
}

impl<'a> Batch<'a> {
    /// A batch without a commit token, which only the engine can make.
    pub fn new(records: Vec<&'a Record>, progress: Vec<Progress>) -> Batch<'a> {
        Batch {
            records,
            progress,
            commit: CommitToken::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_text_or_json() {
        let cases = [
            (Value::string("a\"b"), "a\"b"),
            (Value::integer(7), "7"),
            (Value::empty_object(), "{}"),
        ];
        for (value, expected) in cases {
            assert_eq!(Key::bytes_of(value.root()), expected);
        }
    }
}
