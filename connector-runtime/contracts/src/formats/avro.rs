//! The format `avro`: Avro's binary encoding after the id of its schema in the registry.
//!
//! Parser and codec are our own. `apache-avro` refuses schemas whose messages can be read ([`parse`]), and its reader recurses as
//! deeply as the bytes say, so that one message of a recursive type could overflow the stack and end the process.

mod decode;
mod default;
mod encode;
mod parse;
mod schema;
#[cfg(test)]
mod tests;
mod uuid;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{Cause, Value, ValueRef};

use super::{Codec, CompiledCodec, FormatEntry, Registered};
use crate::fault::ValueFault;
use crate::registry::SchemaSource;
use schema::AvroSchema;

/// Nested records, arrays, maps and unions.
const MAX_DEPTH: usize = 100;

pub(super) static ENTRY: FormatEntry = FormatEntry {
    name: "avro",
    about: "Avro's binary encoding, with its schema in the registry.",
    plain: None,
    registered: Some(Registered {
        schema_type: "AVRO",
        schema_name: "Avro",
        compile,
        record_name,
        validates: false,
    }),
    has_fields: true,
};

struct Avro {
    schema: AvroSchema,
    name: String,
}

fn compile(source: &SchemaSource) -> CompiledCodec {
    let referenced: Vec<String> = source.all_referenced().cloned().collect();
    Ok(Arc::new(Avro {
        schema: AvroSchema::parse(&source.text, &referenced)?,
        name: source.name.clone(),
    }))
}

impl Codec for Avro {
    fn decode(&self, payload: &Bytes) -> Result<Value, ValueFault> {
        self.schema.decode(payload).map_err(|reason| ValueFault {
            contract: Some(self.name.clone()),
            ..ValueFault::decode(format!(
                "the bytes do not fit {} (Avro): {reason}",
                self.name
            ))
        })
    }

    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
        let written = self.schema.encode(value, out);
        written.map_err(|fault| ValueFault {
            contract: Some(self.name.clone()),
            ..fault
        })
    }
}

/// The full name of a named type: `name`, in `namespace` unless it is dotted.
fn record_name(schema: &str) -> Result<String, Cause> {
    let parsed: Option<serde_json::Value> = serde_json::from_str(schema).ok();
    let word = |name: &str| {
        parsed
            .as_ref()
            .and_then(|schema| schema.get(name)?.as_str())
    };
    match (word("name"), word("namespace")) {
        (Some(name), Some(namespace)) if !name.contains('.') && !namespace.is_empty() => {
            Ok(format!("{namespace}.{name}"))
        }
        (Some(name), _) => Ok(name.to_owned()),
        (None, _) => Err(Cause::new(
            "the Avro schema is not a named type, so it has no record name",
        )),
    }
}

impl AvroSchema {
    /// `referenced` are the schemas whose names `text` uses, in any order.
    fn parse(text: &str, referenced: &[String]) -> Result<AvroSchema, String> {
        parse::parse(text, referenced)
    }

    fn decode(&self, payload: &Bytes) -> Result<Value, String> {
        decode::to_value(self, payload)
    }

    /// Appends the value's encoding. After an error `out` holds a part of it.
    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
        encode::from_value(self, value, out)
    }
}
