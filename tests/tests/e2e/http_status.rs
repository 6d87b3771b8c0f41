//! HTTP under load: counts that add up at every look (P8), and ownership of a source.

use std::time::Duration;

use connect_tests::kafka::{Isolation, Topic};
use connect_tests::load::{SteadyLoad, produce_payments, produce_payments_of};
use connect_tests::process::Launch;
use connect_tests::proxy::Proxy;
use connect_tests::{eventually, http, servers};
use serde_json::Value;

use crate::{payments, shipped};

pub(crate) fn count(records: &Value, name: &str) -> u64 {
    records[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} is missing in {records}"))
}

pub(crate) fn assert_adds_up(connector: &Value) {
    let records = &connector["records"];
    let ends = [
        "delivered",
        "dead_lettered",
        "filtered",
        "given_back",
        "in_flight",
    ];
    let sum: u64 = ends.iter().map(|name| count(records, name)).sum();
    assert_eq!(count(records, "consumed"), sum, "{records}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counts_of_a_loaded_connector_add_up_at_every_look() {
    let _turn = servers::shared().await;
    let topic = Topic::create("observed", 4).await;
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("observed", payments::connector(&topic, "tasks = 2", ""));
    let port = http::free_port();
    let load = SteadyLoad::start(&topic, 4, 3_000.0);
    let mut process = Launch::run(&folder)
        .argument(format!("--http=127.0.0.1:{port}"))
        .database(database.url())
        .start();
    let mut looks = 0;
    eventually("20,000 records delivered", payments::SETTLED, async || {
        let connector = http::connector(port, "observed").await?;
        assert_adds_up(&connector);
        looks += 1;
        (count(&connector["records"], "delivered") > 20_000).then_some(())
    })
    .await;
    assert!(looks > 20, "only {looks} looks");
    let metrics = http::get(port, "/metrics").await;
    for name in [
        "connect_records_consumed_total",
        "connect_records_delivered_total",
        "connect_records_dead_lettered_total",
        "connect_records_filtered_total",
        "connect_lag_records",
        "connect_connector_state",
    ] {
        assert!(
            metrics.contains(&format!("{name}{{connector=\"observed\"")),
            "{name} is missing in\n{metrics}"
        );
    }
    let ledger = load.stop().await;
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_one_owns_the_source_and_the_other_takes_over() {
    let _turn = servers::shared().await;
    let topic = Topic::not_created("owned");
    let name = Topic::not_created("pos-simulator");
    let folder = shipped::folder(
        &["pos-simulator"],
        &[
            ("\"PointOfSale\"", &format!("\"{}\"", topic.name())),
            ("\"pos-simulator\"", &format!("\"{}\"", name.name())),
            ("rate = 50 ", "rate = 500 "),
        ],
    );
    let ports = [http::free_port(), http::free_port()];
    let launch = |port| Launch::run(&folder).argument(format!("--http=127.0.0.1:{port}"));
    let mut processes = ports.map(|port| launch(port).start());
    let states = async || {
        let mut states = Vec::new();
        for port in ports {
            let connector = http::connector(port, name.name()).await?;
            states.push(connector["state"].as_str()?.to_owned());
        }
        Some(states)
    };
    let owner = eventually(
        "one runs, the other does not",
        payments::SETTLED,
        async || {
            let states = states().await?;
            let owner = states.iter().position(|state| state == "RUNNING")?;
            (states[1 - owner] == "UNASSIGNED").then_some(owner)
        },
    )
    .await;
    eventually("the owner produces", payments::SETTLED, async || {
        (topic.read(Isolation::Committed).await.len() > 1_000).then_some(())
    })
    .await;
    processes[owner].kill();
    let other = ports[1 - owner];
    eventually("the other takes over", payments::SETTLED, async || {
        let connector = http::connector(other, name.name()).await?;
        (connector["state"] == "RUNNING").then_some(())
    })
    .await;
    let before = topic.read(Isolation::Committed).await.len();
    eventually("the new owner produces", payments::SETTLED, async || {
        (topic.read(Isolation::Committed).await.len() > before + 500).then_some(())
    })
    .await;
    assert_eq!(processes[1 - owner].stop(Duration::from_secs(30)).await, 0);
    let messages = topic.read(Isolation::Committed).await;
    let mut ids: Vec<String> = messages
        .iter()
        .map(|message| message.json()["transaction_id"].to_string())
        .collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "a sale is there twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn https_and_a_token_for_other_machines() {
    let _turn = servers::shared().await;
    let topic = Topic::create("observed-https", 1).await;
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("observed-https", payments::connector(&topic, "", ""));
    let (port, certificates) = (http::free_port(), servers::certificates());
    let (kafka, token) = (servers::kafka(), "0123456789abcdef0123456789abcdef");
    folder.file("connectors.d/token", token);
    folder.settings(format!(
        r#"[kafka]
bootstrap_servers = "{kafka}"
[http]
address = "0.0.0.0:{port}"
token_file = "token"
certificate = "{certificates}/server.crt"
key = "{certificates}/server.key"
"#
    ));
    let mut process = Launch::run(&folder).database(database.url()).start();
    let authority = std::fs::read(format!("{certificates}/ca.crt")).unwrap();
    let client = reqwest::Client::builder()
        .add_root_certificate(reqwest::Certificate::from_pem(&authority).unwrap())
        .build()
        .unwrap();
    let url = format!("https://localhost:{port}/connectors");
    let answer = eventually("an answer over https", payments::SETTLED, async || {
        client.get(&url).bearer_auth(token).send().await.ok()
    })
    .await;
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("observed-https"));
    let refused = client.get(&url).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let unencrypted = reqwest::get(format!("http://localhost:{port}/connectors")).await;
    assert!(unencrypted.is_err(), "{unencrypted:?}");
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    assert!(!process.stderr().contains(token));
    database.remove().await;
}

/// Stops the database, produces and starts it again: machines see what the person on call needs.
#[tokio::test(flavor = "multi_thread")]
async fn in_an_outage_the_connector_waits_and_its_lag_grows() {
    let _turn = servers::shared().await;
    let topic = Topic::create("lagging", 2).await;
    let database = payments::database().await;
    let proxy = Proxy::before_postgres().await;
    let port = http::free_port();
    let folder = payments::folder();
    folder.connector("lagging", payments::connector(&topic, "", ""));
    let mut ledger = produce_payments(&topic, 2, 100).await;
    let mut process = Launch::run(&folder)
        .argument(format!("--http=127.0.0.1:{port}"))
        .database(database.url_through(proxy.address()))
        .start();
    let lag = async |expected: u64| {
        eventually(
            &format!("a lag of {expected}"),
            payments::SETTLED,
            async || {
                let connector = http::connector(port, "lagging").await?;
                (connector["lag"] == expected).then_some(connector)
            },
        )
        .await
    };
    let caught_up = lag(0).await;
    assert_eq!(caught_up["state"], "RUNNING", "{caught_up}");
    assert_eq!(caught_up["lag_seconds"], 0.0, "{caught_up}");
    proxy.close();
    for number in 1..=3 {
        let first = 100 + 1_000 * (number - 1);
        ledger.merge(produce_payments_of(&topic, 2, first..first + 1_000).await);
        let behind = lag(1_000 * number as u64).await;
        let ends: i64 = behind["partitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|partition| {
                partition["end"].as_i64().unwrap() - partition["position"].as_i64().unwrap()
            })
            .sum();
        assert_eq!(ends, 1_000 * i64::try_from(number).unwrap(), "{behind}");
    }
    let waiting = eventually("a wait", payments::SETTLED, async || {
        let connector = http::connector(port, "lagging").await?;
        (connector["state"] == "WAITING").then_some(connector)
    })
    .await;
    assert_eq!(waiting["reason"]["code"], "database", "{waiting}");
    let metrics = http::get(port, "/metrics").await;
    for line in [
        "connect_connector_state{connector=\"lagging\",state=\"WAITING\"} 1",
        "connect_lag_records{connector=\"lagging\"} 3000",
        "connect_waiting_since_seconds{connector=\"lagging\",reason=\"database\"}",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    assert_eq!(http::get(port, "/readyz").await, "ok\n");
    proxy.resume();
    let healed = lag(0).await;
    assert_eq!(healed["state"], "RUNNING", "{healed}");
    let recovered = process
        .event("recovered", payments::SETTLED, |_| true)
        .await;
    assert_eq!(recovered["connector"], "lagging", "{recovered}");
    assert_eq!(recovered["code"], "database", "{recovered}");
    assert!(recovered["waited_ms"].as_u64().unwrap() > 0, "{recovered}");
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

/// Two files under one name: half of the records would follow the old file.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_with_different_files_under_one_name_are_reported() {
    let _turn = servers::shared().await;
    let topic = Topic::create("differs", 2).await;
    let database = payments::database().await;
    let ports = [http::free_port(), http::free_port()];
    let start = |port: u16, keys: &str| {
        let folder = payments::folder();
        folder.connector("differs", payments::connector(&topic, keys, ""));
        let process = Launch::run(&folder)
            .argument(format!("--http=127.0.0.1:{port}"))
            .database(database.url())
            .start();
        (folder, process)
    };
    let mut running = [start(ports[0], ""), start(ports[1], "tasks = 2")];
    for port in ports {
        eventually(
            "the difference is reported",
            payments::SETTLED,
            async || {
                let connector = http::connector(port, "differs").await?;
                (connector["differs"] == true).then_some(())
            },
        )
        .await;
        let metrics = http::get(port, "/metrics").await;
        assert!(
            metrics.contains("connect_configuration_differs{connector=\"differs\"} 1"),
            "{metrics}"
        );
    }
    for (_, process) in &mut running {
        assert_eq!(process.events("configuration_differs").len(), 1);
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    }
    database.remove().await;
}
