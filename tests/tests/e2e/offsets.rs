//! `connect offsets NAME show | set`: what an operator sees and moves.

use std::time::Duration;

use connect_tests::database::Database;
use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::load::produce_payments;
use connect_tests::process::{Finished, Launch, connect};
use connect_tests::servers;

use crate::payments;

async fn offsets(name: &str, words: &[&str], folder: &Folder, database: &Database) -> Finished {
    let arguments = [&["offsets", name], words].concat();
    let kafka = servers::kafka();
    let variables = [
        ("DATABASE_URL", &*database.url()),
        ("KAFKA_BOOTSTRAP_SERVERS", &*kafka),
    ];
    connect(&arguments, &variables, &folder.connectors()).await
}

/// Runs until the table has as many rows, and stops.
async fn run_until(folder: &Folder, database: &Database, rows: i64) {
    let mut process = Launch::run(folder).database(database.url()).start();
    process
        .event("partitions_assigned", payments::SETTLED, |_| true)
        .await;
    payments::rows(database, rows).await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    assert_eq!(database.count("payments").await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_shown_and_set_and_the_next_run_obeys() {
    let _turn = servers::shared().await;
    let topic = Topic::create("offsets", 2).await;
    let database = payments::database().await;
    let name = Topic::unborn("offsets-shown");
    let name = name.name();
    let folder = payments::folder();
    folder.connector(name, payments::connector(&topic, "", ""));
    produce_payments(&topic, 2, 1_000).await;
    run_until(&folder, &database, 1_000).await;

    let shown = offsets(name, &["show"], &folder, &database).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(
        shown.stdout.contains(topic.name()) && shown.stdout.contains("500"),
        "{}",
        shown.stdout
    );

    // Each of these and a run: how many rows more there are then.
    let cases: [(&[&str], i64); 4] = [
        (&["set", "--to", "earliest"], 1_000),
        (&["set", "--to", "400"], 200),
        (
            &[
                "set",
                "--to",
                "450",
                "--topic",
                topic.name(),
                "--partition",
                "1",
            ],
            50,
        ),
        (&["set", "--to", "1970-01-01T00:00:00Z"], 1_000),
    ];
    let mut rows = 1_000;
    for (words, more) in cases {
        let set = offsets(name, words, &folder, &database).await;
        assert_eq!(set.code, 0, "{words:?}: {}{}", set.stdout, set.stderr);
        rows += more;
        run_until(&folder, &database, rows).await;
    }

    produce_payments(&topic, 2, 100).await;
    let set = offsets(name, &["set", "--to", "latest"], &folder, &database).await;
    assert_eq!(set.code, 0, "{}", set.stderr);
    produce_payments(&topic, 2, 10).await;
    run_until(&folder, &database, rows + 10).await;

    for words in [
        &["set", "--to", "999999"][..],
        &["set", "--to", "yesterday"],
        &["set"],
    ] {
        let refused = offsets(name, words, &folder, &database).await;
        assert_ne!(refused.code, 0, "{words:?}: {}", refused.stdout);
    }
    let unknown = offsets("no-such-connector", &["show"], &folder, &database).await;
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("no-such-connector"),
        "{}",
        unknown.stderr
    );
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_a_running_connector_are_not_moved() {
    let _turn = servers::shared().await;
    let topic = Topic::create("offsets-running", 1).await;
    let database = payments::database().await;
    let name = Topic::unborn("offsets-running");
    let folder = payments::folder();
    folder.connector(name.name(), payments::connector(&topic, "", ""));
    produce_payments(&topic, 1, 100).await;
    let mut process = Launch::run(&folder).database(database.url()).start();
    payments::rows(&database, 100).await;
    let set = offsets(
        name.name(),
        &["set", "--to", "earliest"],
        &folder,
        &database,
    )
    .await;
    assert_ne!(set.code, 0, "{}", set.stdout);
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    run_until(&folder, &database, 100).await;
    database.remove().await;
}
