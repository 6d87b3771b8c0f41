//! Logs, HTTP responses and headers of dead letters describe a value by its path, type and length, and contain no
//! content of a record unless `[errors] show_values` is set.

use std::time::Duration;

use connect_tests::database::Database;
use connect_tests::folder::Folder;
use connect_tests::kafka::{Isolation, Topic};
use connect_tests::load::Producer;
use connect_tests::process::{ConnectProcess, Launch};
use connect_tests::{eventually, http, servers};

use crate::payments;

/// A part of each bad value, in text and numbers alike.
const CANARY: &str = "4111222233";

/// One record for each origin of a rejection message, each with the canary in the faulty value.
const BAD: [(&str, &str); 10] = [
    ("not JSON", "4111222233-is-no-json"),
    ("text", "card 4111222233"),
    (
        "contract, text",
        r#"{"id":"b","sequence":"4111222233","account":"a","amount":1,"note":"n"}"#,
    ),
    (
        "contract, number",
        r#"{"id":"b","sequence":-4111222233,"account":"a","amount":1,"note":"n"}"#,
    ),
    (
        "contract, member",
        r#"{"id":"b","sequence":1,"account":"a","amount":1,"note":"n","more":"4111222233"}"#,
    ),
    (
        "cast",
        r#"{"id":"b","sequence":1,"account":"x4111222233","amount":1,"note":"cast"}"#,
    ),
    (
        "number for a column",
        r#"{"id":"b","sequence":1,"account":"1","amount":411122223300,"note":"n"}"#,
    ),
    (
        "text for a column",
        r#"{"id":"4111222233\u0000","sequence":1,"account":"1","amount":1,"note":"n"}"#,
    ),
    (
        "trigger",
        r#"{"id":"b","sequence":1,"account":"1","amount":1,"note":"raise 4111222233"}"#,
    ),
    (
        "check",
        r#"{"id":"b","sequence":1,"account":"1","amount":1,"note":"check 4111222233"}"#,
    ),
];

/// A table that rejects rows with its author's message, and by a constraint whose DETAIL repeats the row.
async fn database() -> Database {
    let database = payments::database().await;
    database
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF NEW.note LIKE 'raise%' THEN RAISE EXCEPTION 'the note % is not allowed', NEW.note; END IF;
                 RETURN NEW;
             END $$",
        )
        .await;
    database
        .execute("CREATE TRIGGER refuse BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION refuse()")
        .await;
    database
        .execute("ALTER TABLE payments ADD CONSTRAINT no_check CHECK (note NOT LIKE 'check%')")
        .await;
    database
}

async fn produce(topic: &Topic, records: &'static [(&'static str, &'static str)]) {
    let topic = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for (_, value) in records {
            producer.send(
                &topic,
                0,
                &format!("key-{CANARY}"),
                value.as_bytes(),
                value.as_bytes(),
            );
        }
        producer.finish();
    })
    .await
    .unwrap();
}

fn folder(topic: &Topic, name: &str, errors: &str, port: u16) -> Folder {
    let folder = payments::folder();
    folder.settings(format!("[http]\naddress = \"127.0.0.1:{port}\"\n"));
    let cast = "[[transforms]]\ntype = \"cast\"\nfields = { account = \"int\" }\n\n[[sinks]]\ntype";
    let connector = payments::connector(topic, "", errors)
        .replace("[[sinks]]\ntype", cast)
        .replace("account = \"$.account\"\n", "");
    folder.connector(name, connector);
    folder
}

/// Everything that the process said, except the records that it prints on purpose.
async fn said(process: &ConnectProcess, port: u16) -> String {
    let answers = [
        http::get(port, "/connectors").await,
        http::get(port, "/metrics").await,
    ];
    format!(
        "{}{}{}",
        answers.concat(),
        process.stdout(),
        process.stderr()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_records_are_shown_only_where_the_file_asks_for_it() {
    let _turn = servers::shared().await;
    for shows_values in [false, true] {
        let topic = Topic::create("values", 1).await;
        let dead = Topic::create("values-dlq", 1).await;
        let database = database().await;
        produce(&topic, &BAD).await;
        let port = http::free_port();
        let errors = format!(
            "{}show_values = {shows_values}\n",
            payments::tolerant(&dead)
        );
        let folder = folder(&topic, &format!("values-{shows_values}"), &errors, port);
        let mut process = Launch::run(&folder)
            .database(database.url())
            .variable("RUST_LOG", "debug")
            .start();
        let letters = eventually("dead letters", payments::SETTLED, async || {
            let letters = dead.read(Isolation::Committed).await;
            (letters.len() >= BAD.len()).then_some(letters)
        })
        .await;
        let said = said(&process, port).await;
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
        assert_eq!(letters.len(), BAD.len());
        for letter in &letters {
            let at: usize = letter
                .header("__connect.errors.offset")
                .unwrap()
                .parse()
                .unwrap();
            let headers = format!(
                "{:?} {:?}",
                letter.header("__connect.errors.exception.message"),
                letter.header("__connect.errors.exception.stacktrace")
            );
            let (name, value) = BAD[at];
            assert_eq!(
                headers.contains(CANARY),
                shows_values && name != "check",
                "{name}: {headers}"
            );
            assert_eq!(letter.value.as_deref(), Some(value.as_bytes()), "{name}");
        }
        assert_eq!(said.contains(CANARY), shows_values, "{said}");
        database.remove().await;
    }
}

/// The reason of a stopped connector stays on the screen and in `/connectors`.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_stops_at_a_bad_record_shows_no_value_of_it() {
    let _turn = servers::shared().await;
    let stopping: [&'static [(&str, &str)]; 3] = [&BAD[2..3], &BAD[6..7], &BAD[8..9]];
    for (number, records) in stopping.into_iter().enumerate() {
        let topic = Topic::create("values-stop", 1).await;
        let database = database().await;
        produce(&topic, records).await;
        let port = http::free_port();
        let name = format!("values-stop-{number}");
        let folder = folder(&topic, &name, "", port);
        // The process runs as long as one connector does.
        let empty = Topic::create("values-idle", 1).await;
        let idle = format!("values-idle-{number}");
        folder.connector(&idle, payments::connector(&empty, "", ""));
        let mut process = Launch::run(&folder).database(database.url()).start();
        eventually("a failed connector", payments::SETTLED, async || {
            let connector = http::connector(port, &name).await?;
            (connector["state"] == "FAILED").then_some(())
        })
        .await;
        let said = said(&process, port).await;
        process.stop(Duration::from_secs(30)).await;
        let all = said + &process.stdout() + &process.stderr();
        assert!(!all.contains(CANARY), "{}: {all}", records[0].0);
        assert!(all.contains("offset 0"), "{all}");
        database.remove().await;
    }
}
