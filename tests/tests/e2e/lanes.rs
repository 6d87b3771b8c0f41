//! Several sinks of one connector: each is complete whatever happens to the process, and none repeats what it has.

use std::collections::BTreeSet;
use std::time::Duration;

use connect_tests::kafka::{Isolation, Topic};
use connect_tests::load::SteadyLoad;
use connect_tests::process::{ConnectProcess, Launch};
use connect_tests::{eventually, servers};
use serde_json::Value;

use crate::payments;

/// PostgreSQL as [`payments::connector`] has it, then a copy in Kafka, then standard output.
fn connector(topic: &Topic, copy: &Topic, keys: &str, more: &str) -> String {
    let sinks = format!(
        "[[sinks]]\ntype = \"kafka\"\ntopic = \"{}\"\n[[sinks]]\ntype = \"stdout\"\n{more}",
        copy.name()
    );
    payments::connector(topic, keys, &sinks)
}

/// The ids on complete lines: the last line of a killed process may be cut.
fn ids_on_stdout(process: &ConnectProcess) -> BTreeSet<String> {
    let text = process.stdout();
    let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
    let id = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("a line of JSON");
        record["id"].as_str().expect("an id").to_owned()
    };
    complete.lines().map(id).collect()
}

/// The ids in a topic, in transactions that were committed.
async fn ids_in(topic: &Topic) -> Vec<String> {
    let messages = topic.read(Isolation::Committed).await;
    let id = |value: Value| value["id"].as_str().expect("an id").to_owned();
    messages.iter().map(|message| id(message.json())).collect()
}

