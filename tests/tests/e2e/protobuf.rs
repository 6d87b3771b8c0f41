//! Protobuf from a schema registry to PostgreSQL, and from the Kafka sink to a topic and back.

use std::time::Duration;

use connect_tests::checker::Ledger;
use connect_tests::folder::Folder;
use connect_tests::kafka::{Isolation, Topic};
use connect_tests::load::{Payment, Payments, Producer, produce_payments};
use connect_tests::process::Launch;
use connect_tests::registry::{framed, register_text};
use connect_tests::{eventually, servers};

use crate::payments;

const DECIMAL: &str = r#"syntax = "proto3";
package confluent.type;
message Decimal {
  bytes value = 1;
  uint32 precision = 2;
  int32 scale = 3;
}
"#;

/// The payment is the first message inside the second one.
const NESTED: &str = r#"syntax = "proto3";
package shop;
import "confluent/type/decimal.proto";
message Refund {
  string id = 1;
}
message Batch {
  message Payment {
    string id = 1;
    uint64 sequence = 2;
    string account = 3;
    .confluent.type.Decimal amount = 4;
    optional string note = 5;
  }
  repeated Payment payments = 1;
}
"#;

/// The message indexes 1 and 0 after their count, as zigzag varints.
const NESTED_INDEXES: [u8; 3] = [4, 2, 0];

/// Registers the schema whose decimal comes from another subject.
async fn register(topic: &Topic, schema: &str) -> u32 {
    let decimal = format!("{}-decimal", topic.name());
    register_text(&decimal, "PROTOBUF", DECIMAL, &[]).await;
    let references = [("confluent/type/decimal.proto", decimal.as_str())];
    let subject = format!("{}-value", topic.name());
    register_text(&subject, "PROTOBUF", schema, &references).await
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

fn sized(field: u8, content: &[u8]) -> Vec<u8> {
    let length = varint(u64::try_from(content.len()).unwrap());
    [vec![field << 3 | 2], length, content.to_vec()].concat()
}

fn number(field: u8, number: u64) -> Vec<u8> {
    [vec![field << 3], varint(number)].concat()
}

fn message(payment: &Payment) -> Vec<u8> {
    let amount = [sized(1, &payment.cents.to_be_bytes()), number(3, 2)].concat();
    [
        sized(1, payment.id.as_bytes()),
        number(2, payment.sequence),
        sized(3, payment.account.as_bytes()),
        sized(4, &amount),
        sized(5, payment.note.as_bytes()),
    ]
    .concat()
}

/// A thousand payments; number 500 has an id that is not UTF-8, and number 501 has invalid message indexes.
async fn produce(topic: &Topic, id: u32) -> Ledger {
    let topic = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for payment in Payments::seeded(5).take(1_000) {
            let partition = i32::try_from(payment.sequence % 2).unwrap();
            let of = |indexes: &[u8], message: &[u8]| framed(id, &[indexes, message].concat());
            let bad = match payment.sequence {
                500 => Some(of(&NESTED_INDEXES, &sized(1, &[0xff]))),
                501 => Some(of(&[4, 2, 2], &message(&payment))),
                _ => None,
            };
            let content = match &bad {
                Some(bytes) => bytes.clone(),
                None => payment.content().into_bytes(),
            };
            let value = bad.unwrap_or_else(|| of(&NESTED_INDEXES, &message(&payment)));
            producer.send(&topic, partition, &payment.id, &value, &content);
        }
        producer.finish()
    })
    .await
    .unwrap()
}

/// A folder with a connector from the topic's Protobuf to the table.
fn reading(topic: &Topic, more: &str) -> Folder {
    let folder = payments::folder();
    folder.settings(format!("[registry]\nurl = \"{}\"\n", servers::registry()));
    let text = payments::connector(topic, "", more).replace(
        "format = \"json\"\nschema = \"../schemas/payment.json\"",
        "format = \"protobuf\"\nregistry = {}",
    );
    folder.connector("protobuf-reader", text);
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_with_a_reference_and_a_nested_message_and_two_bad_records() {
    let _turn = servers::shared().await;
    let topic = Topic::create("protobuf", 2).await;
    let dead = Topic::create("protobuf-dlq", 1).await;
    let database = payments::database().await;
    let id = register(&topic, NESTED).await;
    let ledger = produce(&topic, id).await;
    let folder = reading(&topic, &payments::tolerant(&dead));
    let mut process = Launch::run(&folder).database(database.url()).start();
    let letters = eventually("two dead letters", Duration::from_secs(40), async || {
        let letters = dead.read(Isolation::Committed).await;
        (letters.len() >= 2).then_some(letters)
    })
    .await;
    payments::verdict(&ledger, &database, Some(&dead))
        .await
        .assert_clean();
    let mut reasons: Vec<String> = letters
        .iter()
        .map(|letter| letter.header("__connect.errors.exception.message").unwrap())
        .collect();
    reasons.sort();
    for (reason, part) in reasons.iter().zip([
        "its message index 1 is not one of the 1 messages in shop.Batch",
        "text that is not UTF-8 at $.id",
    ]) {
        assert!(reason.contains(part), "{reasons:?}");
    }
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

const ROWS: &str = "SELECT string_agg(concat_ws('|', id, sequence, account, amount, note), E'\n' ORDER BY sequence)
    FROM payments";

/// The reader makes rows of what the sink writes; the schema is the subject's, or registered from a file.
#[tokio::test(flavor = "multi_thread")]
async fn the_kafka_sink_writes_protobuf_that_is_read_back() {
    let _turn = servers::shared().await;
    let with_decimal = r#"syntax = "proto3";
package shop;
import "confluent/type/decimal.proto";
message Payment {
  string id = 1; uint64 sequence = 2; string account = 3; .confluent.type.Decimal amount = 4; optional string note = 5;
}
"#;
    let with_double = r#"syntax = "proto3";
package shop;
message Payment { string id = 1; uint64 sequence = 2; string account = 3; double amount = 4; optional string note = 5; }
"#;
    for (word, value_format) in [
        ("latest", "{ format = \"protobuf\", registry = {} }"),
        (
            "file",
            "{ format = \"protobuf\", write_schema = \"../schemas/payment.proto\", registry = { auto_register = true } }",
        ),
    ] {
        let topic = Topic::create(&format!("protobuf-{word}"), 2).await;
        let copy = Topic::create(&format!("protobuf-{word}-copy"), 2).await;
        let database = payments::database().await;
        if word == "latest" {
            register(&copy, with_decimal).await;
        }
        let ledger = produce_payments(&topic, 2, 1_000).await;
        let folder = reading(&copy, "");
        folder.file("schemas/payment.proto", with_double);
        folder.connector(
            "protobuf-writer",
            format!(
                "topics = [\"{}\"]\n[value]\nformat = \"json\"\n[[sinks]]\ntype = \"kafka\"\ntopic = \"{}\"\nvalue_format = {value_format}\n",
                topic.name(),
                copy.name()
            ),
        );
        let mut process = Launch::run(&folder).database(database.url()).start();
        payments::rows(&database, 1_000).await;
        assert_eq!(database.count("payments").await, 1_000);
        let read = database.text(ROWS).await;
        let sent: Vec<String> = Payments::seeded(7)
            .take(ledger.len())
            .map(|payment| format!("{}|{}", payment.id, payment.content()))
            .collect();
        assert_eq!(read, sent.join("\n"));
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
        database.remove().await;
    }
}
