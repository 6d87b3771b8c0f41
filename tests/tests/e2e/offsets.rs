//! `connect offsets NAME show | set`: what an operator sees and moves.

use std::time::Duration;

use connect_tests::database::Database;
use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::load::produce_payments;
use connect_tests::process::{Finished, Launch, connect};
use connect_tests::servers;
use serde_json::Value;

use crate::payments;

pub(crate) async fn offsets(
    name: &str,
    words: &[&str],
    folder: &Folder,
    database: &Database,
) -> Finished {
    let arguments = [&["offsets", name], words].concat();
    let kafka = servers::kafka();
    let variables = [
        ("DATABASE_URL", &*database.url()),
        ("KAFKA_BOOTSTRAP_SERVERS", &*kafka),
    ];
    connect(&arguments, &variables, &folder.connectors()).await
}

/// Runs until the table has this many rows, and stops. Returns the events about progress under other names.
async fn run_until(folder: &Folder, database: &Database, rows: i64) -> Vec<Value> {
    let launch = Launch::run(folder).argument("--keep-going");
    let mut process = launch.database(database.url()).start();
    process
        .event("partitions_assigned", payments::SETTLED, |_| true)
        .await;
    payments::rows(database, rows).await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    assert_eq!(database.count("payments").await, rows);
    process.events("progress_under_another_name")
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_shown_and_set_and_the_next_run_obeys() {
    let _turn = servers::shared().await;
    let topic = Topic::create("offsets", 2).await;
    let database = payments::database().await;
    let name = Topic::not_created("offsets-shown");
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

    // The action may come first, as in other tools.
    let turned = ["offsets", "show", name];
    let kafka = servers::kafka();
    let variables = [
        ("DATABASE_URL", &*database.url()),
        ("KAFKA_BOOTSTRAP_SERVERS", &*kafka),
    ];
    let turned = connect(&turned, &variables, &folder.connectors()).await;
    assert_eq!(
        (turned.code, turned.stdout),
        (0, shown.stdout.clone()),
        "{}",
        turned.stderr
    );

    // A dry run shows the moves and makes none.
    let dry = ["set", "--to", "100", "--dry-run"];
    let dry = offsets(name, &dry, &folder, &database).await;
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    let would = dry
        .stdout
        .strip_suffix("dry run: no position was moved\n")
        .unwrap();
    assert_eq!(would.matches("→  100").count(), 2, "{would}");
    let unmoved = offsets(name, &["show"], &folder, &database).await;
    assert_eq!(unmoved.stdout, shown.stdout);
    let set = offsets(name, &["set", "--to", "100"], &folder, &database).await;
    assert_eq!(set.stdout, would);
    let back = offsets(
        name,
        &["set", "--to", "500", "--format", "json"],
        &folder,
        &database,
    )
    .await;
    let back: Value = serde_json::from_str(&back.stdout).unwrap();
    assert_eq!(back["dry_run"], false);
    assert_eq!(
        (&back["moves"][1]["old"], &back["moves"][1]["new"]),
        (&100.into(), &500.into())
    );

    // Commands before a run, and the number of additional rows after it.
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
        unknown.stderr.contains("no-such-connector")
            && unknown.stderr.contains(&format!("sink connectors: {name}")),
        "{}",
        unknown.stderr
    );
    database.remove().await;
}

