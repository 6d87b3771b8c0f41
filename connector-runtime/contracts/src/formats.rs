//! The table of formats for keys and values.
//!
//! A format is a file or folder here and an entry in [`ALL`]; `docs/formats.md` describes how to add one. No other code in the
//! workspace names a format: configuration, its schema, `check` and the registry read the table.

mod avro;
mod binary;
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

/// Reads and writes payloads of one format and, if the format has schemas, of one schema.
///
/// `decode` returns a value instead of filling a builder: JSON and text become spans of the payload, and only the codec knows
/// whether its payload can be shared. Codecs of other formats use [`connect_api::ValueBuilder`] with
/// [`connect_api::ValueLimits::of_payload`], which bounds the size of the value.
pub(crate) trait Codec: Send + Sync {
    fn decode(&self, payload: &Bytes) -> Result<Value, ValueFault>;

    /// Appends the payload. A value that the format would alter is a fault, after which `out` contains a part.
    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault>;

    /// Whether a value that was written with another schema also fits this one. See [`Registered::validates`].
    fn validate(&self, _value: ValueRef<'_>) -> Result<(), ValueFault> {
        Ok(())
    }
}

/// A codec, or why its schema does not compile.
pub(crate) type CompiledCodec = Result<Arc<dyn Codec>, String>;

/// An entry of the table: all that the rest of the program knows about a format.
pub(crate) struct FormatEntry {
    /// The word in `format = "…"`.
    pub(crate) name: &'static str,
    /// One sentence for `connect plugins` and editors.
    pub(crate) about: &'static str,
    /// Use without a registry. `None` if the bytes can only be read with the schema that wrote them.
    pub(crate) plain: Option<Plain>,
    /// Use with a registry, if supported.
    pub(crate) registered: Option<Registered>,
    /// Whether a JSON Schema can describe the values.
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
    /// The registry's name for the type of schema.
    pub(crate) schema_type: &'static str,
    /// The name of that type in messages.
    pub(crate) schema_name: &'static str,
    /// May recurse through the schema, because [`crate::compiling`] calls it on a thread with a large stack.
    pub(crate) compile: fn(&SchemaSource) -> CompiledCodec,
    /// The full name of the record that a schema describes, for the subject name strategies that need it.
    pub(crate) record_name: fn(schema: &str) -> Result<String, Cause>,
    /// Whether values that are read can be validated against a `version` of the configuration, too.
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

/// The format with this type of schema in the registry.
pub(crate) fn of_schema_type(schema_type: &str) -> Option<&'static FormatEntry> {
    ALL.iter().copied().find(|entry| {
        entry
            .registered
            .as_ref()
            .is_some_and(|registered| registered.schema_type == schema_type)
    })
}

/// The fault of a value whose type the format cannot write.
fn unencodable(value: ValueRef<'_>, expected: &str) -> ValueFault {
    ValueFault::contract("$", Found::from(value), expected.to_owned())
}
