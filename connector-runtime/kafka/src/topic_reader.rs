//! Reads one partition of a topic to its current end: the positions of sources.
//!
//! Other producers write meanwhile, so the end is taken once: waiting for a moment without writers could last for ever. Other
//! transactions are open meanwhile, and readers of committed records see nothing behind the first record of an open one. So the
//! partition is read once every transaction below the end has ended.

use std::time::{Duration, Instant};

use bytes::Bytes;
use connect_api::{Cause, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::blocking::off_the_runtime;
use crate::error::cause;
use crate::log::LogContext;
use crate::offsets;
use crate::settings::ClientSettings;
use crate::trouble::explain;

/// A record's undecoded key and value.
pub type KeyAndValue = (Option<Bytes>, Option<Bytes>);

/// The pause between two checks whether every transaction has ended.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Key and value of every committed record of a partition, from its start to the end that it has now. Joins no group. An
/// error if the end is not reached in time.
pub async fn read_topic_to_end(
    settings: &ClientSettings,
    topic: &str,
    partition: i32,
    timeout: Duration,
) -> Result<Vec<KeyAndValue>, Cause> {
    let settings = settings.clone();
    let partition = TopicPartition {
        topic: topic.into(),
        partition,
    };
    off_the_runtime(move || {
        let deadline = Instant::now() + timeout;
        let committed = client(&settings, "read_committed")?;
        let end = end_of_now(&settings, &partition)?;
        settle(&committed, &partition, end, deadline)?;
        read(&committed, &partition, end, deadline)
    })
    .await?
}

fn doing(partition: &TopicPartition) -> String {
    format!("reading {} to its end", partition.topic)
}

fn client(settings: &ClientSettings, isolation: &str) -> Result<BaseConsumer<LogContext>, Cause> {
    // librdkafka requires a group; this one is never joined and commits nothing.
    let group = format!("connect-reader-{}", uuid::Uuid::new_v4());
    settings
        .consumer("connect-reader", &group)
        .set("isolation.level", isolation)
        .create_with_context(LogContext::of(settings))
        .map_err(|error| cause("making a reader", &error))
}

/// The offset after everything that is written, committed or not.
fn end_of_now(settings: &ClientSettings, partition: &TopicPartition) -> Result<i64, Cause> {
    let client = client(settings, "read_uncommitted")?;
    let watermarks = offsets::watermarks_of(&client, partition);
    let watermarks = watermarks.map_err(|cause| explain(&client, cause))?;
    Ok(watermarks.high)
}

/// Waits until every transaction that has records below `end` is committed or aborted.
fn settle(
    client: &BaseConsumer<LogContext>,
    partition: &TopicPartition,
    end: i64,
    deadline: Instant,
) -> Result<(), Cause> {
    loop {
        let watermarks = offsets::watermarks_of(client, partition);
        let settled = watermarks.map_err(|cause| explain(client, cause))?.high;
        if settled >= end {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Cause::new(format!(
                "{}: a transaction that began at offset {settled} does not end",
                doing(partition)
            )));
        }
        // Nothing is assigned, so this poll only waits.
        client.poll(ASK_AGAIN_AFTER);
    }
}

fn read(
    client: &BaseConsumer<LogContext>,
    partition: &TopicPartition,
    end: i64,
    deadline: Instant,
) -> Result<Vec<KeyAndValue>, Cause> {
    let mut start = TopicPartitionList::new();
    start
        .add_partition_offset(&partition.topic, partition.partition, Offset::Beginning)
        .and_then(|()| client.assign(&start))
        .map_err(|error| cause(&doing(partition), &error))?;
    let mut records = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match client.poll(left) {
            Some(Ok(message)) => {
                records.push((
                    message.key().map(Bytes::copy_from_slice),
                    message.payload().map(Bytes::copy_from_slice),
                ));
                if message.offset() + 1 >= end {
                    return Ok(records);
                }
            }
            // The last record may be followed by transaction markers, which are not delivered.
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
            // The client reconnects by itself; a lasting error is reported at the deadline.
            Some(Err(_)) => {}
            None if left.is_zero() => {
                return Err(client
                    .context()
                    .trouble
                    .last()
                    .unwrap_or_else(|| Cause::new(format!("{}: not in time", doing(partition)))));
            }
            None => {}
        }
    }
}
