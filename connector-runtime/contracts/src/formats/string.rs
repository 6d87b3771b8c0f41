//! The format `string`: UTF-8 text, unchanged.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use connect_api::{Value, ValueRef};

use super::{Codec, FormatEntry, Plain, unencodable};
use crate::fault::ValueFault;
use crate::looks_like::looks_like;

pub(super) static ENTRY: FormatEntry = FormatEntry {
    name: "string",
    about: "UTF-8 text, unchanged.",
    plain: Some(Plain {
        compile: |_| Ok(Arc::new(Text)),
        takes_write_schema: false,
    }),
    registered: None,
    has_fields: true,
};

struct Text;

impl Codec for Text {
    fn decode(&self, payload: &Bytes) -> Result<Value, ValueFault> {
        ByteString::try_from(payload.clone())
            .map(Value::string_in)
            .map_err(|_| {
                let offset = std::str::from_utf8(payload)
                    .err()
                    .map_or(0, |error| error.valid_up_to());
                ValueFault::decode_of(
                    payload,
                    format!(
                        "not UTF-8 at byte {offset}: {}; `format = \"bytes\"` takes any bytes",
                        looks_like(payload)
                    ),
                )
            })
    }

    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
        let text = value.as_str().ok_or_else(|| unencodable(value, "text"))?;
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
