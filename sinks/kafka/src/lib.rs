//! Sink `kafka`: publishes records to Kafka, in any format, exactly once for consumers that read committed records
//! only.
//!
//! The engine owns the client and its transactions. It commits the messages of a batch and the progress together,
//! through the [`Publisher`] of the context.

mod config;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{
    Batch, Cause, CheckContext, Contract, Counter, Encode, Explanation, Failure, Finding, Found,
    Header, JsonLimits, Key, Metadata, Outgoing, ProgressHome, Publisher, Record, Reference,
    RejectedRecord, Resolved, Result, Side, Sink, SinkContext, SinkPlugin, Value, Written,
    async_trait, time,
};

pub use config::{Config, TopicFrom};

/// The plugin, as `main` registers it.
pub struct Kafka;

#[async_trait]
impl SinkPlugin for Kafka {
    const NAME: &'static str = "kafka";
    const ABOUT: &'static str = "publishes records to Kafka, exactly once";
    const EXAMPLE: &'static str = r##"[[sinks]]
type  = "kafka"
topic = "enriched_users"
key   = "#key"
"##;
    const EXPLANATIONS: &'static [Explanation] = config::EXPLANATIONS;
    const WRITES_FORMATS: bool = true;
    type Config = Config;
    type Sink = KafkaSink;

    fn progress_home(_config: &Config) -> ProgressHome {
        ProgressHome::KafkaTransaction
    }

    fn target_topics(config: &Config) -> Vec<String> {
        config.topics()
    }

    fn check(config: &Config, _context: &CheckContext<'_>) -> Vec<Finding> {
        config.check()
    }

    async fn open(config: &Config, context: SinkContext) -> Result<KafkaSink> {
        if let Some(finding) = config.check().into_iter().next() {
            return Err(Failure::Fatal(Cause::new(finding.message)));
        }
        let contract = match &config.schema {
            Some(schema) => {
                let compiled = context.contracts.compile(schema);
                Some(compiled.map_err(Failure::Fatal)?)
            }
            None => None,
        };
        let topics: Vec<Arc<str>> = config.topics().into_iter().map(Arc::from).collect();
        let publisher = context.publishers.publisher(&topics).await?;
        let mut targets = Vec::with_capacity(topics.len());
        for topic in topics {
            targets.push(Target {
                key: context.encoders.encoder(Side::Key, &topic).await?,
                value: context.encoders.encoder(Side::Value, &topic).await?,
                topic,
            });
        }
        Ok(KafkaSink {
            publisher,
            targets,
            topic_from: config.topic_from.clone(),
            key: config.key.clone(),
            contract,
            rows_written: context.rows_written,
        })
    }
}

/// An open sink.
pub struct KafkaSink {
    publisher: Box<dyn Publisher>,
    /// The fixed topic, or the topics that a record can choose.
    targets: Vec<Target>,
    /// The source of the word that chooses the topic.
    topic_from: Option<TopicFrom>,
    key: Option<Reference>,
    contract: Option<Arc<dyn Contract>>,
    rows_written: Counter,
}

/// A topic and the formats of its messages. `None` means the default: `key` as documented, and JSON for the value.
struct Target {
    topic: Arc<str>,
    key: Option<Arc<dyn Encode>>,
    value: Option<Arc<dyn Encode>>,
}

#[async_trait]
impl Sink for KafkaSink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        if batch.records.is_empty() && batch.progress.is_empty() {
            return Ok(Written::Durable);
        }
        let now_ms = time::now_ms();
        let mut messages = Vec::with_capacity(batch.records.len());
        let mut refusals = Vec::new();
        for (place, record) in batch.records.iter().enumerate() {
            match self.message(record, now_ms) {
                Ok(message) => messages.push(message),
                Err(cause) => refusals.push(RejectedRecord {
                    record: place,
                    cause,
                }),
            }
        }
        if !refusals.is_empty() {
            return Err(Failure::Refused(refusals));
        }
        // One message per record, so a rejection by the publisher names the record.
        self.publisher.publish(messages, batch).await?;
        self.rows_written.add(batch.records.len() as u64);
        Ok(Written::Durable)
    }
}

