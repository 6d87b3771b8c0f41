//! The formats: what the bytes of a key or value can be.
//!
//! A format is a file or folder here and a line in [`ALL`]; `docs/formats.md` shows how to add one. Nothing else in the
//! workspace names a format: configuration, its schema, `check` and the registry read the table.

mod avro;
mod bytes;
mod json;
mod json_envelope;
mod protobuf;
mod string;

use std::sync::Arc;

use ::bytes::Bytes;
use connect_api::{Cause, Found, Value, ValueRef};

use crate::fault::ValueFault;
use crate::registry::SchemaSource;

/// Reads and writes payloads of one format and, where the format has schemas, of one schema.
///
/// `decode` makes the whole value itself instead of filling a builder: JSON and text become spans of the payload, and only
/// the codec knows whether its payload can be shared. Codecs of other formats use [`connect_api::ValueBuilder`] with
/// [`connect_api::ValueLimits::of_payload`], which bounds what a payload becomes.
pub(crate) trait Codec: Send + Sync {
    fn decode(&self, payload: &Bytes) -> Result<Value, ValueFault>;

    /// Appends the payload. What the format cannot hold without altering it is a fault. After one, `out` holds a part.
    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault>;

    /// Whether a value that was written by another schema also fits this one. See [`Registered::validates`].
    fn validate(&self, _value: ValueRef<'_>) -> Result<(), ValueFault> {
        Ok(())
    }
}

/// A codec, or why its schema does not compile.
pub(crate) type CompiledCodec = Result<Arc<dyn Codec>, String>;

/// A line of the table: all that the rest of the program knows about a format.
pub(crate) struct FormatEntry {
    /// The word in `format = "…"`.
    pub(crate) name: &'static str,
    /// One sentence for `connect plugins` and editors.
    pub(crate) about: &'static str,
    /// The codec without a registry. `None` if the bytes can only be read with the schema that wrote them.
    pub(crate) plain: Option<Plain>,
    /// How the format works with a registry, if it does.
    pub(crate) registered: Option<Registered>,
    /// Whether a JSON Schema can say something about the values.
    pub(crate) has_fields: bool,
}

/// A format without a registry.
pub(crate) struct Plain {
    /// `schema` is the text of `write_schema`.
    pub(crate) compile: fn(schema: Option<&str>) -> CompiledCodec,
    pub(crate) takes_write_schema: bool,
}

/// A format with a registry.
pub(crate) struct Registered {
    /// The registry's word for the type of schema.
    pub(crate) schema_type: &'static str,
    /// How messages call that type.
    pub(crate) schema_name: &'static str,
    /// May recurse through the schema: it is called on the thread of [`crate::compiling`].
    pub(crate) compile: fn(&SchemaSource) -> CompiledCodec,
    /// The full name of the record that a schema describes, for the subject name strategies that need it.
    pub(crate) record_name: fn(schema: &str) -> Result<String, Cause>,
    /// Whether `version` can name a schema that values are also held against when they are read.
    pub(crate) validates: bool,
}

/// Every format. The first is the default.
pub(crate) static ALL: &[&FormatEntry] = &[
    &json::ENTRY,
    &string::ENTRY,
    &bytes::ENTRY,
    &avro::ENTRY,
    &json_envelope::ENTRY,
    &protobuf::ENTRY,
];

/// The format whose schemas the registry calls `schema_type`.
pub(crate) fn of_schema_type(schema_type: &str) -> Option<&'static FormatEntry> {
    ALL.iter().copied().find(|entry| {
        entry
            .registered
            .as_ref()
            .is_some_and(|registered| registered.schema_type == schema_type)
    })
}

/// A value of another type than the format writes.
fn unencodable(value: ValueRef<'_>, expected: &str) -> ValueFault {
    ValueFault::contract("$", Found::from(value), expected.to_owned())
}
