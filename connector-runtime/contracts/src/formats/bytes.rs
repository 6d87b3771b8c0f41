//! The format `bytes`: any bytes, unchanged.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use connect_api::{Kind, Value, ValueRef};

use super::{Codec, FormatEntry, Plain, unencodable};
use crate::fault::ValueFault;

pub(super) static ENTRY: FormatEntry = FormatEntry {
    name: "bytes",
    about: "Any bytes, unchanged. In JSON they are base64 text.",
    plain: Some(Plain {
        compile: |_| Ok(Arc::new(Raw)),
        takes_write_schema: false,
    }),
    registered: None,
    has_fields: false,
};

struct Raw;

impl Codec for Raw {
    fn decode(&self, payload: &Bytes) -> Result<Value, ValueFault> {
        Ok(Value::bytes(payload.clone()))
    }

    /// Bytes in values from JSON are base64 text.
    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
        match value.kind() {
            Kind::Bytes(content) => {
                out.extend_from_slice(content);
                Ok(())
            }
            Kind::String(text) => STANDARD
                .decode_vec(text, out)
                .map_err(|_| unencodable(value, "bytes or base64 text")),
            _ => Err(unencodable(value, "bytes or base64 text")),
        }
    }
}
