//! One bad record in a thousand becomes a dead letter with its bytes and reason; the others become 999 rows.

use std::time::Duration;

use connect_tests::checker::Ledger;
use connect_tests::kafka::{self, Isolation, Topic};
use connect_tests::load::{Payments, Producer, produce_payments};
use connect_tests::process::Launch;
use connect_tests::{eventually, servers};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::offsets::offsets;
use crate::payments;

/// A kind of bad record: its name, its bytes, the stage that rejects it, and a word of the reason.
struct Kind {
    name: &'static str,
    value: &'static [u8],
    reason: &'static str,
}

const KINDS: [Kind; 9] = [
    Kind {
        name: "not-json",
        value: b"this is not JSON",
        reason: "JSON",
    },
    Kind {
        name: "cut-off",
        value: br#"{"id":"bad","sequence":1,"#,
        reason: "JSON",
    },
    Kind {
        name: "empty",
        value: b"",
        reason: "",
    },
    Kind {
        name: "duplicate-key",
        value: br#"{"id":"bad","id":"worse","sequence":1,"account":"a","amount":1,"note":"n"}"#,
        reason: "id",
    },
    Kind {
        name: "contract-missing",
        value: br#"{"id":"bad","sequence":1,"account":"a","note":"n"}"#,
        reason: "amount",
    },
    Kind {
        name: "contract-minimum",
        value: br#"{"id":"bad","sequence":-1,"account":"a","amount":1,"note":"n"}"#,
        reason: "sequence",
    },
    Kind {
        name: "numeric-overflow",
        value: br#"{"id":"bad","sequence":1,"account":"a","amount":99999999999.99,"note":"n"}"#,
        reason: "amount",
    },
    Kind {
        name: "bigint-overflow",
        value:
            br#"{"id":"bad","sequence":9223372036854775808,"account":"a","amount":1,"note":"n"}"#,
        reason: "sequence",
    },
    Kind {
        name: "nul-in-text",
        value: br#"{"id":"bad","sequence":1,"account":"a","amount":1,"note":"a\u0000b"}"#,
        reason: "note",
    },
];

