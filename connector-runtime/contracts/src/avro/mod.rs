//! Avro's binary encoding, by the schema that wrote it.

use bytes::Bytes;
use connect_api::{Value, ValueRef};

/// A compiled Avro schema.
pub(crate) struct AvroSchema;

/// A value that the schema has no place for.
pub(crate) struct Misfit {
    pub(crate) at: String,
    pub(crate) found: String,
    pub(crate) expected: String,
}

impl AvroSchema {
    pub(crate) fn parse(_text: &str, _referenced: &[String]) -> Result<AvroSchema, String> {
        Err("Avro is being written".to_owned())
    }

    pub(crate) fn decode(&self, _bytes: &Bytes) -> Result<Value, String> {
        Err("Avro is being written".to_owned())
    }

    pub(crate) fn encode(&self, _value: ValueRef<'_>, _out: &mut Vec<u8>) -> Result<(), Misfit> {
        Err(Misfit {
            at: "$".to_owned(),
            found: String::new(),
            expected: String::new(),
        })
    }
}
