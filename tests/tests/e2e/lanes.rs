//! Several sinks of one connector: each is complete whatever happens to the process, and none repeats its records.

use std::collections::BTreeSet;
use std::time::Duration;

use connect_tests::checker::Entry;
use connect_tests::kafka::{Isolation, Topic};
use connect_tests::load::{SteadyLoad, produce_payments};
use connect_tests::process::{ConnectProcess, Launch};
use connect_tests::proxy::Proxy;
use connect_tests::{eventually, faults, http, servers};
use serde_json::Value;

use crate::offsets::offsets;
use crate::{http_status, payments};

/// PostgreSQL as in [`payments::connector`], then a copy in Kafka, then standard output.
fn connector(topic: &Topic, copy: &Topic, keys: &str, more: &str) -> String {
    let sinks = format!(
        "[[sinks]]\ntype = \"kafka\"\ntopic = \"{}\"\n[[sinks]]\ntype = \"stdout\"\n{more}",
        copy.name()
    );
    payments::connector(topic, keys, &sinks)
}

/// The ids on complete lines; the last line of a killed process may be incomplete.
fn ids_on_stdout(process: &ConnectProcess) -> BTreeSet<String> {
    let text = process.stdout();
    let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
    let id = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("a line of JSON");
        record["id"].as_str().expect("an id").to_owned()
    };
    complete.lines().map(id).collect()
}