/// A thousand records in two partitions, number 500 of which is bad.
async fn produce_with_one_bad(topic: &Topic, bad: &'static [u8]) -> Ledger {
    let topic = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for payment in Payments::seeded(3).take(1_000) {
            if payment.sequence == 500 {
                producer.send(&topic, 0, "bad", bad, bad);
            } else {
                payment.send(&producer, &topic, 2);
            }
        }
        producer.finish()
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_in_a_thousand_of_each_kind_is_one_dead_letter() {
    let _turn = servers::shared().await;
    for kind in &KINDS {
        let topic = Topic::create(kind.name, 2).await;
        let dead = Topic::create(&format!("{}-dlq", kind.name), 1).await;
        let database = payments::database().await;
        let ledger = produce_with_one_bad(&topic, kind.value).await;
        let folder = payments::folder();
        folder.connector(
            kind.name,
            payments::connector(&topic, "", &payments::tolerant(&dead)),
        );
        let mut process = Launch::run(&folder).database(database.url()).start();
        payments::rows(&database, 999).await;
        eventually("a dead letter", Duration::from_secs(30), async || {
            (!dead.read(Isolation::Committed).await.is_empty()).then_some(())
        })
        .await;
        payments::verdict(&ledger, &database, Some(&dead))
            .await
            .assert_clean();
        let letters = dead.read(Isolation::Committed).await;
        assert_eq!(letters.len(), 1, "{}", kind.name);
        let header = |name: &str| letters[0].header(&format!("__connect.errors.{name}"));
        assert_eq!(header("connector.name").as_deref(), Some(kind.name));
        assert_eq!(header("task.id").as_deref(), Some("0"));
        for name in [
            "stage",
            "class.name",
            "exception.class.name",
            "exception.stacktrace",
        ] {
            assert!(header(name).is_some(), "{}: {name} is missing", kind.name);
        }
        let message = header("exception.message").unwrap_or_default();
        assert!(
            message.contains(kind.reason) && !message.is_empty(),
            "{}: {message}",
            kind.name
        );
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
        database.remove().await;
    }
}

/// The letters of all records that a sink refuses are sent together, so a flood of bad records is as fast as one of
/// good ones.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_records_that_the_sink_refuses_are_as_many_dead_letters() {
    const BAD: usize = 5_000;
    let _turn = servers::shared().await;
    let topic = Topic::create("flood", 2).await;
    let dead = Topic::create("flood-dlq", 1).await;
    let database = payments::database().await;
    let written = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for payment in Payments::seeded(4).take(BAD) {
            let partition = i32::try_from(payment.sequence % 2).unwrap();
            let bad = payment.json().replace("\"note\":\"", "\"note\":\"\\u0000");
            producer.send(
                &written,
                partition,
                &payment.id,
                bad.as_bytes(),
                bad.as_bytes(),
            );
        }
        for payment in Payments::seeded(5).take(10) {
            payment.send(&producer, &written, 2);
        }
        producer.finish()
    })
    .await
    .unwrap();
    let folder = payments::folder();
    folder.connector(
        "flood",
        payments::connector(&topic, "", &payments::tolerant_of_all(&dead)),
    );
    let mut process = Launch::run(&folder).database(database.url()).start();
    payments::rows(&database, 10).await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    let said = process.events("record_rejected").len();
    let left_out: u64 = process
        .events("rejections_left_out")
        .iter()
        .map(|event| event["left_out"].as_u64().unwrap())
        .sum();
    assert!((10..=100).contains(&said), "{said} lines");
    assert_eq!(said as u64 + left_out, BAD as u64);
    let letters = dead.read(Isolation::Committed).await;
    let mut origins: Vec<(String, String)> = letters
        .iter()
        .map(|letter| {
            let header = |name: &str| letter.header(&format!("__connect.errors.{name}"));
            (header("partition").unwrap(), header("offset").unwrap())
        })
        .collect();
    origins.sort_unstable();
    origins.dedup();
    assert_eq!((letters.len(), origins.len()), (BAD, BAD));
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tolerance_the_first_bad_record_stops_and_nothing_after_it_is_skipped() {
    let _turn = servers::shared().await;
    let topic = Topic::create("intolerant", 1).await;
    let database = payments::database().await;
    let folder = payments::folder();
    let written = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for payment in Payments::seeded(3).take(1_000) {
            if payment.sequence == 700 {
                producer.send(&written, 0, "bad", b"{}", b"{}");
            } else {
                payment.send(&producer, &written, 1);
            }
        }
        producer.finish()
    })
    .await
    .unwrap();
    folder.connector("intolerant", payments::connector(&topic, "", ""));
    let mut process = Launch::run(&folder).database(database.url()).start();
    assert_eq!(
        process.exit_code(Duration::from_secs(60)).await,
        1,
        "{}",
        process.stderr()
    );
    assert_eq!(
        database.count("payments").await,
        700,
        "everything below the bad record is written, nothing above it"
    );
    let log = process.stderr();
    for part in [topic.name(), "700"] {
        assert!(log.contains(part), "{part} is missing in\n{log}");
    }
    database.remove().await;
}