async fn reaches(topic: &Topic, count: usize) -> Vec<String> {
    eventually(
        &format!("{count} messages in {}", topic.name()),
        payments::SETTLED,
        async || {
            let ids = ids_in(topic).await;
            (ids.len() >= count).then_some(ids)
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_leaves_every_sink_complete_and_repeats_nothing_that_is_exactly_once() {
    let _turn = servers::shared().await;
    let (topic, copy) = (
        Topic::create("lanes", 3).await,
        Topic::create("lanes-copy", 3).await,
    );
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("lanes", connector(&topic, &copy, "", ""));
    let launch = Launch::run(&folder).database(database.url());
    let load = SteadyLoad::start(&topic, 3, 1_000.0);
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let before = database.count("payments").await;
        let mut process = launch.start();
        payments::rows(&database, before + 1_000).await;
        process.kill();
        seen.extend(ids_on_stdout(&process));
    }
    let ledger = load.stop().await;
    let mut process = launch.start();
    let verdict = payments::verdict(&ledger, &database, None).await;
    verdict.assert_clean();

    let ids = reaches(&copy, ledger.len()).await;
    let distinct: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(ids.len(), distinct.len(), "a message came twice");
    let sent: BTreeSet<String> = ledger.entries().map(|entry| entry.id.clone()).collect();
    assert_eq!(distinct, sent);

    eventually("every record on stdout", payments::SETTLED, async || {
        seen.extend(ids_on_stdout(&process));
        (seen == sent).then_some(())
    })
    .await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_one_sink_rejects_reaches_the_others_and_is_one_dead_letter() {
    let _turn = servers::shared().await;
    let (topic, copy, dead) = (
        Topic::create("lanes-reject", 1).await,
        Topic::create("lanes-reject-copy", 1).await,
        Topic::create("lanes-reject-dead", 1).await,
    );
    let database = payments::database().await;
    database
        .execute("ALTER TABLE payments ADD CHECK (sequence % 100 <> 7)")
        .await;
    let folder = payments::folder();
    let keys = payments::tolerant(&dead);
    folder.connector("lanes", connector(&topic, &copy, &keys, ""));
    let load = SteadyLoad::start(&topic, 1, 500.0);
    let mut process = Launch::run(&folder).database(database.url()).start();
    payments::rows(&database, 500).await;
    let ledger = load.stop().await;
    let ids = reaches(&copy, ledger.len()).await;
    let distinct: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!((ids.len(), distinct.len()), (ledger.len(), ledger.len()));

    let letters = eventually(
        "a row or a dead letter each",
        payments::SETTLED,
        async || {
            let letters = dead.read(Isolation::Committed).await;
            let rows = database.count("payments").await;
            (letters.len() as i64 + rows >= ledger.len() as i64).then_some(letters)
        },
    )
    .await;
    for letter in &letters {
        let sink = letter.header("__connect.errors.sink");
        assert_eq!(sink.as_deref(), Some("postgres"), "{letter:?}");
    }
    let rejected = ledger.len() as i64 - database.count("payments").await;
    assert_eq!(letters.len() as i64, rejected);
    assert!(rejected > 0);
    let offsets: BTreeSet<String> = letters
        .iter()
        .map(|letter| letter.header("__connect.errors.offset").expect("an offset"))
        .collect();
    assert_eq!(offsets.len(), letters.len(), "a dead letter came twice");
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_added_begins_where_its_start_says_and_the_others_resume() {
    let _turn = servers::shared().await;
    let (topic, copy) = (
        Topic::create("lanes-added", 1).await,
        Topic::create("lanes-added-copy", 1).await,
    );
    let (again, late) = (
        Topic::create("lanes-added-again", 1).await,
        Topic::create("lanes-added-late", 1).await,
    );
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("lanes", connector(&topic, &copy, "", ""));
    let launch = Launch::run(&folder).database(database.url());
    let load = SteadyLoad::start(&topic, 1, 500.0);
    let mut process = launch.start();
    payments::rows(&database, 500).await;
    let first = load.stop().await.len();
    reaches(&copy, first).await;
    payments::rows(&database, first as i64).await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);

    let added = format!(
        "[[sinks]]\ntype = \"kafka\"\nname = \"again\"\nstart = \"earliest\"\ntopic = \"{}\"\n\
         [[sinks]]\ntype = \"kafka\"\nname = \"late\"\nstart = \"latest\"\ntopic = \"{}\"\n",
        again.name(),
        late.name()
    );
    folder.connector("lanes", connector(&topic, &copy, "", &added));
    let mut process = launch.start();
    let ids = reaches(&again, first).await;
    assert_eq!(ids.len(), first);
    let load = SteadyLoad::start(&topic, 1, 500.0);
    payments::rows(&database, first as i64 + 200).await;
    let second = load.stop().await.len();
    for (topic, expected) in [
        (&copy, first + second),
        (&again, first + second),
        (&late, second),
    ] {
        assert_eq!(reaches(topic, expected).await.len(), expected, "{topic:?}");
    }
    let rows = first + second;
    payments::rows(&database, rows as i64).await;
    assert_eq!(database.count("payments").await, rows as i64);
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_sink_is_warned_of_the_progress_under_its_old_name() {
    let _turn = servers::shared().await;
    let topic = Topic::create("lanes-renamed", 1).await;
    let database = payments::database().await;
    let folder = payments::folder();
    let name = Topic::unborn("lanes-renamed");
    let written = payments::connector(&topic, "", "");
    let named = |sink: &str| {
        let table = format!("type = \"postgres\"\nname = \"{sink}\"");
        written.replace("type = \"postgres\"", &table)
    };
    let launch = Launch::run(&folder).database(database.url());
    let load = SteadyLoad::start(&topic, 1, 500.0);
    folder.connector(name.name(), named("old"));
    let mut process = launch.start();
    payments::rows(&database, 500).await;
    load.stop().await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    assert!(process.events("progress_under_another_sink").is_empty());

    folder.connector(name.name(), named("new"));
    let mut process = launch.start();
    process
        .event("progress_under_another_sink", payments::SETTLED, |event| {
            event["other"] == "old" && event["sink"] == "new"
        })
        .await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}
