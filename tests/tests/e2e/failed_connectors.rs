//! A failed connector is restarted, with its file read again, while others run unaffected.

use std::time::Duration;

use connect_tests::database::Database;
use connect_tests::folder::Folder;
use connect_tests::kafka::{Isolation, Topic};
use connect_tests::load::{Producer, produce_payments};
use connect_tests::process::{ConnectProcess, Launch};
use connect_tests::{eventually, http, servers};
use serde_json::Value;

use crate::{FAULTY, payments};

async fn state(port: u16, name: &str, expected: &str) -> Value {
    eventually(
        &format!("{name} {expected}"),
        payments::SETTLED,
        async || {
            let connector = http::connector(port, name).await?;
            (connector["state"] == expected).then_some(connector)
        },
    )
    .await
}

/// A folder with a connector that always works.
async fn with_neighbour(name: &str) -> (Folder, u16) {
    let folder = payments::folder();
    let port = http::free_port();
    folder.settings(format!("[http]\naddress = \"127.0.0.1:{port}\"\n"));
    let quiet = Topic::create("trying-again-quiet", 1).await;
    folder.connector(name, payments::connector(&quiet, "", ""));
    (folder, port)
}

fn started(process: &ConnectProcess, name: &str) -> usize {
    let events = process.events("connector_started");
    events
        .iter()
        .filter(|event| event["connector"] == name)
        .count()
}

async fn ends_with(mut process: ConnectProcess, database: Database) {
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_created_later_is_found_without_a_restart() {
    let _turn = servers::shared().await;
    let topic = Topic::create("trying-again", 2).await;
    let database = payments::database().await;
    let ledger = produce_payments(&topic, 2, 200).await;
    let (folder, port) = with_neighbour("again-neighbour").await;
    let late =
        payments::connector(&topic, "", "").replace("table = \"payments\"", "table = \"late\"");
    folder.connector("again-table", late);
    let process = Launch::run(&folder).database(database.url()).start();
    let failed = state(port, "again-table", "FAILED").await;
    assert_eq!(failed["reason"]["code"], "database", "{failed}");
    assert!(failed["reason"]["again_at"].is_string(), "{failed}");
    database
        .execute("CREATE TABLE late (LIKE payments INCLUDING DEFAULTS)")
        .await;
    eventually("every row", payments::SETTLED, async || {
        (database.count("late").await == i64::try_from(ledger.len()).ok()?).then_some(())
    })
    .await;
    state(port, "again-table", "RUNNING").await;
    assert_eq!(started(&process, "again-neighbour"), 1);
    ends_with(process, database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_tries_failed_connectors_again_with_their_files_as_they_are() {
    let _turn = servers::shared().await;
    let topic = Topic::create("hang-up", 1).await;
    let dead = Topic::create("hang-up-dlq", 1).await;
    let database = payments::database().await;
    let bad = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        producer.send(&bad, 0, "bad", b"not JSON", b"not JSON");
        producer.finish();
    })
    .await
    .unwrap();
    produce_payments(&topic, 1, 50).await;
    let (folder, port) = with_neighbour("hang-up-neighbour").await;
    folder.connector("hang-up", payments::connector(&topic, "", ""));
    let process = Launch::run(&folder)
        .with_hang_up()
        .database(database.url())
        .start();
    state(port, "hang-up", "FAILED").await;
    let mended = payments::connector(&topic, "", &payments::tolerant(&dead));
    folder.connector("hang-up", mended);
    process.signal("HUP");
    payments::rows(&database, 50).await;
    assert_eq!(dead.read(Isolation::Committed).await.len(), 1);
    state(port, "hang-up", "RUNNING").await;
    assert_eq!(started(&process, "hang-up"), 2);
    assert_eq!(started(&process, "hang-up-neighbour"), 1);
    ends_with(process, database).await;
}

/// Otherwise the whole topic would become dead letters before a person looks.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_format_stops_the_connector_before_its_topic_becomes_dead_letters() {
    const RECORDS: usize = 150;
    let _turn = servers::shared().await;
    let topic = Topic::create("wrong-format", 1).await;
    let dead = Topic::create("wrong-format-dlq", 1).await;
    let copies = Topic::create("wrong-format-copies", 1).await;
    let written = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        (0..RECORDS).for_each(|_| producer.send(&written, 0, "text", b"not JSON", b"not JSON"));
        producer.finish();
    })
    .await
    .unwrap();
    let database = payments::database().await;
    let (folder, port) = with_neighbour("wrong-format-neighbour").await;
    let connector = |formats: [&str; 2]| {
        let [value, written] = formats;
        let (topic, to, errors) = (topic.name(), copies.name(), payments::tolerant(&dead));
        format!(
            "topics = [\"{topic}\"]\n{value}[[sinks]]\ntype = \"kafka\"\ntopic = \"{to}\"\n{written}{errors}[batch]\nlinger = \"2s\"\n"
        )
    };
    folder.connector("wrong-format", connector(["", ""]));
    let process = Launch::run(&folder)
        .with_hang_up()
        .database(database.url())
        .start();
    let failed = state(port, "wrong-format", "FAILED").await.to_string();
    for part in [
        "all of the first 100 records were rejected",
        "No dead letter was sent",
        "JSON",
        "stop_after = \\\"never\\\"",
    ] {
        assert!(failed.contains(part), "{part} is missing in {failed}");
    }
    assert!(dead.read(Isolation::Committed).await.is_empty());

    let text = [
        "[value]\nformat = \"string\"\n",
        "value_format = { format = \"string\" }\n",
    ];
    folder.connector("wrong-format", connector(text));
    process.signal("HUP");
    eventually("every record", payments::SETTLED, async || {
        (copies.read(Isolation::Committed).await.len() >= RECORDS).then_some(())
    })
    .await;
    state(port, "wrong-format", "RUNNING").await;
    ends_with(process, database).await;
    assert_eq!(copies.read(Isolation::Committed).await.len(), RECORDS);
    assert!(dead.read(Isolation::Committed).await.is_empty());
}

