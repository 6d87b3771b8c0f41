//! What is wrong with bytes or with the value that they hold.

use connect_api::Cause;
use connect_api::text::push_printable;

use crate::registry::SchemaNeeded;

/// Where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The bytes are not what the format says.
    Decode,
    /// The value breaks its contract.
    Contract,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Stage::Decode => "decode",
            Stage::Contract => "contract",
        })
    }
}

/// What is wrong with a key or value; the engine makes a `Rejection` of the record of it. Safe to print: one line each, cut,
/// without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueFault {
    pub stage: Stage,
    /// The whole story in one line.
    pub message: String,
    /// The place in the value, such as `$.items[2].quantity`.
    pub at: Option<String>,
    /// What stands there, cut.
    pub found: Option<String>,
    /// What should.
    pub expected: Option<String>,
    /// The contract: a file, or a subject and its version.
    pub contract: Option<String>,
}

impl ValueFault {
    pub(crate) fn decode(message: impl AsRef<str>) -> ValueFault {
        ValueFault {
            stage: Stage::Decode,
            message: shown(message.as_ref(), 400),
            at: None,
            found: None,
            expected: None,
            contract: None,
        }
    }

    /// A value that breaks its contract, or that its format cannot hold.
    pub(crate) fn contract(at: String, found: String, expected: String) -> ValueFault {
        let message = format!("at {at} found {found}, expected {expected}");
        ValueFault {
            stage: Stage::Contract,
            message: shown(&message, 400),
            at: Some(at),
            found: Some(found),
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
        }
    }
}

/// Why a payload is not a value (yet).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// By its own fault.
    Refused(ValueFault),
    /// A schema must be fetched first: hand it to `Decoder::fetch`, then decode again.
    SchemaNeeded(SchemaNeeded),
}

impl From<ValueFault> for DecodeError {
    fn from(rejection: ValueFault) -> DecodeError {
        DecodeError::Refused(rejection)
    }
}

/// `text` for one line of a terminal or a log: cut after `length` characters, control characters escaped.
pub(crate) fn shown(text: &str, length: usize) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == length {
            out.push('…');
            break;
        }
        push_printable(&mut out, character);
    }
    out
}
