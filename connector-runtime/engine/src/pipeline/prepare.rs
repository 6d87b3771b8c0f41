//! From Kafka's bytes to records: decode by format, check the contract, run the transforms.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use connect_api::{Cause, Key, Origin, Predicate, Record, Step, Transform, Value};
use connect_contracts::{Contracts, DecodeError, Decoder, SchemaNeeded, Side, TombstonePolicy};

use super::rejection::{Rejection, Stage};
use connect_config::{ConfiguredTransform, SinkConnector};

/// Prepares the records of one task.
pub(crate) struct Preparer {
    value: Arc<Decoder>,
    tombstone: TombstonePolicy,
    /// Only where the file has a `[key]`: without one a key is text, and a key that is not text troubles nobody
    /// until somebody reads it.
    key: Option<Arc<Decoder>>,
    transforms: Transforms,
}

/// What one source record became.
pub(crate) enum Made {
    /// Its records were appended.
    Records,
    Filtered,
    Rejected(Rejection),
    /// A schema must be fetched first; nothing was appended.
    SchemaNeeded(Side, SchemaNeeded),
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

    /// The decoder that a needed schema must be fetched with.
    pub(crate) fn decoder(&self, side: Side) -> Arc<Decoder> {
        match (side, &self.key) {
            (Side::Key, Some(key)) => key.clone(),
            _ => self.value.clone(),
        }
    }

    /// Appends what `origin` becomes to `out`. A rejected record leaves `out` as it was.
    pub(crate) fn prepare(&mut self, origin: &Arc<Origin>, out: &mut Vec<Record>) -> Made {
        let key = match self.decode_key(origin) {
            Ok(key) => key,
            Err(made) => return made,
        };
        let value = match &origin.value {
            Some(payload) => match self.value.decode(&origin.topic, payload) {
                Ok(value) => Some(value),
                Err(error) => return refused(Side::Value, error),
            },
            None => match self.tombstone {
                TombstonePolicy::Delete => None,
                TombstonePolicy::Ignore => return Made::Filtered,
                TombstonePolicy::Reject => return Made::Rejected(tombstone_reject()),
            },
        };
        let start = out.len();
        let record = Record {
            origin: origin.clone(),
            key,
            value,
            ordinal: 0,
        };
        match self.transforms.apply(record, out) {
            Ok(()) if out.len() == start => Made::Filtered,
            Ok(()) => Made::Records,
            Err(reject) => {
                out.truncate(start);
                Made::Rejected(reject)
            }
        }
    }

    fn decode_key(&self, origin: &Origin) -> Result<Key, Made> {
        let Some(bytes) = &origin.key else {
            return Ok(Key::Absent);
        };
        match &self.key {
            None => Ok(text_key(bytes)),
            Some(decoder) => match decoder.decode(&origin.topic, bytes) {
                Ok(value) => Ok(Key::Decoded(value)),
                Err(error) => Err(refused(Side::Key, error)),
            },
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

fn refused(side: Side, error: DecodeError) -> Made {
    match error {
        DecodeError::Refused(rejection) => Made::Rejected(Rejection::of_contract(side, rejection)),
        DecodeError::SchemaNeeded(needed) => Made::SchemaNeeded(side, needed),
    }
}

fn tombstone_reject() -> Rejection {
    Rejection::plain(
        Stage::ValueConverter,
        "tombstone",
        "Tombstone",
        "the record has no value (a tombstone), and value.tombstone is \"reject\" (\"delete\" and \"ignore\" accept it)",
    )
}

fn when_reject(place: &str, reason: String) -> Rejection {
    Rejection::plain(Stage::Transformation, place, "PredicateError", reason)
}

/// The transforms of one task, in the order of the file.
pub(crate) struct Transforms {
    steps: Vec<BuiltTransform>,
    /// What one source record is before and after the step that runs: kept, so that a record costs no vectors.
    before: Vec<Record>,
    after: Vec<Record>,
}

struct BuiltTransform {
    kind: &'static str,
    when: Option<Predicate>,
    transform: Box<dyn Transform>,
}

impl Transforms {
    pub(crate) fn build(configured: &[ConfiguredTransform]) -> Result<Transforms, Cause> {
        let build = |one: &ConfiguredTransform| {
            let transform = one
                .factory
                .build()
                .map_err(|finding| Cause::new(finding.message))?;
            Ok(BuiltTransform {
                kind: one.kind,
                when: one.when.clone(),
                transform,
            })
        };
        Ok(Transforms {
            steps: configured.iter().map(build).collect::<Result<_, Cause>>()?,
            before: Vec::new(),
            after: Vec::new(),
        })
    }

    /// Appends what `record` becomes, its parts numbered.
    pub(crate) fn apply(&mut self, record: Record, out: &mut Vec<Record>) -> Result<(), Rejection> {
        self.before.clear();
        self.before.push(record);
        for step in &mut self.steps {
            self.after.clear();
            for record in self.before.drain(..) {
                step.apply(record, &mut self.after)?;
            }
            if self.after.len() > 1 {
                number(&mut self.after);
            }
            std::mem::swap(&mut self.before, &mut self.after);
        }
        out.append(&mut self.before);
        Ok(())
    }
}

fn number(records: &mut [Record]) {
    for (ordinal, record) in (0..).zip(records) {
        record.ordinal = ordinal;
    }
}

impl BuiltTransform {
    fn apply(&mut self, record: Record, out: &mut Vec<Record>) -> Result<(), Rejection> {
        if let Some(when) = &self.when {
            let matched = when
                .matches(&record)
                .map_err(|reason| when_reject(self.kind, reason))?;
            if !matched {
                out.push(record);
                return Ok(());
            }
        }
        match self.transform.apply(record) {
            Ok(Step::Keep(record)) => out.push(record),
            Ok(Step::Drop) => {}
            Ok(Step::Split(parts)) => out.extend(parts),
            Err(cause) => return Err(Rejection::of_transform(self.kind, &cause)),
        }
        Ok(())
    }
}