impl KafkaSink {
    fn message(&self, record: &Record, now_ms: i64) -> Result<Outgoing, Cause> {
        if let (Some(contract), Some(value)) = (&self.contract, record.root()) {
            contract.check(value)?;
        }
        let target = self.target(record, now_ms)?;
        let key = match &target.key {
            Some(encoder) => {
                let key = self.key_value(record, now_ms)?;
                key.map(|key| encoder.encode(key.root())).transpose()?
            }
            None => self.key(record, now_ms)?,
        };
        let value = match (&target.value, &record.value) {
            (_, None) => None,
            (Some(encoder), Some(value)) => Some(encoder.encode(value.root())?),
            (None, Some(value)) => Some(encode(value)),
        };
        Ok(Outgoing {
            topic: target.topic.clone(),
            key,
            value,
            headers: passed_on(&record.origin.headers),
            timestamp_ms: record.origin.timestamp_ms,
        })
    }

    fn target(&self, record: &Record, now_ms: i64) -> Result<&Target, Cause> {
        let Some(from) = &self.topic_from else {
            let fixed = self.targets.first();
            return Ok(fixed.expect("`check` demands `topic` or `topic_from`"));
        };
        let field = &from.field;
        let resolved = field.resolve(record, None, now_ms).map_err(Cause::new)?;
        let word = match &resolved {
            Resolved::Text(text) => Some(*text),
            Resolved::Value(place) => place.as_str(),
            Resolved::Missing | Resolved::Integer(_) | Resolved::Timestamp(_) => None,
        };
        let Some(topic) = from.choose(word) else {
            let cause = match word {
                Some(word) => {
                    Cause::new(format!("{field} names a topic that the file does not list"))
                        .about(Found::string(word))
                }
                None => Cause::new(format!(
                    "{field} is missing or not text, so no topic is chosen"
                )),
            };
            return Err(cause.with_help(
                "list the topic in topic_from.map or topic_from.allow, or set topic_from.default for all other records",
            ));
        };
        let chosen = self.targets.iter().find(|target| &*target.topic == topic);
        Ok(chosen.expect("every topic of `topic_from` has a target"))
    }

    /// The value that `key_format` encodes: the target of `key`, by default the record's key after the transforms.
    fn key_value(&self, record: &Record, now_ms: i64) -> Result<Option<Value>, Cause> {
        let of_key = Reference::Metadata(Metadata::Key);
        let reference = self.key.as_ref().unwrap_or(&of_key);
        if *reference == of_key {
            return match &record.key {
                Key::Absent => Ok(None),
                Key::Undecodable(reason) => Err(Cause::new(&**reason)),
                Key::Decoded(key) => Ok(Some(key.clone())),
            };
        }
        let resolved = reference
            .resolve(record, None, now_ms)
            .map_err(Cause::new)?;
        match resolved {
            Resolved::Missing => Err(Cause::new(format!("no key: {reference} is missing"))),
            Resolved::Value(found) if found.is_null() => Ok(None),
            found => Ok(found.to_value()),
        }
    }

    fn key(&self, record: &Record, now_ms: i64) -> Result<Option<Bytes>, Cause> {
        let Some(reference) = &self.key else {
            return Ok(record.origin.key.clone());
        };
        if *reference == Reference::Metadata(Metadata::Key) {
            return Ok(decoded_key(record));
        }
        let resolved = reference
            .resolve(record, None, now_ms)
            .map_err(Cause::new)?;
        match resolved {
            Resolved::Missing => Err(Cause::new(format!("no key: {reference} is missing"))),
            Resolved::Value(value) if value.is_null() => Ok(None),
            found => Ok(found.key_bytes()),
        }
    }
}

/// Those of the record's own producer. What a dead letter says of a record is not true of the record that is written, and
/// in a record that was none it is forged.
fn passed_on(headers: &[Header]) -> Vec<Header> {
    let own = headers.iter().filter(|header| !header.is_of_dead_letter());
    own.cloned().collect()
}

/// The key after the transforms. An unchanged key keeps its bytes, because equal bytes go to equal partitions.
fn decoded_key(record: &Record) -> Option<Bytes> {
    let came = &record.origin.key;
    match &record.key {
        Key::Absent => None,
        Key::Undecodable(_) => came.clone(),
        Key::Decoded(key) => {
            let parsed = came
                .clone()
                .and_then(|bytes| Value::parse_json(bytes, JsonLimits::default()).ok());
            if parsed.is_some_and(|parsed| parsed == *key) {
                came.clone()
            } else {
                Some(Key::bytes_of(key.root()))
            }
        }
    }
}

fn encode(value: &Value) -> Bytes {
    let mut json = Vec::with_capacity(256);
    value.root().write_json(&mut json);
    json.into()
}