/// The ids in a topic, from committed transactions.
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
    folder.connector("lanes-killed", connector(&topic, &copy, "", ""));
    let launch = Launch::run(&folder).database(database.url());
    let load = SteadyLoad::start(&topic, 3, 1_000.0);
    let mut seen = BTreeSet::new();
    for _ in 0..faults::kills() {
        let before = database.count("payments").await;
        let mut process = launch.start();
        payments::rows(&database, before + 500).await;
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
async fn an_outage_of_one_sink_delays_the_others_and_nothing_is_repeated() {
    let _turn = servers::shared().await;
    let (topic, copy) = (
        Topic::create("lanes-outage", 3).await,
        Topic::create("lanes-outage-copy", 3).await,
    );
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("lanes-cut", connector(&topic, &copy, "", ""));
    let port = http::free_port();
    let proxy = Proxy::before_postgres().await;
    let mut process = Launch::run(&folder)
        .argument(format!("--http=127.0.0.1:{port}"))
        .database(database.url_through(proxy.address()))
        .start();
    let load = SteadyLoad::start(&topic, 3, 1_000.0);
    payments::rows(&database, 2_000).await;
    proxy.close();
    // The outage itself.
    tokio::time::sleep(faults::outage()).await;
    let connector = http::connector(port, "lanes-cut")
        .await
        .expect("a connector");
    let waiting = |sink: &Value| sink.get("reason").map(|_| sink["name"].clone());
    let sinks = connector["sinks"].as_array().expect("sinks").iter();
    let waiting: Vec<Value> = sinks.filter_map(waiting).collect();
    assert_eq!(waiting, ["postgres"], "{connector}");
    proxy.resume();
    let ledger = load.stop().await;
    let verdict = payments::verdict(&ledger, &database, None).await;
    verdict.assert_clean();
    let sent: BTreeSet<String> = ledger.entries().map(|entry| entry.id.clone()).collect();
    let ids = reaches(&copy, ledger.len()).await;
    assert_eq!(ids.len(), ledger.len(), "a message came twice");
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), sent);
    eventually("every record on stdout", payments::SETTLED, async || {
        (ids_on_stdout(&process) == sent).then_some(())
    })
    .await;
    let lines = process.stdout().lines().count();
    assert_eq!(lines, sent.len(), "a line came twice");
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counts_of_every_sink_add_up_at_every_look() {
    let _turn = servers::shared().await;
    let (topic, copy) = (
        Topic::create("lanes-counted", 2).await,
        Topic::create("lanes-counted-copy", 2).await,
    );
    let database = payments::database().await;
    let folder = payments::folder();
    let few = "when = \"value.sequence % 10 == 0\"";
    folder.connector("lanes-counted", connector(&topic, &copy, "", few));
    let port = http::free_port();
    let mut process = Launch::run(&folder)
        .argument(format!("--http=127.0.0.1:{port}"))
        .database(database.url())
        .start();
    let load = SteadyLoad::start(&topic, 2, 2_000.0);
    eventually(
        "8,000 records in each sink",
        payments::SETTLED,
        async || {
            let connector = http::connector(port, "lanes-counted").await?;
            let sinks = connector["sinks"].as_array()?;
            sinks.iter().for_each(http_status::assert_adds_up);
            let ended = |sink: &Value| {
                http_status::count(&sink["records"], "delivered")
                    + http_status::count(&sink["records"], "filtered")
            };
            sinks.iter().all(|sink| ended(sink) > 8_000).then_some(())
        },
    )
    .await;
    let sent = load.stop().await;
    payments::verdict(&sent, &database, None)
        .await
        .assert_clean();
    let metrics = eventually("the last record", payments::SETTLED, async || {
        let connector = http::connector(port, "lanes-counted").await?;
        let sinks = connector["sinks"].as_array()?;
        let in_flight = |sink: &Value| http_status::count(&sink["records"], "in_flight");
        let consumed = |sink: &Value| http_status::count(&sink["records"], "consumed");
        let is_done = |sink: &Value| in_flight(sink) == 0 && consumed(sink) == sent.len() as u64;
        if !sinks.iter().all(is_done) {
            return None;
        }
        Some(http::get(port, "/metrics").await)
    })
    .await;
    let all = sent.len();
    let is_tenth = |entry: &&Entry| entry.id.ends_with('0');
    let tenth = sent.entries().filter(is_tenth).count();
    for (sink, delivered) in [("postgres", all), ("kafka", all), ("stdout", tenth)] {
        let series = format!(
            "connect_sink_records_delivered_total{{connector=\"lanes-counted\",sink=\"{sink}\"}} {delivered}\n"
        );
        assert!(metrics.contains(&series), "{series} is not in\n{metrics}");
    }
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offsets_of_one_sink_are_set_and_the_others_stay() {
    let _turn = servers::shared().await;
    let (topic, copy) = (
        Topic::create("lanes-offsets", 1).await,
        Topic::create("lanes-offsets-copy", 1).await,
    );
    let database = payments::database().await;
    let folder = payments::folder();
    let name = Topic::not_created("lanes-offsets");
    let name = name.name();
    folder.connector(name, connector(&topic, &copy, "", ""));
    let launch = Launch::run(&folder).database(database.url());
    produce_payments(&topic, 1, 1_000).await;
    let (mut rows, mut copies, mut lines) = (1_000, 1_000, 1_000);
    // The command before a run, and how many records each sink gets again.
    let cases: [(&[&str], [usize; 3]); 5] = [
        (&[], [0, 0, 0]),
        (&["--to", "earliest", "--sink", "kafka"], [0, 1_000, 0]),
        (&["--to", "400", "--sink", "postgres"], [600, 0, 0]),
        (&["--to", "900", "--sink", "stdout"], [0, 0, 100]),
        (&["--to", "990"], [10, 10, 10]),
    ];
    for (words, again) in cases {
        if !words.is_empty() {
            let words = [&["set"], words].concat();
            let set = offsets(name, &words, &folder, &database).await;
            assert_eq!(set.code, 0, "{words:?}: {}{}", set.stdout, set.stderr);
            (rows, copies) = (rows + again[0], copies + again[1]);
            lines = again[2];
        }
        let mut process = launch.start();
        payments::rows(&database, rows as i64).await;
        reaches(&copy, copies).await;
        eventually("the lines", payments::SETTLED, async || {
            (ids_on_stdout(&process).len() >= lines).then_some(())
        })
        .await;
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
        assert_eq!(database.count("payments").await, rows as i64, "{words:?}");
        assert_eq!(ids_in(&copy).await.len(), copies, "{words:?}");
        assert_eq!(process.stdout().lines().count(), lines, "{words:?}");
        let shown = offsets(name, &["show", "--format", "json"], &folder, &database).await;
        let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
        let partitions = shown["partitions"].as_array().expect("partitions").iter();
        let lags: Vec<(&Value, &Value)> = partitions
            .map(|partition| (&partition["sink"], &partition["lag"]))
            .collect();
        let expected = ["postgres", "kafka", "stdout"].map(Value::from);
        let zero = Value::from(0);
        assert_eq!(lags, expected.each_ref().map(|sink| (sink, &zero)));
    }
    let unknown = ["set", "--to", "earliest", "--sink", "kafak"];
    let refused = offsets(name, &unknown, &folder, &database).await;
    assert_ne!(refused.code, 0);
    assert!(
        refused.stderr.contains("postgres, kafka, stdout"),
        "{}",
        refused.stderr
    );
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
    folder.connector("lanes-rejecting", connector(&topic, &copy, &keys, ""));
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
async fn an_added_sink_starts_at_its_start_and_the_others_resume() {
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
    folder.connector("lanes-added", connector(&topic, &copy, "", ""));
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
    folder.connector("lanes-added", connector(&topic, &copy, "", &added));
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
    let name = Topic::not_created("lanes-renamed");
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
