//! UUIDs as text and back.

use uuid::Uuid;

/// Sixteen bytes as `6ba7b810-9dad-11d1-80b4-00c04fd430c8`.
pub(super) fn text(bytes: [u8; 16]) -> String {
    Uuid::from_bytes(bytes).to_string()
}

/// The bytes of a UUID in its usual form; the other forms have other lengths.
pub(super) fn bytes_of(text: &str) -> Option<[u8; 16]> {
    let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == 36)?;
    Some(uuid.into_bytes())
}
