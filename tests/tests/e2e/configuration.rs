//! Broken configuration and exit codes, as a shell and a CI see them.

use std::path::Path;
use std::time::Duration;

use connect_tests::database::Database;
use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::load::produce_payments;
use connect_tests::process::{Launch, connect};
use connect_tests::{eventually, servers};

use crate::payments;

/// Five connectors, each with its own table; the third one has an unknown key.
async fn five_connectors(topic: &Topic, database: &Database) -> Folder {
    let folder = payments::folder();
    for number in 1..=5 {
        database
            .execute(&format!("CREATE TABLE payments_{number} (id text)"))
            .await;
        let broken = if number == 3 { "taks = 2\n" } else { "" };
        folder.connector(
            &format!("connector-{number}"),
            format!(
                r#"topics = ["{}"]
{broken}
[[sinks]]
type = "postgres"
url = "${{env:DATABASE_URL}}"
[[sinks.tables]]
table = "payments_{number}"
mode = "insert"
columns = {{ id = "$.id" }}
"#,
                topic.name()
            ),
        );
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn one_broken_connector_of_five_is_drawn_and_nothing_starts() {
    let _turn = servers::shared().await;
    let topic = Topic::create("five", 1).await;
    produce_payments(&topic, 1, 100).await;
    let database = Database::create().await;
    let folder = five_connectors(&topic, &database).await;
    let mut process = Launch::run(&folder).database(database.url()).start();
    let code = process.exit_code(Duration::from_secs(20)).await;
    let picture = process.stderr();
    assert_eq!(code, 2, "{picture}");
    for part in ["connector-3.toml:2:1", "taks = 2", "^^^^", "`tasks`"] {
        assert!(picture.contains(part), "{part} is missing in\n{picture}");
    }
    assert_eq!(database.count("payments_1").await, 0, "nothing has started");
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_keep_going_the_other_four_of_five_run() {
    let _turn = servers::shared().await;
    let topic = Topic::create("four-of-five", 1).await;
    produce_payments(&topic, 1, 100).await;
    let database = Database::create().await;
    let folder = five_connectors(&topic, &database).await;
    let mut process = Launch::run(&folder)
        .argument("--keep-going")
        .database(database.url())
        .start();
    for number in [1, 2, 4, 5] {
        let table = format!("payments_{number}");
        eventually(&format!("rows in {table}"), payments::SETTLED, async || {
            (database.count(&table).await == 100).then_some(())
        })
        .await;
    }
    assert!(
        process.stderr().contains("connector-3.toml"),
        "the broken one is named"
    );
    assert_eq!(database.count("payments_3").await, 0);
    process.stop(Duration::from_secs(30)).await;
    database.remove().await;
}

#[tokio::test]
async fn exit_codes() {
    let good = Folder::new();
    good.connector("good", "topics = [\"t\"]\n[[sinks]]\ntype = \"stdout\"\n");
    let bad = Folder::new();
    bad.connector("bad", "topics = [\"t\"]\n[[sinks]]\ntype = \"stdot\"\n");
    let unset = Folder::new();
    unset.connector(
        "unset",
        "topics = [\"${env:CONNECT_TEST_NOT_SET}\"]\n[[sinks]]\ntype = \"stdout\"\n",
    );
    let empty = Folder::new();
    let cases: [(&[&str], &Path, i32); 8] = [
        (&["check"], &good.connectors(), 0),
        (&["check"], &bad.connectors(), 1),
        (&["check"], &unset.connectors(), 0),
        (&["check", "--env"], &unset.connectors(), 1),
        (&["run"], &bad.connectors(), 2),
        (&["run"], &unset.connectors(), 2),
        (&["run"], &empty.connectors(), 2),
        (&["check", "--no-such-option"], &good.connectors(), 2),
    ];
    for (arguments, folder, expected) in cases {
        let finished = connect(arguments, &[], folder).await;
        assert_eq!(
            finished.code, expected,
            "{arguments:?}\n{}{}",
            finished.stdout, finished.stderr
        );
    }
}

/// A library whose constructor creates a file: `check` runs in CI, on files before they are reviewed.
#[tokio::test]
async fn check_runs_no_code_that_a_configuration_names() {
    let folder = Folder::new();
    let (library, trace) = (folder.path().join("evil.so"), folder.path().join("trace"));
    let source = format!(
        "#include <stdio.h>\n\
         __attribute__((constructor)) static void run(void) {{ fclose(fopen(\"{}\", \"w\")); }}\n\
         int conf_init(void *conf, void **opaque, char *error, unsigned long size) {{ return 0; }}\n",
        trace.display()
    );
    folder.file("evil.c", source);
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &folder.path().join("evil.c")])
        .status();
    assert!(compiled.expect("a C compiler").success());
    for key in [
        "plugin.library.paths",
        "ssl.engine.location",
        "ssl.providers",
    ] {
        folder.settings(format!("[kafka]\n\"{key}\" = \"{}\"\n", library.display()));
        let checked = connect(&["check"], &[], &folder.connectors()).await;
        assert_eq!(
            checked.code, 1,
            "{key}: {}{}",
            checked.stdout, checked.stderr
        );
        assert!(
            checked.stdout.contains("it loads native code"),
            "{key}: {}{}",
            checked.stdout,
            checked.stderr
        );
        assert!(!trace.exists(), "{key} ran the library");
    }
}
