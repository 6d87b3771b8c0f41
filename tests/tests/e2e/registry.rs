//! Contracts in a schema registry: JSON Schema and Avro, and unregistered schema ids.

use std::time::Duration;

use connect_tests::checker::{Digest, Evidence, Ledger, Verdict};
use connect_tests::folder::Folder;
use connect_tests::kafka::{Isolation, Topic};
use connect_tests::load::{Payment, Payments, Producer};
use connect_tests::process::Launch;
use connect_tests::registry::{framed, register};
use connect_tests::{eventually, http, servers};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::payments;

/// An id that no test registry assigns.
const UNKNOWN: u32 = 2_000_000_000;

fn avro_schema() -> Value {
    json!({
        "type": "record",
        "name": "Payment",
        "fields": [
            { "name": "id", "type": "string" },
            { "name": "sequence", "type": "long" },
            { "name": "account", "type": "string" },
            {
                "name": "amount",
                "type": { "type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2 }
            },
            { "name": "note", "type": ["null", "string"] }
        ]
    })
}

/// A zigzag varint.
fn long(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

fn bytes(content: &[u8]) -> Vec<u8> {
    [
        long(i64::try_from(content.len()).unwrap()),
        content.to_vec(),
    ]
    .concat()
}

fn avro(payment: &Payment) -> Vec<u8> {
    [
        bytes(payment.id.as_bytes()),
        long(i64::try_from(payment.sequence).unwrap()),
        bytes(payment.account.as_bytes()),
        bytes(&payment.cents.to_be_bytes()),
        long(1),
        bytes(payment.note.as_bytes()),
    ]
    .concat()
}

fn json_bytes(payment: &Payment) -> Vec<u8> {
    payment.json().into_bytes()
}

/// A thousand payments, number 500 with an unknown schema id.
async fn produce(topic: &Topic, id: u32, encode: fn(&Payment) -> Vec<u8>) -> Ledger {
    let topic = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for payment in Payments::seeded(5).take(1_000) {
            let partition = i32::try_from(payment.sequence % 2).unwrap();
            if payment.sequence == 500 {
                let value = framed(UNKNOWN, &encode(&payment));
                producer.send(&topic, partition, &payment.id, &value, &value);
            } else {
                let value = framed(id, &encode(&payment));
                producer.send(
                    &topic,
                    partition,
                    &payment.id,
                    &value,
                    payment.content().as_bytes(),
                );
            }
        }
        producer.finish()
    })
    .await
    .unwrap()
}

fn registry_folder(topic: &Topic, dead: &Topic, format: &str) -> Folder {
    let folder = payments::folder();
    folder.settings(format!("[registry]\nurl = \"{}\"\n", servers::registry()));
    let text = payments::connector(topic, "", &payments::tolerant(dead)).replace(
        "format = \"json\"\nschema = \"../schemas/payment.json\"",
        &format!("format = \"{format}\"\nregistry = {{}}"),
    );
    folder.connector(&format!("registry-{format}"), text);
    folder
}

