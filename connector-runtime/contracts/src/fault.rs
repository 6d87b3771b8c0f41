//! Faults of a key or value: bytes that do not decode, values that break their contract.

use connect_api::text::cut;
use connect_api::{Cause, Found};

use crate::registry::SchemaNeeded;

/// The stage at which a fault was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultStage {
    /// The bytes do not fit the format.
    Decode,
    /// The value breaks its contract.
    Contract,
}

impl std::fmt::Display for FaultStage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            FaultStage::Decode => "decode",
            FaultStage::Contract => "contract",
        })
    }
}

/// A fault of a key or value, from which the engine makes a `Rejection` of the record. Safe to print: single lines, cut, without
/// control characters; only the field `value` contains content of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueFault {
    pub stage: FaultStage,
    /// The complete message in one line.
    pub message: String,
    /// The path in the value, such as `$.items[2].quantity`.
    pub at: Option<String>,
    /// Type and size of the node at that path.
    pub found: Option<String>,
    /// Its content, cut; see [`Found`].
    pub value: Option<String>,
    /// What was expected at that path.
    pub expected: Option<String>,
    /// The contract: a file, or a subject and its version.
    pub contract: Option<String>,
}

impl ValueFault {
    pub(crate) fn decode(message: impl AsRef<str>) -> ValueFault {
        ValueFault {
            stage: FaultStage::Decode,
            message: cut(message.as_ref(), 400),
            at: None,
            found: None,
            value: None,
            expected: None,
            contract: None,
        }
    }

    /// A fault of bytes, whose beginning messages may show.
    pub(crate) fn decode_of(payload: &[u8], message: impl AsRef<str>) -> ValueFault {
        ValueFault {
            value: Some(beginning(payload)),
            ..ValueFault::decode(message)
        }
    }

    /// A value that breaks its contract, or that its format cannot represent.
    pub(crate) fn contract(at: &str, found: Found, expected: String) -> ValueFault {
        let Found { description, value } = found;
        let message = format!("at {at} found {description}, expected {expected}");
        ValueFault {
            stage: FaultStage::Contract,
            message: cut(&message, 400),
            at: Some(cut(at, 200)),
            found: Some(description),
            value,
            expected: Some(expected),
            contract: None,
        }
    }
}

impl std::fmt::Display for ValueFault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ValueFault {}

impl From<ValueFault> for Cause {
    fn from(rejection: ValueFault) -> Cause {
        let help = rejection
            .contract
            .map(|contract| format!("contract: {contract}"));
        Cause {
            code: None,
            message: rejection.message,
            help,
            value: rejection.value,
            dependency: None,
        }
    }
}

/// Why a payload was not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The payload is at fault.
    Refused(ValueFault),
    /// A schema must be fetched first: pass it to `Decoder::fetch`, then decode again.
    SchemaNeeded(SchemaNeeded),
}

impl From<ValueFault> for DecodeError {
    fn from(rejection: ValueFault) -> DecodeError {
        DecodeError::Refused(rejection)
    }
}

/// The first bytes as text, or as `0x1f 0x8b`.
fn beginning(payload: &[u8]) -> String {
    const SHOWN: usize = 24;
    let head = payload.get(..SHOWN).unwrap_or(payload);
    match std::str::from_utf8(payload) {
        Ok(text) => format!("`{}`", cut(text, SHOWN)),
        Err(_) => head
            .iter()
            .map(|byte| format!("0x{byte:02x}"))
            .collect::<Vec<_>>()
            .join(" "),
    }
}
