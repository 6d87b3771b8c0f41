//! Reads one partition of a topic to its end: the positions of sources.

use std::time::{Duration, Instant};

use bytes::Bytes;
use connect_api::Cause;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::blocking::off_the_runtime;
use crate::error::cause;
use crate::log::LogContext;
use crate::settings::ClientSettings;

/// A record's undecoded key and value.
pub type KeyAndValue = (Option<Bytes>, Option<Bytes>);

/// Key and value of every committed record of a partition, from its start to the end that it has now. Joins no group. An
/// error if the end is not reached in time.
pub async fn read_topic_to_end(
    settings: &ClientSettings,
    topic: &str,
    partition: i32,
    timeout: Duration,
) -> Result<Vec<KeyAndValue>, Cause> {
    let (settings, topic) = (settings.clone(), topic.to_owned());
    off_the_runtime(move || read(&settings, &topic, partition, timeout)).await?
}

fn read(
    settings: &ClientSettings,
    topic: &str,
    partition: i32,
    timeout: Duration,
) -> Result<Vec<KeyAndValue>, Cause> {
    let doing = format!("reading {topic} to its end");
    let deadline = Instant::now() + timeout;
    // librdkafka reads in the name of a group only; this one is never joined and commits nothing.
    let group = format!("connect-reader-{}", uuid::Uuid::new_v4());
    let client: BaseConsumer<LogContext> = settings
        .consumer("connect-reader", &group)
        .create_with_context(LogContext::default())
        .map_err(|error| cause(&doing, &error))?;
    let mut start = TopicPartitionList::new();
    start
        .add_partition_offset(topic, partition, Offset::Beginning)
        .and_then(|()| client.assign(&start))
        .map_err(|error| cause(&doing, &error))?;
    let mut records = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match client.poll(left) {
            Some(Ok(message)) => records.push((
                message.key().map(Bytes::copy_from_slice),
                message.payload().map(Bytes::copy_from_slice),
            )),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
            // Lost connections mend themselves; what cannot be mended is said at the deadline.
            Some(Err(_)) => {}
            None if left.is_zero() => {
                return Err(client.context().trouble.last().unwrap_or_else(|| {
                    Cause::new(format!("{doing}: not within {} ms", timeout.as_millis()))
                }));
            }
            None => {}
        }
    }
}