/// A source of this name has no positions, and perhaps no other source of this cluster has any.
#[tokio::test(flavor = "multi_thread")]
async fn before_its_first_commit_a_source_has_nothing_stored() {
    let _turn = servers::shared().await;
    let database = payments::database().await;
    let name = Topic::not_created("offsets-source");
    let topic = Topic::not_created("offsets-source-topic");
    let folder = payments::folder();
    let source = format!(
        "topic = \"{}\"\n[source]\ntype = \"pos_simulator\"\n",
        topic.name()
    );
    folder.connector(name.name(), source);
    let shown = offsets(name.name(), &["show"], &folder, &database).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(
        shown.stdout.starts_with("nothing is stored yet"),
        "{}",
        shown.stdout
    );
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_a_running_connector_are_not_moved() {
    let _turn = servers::shared().await;
    let topic = Topic::create("offsets-running", 1).await;
    let database = payments::database().await;
    let name = Topic::not_created("offsets-running");
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

#[tokio::test(flavor = "multi_thread")]
async fn progress_of_old_names_is_one_line_and_can_be_forgotten() {
    let _turn = servers::shared().await;
    let topic = Topic::create("forget", 1).await;
    let database = payments::database().await;
    let names = ["a-old", "b-old", "c-new", "d-newer"].map(Topic::not_created);
    let [first, second, new, newer] = names.each_ref().map(Topic::name);
    let folder = payments::folder();
    let connector = payments::connector(&topic, "", "");
    let file = |name: &str| folder.connectors().join(format!("{name}.toml"));
    folder.connector(first, &connector);
    folder.connector(second, &connector);
    produce_payments(&topic, 1, 100).await;
    assert!(run_until(&folder, &database, 200).await.is_empty());

    std::fs::remove_file(file(second)).unwrap();
    std::fs::rename(file(first), file(new)).unwrap();
    let events = run_until(&folder, &database, 300).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["other"], format!("{first}, {second}"));

    let kept = offsets(new, &["forget", new], &folder, &database).await;
    assert_eq!(kept.code, 3, "{}", kept.stdout);
    for old in [first, second] {
        let forgotten = offsets(new, &["forget", old], &folder, &database).await;
        assert_eq!(forgotten.code, 0, "{}", forgotten.stderr);
        assert!(
            forgotten.stdout.contains("partition 0 at 100"),
            "{}",
            forgotten.stdout
        );
        let again = offsets(new, &["forget", old], &folder, &database).await;
        assert_eq!(again.code, 3, "{}", again.stdout);
    }
    // The next name starts from the beginning and sees only the last name's progress.
    std::fs::rename(file(new), file(newer)).unwrap();
    let events = run_until(&folder, &database, 400).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["other"], new);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_connector_is_warned_and_can_continue_at_the_old_positions() {
    let _turn = servers::shared().await;
    let topic = Topic::create("renamed", 2).await;
    let database = payments::database().await;
    let names = ["old", "broken", "new"].map(Topic::not_created);
    let [old, broken, new] = names.each_ref().map(Topic::name);
    let folder = payments::folder();
    let connector = payments::connector(&topic, "", "");
    let file = |name: &str| folder.connectors().join(format!("{name}.toml"));
    folder.connector(old, &connector);
    produce_payments(&topic, 2, 1_000).await;
    assert!(run_until(&folder, &database, 1_000).await.is_empty());

    // While the old connector exists, a new one is merely new.
    folder.connector(broken, &connector);
    assert!(run_until(&folder, &database, 2_000).await.is_empty());

    // After a rename it starts from the beginning and says so. Progress of a broken file does not belong to an old
    // name.
    std::fs::rename(file(old), file(new)).unwrap();
    folder.connector(broken, format!("taks = 1\n{connector}"));
    let events = run_until(&folder, &database, 3_000).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["connector"], new);
    assert_eq!(events[0]["other"], old);
    let topic_name = topic.name();
    let places = [0, 1].map(|number| format!("{topic_name} partition {number} at 500"));
    assert_eq!(events[0]["progress"], places.join(", "));
    let message = events[0]["message"].as_str().unwrap();
    for command in [format!("set --from {old}"), format!("forget {old}")] {
        let command = format!("connect offsets {new} {command}");
        assert!(message.contains(&command), "{events:?}");
    }
    assert!(run_until(&folder, &database, 3_000).await.is_empty());

    produce_payments(&topic, 2, 100).await;
    run_until(&folder, &database, 3_100).await;
    let set = offsets(new, &["set", "--from", old], &folder, &database).await;
    assert_eq!(set.code, 0, "{}", set.stderr);
    run_until(&folder, &database, 3_200).await;
    let nobody = ["set", "--from", "no-such-connector"];
    let refused = offsets(new, &nobody, &folder, &database).await;
    assert_eq!(refused.code, 3, "{}", refused.stdout);
    assert!(
        refused.stderr.contains("`no-such-connector`"),
        "{}",
        refused.stderr
    );
    database.remove().await;
}
