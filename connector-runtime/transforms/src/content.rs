//! The bytes of a field: what `digest` hashes and `image_info` reads.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connect_api::{Cause, Field, Found, Kind, ValueRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the text of a field means. A field of bytes is read as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The bytes of the text in UTF-8.
    #[default]
    Utf8,
    /// The bytes that the text encodes in Base64 (RFC 4648, section 4, with padding).
    Base64,
}

impl Encoding {
    /// The bytes of what was found at `field`. Numbers, booleans, arrays and objects have no single text form, so a
    /// silent choice of one could differ from what another system takes.
    pub(crate) fn bytes<'a>(
        self,
        field: &Field,
        found: ValueRef<'a>,
    ) -> Result<Cow<'a, [u8]>, Cause> {
        match (found.kind(), self) {
            (Kind::Bytes(content), _) => Ok(Cow::Borrowed(content)),
            (Kind::String(text), Encoding::Utf8) => Ok(Cow::Borrowed(text.as_bytes())),
            (Kind::String(text), Encoding::Base64) => {
                STANDARD.decode(text).map(Cow::Owned).map_err(|error| {
                    Cause::new(format!("{field} is not Base64: {error}"))
                        .with_help("Base64 has the alphabet A-Z a-z 0-9 + / and padding")
                })
            }
            _ => {
                let found = Found::from(found);
                let message = format!(
                    "{field} is {}; text or bytes are expected",
                    found.description
                );
                Err(Cause::new(message)
                    .about(found)
                    .with_help("convert it by a `cast` to \"string\" before"))
            }
        }
    }
}
