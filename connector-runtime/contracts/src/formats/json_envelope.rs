//! The format `json_envelope`: `{"schema": …, "payload": …}`, as Kafka Connect's JsonConverter writes with `schemas.enable=true`.
//!
//! Decoding converts the payload by its schema: logical types become numbers and ISO 8601 text, base64 becomes bytes, and a null or
//! missing field gets its default. Members that the schema does not describe are kept. Numbers beyond the range of their type,
//! which JsonConverter truncates, are rejected.
//!
//! Encoding uses the schema of `write_schema`, in the same language, or infers one from each value: every member is optional then,
//! integers are `int64` and other numbers `double`. A number that neither represents exactly is rejected.

mod decimal;
mod infer;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod time;
mod write;

use std::sync::{Arc, RwLock};

use bytes::Bytes;
use connect_api::{Found, Value, ValueBuilder, ValueLimits, ValueRef};

use super::json::DocumentReader;
use super::{Codec, CompiledCodec, FormatEntry, Plain};
use crate::fault::ValueFault;
use crate::instance_path::{push_index, push_member};
use schema::Schema;

pub(super) static ENTRY: FormatEntry = FormatEntry {
    name: "json_envelope",
    about: "JSON of the form {\"schema\": …, \"payload\": …}: Kafka Connect's JsonConverter with schemas.enable=true.",
    plain: Some(Plain {
        compile,
        takes_write_schema: true,
    }),
    registered: None,
    has_fields: true,
};

struct Envelope {
    reader: DocumentReader,
    /// The schema to write with, and its text; `None`: a schema is inferred from each value.
    write: Option<(Schema, String)>,
    /// The schema of the last message. The messages of a topic nearly always have the same one.
    last: RwLock<Option<Arc<Remembered>>>,
}

struct Remembered {
    text: Value,
    schema: Schema,
}

fn compile(write_schema: Option<&str>) -> CompiledCodec {
    let write = match write_schema {
        None => None,
        Some(text) => {
            let parsed = Value::parse_json(text.to_owned().into(), ValueLimits::default())
                .map_err(|error| format!("not JSON: {error}"))?;
            Some((Schema::of(parsed.root())?, parsed.to_json()))
        }
    };
    Ok(Arc::new(Envelope {
        reader: DocumentReader::new(),
        write,
        last: RwLock::default(),
    }))
}

impl Codec for Envelope {
    fn decode(&self, payload: &Bytes) -> Result<Value, ValueFault> {
        let envelope = self.reader.read(payload)?;
        let (schema, content) = parts_of(envelope.root())?;
        let limits = ValueLimits::of_payload(payload.len());
        let mut builder = ValueBuilder::sharing(&envelope, limits);
        let built = if schema.is_null() {
            builder.copy(content).map_err(Problem::from)
        } else {
            let remembered = self.remembered(schema)?;
            read::value(&remembered.schema, Some(content), &mut builder)
        };
        built.map_err(Problem::rejection)?;
        Ok(builder.finish())
    }

    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
        out.extend_from_slice(b"{\"schema\":");
        let written = match &self.write {
            Some((schema, text)) => {
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(b",\"payload\":");
                write::value(schema, Some(value), out)
            }
            None => infer::schema_of(value).map(|inferred| {
                inferred.write(out);
                out.extend_from_slice(b",\"payload\":");
                value.write_json(out);
            }),
        };
        written.map_err(Problem::rejection)?;
        out.push(b'}');
        Ok(())
    }
}

impl Envelope {
    fn remembered(&self, schema: ValueRef<'_>) -> Result<Arc<Remembered>, ValueFault> {
        let poisoned = "no reader or writer of the last schema panics";
        if let Some(last) = self.last.read().expect(poisoned).as_ref()
            && last.text.root() == schema
        {
            return Ok(Arc::clone(last));
        }
        let remembered = Arc::new(Remembered {
            schema: Schema::of(schema).map_err(|reason| {
                ValueFault::decode(format!("the envelope's schema cannot be used: {reason}"))
            })?,
            text: schema.to_value(),
        });
        *self.last.write().expect(poisoned) = Some(Arc::clone(&remembered));
        Ok(remembered)
    }
}

/// The schema and payload of a document with exactly these two members.
fn parts_of(envelope: ValueRef<'_>) -> Result<(ValueRef<'_>, ValueRef<'_>), ValueFault> {
    let members = envelope.members();
    match (
        members.map(|members| members.len()),
        envelope.get("schema"),
        envelope.get("payload"),
    ) {
        (Some(2), Some(schema), Some(payload)) => Ok((schema, payload)),
        _ => Err(ValueFault::decode(
            "not an envelope: an object of the members `schema` and `payload` is expected; \
             `format = \"json\"` reads plain JSON",
        )),
    }
}

/// Why a value does not fit its schema. The path is collected from the inside out.
#[derive(Debug)]
struct Problem {
    found: Found,
    expected: String,
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Member(String),
    Index(usize),
}

impl Problem {
    fn new(found: Found, expected: impl Into<String>) -> Problem {
        Problem {
            found,
            expected: expected.into(),
            path: Vec::new(),
        }
    }

    /// `found` is a value of a document; `None` where there is none.
    fn of(found: Option<ValueRef<'_>>, expected: impl Into<String>) -> Problem {
        Problem::new(found.map_or_else(Found::nothing, Found::from), expected)
    }

    fn in_member(mut self, name: &str) -> Problem {
        self.path.push(Step::Member(name.to_owned()));
        self
    }

    fn in_element(mut self, index: usize) -> Problem {
        self.path.push(Step::Index(index));
        self
    }

    fn rejection(self) -> ValueFault {
        let mut at = String::from("$");
        for step in self.path.iter().rev() {
            match step {
                Step::Member(name) => push_member(&mut at, name),
                Step::Index(index) => push_index(&mut at, *index),
            }
        }
        ValueFault::contract(&at, self.found, self.expected)
    }
}

impl From<connect_api::BuildError> for Problem {
    fn from(error: connect_api::BuildError) -> Problem {
        Problem::new(Found::new(error.message), "a value within the limits")
    }
}
