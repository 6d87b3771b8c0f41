//! Where reading starts: topics that do not exist yet, new partitions, and records that retention deleted.

use std::time::Duration;

use connect_tests::kafka::Topic;
use connect_tests::load::{SteadyLoad, produce_payments};
use connect_tests::process::Launch;
use connect_tests::{eventually, servers};

use crate::payments;

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_does_not_exist_yet_is_waited_for() {
    let _turn = servers::shared().await;
    let topic = Topic::not_created("late");
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("late", payments::connector(&topic, "", ""));
    let mut process = Launch::run(&folder).database(database.url()).start();
    process
        .event("connector_started", Duration::from_secs(20), |_| true)
        .await;
    topic.create_now(2).await;
    let ledger = produce_payments(&topic, 2, 1_000).await;
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_cannot_be_created_stops_the_connector_with_the_reason() {
    let _turn = servers::shared().await;
    let topic = Topic::not_created("never");
    let database = payments::database().await;
    let folder = payments::folder();
    let create = "[create_topics]\nconfig = { \"cleanup.policy\" = \"never\" }\n";
    folder.connector("never", payments::connector(&topic, "", create));
    let mut process = Launch::run(&folder).database(database.url()).start();
    assert_eq!(process.exit_code(payments::SETTLED).await, 1);
    let failed = &process.events("connector_failed")[0]["message"];
    let failed = failed.as_str().unwrap();
    for part in ["InvalidConfig", topic.name(), "cleanup.policy"] {
        assert!(failed.contains(part), "{failed}");
    }
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_added_under_load_is_read_from_its_first_record() {
    let _turn = servers::shared().await;
    let topic = Topic::create("growing", 2).await;
    let database = payments::database().await;
    let folder = payments::folder();
    // `latest` is about a first start only: a later partition still starts at its first record.
    folder.connector(
        "growing",
        payments::connector(&topic, "start = \"latest\"", ""),
    );
    let mut process = Launch::run(&folder).database(database.url()).start();
    eventually("the start is stored", payments::SETTLED, async || {
        (database.count("connect_progress").await == 2).then_some(())
    })
    .await;
    let load = SteadyLoad::start(&topic, 2, 2_000.0);
    payments::rows(&database, 2_000).await;
    topic.grow_to(5).await;
    load.spread_over(5);
    payments::rows(&database, 12_000).await;
    let ledger = load.stop().await;
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    let partitions = database
        .try_number("SELECT count(DISTINCT partition) FROM payments")
        .await;
    assert_eq!(partitions, Some(5));
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_deleted_by_retention_stop_the_connector_with_the_missing_range() {
    let _turn = servers::shared().await;
    let topic = Topic::create("forgotten", 1).await;
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("forgotten", payments::connector(&topic, "", ""));
    let first = produce_payments(&topic, 1, 1_000).await;
    let launch = Launch::run(&folder).database(database.url());
    let mut process = launch.start();
    payments::verdict(&first, &database, None)
        .await
        .assert_clean();
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);

    produce_payments(&topic, 1, 1_000).await;
    topic.forget_before(0, 1_500).await;
    let mut process = launch.start();
    let code = process.exit_code(Duration::from_secs(60)).await;
    let log = process.stderr();
    assert_eq!(code, 1, "{log}");
    assert!(
        log.contains("1000") && log.contains("1500"),
        "the missing range is not named: {log}"
    );
    assert_eq!(
        database.count("payments").await,
        1_000,
        "nothing was skipped"
    );
    database.remove().await;
}