/// 120 MB in a few kilobytes: more than the client decompresses.
fn send_bomb(topic: &str) {
    let producer: BaseProducer = kafka::client()
        .set("compression.type", "zstd")
        .set("message.max.bytes", "200000000")
        .create()
        .expect("a producer");
    let value = vec![b' '; 120_000_000];
    let record = BaseRecord::<(), [u8]>::to(topic)
        .payload(&value)
        .partition(0);
    producer
        .send(record)
        .map_err(|(error, _)| error)
        .expect("queued");
    producer.flush(Duration::from_secs(60)).expect("sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_decompressed_stops_the_connector_with_its_offset_and_can_be_skipped()
 {
    let _turn = servers::shared().await;
    let topic = Topic::create("bomb", 2).await;
    let dead = Topic::create("bomb-dlq", 1).await;
    let database = payments::database().await;
    let folder = payments::folder();
    let name = Topic::not_created("bomb");
    let connector = payments::connector(&topic, "", &payments::tolerant(&dead));
    folder.connector(name.name(), connector);
    produce_payments(&topic, 2, 100).await;
    let bomb = topic.name().to_owned();
    tokio::task::spawn_blocking(move || send_bomb(&bomb))
        .await
        .unwrap();
    produce_payments(&topic, 2, 100).await;
    let launch = Launch::run(&folder).database(database.url());
    let mut process = launch.start();
    let failed = process
        .event("connector_failed", payments::SETTLED, |_| true)
        .await;
    let reason = failed.to_string();
    let place = format!(
        "{} partition 0: the batch of records at offset 50",
        topic.name()
    );
    assert!(reason.contains(&place), "{reason}");
    let command = format!(
        "connect offsets {} set --to OFFSET --topic {} --partition 0",
        name.name(),
        topic.name()
    );
    assert!(reason.contains(&command), "{reason}");
    process.stop(Duration::from_secs(30)).await;
    // The other partition is complete, and so is this one up to the batch.
    assert!((50..=150).contains(&database.count("payments").await));

    let skip = [
        "set",
        "--to",
        "51",
        "--topic",
        topic.name(),
        "--partition",
        "0",
    ];
    let set = offsets(name.name(), &skip, &folder, &database).await;
    assert_eq!(set.code, 0, "{}", set.stderr);
    let mut process = launch.start();
    payments::rows(&database, 200).await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    assert_eq!(database.count("payments").await, 200);
    database.remove().await;
}

/// The procedure in README: the connector under another name, with its dead letter topic as its topic.
#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_read_again_by_a_copy_of_their_connector() {
    let _turn = servers::shared().await;
    let topic = Topic::create("again", 2).await;
    let letters = Topic::create("again-letters", 1).await;
    let copies = Topic::create("again-copies", 1).await;
    let repaired = Topic::create("again-repaired", 1).await;
    let name = Topic::not_created("again-connector");
    let connector = |topic: &Topic, to: &Topic, sink: &str, rest: &str| {
        let (topic, to) = (topic.name(), to.name());
        format!(
            "topics = [\"{topic}\"]\n[[sinks]]\ntype = \"kafka\"\ntopic = \"{to}\"\n{sink}\n{rest}\n[errors]\ntolerance = \"all\"\n"
        )
    };
    let folder = payments::folder();
    let errors = format!("dead_letter_topic = \"{}\"\n", letters.name());
    folder.connector(name.name(), connector(&topic, &copies, "", "") + &errors);
    produce_with_one_bad(&topic, b"this is not JSON").await;

    let mut process = Launch::run(&folder).start();
    wait_for_one(&letters).await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);

    let again = format!("{}-again", name.name());
    let when = |name: &str| {
        format!(
            "value_format = {{ format = \"string\" }}\nwhen = \"headers['__connect.errors.connector.name'] == '{name}'\""
        )
    };
    let replay = |to: &Topic, name: &str| {
        let text = "[value]\nformat = \"string\"";
        connector(&letters, to, &when(name), text) + "dead_letter = \"discard\"\n"
    };
    folder.connector(&again, replay(&repaired, name.name()));
    let mut process = Launch::run(&folder).start();
    wait_for_one(&repaired).await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    let repaired = repaired.read(Isolation::Committed).await;
    assert_eq!(repaired[0].value.as_deref(), Some(&b"this is not JSON"[..]));
}

async fn wait_for_one(topic: &Topic) {
    eventually("a message", payments::SETTLED, async || {
        (topic.read(Isolation::Committed).await.len() == 1).then_some(())
    })
    .await;
}
