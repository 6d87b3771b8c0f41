//! `avro`: Avro's binary encoding behind the id of its schema in the registry.

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{Cause, Value, ValueRef};

use super::{Codec, Compiled, Entry, Registered};
use crate::avro::AvroSchema;
use crate::registry::SchemaSource;
use crate::rejection::Rejection;

pub(super) static ENTRY: Entry = Entry {
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

fn compile(source: &SchemaSource) -> Compiled {
    let referenced: Vec<String> = source.all_referenced().cloned().collect();
    Ok(Arc::new(Avro {
        schema: AvroSchema::parse(&source.text, &referenced)?,
        name: source.name.clone(),
    }))
}

impl Codec for Avro {
    fn decode(&self, payload: &Bytes) -> Result<Value, Rejection> {
        self.schema.decode(payload).map_err(|reason| Rejection {
            contract: Some(self.name.clone()),
            ..Rejection::decode(format!(
                "the bytes do not fit {} (Avro): {reason}",
                self.name
            ))
        })
    }

    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Rejection> {
        let written = self.schema.encode(value, out);
        written.map_err(|rejection| Rejection {
            contract: Some(self.name.clone()),
            ..rejection
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
            "the Avro schema is no record, so it has no name",
        )),
    }
}
