//! Records and batches.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use connect_api::{
    Batch, Header, JsonLimits, Key, Origin, Progress, Record, TopicPartition, Value,
};

/// The topic of these records.
pub const TOPIC: &str = "records";

/// The value of this JSON text.
pub fn value(text: &str) -> Value {
    Value::parse_json(
        Bytes::copy_from_slice(text.as_bytes()),
        JsonLimits::default(),
    )
    .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A record of partition 0 with this value, a text key, a header and a time.
pub fn record(offset: i64, text: &str) -> Record {
    Record {
        value: Some(value(text)),
        ..tombstone(offset)
    }
}

/// A record of this partition with this value, a text key, a header and a time.
pub fn record_in(partition: i32, offset: i64, text: &str) -> Record {
    let mut record = record(offset, text);
    let origin = Arc::make_mut(&mut record.origin);
    origin.partition = partition;
    record
}

/// A partition of [`TOPIC`].
pub fn partition(number: i32) -> TopicPartition {
    TopicPartition {
        topic: TOPIC.into(),
        partition: number,
    }
}

/// A record of partition 0 without a value.
pub fn tombstone(offset: i64) -> Record {
    let key = format!("key-{offset}");
    Record {
        origin: Arc::new(Origin {
            topic: TOPIC.into(),
            partition: 0,
            offset,
            timestamp_ms: Some(1_700_000_000_000 + offset),
            key: Some(Bytes::from(key.clone())),
            value: None,
            headers: vec![Header {
                name: "trace".into(),
                value: Some(Bytes::from(format!("trace-{offset}"))),
            }],
        }),
        key: Key::Decoded(Value::string(&key)),
        value: None,
        ordinal: 0,
        routed_topic: None,
    }
}

/// These records with the progress that the engine would pass: from the first offset to the one after the last, for
/// each partition.
pub fn batch(records: &[Record]) -> Batch<'_> {
    let mut partitions: BTreeMap<TopicPartition, Progress> = BTreeMap::new();
    for record in records {
        let offset = record.origin.offset;
        let partition = record.topic_partition();
        let progress = partitions
            .entry(partition.clone())
            .or_insert_with(|| Progress {
                partition,
                expected: offset,
                next: offset,
                last_timestamp_ms: None,
            });
        progress.next = progress.next.max(offset + 1);
        progress.last_timestamp_ms = record.origin.timestamp_ms;
    }
    Batch::new(records.iter().collect(), partitions.into_values().collect())
}

/// A batch of partition 0 whose records were all filtered or dead-lettered.
pub fn progress_only(expected: i64, next: i64) -> Batch<'static> {
    let progress = Progress {
        partition: partition(0),
        expected,
        next,
        last_timestamp_ms: None,
    };
    Batch::new(Vec::new(), vec![progress])
}
