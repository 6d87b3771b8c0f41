//! Compacted topics: they reject records without a key, and keep only the last record of each key.

use std::time::Duration;

use connect_tests::folder::Folder;
use connect_tests::kafka::{Isolation, Message, Topic};
use connect_tests::load::{Payments, Producer};
use connect_tests::process::Launch;
use connect_tests::{eventually, servers};

use crate::payments;

const RECORDS: usize = 300;
/// Offsets of the records without a key.
const KEYLESS: [usize; 3] = [50, 51, 250];

async fn compacted(word: &str) -> Topic {
    let topic = Topic::not_created(word);
    let settings = [("cleanup.policy", "compact")];
    topic.create_with(1, &settings).await;
    topic
}

async fn produce(topic: &Topic) {
    let topic = topic.clone();
    let produced = tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for (offset, payment) in Payments::seeded(11).take(RECORDS).enumerate() {
            let value = payment.json();
            if KEYLESS.contains(&offset) {
                producer.send_without_key(&topic, 0, &payment.id, value.as_bytes());
            } else {
                producer.send(&topic, 0, &payment.id, value.as_bytes(), value.as_bytes());
            }
        }
        producer.finish()
    });
    produced.await.unwrap();
}

fn to_topic(from: &Topic, to: &Topic, errors: &str) -> Folder {
    let folder = Folder::new();
    folder.connector(
        "compacting",
        format!(
            "topics = [\"{}\"]\n[[sinks]]\ntype = \"kafka\"\ntopic = \"{}\"\n{errors}",
            from.name(),
            to.name()
        ),
    );
    folder
}

fn ids(messages: &[Message]) -> Vec<String> {
    let id = |message: &Message| message.json()["id"].as_str().unwrap().to_owned();
    messages.iter().map(id).collect()
}

fn expected_ids(wanted: impl Fn(usize) -> bool) -> Vec<String> {
    let payments = Payments::seeded(11).take(RECORDS).enumerate();
    payments
        .filter(|(offset, _)| wanted(*offset))
        .map(|(_, payment)| payment.id)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_a_key_are_rejected_by_a_compacted_target_and_the_others_pass() {
    let _turn = servers::shared().await;
    let from = Topic::create("to-compacted", 1).await;
    let to = compacted("compacted").await;
    let dead = Topic::create("compacted-dlq", 1).await;
    produce(&from).await;
    let folder = to_topic(&from, &to, &payments::tolerant(&dead));
    let mut process = Launch::run(&folder).start();
    eventually("every good record", payments::SETTLED, async || {
        let there = to.read(Isolation::Committed).await.len();
        (there >= RECORDS - KEYLESS.len()).then_some(())
    })
    .await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    let passed = to.read(Isolation::Committed).await;
    assert_eq!(
        ids(&passed),
        expected_ids(|offset| !KEYLESS.contains(&offset))
    );
    let letters = dead.read(Isolation::Committed).await;
    assert_eq!(
        ids(&letters),
        expected_ids(|offset| KEYLESS.contains(&offset))
    );
    for letter in &letters {
        let reason = letter.header("__connect.errors.exception.message").unwrap();
        assert!(
            reason.contains("has no key") && reason.contains(to.name()),
            "{reason}"
        );
    }
    let noticed = process.events("target_topic_compacted");
    assert_eq!(noticed[0]["topic"], to.name(), "{noticed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tolerance_the_record_without_a_key_is_blamed_and_all_before_it_passes() {
    let _turn = servers::shared().await;
    let from = Topic::create("to-compacted-none", 1).await;
    let to = compacted("compacted-none").await;
    produce(&from).await;
    let folder = to_topic(&from, &to, "");
    let mut process = Launch::run(&folder).start();
    assert_eq!(process.exit_code(payments::SETTLED).await, 1);
    let log = process.stderr();
    let blamed = format!("{} partition 0 offset {}", from.name(), KEYLESS[0]);
    assert!(log.contains(&blamed), "{blamed} is missing in\n{log}");
    let passed = to.read(Isolation::Committed).await;
    assert_eq!(ids(&passed), expected_ids(|offset| offset < KEYLESS[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_dead_letter_topic_is_refused_at_the_start_and_loses_no_letter() {
    let _turn = servers::shared().await;
    let topic = Topic::create("compacted-letters", 1).await;
    let dead = compacted("compacted-letters-dlq").await;
    let database = payments::database().await;
    let written = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        producer.send_without_key(&written, 0, "bad", b"this is not JSON");
        for payment in Payments::seeded(12).take(5) {
            payment.send(&producer, &written, 1);
        }
        producer.finish()
    })
    .await
    .unwrap();
    let folder = payments::folder();
    let connector = |dead: &Topic| payments::connector(&topic, "", &payments::tolerant(dead));
    folder.connector("letters", connector(&dead));
    let mut process = Launch::run(&folder).database(database.url()).start();
    assert_eq!(process.exit_code(payments::SETTLED).await, 1);
    let log = process.stderr();
    for part in [dead.name(), "compacted", "cleanup.policy=delete"] {
        assert!(log.contains(part), "{part} is missing in\n{log}");
    }
    assert_eq!(database.count("payments").await, 0);

    let dead = Topic::create("kept-letters-dlq", 1).await;
    folder.connector("letters", connector(&dead));
    let mut process = Launch::run(&folder).database(database.url()).start();
    payments::rows(&database, 5).await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    let letters = dead.read(Isolation::Committed).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].value.as_deref(), Some(&b"this is not JSON"[..]));
    database.remove().await;
}
