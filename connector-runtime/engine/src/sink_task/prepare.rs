//! Preparation of one message: decode it by its format, check the contract, run the transforms.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use connect_api::{Cause, Key, Origin, Record, Value};
use connect_contracts::{Contracts, DecodeError, Decoder, SchemaNeeded, Side, TombstonePolicy};

use crate::records::rejection::{Rejection, RejectionStage};
use crate::records::transforms::Transforms;
use crate::sink_task::batch::Outcome;
use connect_config::SinkConnector;

/// Prepares the records of one task.
pub(crate) struct Preparer {
    value: Arc<Decoder>,
    tombstone: TombstonePolicy,
    /// `None`: the file has no `[key]`. Then a key is text, and a key that is not text is an error only where it is read.
    key: Option<Arc<Decoder>>,
    transforms: Transforms,
}

/// A schema that must be fetched before a message can be decoded.
pub(crate) struct SchemaOfSide {
    pub(crate) side: Side,
    pub(crate) needed: SchemaNeeded,
}

impl Preparer {
    pub(crate) fn new(connector: &SinkConnector, contracts: &Contracts) -> Result<Preparer, Cause> {
        let key = match &connector.key {
            Some(key) => Some(Arc::new(contracts.decoder(Side::Key, key)?)),
            None => None,
        };
        Ok(Preparer {
            value: Arc::new(contracts.decoder(Side::Value, &connector.value)?),
            tombstone: connector.value.tombstone,
            key,
            transforms: Transforms::build(&connector.transforms)?,
        })
    }

    /// The decoder that fetches a missing schema.
    pub(crate) fn decoder(&self, side: Side) -> Arc<Decoder> {
        match (side, &self.key) {
            (Side::Key, Some(key)) => key.clone(),
            _ => self.value.clone(),
        }
    }

    /// Appends the records that `origin` becomes to `out`. Without any, `out` stays as it was.
    pub(crate) fn prepare(
        &mut self,
        origin: &Arc<Origin>,
        out: &mut Vec<Record>,
    ) -> Result<Outcome, SchemaOfSide> {
        let key = match self.decode_key(origin) {
            Ok(key) => key,
            Err(error) => return undecoded(Side::Key, error),
        };
        let value = match &origin.value {
            Some(payload) => match self.value.decode(&origin.topic, payload) {
                Ok(value) => Some(value),
                Err(error) => return undecoded(Side::Value, error),
            },
            None => match self.tombstone {
                TombstonePolicy::Delete => None,
                TombstonePolicy::Ignore => return Ok(Outcome::Filtered),
                TombstonePolicy::Reject => return Ok(Outcome::rejected(rejected_tombstone())),
            },
        };
        let start = out.len();
        let record = Record {
            origin: origin.clone(),
            key,
            value,
            ordinal: 0,
            routed_topic: None,
        };
        Ok(match self.transforms.apply(record, out) {
            Ok(()) if out.len() == start => Outcome::Filtered,
            Ok(()) => Outcome::Records(start..out.len()),
            Err(rejection) => {
                out.truncate(start);
                Outcome::rejected(rejection)
            }
        })
    }

    fn decode_key(&self, origin: &Origin) -> Result<Key, DecodeError> {
        let Some(bytes) = &origin.key else {
            return Ok(Key::Absent);
        };
        match &self.key {
            None => Ok(text_key(bytes)),
            Some(decoder) => decoder.decode(&origin.topic, bytes).map(Key::Decoded),
        }
    }
}

fn text_key(bytes: &Bytes) -> Key {
    match ByteString::try_from(bytes.clone()) {
        Ok(text) => Key::Decoded(Value::string_in(text)),
        Err(_) => Key::Undecodable(Arc::from(
            "the key is not UTF-8 text; say in [key] what its format is",
        )),
    }
}

fn undecoded(side: Side, error: DecodeError) -> Result<Outcome, SchemaOfSide> {
    match error {
        DecodeError::Refused(fault) => Ok(Outcome::rejected(Rejection::of_contract(side, fault))),
        DecodeError::SchemaNeeded(needed) => Err(SchemaOfSide { side, needed }),
    }
}

fn rejected_tombstone() -> Rejection {
    Rejection::plain(
        RejectionStage::ValueConverter,
        "tombstone",
        "Tombstone",
        "the record has no value (a tombstone), and value.tombstone is \"reject\" (\"delete\" and \"ignore\" accept it)",
    )
}