/// The contract is of other records: a wrong setting, as above.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_whose_first_records_are_all_rejected_stops_and_logs_some_of_them() {
    const RECORDS: usize = 150;
    const LOGGED: usize = 10;
    let _turn = servers::shared().await;
    let topic = Topic::create("rejected-source", 1).await;
    let dead = Topic::create("rejected-source-dlq", 1).await;
    // Random: a source goes on where one of its name was.
    let name = topic.name().to_owned();
    let database = payments::database().await;
    let (folder, port) = with_neighbour("rejected-neighbour").await;
    let connector = |errors: String| {
        format!(
            "topic = \"{}\"\n[value]\nschema = \"../schemas/payment.json\"\n\
             [source]\ntype = \"faulty\"\ncount = {RECORDS}\n{errors}",
            topic.name()
        )
    };
    folder.connector(&name, connector(payments::tolerant(&dead)));
    let mut process = Launch::run(&folder)
        .program(FAULTY)
        .with_hang_up()
        .database(database.url())
        .start();
    let failed = state(port, &name, "FAILED").await.to_string();
    for part in [
        "all of the first 100 records were rejected",
        "No dead letter was sent",
        "at $.id found nothing",
        "stop_after = \\\"never\\\"",
    ] {
        assert!(failed.contains(part), "{part} is missing in {failed}");
    }
    let of_source = |event: &serde_json::Value| event["connector"] == name.as_str();
    let logged = |process: &ConnectProcess| {
        let rejected = process.events("record_rejected");
        rejected.into_iter().filter(of_source).count()
    };
    assert_eq!(logged(&process), LOGGED);
    assert!(dead.read(Isolation::Committed).await.is_empty());

    folder.connector(&name, connector(payments::tolerant_of_all(&dead)));
    process.signal("HUP");
    eventually("every dead letter", payments::SETTLED, async || {
        (dead.read(Isolation::Committed).await.len() >= RECORDS).then_some(())
    })
    .await;
    state(port, &name, "RUNNING").await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    assert_eq!(logged(&process), 2 * LOGGED);
    let left_out: Vec<u64> = process
        .events("rejections_left_out")
        .iter()
        .filter_map(|event| event["left_out"].as_u64())
        .collect();
    assert_eq!(
        left_out,
        [100 - 1 - LOGGED as u64, (RECORDS - LOGGED) as u64]
    );
    assert!(topic.read(Isolation::Committed).await.is_empty());
    database.remove().await;
}

