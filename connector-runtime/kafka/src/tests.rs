//! Against librdkafka's mock cluster in this process, and against a real Kafka.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod consumer_on_mock;
mod producer_on_mock;
mod real_kafka;
mod real_transactions;
mod revocation;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_api::{Origin, Outgoing, Position, StartAt, Timestamp, TopicPartition};

use crate::*;

/// What a step of a test may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);

fn partition(topic: &str, number: i32) -> TopicPartition {
    TopicPartition {
        topic: topic.into(),
        partition: number,
    }
}

fn at(partition: TopicPartition, next: i64) -> Position {
    Position { partition, next }
}

fn owned(partition: TopicPartition, next: i64, generation: Generation) -> GroupPosition {
    GroupPosition {
        owned: OwnedPosition {
            position: at(partition, next),
            generation,
        },
        metadata: format!("at {next}").into(),
    }
}

fn message(topic: &str, key: &str, value: &str) -> Outgoing {
    Outgoing {
        topic: topic.into(),
        key: Some(bytes::Bytes::copy_from_slice(key.as_bytes())),
        value: Some(bytes::Bytes::copy_from_slice(value.as_bytes())),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

fn options(group: &str, topics: &[&str]) -> ConsumerOptions {
    let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
    let mut options = ConsumerOptions::new(
        group,
        group,
        Subscription::Topics(topics),
        16 * 1024 * 1024,
        5_000,
    );
    options.metadata_refresh = Duration::from_millis(200);
    options
}

/// A name that no other test has.
fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

/// Polls until this says so; panics if it takes too long. Hands every event to the closure.
fn poll_until<T>(consumer: &mut SinkConsumer, mut done: impl FnMut(Event) -> Option<T>) -> T {
    let give_up = Instant::now() + SOON;
    while Instant::now() < give_up {
        if let Some(event) = consumer.poll(Duration::from_millis(100))
            && let Some(found) = done(event)
        {
            return found;
        }
    }
    panic!("did not happen within {SOON:?}")
}

/// Polls until this many partitions are announced.
fn assigned(consumer: &mut SinkConsumer, count: usize) -> Vec<TopicPartition> {
    let mut given = Vec::new();
    poll_until(consumer, |event| {
        match event {
            Event::Rebalance(Rebalance::Assigned(partitions)) => given.extend(partitions),
            Event::Record { origin, .. } => panic!("{origin:?} before it was begun"),
            _ => {}
        }
        (given.len() >= count).then_some(())
    });
    given.sort();
    given
}

/// The group's offsets.
fn committed(
    consumer: &SinkConsumer,
    partitions: &[TopicPartition],
) -> BTreeMap<TopicPartition, Option<i64>> {
    let committed = consumer.committed(partitions).unwrap().into_iter();
    committed
        .map(|(partition, committed)| (partition, committed.map(|committed| committed.next)))
        .collect()
}

/// Begins every partition that is assigned.
fn start_all(consumer: &mut SinkConsumer, start: StartAt) {
    let starts: Vec<(TopicPartition, StartAt)> = consumer
        .assignment()
        .into_iter()
        .map(|partition| (partition, start))
        .collect();
    for (partition, result) in consumer.start_at(&starts) {
        result.unwrap_or_else(|cause| panic!("{partition}: {cause}"));
    }
}

/// Polls until this many records came.
fn records(consumer: &mut SinkConsumer, count: usize) -> Vec<(Arc<Origin>, Generation)> {
    let mut records = Vec::new();
    poll_until(consumer, |event| {
        if let Event::Record { origin, generation } = event {
            records.push((origin, generation));
        }
        (records.len() >= count).then_some(())
    });
    records
}

fn text(origin: &Origin) -> String {
    String::from_utf8(origin.value.as_ref().unwrap().to_vec()).unwrap()
}

/// Produces numbered messages by key, and waits for them.
async fn produce(settings: &ClientSettings, topic: &str, numbers: std::ops::Range<usize>) {
    let mut producer = Producer::open(settings, "test-producer").unwrap();
    let messages = numbers
        .map(|number| message(topic, &number.to_string(), &number.to_string()))
        .collect();
    let outcomes = producer.send_all(messages, SOON).await.unwrap();
    for outcome in outcomes {
        assert!(
            matches!(outcome, DeliveryOutcome::Delivered { .. }),
            "{outcome:?}"
        );
    }
    producer.close(SOON);
}

#[test]
fn settings_are_masked_and_owned_keys_refused() {
    let table = BTreeMap::from([
        ("sasl.username".to_owned(), "alice".to_owned()),
        ("sasl.password".to_owned(), "hunter2-canary".to_owned()),
    ]);
    let settings = ClientSettings::new("localhost:9092", table).unwrap();
    let shown = format!("{settings:?}");
    assert!(shown.contains("sasl.password"), "{shown}");
    assert!(
        !shown.contains("canary") && !shown.contains("alice"),
        "{shown}"
    );

    let check = |key: &str, value: &str, expected: &str| {
        let cause = check_setting(key, value).expect_err(key).to_string();
        assert!(cause.contains(expected), "{key}: {cause}");
        assert!(!cause.contains("canary"), "{key}: {cause}");
    };
    check("group.id", "mine", "is set by the engine");
    check("enable.auto.commit", "true", "is set by the engine");
    check("auto.offset.reset", "latest", "is set by the engine");
    check(
        "ssl.passwrd",
        "canary",
        "`[kafka]` has no setting `ssl.passwrd`",
    );
    check(
        "socket.timeout.ms",
        "canary",
        "`socket.timeout.ms`: librdkafka does not take this value",
    );
    // Reordering, hidden topics, missing delivery reports, commands.
    check("queuing.strategy", "lifo", "is set by the engine");
    check("topic.blacklist", ".*", "is set by the engine");
    check("delivery.report.only.error", "true", "is set by the engine");
    check("sasl.kerberos.kinit.cmd", "canary", "it runs a command");
    check("ssl.engine.location", "canary", "it loads native code");
    check("ssl.providers", "canary", "it loads native code");
    check(
        "interceptors",
        "canary",
        "`[kafka]` has no setting `interceptors`",
    );
    check_setting("security.protocol", "sasl_ssl").unwrap();
    check_setting("sasl.mechanisms", "SCRAM-SHA-256").unwrap();
    check_setting("compression.type", "zstd").unwrap();
    check_setting("ssl.ca.location", "/etc/ssl/ca.crt").unwrap();
}

/// A typing error would refuse the real key.
#[test]
fn keys_are_ones_that_librdkafka_knows() {
    let config = rdkafka::ClientConfig::new().create_native_config().unwrap();
    let owned = crate::settings::OWNED.iter().map(|(key, _)| key);
    for key in crate::settings::ALLOWED.iter().chain(owned) {
        // Topic settings and producer aliases cannot be read back, but can be refused for their value.
        let known = config.get(key).is_ok()
            || !rdkafka::ClientConfig::new()
                .set(*key, "\u{1}")
                .create_native_config()
                .err()
                .is_some_and(|error| error.to_string().contains("No such"));
        assert!(known, "{key}");
    }
}