async fn from_the_registry(
    format: &str,
    kind: &str,
    schema: &Value,
    encode: fn(&Payment) -> Vec<u8>,
) {
    let _turn = servers::shared().await;
    let topic = Topic::create(&format!("registry-{format}"), 2).await;
    let dead = Topic::create(&format!("registry-{format}-dlq"), 1).await;
    let database = payments::database().await;
    let id = register(&format!("{}-value", topic.name()), kind, schema).await;
    let ledger = produce(&topic, id, encode).await;
    let folder = registry_folder(&topic, &dead, format);
    let mut process = Launch::run(&folder).database(database.url()).start();
    eventually("a dead letter", Duration::from_secs(40), async || {
        (!dead.read(Isolation::Committed).await.is_empty()).then_some(())
    })
    .await;
    payments::verdict(&ledger, &database, Some(&dead))
        .await
        .assert_clean();
    let letters = dead.read(Isolation::Committed).await;
    assert_eq!(letters.len(), 1);
    let message = letters[0]
        .header("__connect.errors.exception.message")
        .unwrap();
    assert!(message.contains(&UNKNOWN.to_string()), "{message}");
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_schema_of_the_registry_and_an_unknown_id() {
    let schema = serde_json::from_str(Payments::schema()).unwrap();
    from_the_registry("json", "JSON", &schema, json_bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn avro_of_the_registry_and_an_unknown_id() {
    from_the_registry("avro", "AVRO", &avro_schema(), avro).await;
}

/// The producer chooses the schema id, and may choose a registered schema that cannot be used here.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_schema_does_not_compile_is_its_own_fault() {
    let _turn = servers::shared().await;
    let schema: Value = serde_json::from_str(Payments::schema()).unwrap();
    // A quotation that only the registry's own regular expressions support.
    let quoted = json!({ "type": "object", "properties": { "id": { "pattern": "\\Qb\\E" } } });
    let foreign = Topic::not_created("registry-foreign");
    let unusable = register(&format!("{}-value", foreign.name()), "JSON", &quoted).await;
    for tolerance in ["all", "none"] {
        let topic = Topic::create(&format!("registry-uncompiled-{tolerance}"), 1).await;
        let dead = Topic::create("registry-uncompiled-dlq", 1).await;
        let database = payments::database().await;
        let id = register(&format!("{}-value", topic.name()), "JSON", &schema).await;
        let written = topic.clone();
        tokio::task::spawn_blocking(move || {
            let producer = Producer::new();
            for payment in Payments::seeded(5).take(20) {
                let id = if payment.sequence == 7 { unusable } else { id };
                let value = framed(id, payment.json().as_bytes());
                producer.send(&written, 0, &payment.id, &value, &value);
            }
            producer.finish()
        })
        .await
        .unwrap();
        let folder = registry_folder(&topic, &dead, "json");
        if tolerance == "none" {
            let text = std::fs::read_to_string(folder.connectors().join("registry-json.toml"));
            let (intolerant, _) = text.as_deref().unwrap().split_once("[errors]").unwrap();
            folder.connector("registry-json", intolerant);
        }
        let mut process = Launch::run(&folder).database(database.url()).start();
        let named = format!("schema id {unusable}");
        if tolerance == "none" {
            assert_eq!(process.exit_code(Duration::from_secs(60)).await, 1);
            assert_eq!(database.count("payments").await, 7);
            let log = process.stderr();
            for part in ["offset 7", &named, "does not compile"] {
                assert!(log.contains(part), "{part} is missing in\n{log}");
            }
        } else {
            payments::rows(&database, 19).await;
            assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
            let letters = dead.read(Isolation::Committed).await;
            assert_eq!(letters.len(), 1);
            let header = |name: &str| letters[0].header(&format!("__connect.errors.{name}"));
            assert!(header("class.name").unwrap().contains(&named));
            let message = header("exception.message").unwrap();
            assert!(message.contains("regular expression"), "{message}");
        }
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_waits_for_a_registry_that_is_down_and_rejects_no_record() {
    let _turn = servers::alone().await;
    let topic = Topic::create("registry-down", 2).await;
    let dead = Topic::create("registry-down-dlq", 1).await;
    let database = payments::database().await;
    let folder = registry_folder(&topic, &dead, "json");
    servers::operate("stop", "registry").await;
    // A registry in memory forgets: the first schema registered after its restart gets id 1 again.
    let ledger = produce_known(&topic, 1).await;
    let mut process = Launch::run(&folder).database(database.url()).start();
    eventually(
        "the event names the dependency",
        Duration::from_secs(40),
        async || process.stderr().contains("registry").then_some(()),
    )
    .await;
    servers::operate("start", "registry").await;
    let schema = serde_json::from_str(Payments::schema()).unwrap();
    let id = register(&format!("{}-value", topic.name()), "JSON", &schema).await;
    assert_eq!(id, 1);
    payments::verdict(&ledger, &database, Some(&dead))
        .await
        .assert_clean();
    assert!(
        payments::dead_letters(&dead).await.is_empty(),
        "an outage is no record's fault"
    );
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

async fn produce_known(topic: &Topic, id: u32) -> Ledger {
    let topic = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for payment in Payments::seeded(5).take(200) {
            let value = framed(id, payment.json().as_bytes());
            producer.send(&topic, 0, &payment.id, &value, payment.content().as_bytes());
        }
        producer.finish()
    })
    .await
    .unwrap()
}

/// Verifies the encoder above, which the checker relies on.
#[test]
fn avro_numbers_are_zigzag_varints() {
    for (number, expected) in [
        (0, vec![0]),
        (-1, vec![1]),
        (1, vec![2]),
        (64, vec![0x80, 1]),
    ] {
        assert_eq!(long(number), expected);
    }
    let nothing = Verdict::reconcile(&Ledger::default(), &Evidence::default());
    assert!(nothing.is_clean() && Digest::of("a") != Digest::of("b"));
}

/// Answers the user `user` with the password `right`, and refuses everybody else. Has one schema, which takes any JSON.
async fn registry_with_password() -> String {
    const TOKEN: &str = "dXNlcjpyaWdodA==";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                if !matches!(client.read_buf(&mut request).await, Ok(1..)) {
                    break;
                }
            }
            let is_known = String::from_utf8_lossy(&request).contains(TOKEN);
            let (status, body) = if is_known {
                ("200 OK", r#"{"schemaType":"JSON","schema":"{}"}"#)
            } else {
                ("401 Unauthorized", "{}")
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            // A client that is gone needs no answer.
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_of_the_registry_is_waited_for_and_its_file_read_again() {
    let _turn = servers::shared().await;
    let topic = Topic::create("registry-password", 1).await;
    let name = topic.name().to_owned();
    let written = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        producer.send(
            &written,
            0,
            "id",
            &framed(1, br#"{"greeting":"hello"}"#),
            b"hello",
        );
        producer.finish();
    })
    .await
    .unwrap();
    let (folder, port) = (payments::folder(), http::free_port());
    folder.file("secret/registry", "wrong");
    folder.settings(format!(
        "[registry]\nurl = \"{}\"\nusername = \"user\"\npassword = \"${{file:{}}}\"\n[http]\naddress = \"127.0.0.1:{port}\"\n",
        registry_with_password().await,
        folder.path().join("secret/registry").display(),
    ));
    folder.connector(
        &name,
        format!("topics = [\"{name}\"]\n[value]\nformat = \"json\"\nregistry = {{}}\n[[sinks]]\ntype = \"stdout\"\n"),
    );
    let mut process = Launch::run(&folder).start();
    eventually("the connector waits", payments::SETTLED, async || {
        let reason = &http::connector(port, &name).await?["reason"];
        (reason["code"] == "credentials").then_some(())
    })
    .await;
    folder.file("secret/registry", "right");
    eventually("the record is printed", payments::SETTLED, async || {
        process.stdout().contains("hello").then_some(())
    })
    .await;
    process
        .event("recovered", payments::SETTLED, |event| {
            event["code"] == "credentials"
        })
        .await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
}
