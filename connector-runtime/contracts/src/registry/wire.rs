//! The registry's wire format: a zero byte, the schema's id in four bytes (big-endian), the payload.

use bytes::Bytes;

use crate::looks_like::looks_like;

const MAGIC: u8 = 0;
const PREFIX: usize = 5;

/// Splits a message into the schema's id and the payload; `Err` says what the bytes look like instead.
pub(crate) fn unframe(bytes: &Bytes) -> Result<(u32, Bytes), String> {
    match bytes.get(..PREFIX) {
        Some(&[MAGIC, a, b, c, d]) => Ok((u32::from_be_bytes([a, b, c, d]), bytes.slice(PREFIX..))),
        _ if bytes.first() == Some(&MAGIC) => Err(format!(
            "the message ends after {} bytes, within its schema id",
            bytes.len()
        )),
        _ => {
            let is_json = matches!(bytes.first(), Some(b'{' | b'[' | b'"'));
            let help = if is_json {
                "; leave out `registry`"
            } else {
                ""
            };
            Err(format!(
                "the message does not begin with a schema registry's magic byte 0: {}{help}",
                looks_like(bytes)
            ))
        }
    }
}

/// Writes the prefix and then what `write` appends.
pub(crate) fn frame<E>(
    id: u32,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<Bytes, E> {
    let mut out = Vec::with_capacity(256);
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
    write(&mut out)?;
    Ok(out.into())
}
