//! No secret occurs in a log, an error, a metric, an HTTP response or a dead letter (P9), at the most verbose log
//! level.

use std::time::Duration;

use connect_tests::kafka::{Isolation, Topic};
use connect_tests::load::{Payments, Producer, produce_payments};
use connect_tests::process::{Launch, connect};
use connect_tests::{eventually, http, servers};

use crate::payments;

/// The password of the test broker's user, as `dev/servers` sets it.
const KAFKA_PASSWORD: &str = "alice-secret";

#[tokio::test(flavor = "multi_thread")]
async fn no_canary_is_ever_seen() {
    let _turn = servers::shared().await;
    let random = uuid::Uuid::new_v4().simple().to_string();
    let password = format!("canary-{}", &random[..16]);
    let wrong = format!("canary-{}", &random[16..]);
    let setting = "canary-in-a-setting";
    let topic = Topic::create("canary", 2).await;
    let dead = Topic::create("canary-dlq", 1).await;
    let database = payments::database().await;
    let (url, _) = database.role("canary", &password).await;
    let wrong_url = url.replace(&password, &wrong);
    let ledger = produce_payments(&topic, 2, 500).await;
    let bad = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for payment in Payments::seeded(1).take(3) {
            let id = format!("bad-{}", payment.sequence);
            producer.send(&bad, 0, &id, b"not JSON", b"not JSON");
        }
        producer.finish();
    })
    .await
    .unwrap();

    let port = http::free_port();
    let folder = payments::folder();
    let certificates = servers::certificates();
    folder.settings(format!(
        r#"[http]
address = "127.0.0.1:{port}"

[registry]
url = "{}"
username = "somebody"
password = "${{env:CANARY_SETTING}}"

[kafka]
"bootstrap.servers" = "{}"
"security.protocol" = "SASL_SSL"
"sasl.mechanism" = "SCRAM-SHA-256"
"sasl.username" = "alice"
"sasl.password" = "${{env:CANARY_KAFKA}}"
"ssl.ca.location" = "{certificates}/ca.crt"
"debug" = "all"
"#,
        servers::registry(),
        servers::kafka_sasl_ssl(),
    ));
    folder.connector(
        "canary",
        payments::connector(&topic, "", &payments::tolerant(&dead)),
    );
    folder.connector(
        "canary-wrong",
        payments::connector(&topic, "", &payments::tolerant(&dead))
            .replace("DATABASE_URL", "WRONG_URL"),
    );
    // Every record is rejected by a condition that contains a secret.
    let when =
        "[[sinks]]\ntype = \"postgres\"\nwhen = \"value.api_key == '${env:CANARY_SETTING}'\"";
    folder.connector(
        "canary-condition",
        payments::connector(&topic, "", &payments::tolerant_of_all(&dead))
            .replace("[[sinks]]\ntype = \"postgres\"", when),
    );
    let variables = [
        ("CANARY_SETTING", setting.to_owned()),
        ("CANARY_KAFKA", KAFKA_PASSWORD.to_owned()),
        ("DATABASE_URL", url),
        ("WRONG_URL", wrong_url),
    ];
    let mut launch = Launch::run(&folder).variable("RUST_LOG", "trace");
    for (name, value) in &variables {
        launch = launch.variable(name, value);
    }
    let mut process = launch.start();
    payments::rows(&database, i64::try_from(ledger.len()).unwrap()).await;
    eventually("dead letters", payments::SETTLED, async || {
        (dead.read(Isolation::Committed).await.len() >= 3 + ledger.len()).then_some(())
    })
    .await;
    let mut said = Vec::new();
    for path in [
        "/connectors",
        "/metrics",
        "/readyz",
        "/livez",
        "/no-such-page",
    ] {
        said.push((format!("GET {path}"), http::get(port, path).await));
    }
    process.stop(Duration::from_secs(60)).await;
    said.push(("stdout".into(), process.stdout()));
    said.push(("stderr".into(), process.stderr()));
    for letter in dead.read(Isolation::Committed).await {
        said.push(("a dead letter".into(), format!("{letter:?}")));
        let headers = letter
            .headers
            .iter()
            .map(|(name, value)| (name, String::from_utf8_lossy(value)));
        said.push((
            "a dead letter's headers".into(),
            format!("{:?}", headers.collect::<Vec<_>>()),
        ));
    }
    let borrowed: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    // A broken file, printed with its lines.
    folder.connector(
        "canary-broken",
        payments::connector(&topic, "taks = 2", "").replace("${env:DATABASE_URL}", &variables[2].1),
    );
    for arguments in [
        &["check", "--env"][..],
        &["check", "--env", "--format", "json"],
        &["run"],
    ] {
        let finished = connect(arguments, &borrowed, &folder.connectors()).await;
        said.push((format!("{arguments:?}"), finished.stdout + &finished.stderr));
    }
    let log = process.stderr();
    assert!(log.contains("\"TRACE\""), "the Kafka client logged nothing");
    for (place, text) in &said {
        for canary in [password.as_str(), &wrong, setting, KAFKA_PASSWORD] {
            if let Some(at) = text.find(canary) {
                let line = text[..at].lines().count();
                panic!(
                    "a secret is in {place}, line {line}: …{}",
                    &text[at.saturating_sub(200)..at]
                );
            }
        }
    }
    database.remove().await;
}
