//! Makes messages of the records that a source polled: transforms, key, contract.

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{
    Cause, Key, Origin, Outgoing, Positions, Record, Reference, SourceRecord, ValueRef, time,
};
use connect_contracts::{Contracts, Encoder, Side};

use crate::records::dead_letter::{Letter, LetterForm, LetterWriter};
use crate::records::rejection::{Rejection, RejectionStage};
use crate::records::transforms::Transforms;
use crate::status::BatchEnd;
use connect_config::{ErrorsConfig, SourceConnector};

/// What the next transaction holds.
#[derive(Default)]
pub(crate) struct PendingTransaction {
    pub(crate) messages: Vec<Outgoing>,
    pub(crate) positions: Positions,
    /// The number of polled records.
    pub(crate) sources: usize,
    /// How many of them were rejected.
    pub(crate) rejected: u64,
    pub(crate) end: BatchEnd,
}

impl PendingTransaction {
    pub(crate) fn is_empty(&self) -> bool {
        self.sources == 0 && self.positions.is_empty()
    }
}

/// Makes the messages of one source connector.
pub(crate) struct Maker {
    name: Arc<str>,
    topic: Arc<str>,
    key: Option<Reference>,
    transforms: Transforms,
    /// `None`: text and bytes are written as they are, everything else as JSON.
    key_format: Option<Encoder>,
    value: Encoder,
    /// The number of records polled in this run, which replaces the offset of a record from Kafka.
    made: i64,
}

impl Maker {
    pub(crate) fn new(
        name: Arc<str>,
        connector: Arc<SourceConnector>,
        contracts: &Contracts,
    ) -> Result<Maker, Cause> {
        Ok(Maker {
            name,
            topic: Arc::from(connector.topic.as_str()),
            key: connector.key.clone(),
            transforms: Transforms::build(&connector.transforms)?,
            key_format: connector
                .key_format
                .as_ref()
                .map(|format| contracts.encoder(Side::Key, format, &connector.topic))
                .transpose()?,
            value: contracts.encoder(Side::Value, &connector.value, &connector.topic)?,
            made: 0,
        })
    }

    /// The encoders, whose schemas may have to be looked up or registered before the first record.
    pub(crate) fn encoders(&self) -> impl Iterator<Item = &Encoder> {
        self.key_format.iter().chain([&self.value])
    }

    /// The messages that a polled record becomes. `Err`: it is rejected.
    pub(crate) fn make(&mut self, polled: SourceRecord) -> Result<Vec<Outgoing>, Box<Letter>> {
        let origin = Arc::new(Origin {
            topic: self.topic.clone(),
            partition: -1,
            offset: self.made,
            timestamp_ms: polled.timestamp_ms,
            key: polled.key.as_ref().map(|key| Key::bytes_of(key.root())),
            value: None,
            headers: polled.headers,
        });
        self.made += 1;
        let key = polled.key.map_or(Key::Absent, Key::Decoded);
        let record = Record {
            origin: origin.clone(),
            key,
            value: polled.value,
            ordinal: 0,
            routed_topic: None,
        };
        let original = record.value.clone();
        self.encode(record).map_err(|rejection| {
            let value = original.map(|value| Bytes::from(value.to_json()));
            let origin = Origin {
                value,
                ..(*origin).clone()
            };
            Box::new(Letter {
                index: 0,
                origin: Arc::new(origin),
                rejection,
                lane: None,
            })
        })
    }

    fn encode(&mut self, record: Record) -> Result<Vec<Outgoing>, Rejection> {
        let mut records = Vec::with_capacity(1);
        self.transforms.apply(record, &mut records)?;
        records.iter().map(|record| self.message(record)).collect()
    }

    fn message(&self, record: &Record) -> Result<Outgoing, Rejection> {
        self.check_topic(record)?;
        let value = match &record.value {
            None => None,
            Some(value) => {
                let encoded = self.value.encode(value.root());
                Some(encoded.map_err(|rejection| Rejection::of_contract(Side::Value, rejection))?)
            }
        };
        Ok(Outgoing {
            topic: self.topic.clone(),
            key: self.key_of(record)?,
            value,
            headers: record.origin.headers.clone(),
            timestamp_ms: record.origin.timestamp_ms,
        })
    }

    /// A source connector writes one topic, whose contract its records have met. A record that a router sends elsewhere
    /// would be written to the wrong topic in silence.
    fn check_topic(&self, record: &Record) -> Result<(), Rejection> {
        match &record.routed_topic {
            Some(topic) if *topic != self.topic => Err(Rejection::plain(
                RejectionStage::Transformation,
                "topic",
                "RoutedTopic",
                format!(
                    "a router chose the topic {topic}; this connector writes {} alone",
                    self.topic
                ),
            )),
            _ => Ok(()),
        }
    }

    fn key_of(&self, record: &Record) -> Result<Option<Bytes>, Rejection> {
        let Some(reference) = &self.key else {
            return Ok(match &record.key {
                Key::Decoded(key) => Some(self.encode_key(key.root())?),
                Key::Absent | Key::Undecodable(_) => None,
            });
        };
        let refuse = |message: String| {
            Rejection::plain(RejectionStage::KeyConverter, "key", "KeyError", message)
        };
        let resolved = reference
            .resolve(record, None, time::now_ms())
            .map_err(refuse)?;
        let missing = || refuse(format!("the record has no {reference}, which is its key"));
        let key = resolved.to_value().ok_or_else(missing)?;
        self.encode_key(key.root()).map(Some)
    }

    fn encode_key(&self, key: ValueRef<'_>) -> Result<Bytes, Rejection> {
        match &self.key_format {
            Some(encoder) => encoder
                .encode(key)
                .map_err(|rejection| Rejection::of_contract(Side::Key, rejection)),
            None => Ok(Key::bytes_of(key)),
        }
    }

    pub(crate) fn letter(&self, errors: &ErrorsConfig, letter: &Letter) -> Outgoing {
        let topic = errors.dead_letter_topic.as_deref();
        let topic = Arc::from(topic.expect("a dead letter has a topic"));
        LetterWriter {
            topic: &topic,
            connector: &self.name,
            task: 0,
            lane: None,
        }
        .letter(&letter.origin, &letter.rejection, LetterForm::WHOLE)
    }
}