/// Its meters and its status are of the old sink: the promise of another type would be wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_sink_of_another_type_under_the_same_name_is_not_taken() {
    let _turn = servers::shared().await;
    let topic = Topic::create("another-type", 1).await;
    let database = payments::database().await;
    let (folder, port) = with_neighbour("another-neighbour").await;
    let named = |name: &str| {
        payments::connector(&topic, "", "")
            .replace("type = \"postgres\"", "name = \"out\"\ntype = \"postgres\"")
            .replace("table = \"payments\"", &format!("table = \"{name}\""))
    };
    folder.connector("another-type", named("late"));
    let mut process = Launch::run(&folder)
        .with_hang_up()
        .database(database.url())
        .start();
    state(port, "another-type", "FAILED").await;
    let stdout = format!(
        "topics = [\"{}\"]\n[[sinks]]\nname = \"out\"\ntype = \"stdout\"\n",
        topic.name()
    );
    folder.connector("another-type", stdout);
    process.signal("HUP");
    process
        .event("connector_not_reloaded", payments::SETTLED, |event| {
            event["connector"] == "another-type"
        })
        .await;
    let failed = state(port, "another-type", "FAILED").await;
    assert!(failed.to_string().contains("postgres"), "{failed}");
    folder.connector("another-type", named("payments"));
    process.signal("HUP");
    state(port, "another-type", "RUNNING").await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_waited_for_and_its_file_read_again() {
    let _turn = servers::shared().await;
    let topic = Topic::create("password", 1).await;
    let database = payments::database().await;
    let ledger = produce_payments(&topic, 1, 50).await;
    let (url, _) = database.role("password", "right-password").await;
    let folder = payments::folder();
    let port = http::free_port();
    folder.settings(format!("[http]\naddress = \"127.0.0.1:{port}\"\n"));
    folder.file(
        "secret/url",
        url.replace("right-password", "wrong-password"),
    );
    let secret = folder.path().join("secret/url");
    let placeholder = format!("${{file:{}}}", secret.display());
    let connector =
        payments::connector(&topic, "", "").replace("${env:DATABASE_URL}", &placeholder);
    folder.connector("password", connector);
    let process = Launch::run(&folder).start();
    let waiting = state(port, "password", "WAITING").await;
    assert_eq!(waiting["reason"]["code"], "credentials", "{waiting}");
    assert_eq!(http::get(port, "/readyz").await, "ok\n");
    folder.file("secret/url", url);
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    state(port, "password", "RUNNING").await;
    let recovered = process.events("recovered");
    assert_eq!(recovered.len(), 1, "{recovered:?}");
    assert_eq!(recovered[0]["code"], "credentials");
    ends_with(process, database).await;
}

/// A client of Kafka keeps its password: connectors of both directions are started again once `connect.toml` has another.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_of_kafka_is_waited_for_and_its_file_read_again() {
    const RECORDS: usize = 2;
    let _turn = servers::shared().await;
    let topic = Topic::create("kafka-password", 1).await;
    let copies = Topic::create("kafka-password-copies", 1).await;
    let folder = payments::folder();
    let port = http::free_port();
    folder.file("secret/kafka", "wrong");
    folder.settings(format!(
        "[kafka]\n\"bootstrap.servers\" = \"{}\"\n\"security.protocol\" = \"SASL_SSL\"\n\
         \"ssl.ca.location\" = \"{}/ca.crt\"\n\"sasl.mechanisms\" = \"PLAIN\"\n\"sasl.username\" = \"alice\"\n\
         \"sasl.password\" = \"${{file:{}}}\"\n[http]\naddress = \"127.0.0.1:{port}\"\n",
        servers::kafka_sasl_ssl(),
        servers::certificates(),
        folder.path().join("secret/kafka").display(),
    ));
    let sink = format!(
        "topics = [\"{}\"]\n[[sinks]]\ntype = \"kafka\"\ntopic = \"{}\"\n",
        topic.name(),
        copies.name()
    );
    let source = format!(
        "topic = \"{}\"\nkey = \"$.id\"\n[source]\ntype = \"random_user\"\nevery = \"1s\"\n\
         url = \"http://127.0.0.1:9/\"\noffline = \"generate\"\n",
        topic.name()
    );
    let names = [copies.name(), topic.name()];
    folder.connector(names[0], sink);
    folder.connector(names[1], source);
    let mut process = Launch::run(&folder).start();
    for name in names {
        let waiting = state(port, name, "WAITING").await;
        assert_eq!(waiting["reason"]["code"], "credentials", "{waiting}");
    }
    assert!(process.events("access_renewed").is_empty());
    folder.file("secret/kafka", "alice-secret");
    eventually("records", payments::SETTLED, async || {
        (copies.read(Isolation::Committed).await.len() >= RECORDS).then_some(())
    })
    .await;
    for name in names {
        state(port, name, "RUNNING").await;
        let recovered = process.events("recovered");
        let ours = |event: &&Value| event["connector"] == name && event["code"] == "credentials";
        assert_eq!(recovered.iter().filter(ours).count(), 1, "{recovered:?}");
    }
    assert_eq!(process.events("access_renewed").len(), 1);
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_of_its_terminal_drains() {
    let _turn = servers::shared().await;
    let topic = Topic::create("terminal", 1).await;
    let database = payments::database().await;
    let ledger = produce_payments(&topic, 1, 50).await;
    let folder = payments::folder();
    folder.connector("terminal", payments::connector(&topic, "", ""));
    let mut process = Launch::run(&folder)
        .with_hang_up()
        .on_terminal()
        .database(database.url())
        .start();
    payments::rows(&database, 50).await;
    process.signal("HUP");
    assert_eq!(process.exit_code(Duration::from_secs(30)).await, 0);
    assert_eq!(process.events("stopped").len(), 1);
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    database.remove().await;
}
