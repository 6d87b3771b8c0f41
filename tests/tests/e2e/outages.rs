//! Outages of the servers: no loss, no duplicates, and never a dead letter (P4).

use std::time::Duration;

use connect_tests::kafka::Topic;
use connect_tests::load::{SteadyLoad, produce_payments};
use connect_tests::process::Launch;
use connect_tests::proxy::Proxy;
use connect_tests::servers;

use crate::payments;

/// The database goes down under load by `verb`, stays down, and comes back.
async fn database_outage(verb: &str, away: Duration) {
    let _turn = servers::alone().await;
    let topic = Topic::create("outage", 4).await;
    let dead = Topic::create("outage-dlq", 1).await;
    let database = payments::database().await;
    let folder = payments::folder();
    let errors = payments::tolerant(&dead);
    folder.connector("outage", payments::connector(&topic, "tasks = 2", &errors));
    let load = SteadyLoad::start(&topic, 4, 3_000.0);
    let mut process = Launch::run(&folder).database(database.url()).start();
    payments::rows(&database, 5_000).await;
    servers::operate(verb, "postgres").await;
    // The outage itself, as long as the promise states.
    tokio::time::sleep(away).await;
    servers::operate("start", "postgres").await;
    let back = database.count("payments").await;
    payments::rows(&database, back + 5_000).await;
    let ledger = load.stop().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_database_stopped_for_20_s_in_mid_load_costs_nothing() {
    database_outage("stop", Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_crash_in_mid_load_costs_nothing() {
    database_outage("kill", Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_crash_in_mid_load_costs_nothing() {
    let _turn = servers::alone().await;
    let topic = Topic::create("broker-crash", 4).await;
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("broker-crash", payments::connector(&topic, "", ""));
    let load = SteadyLoad::start(&topic, 4, 2_000.0);
    let mut process = Launch::run(&folder).database(database.url()).start();
    payments::rows(&database, 4_000).await;
    servers::operate("kill", "kafka").await;
    servers::operate("start", "kafka").await;
    let back = database.count("payments").await;
    payments::rows(&database, back + 4_000).await;
    let ledger = load.stop().await;
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_can_be_down_at_start_and_come_up_in_any_order() {
    let _turn = servers::alone().await;
    for order in [["kafka", "postgres"], ["postgres", "kafka"]] {
        let topic = Topic::create("down-at-start", 2).await;
        let database = payments::database().await;
        let ledger = produce_payments(&topic, 2, 1_000).await;
        let folder = payments::folder();
        folder.connector("down-at-start", payments::connector(&topic, "", ""));
        servers::operate("stop", "kafka").await;
        servers::operate("stop", "postgres").await;
        let mut process = Launch::run(&folder).database(database.url()).start();
        for server in order {
            servers::operate("start", server).await;
        }
        payments::verdict(&ledger, &database, None)
            .await
            .assert_clean();
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_commit_cut_off_writes_nothing_twice() {
    commits_are_cut(|proxy| proxy.cut_every_answer_to_commit(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrives_loses_nothing() {
    commits_are_cut(|proxy| proxy.cut_every_commit(4)).await;
}

async fn commits_are_cut(order: impl FnOnce(&Proxy)) {
    let _turn = servers::shared().await;
    let topic = Topic::create("cut-commit", 4).await;
    let dead = Topic::create("cut-commit-dlq", 1).await;
    let database = payments::database().await;
    let folder = payments::folder();
    let batches = format!("[batch]\nmax_records = 200\n{}", payments::tolerant(&dead));
    folder.connector(
        "cut-commit",
        payments::connector(&topic, "tasks = 2", &batches),
    );
    let ledger = produce_payments(&topic, 4, 20_000).await;
    let proxy = Proxy::before_postgres().await;
    let mut process = Launch::run(&folder)
        .database(database.url_through(proxy.address()))
        .start();
    payments::rows(&database, 1_000).await;
    order(&proxy);
    payments::verdict(&ledger, &database, Some(&dead))
        .await
        .assert_clean();
    assert!(
        proxy.cuts() >= 5,
        "only {} of {} COMMITs were cut",
        proxy.cuts(),
        proxy.commits()
    );
    assert!(
        payments::dead_letters(&dead).await.is_empty(),
        "an outage is no record's fault"
    );
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}
