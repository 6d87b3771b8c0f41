//! Avro's binary encoding, by the schema that wrote it.
//!
//! Schemas and bytes are both read here. `apache-avro` refuses schemas whose bytes can be read ([`parse`]), and its reader
//! goes as deep as the bytes say, so that one message of a recursive type could overflow the stack and end the process.

mod decode;
mod default;
mod encode;
mod leaf;
mod parse;
mod plan;
#[cfg(test)]
mod tests;
mod union;
mod uuid;
mod wire;

use bytes::Bytes;
use connect_api::{Value, ValueRef};

use crate::rejection::Rejection;
use plan::Plans;

/// Records, arrays, maps and unions inside each other.
const MAX_DEPTH: usize = 100;

/// A compiled Avro schema.
pub(crate) struct AvroSchema {
    plans: Plans,
}

impl AvroSchema {
    /// `referenced` are the schemas whose names `text` uses, in any order.
    pub(crate) fn parse(text: &str, referenced: &[String]) -> Result<AvroSchema, String> {
        Ok(AvroSchema {
            plans: parse::parse(text, referenced)?,
        })
    }

    pub(crate) fn decode(&self, payload: &Bytes) -> Result<Value, String> {
        decode::to_value(&self.plans, payload)
    }

    /// Appends the value's encoding. After an error `out` holds a part of it.
    pub(crate) fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Rejection> {
        encode::from_value(&self.plans, value, out)
    }
}
