//! JSON text to [`Value`] and back.
//!
//! Two parsers make the same nodes. The quick one ([`reader`]) takes what is written as nearly all JSON is, at about five
//! instructions a byte; whatever it does not take goes to the other ([`judge`]), which alone refuses documents and says
//! why.

mod judge;
mod reader;
mod scan;
mod shapes;
mod write;

use bytes::Bytes;
use bytestring::ByteString;

use super::Value;
use super::limits::ValueLimits;
use super::node::MOST_BYTES;
use super::nodes::Nodes;
pub use reader::JsonReader;
use shapes::Shapes;

/// Why bytes are not the JSON that we take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong, as half a sentence.
    pub message: String,
    /// Where, in bytes from the start.
    pub offset: usize,
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} at byte {}", self.message, self.offset)
    }
}

impl std::error::Error for JsonError {}

/// What a node takes of usual JSON, names counted: enough room at the first attempt, and little to spare.
const BYTES_A_NODE: usize = 10;

impl Value {
    /// Parses one JSON document without copying it. [`JsonReader`] is faster for documents that are alike.
    ///
    /// Besides syntax errors it refuses bytes that are not UTF-8, an object with one key twice, and what exceeds `limits`.
    pub fn parse_json(bytes: Bytes, limits: ValueLimits) -> Result<Value, JsonError> {
        parse(bytes, limits, &mut Shapes::none())
    }
}

fn parse(bytes: Bytes, limits: ValueLimits, shapes: &mut Shapes) -> Result<Value, JsonError> {
    if bytes.len() > MOST_BYTES {
        return Err(JsonError {
            message: "document of more than 2 GiB".into(),
            offset: 0,
        });
    }
    let buffer = ByteString::try_from(bytes).map_err(|error| JsonError {
        message: "not UTF-8".into(),
        offset: error.valid_up_to(),
    })?;
    let none = || Nodes::with_capacity(buffer.len() / BYTES_A_NODE + 4, limits);
    let nodes = match reader::read(&buffer, none(), shapes) {
        Some(nodes) => nodes,
        None => judge::parse(&buffer, none())?,
    };
    Ok(nodes.finish(buffer, None))
}
