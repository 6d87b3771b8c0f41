//! The format `protobuf`: protobuf's binary encoding after the id of its schema in the registry and the indexes of its message.
//!
//! Works without generated code and without `DynamicMessage`. `docs/formats.md` describes how each type maps to a value.

mod decode;
mod default;
mod encode;
mod files;
mod index;
mod resolve;
mod schema;
mod special;
#[cfg(test)]
mod tests;
mod types;
mod well_known;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{Cause, Value, ValueRef};

use super::{Codec, CompiledCodec, FormatEntry, Registered};
use crate::fault::ValueFault;
use crate::registry::SchemaSource;
use schema::ProtobufSchema;

/// Nested messages: the limit of protobuf's own parsers.
const MAX_DEPTH: usize = 100;

pub(super) static ENTRY: FormatEntry = FormatEntry {
    name: "protobuf",
    about: "Protobuf's binary encoding, with its schema in the registry.",
    plain: None,
    registered: Some(Registered {
        schema_type: "PROTOBUF",
        schema_name: "Protobuf",
        compile,
        record_name,
        validates: false,
    }),
    has_fields: true,
};

struct Protobuf {
    schema: ProtobufSchema,
    name: String,
}

fn compile(source: &SchemaSource) -> CompiledCodec {
    Ok(Arc::new(Protobuf {
        schema: resolve::resolve(&files::gather(source)?)?,
        name: source.name.clone(),
    }))
}

impl Codec for Protobuf {
    fn decode(&self, payload: &Bytes) -> Result<Value, ValueFault> {
        let read = index::read(&self.schema, payload)
            .and_then(|(message, bytes)| decode::to_value(&self.schema, message, payload, bytes));
        read.map_err(|reason| ValueFault {
            contract: Some(self.name.clone()),
            ..ValueFault::decode(format!(
                "the bytes do not fit {} (Protobuf): {reason}",
                self.name
            ))
        })
    }

    /// Writes the first message of the schema, whose index path is one zero byte.
    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
        out.push(0);
        let written = encode::from_value(&self.schema, self.schema.first(), value, out);
        written.map_err(|fault| ValueFault {
            contract: Some(self.name.clone()),
            ..fault
        })
    }
}

/// The full name of the first message.
fn record_name(schema: &str) -> Result<String, Cause> {
    let name = files::first_message(schema).map_err(Cause::new)?;
    name.ok_or_else(|| Cause::new("the protobuf schema defines no message, so it has no name"))
}
