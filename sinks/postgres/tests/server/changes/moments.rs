//! Changes at moments of their own, and what one look at the tables costs.

use connect_api::{Failure, Sink};
use sqlx::Executor;

use super::{Road, value, wait_until_blocked};
use crate::support::*;

/// The change waits for the transaction that has written to the table already: that batch is as the table was, the next
/// as it becomes. A change of a type takes no lock on the table, so the batch is written again.
#[tokio::test]
async fn a_change_that_comes_while_the_transaction_is_open_counts_from_the_next_batch() {
    let mut database = Database::new("").await;
    let enum_change =
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; ALTER TYPE mood ADD VALUE 'sad'";
    let cases = [
        (
            "insert",
            "",
            "ALTER TABLE t ADD extra int4",
            ["(1,sad,)", "(2,sad,9)"],
        ),
        (
            "upsert",
            "key = [\"id\"]",
            "ALTER TABLE t ADD extra int4",
            ["(1,sad,)", "(2,sad,9)"],
        ),
        ("insert", "", enum_change, ["(1,sad)", "(2,sad)"]),
    ];
    for (mode, key, change, expected) in cases {
        database
            .run(
                "DROP TABLE IF EXISTS t, gate, connect_progress; DROP TYPE IF EXISTS mood;
                 CREATE TYPE mood AS ENUM ('sad');
                 CREATE TABLE t (id int8 PRIMARY KEY, v mood); CREATE TABLE gate (id int8)",
            )
            .await;
        let toml = format!(
            "lock_timeout = \"20s\"\n[[tables]]\ntable = \"t\"\nmode = \"{mode}\"\n{key}\n[[tables]]\ntable = \"gate\""
        );
        let mut sink = open(&database.url(), &toml).await;
        sink.resume(&[partition(0)]).await.unwrap();
        let [first, second] = [1, 2].map(|id| records(&[&value(id, r#""v":"sad","extra":9"#)]));
        let mut gate = connect(&database.url()).await;
        gate.execute("BEGIN; LOCK TABLE gate IN EXCLUSIVE MODE")
            .await
            .unwrap();
        let writing = tokio::spawn(async move {
            let written = sink.write(&batch(&first, 0)).await;
            (sink, written)
        });
        wait_until_blocked(&mut database, "connect/test").await;
        let mut changing = connect(&format!("{}?application_name=changing", database.url())).await;
        let change_sql = change.to_owned();
        let changing = tokio::spawn(async move { changing.execute(change_sql.as_str()).await });
        if change.starts_with("ALTER TABLE") {
            wait_until_blocked(&mut database, "changing").await;
        } else {
            changing.await.unwrap().unwrap();
        }
        gate.execute("COMMIT").await.unwrap();
        let (mut sink, written) = writing.await.unwrap();
        written.unwrap_or_else(|failure| panic!("{mode}, {change}: {failure}"));
        let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'extra'";
        while change.starts_with("ALTER TABLE") && database.text(columns).await == "(0)" {
            tokio::task::yield_now().await;
        }
        sink.write(&batch(&second, 1)).await.unwrap();
        assert_eq!(
            database.lines("SELECT * FROM t ORDER BY id").await,
            expected,
            "{mode}, {change}"
        );
    }
    database.drop().await;
}

/// A column that `columns` names is missing: the same error as at the start, in every mode.
#[tokio::test]
async fn a_mapped_column_that_is_dropped_is_the_error_of_the_start() {
    let mut database = Database::new("").await;
    for road in [Road::Copy, Road::Upsert, Road::Update] {
        for change in ["ALTER TABLE t DROP v", "ALTER TABLE t RENAME v TO w"] {
            database
                .run("DROP TABLE IF EXISTS t, connect_progress; CREATE TABLE t (id int8 PRIMARY KEY, v int4); INSERT INTO t VALUES (2, 2)")
                .await;
            let toml = format!(
                "{}\ncolumns = {{ id = \"$.id\", v = \"$.v\" }}",
                road.toml()
            );
            let mut sink = open(&database.url(), &toml).await;
            sink.resume(&[partition(0)]).await.unwrap();
            let list = records(&[&value(2 + i32::from(road.is_insert()), r#""v":5"#)]);
            sink.write(&batch(&list, 0)).await.unwrap();
            database.run(change).await;
            let running = sink.write(&batch(&list, 1)).await.unwrap_err();
            let restarted = try_open(&database.url(), &toml).await.err().unwrap();
            assert_eq!(format!("{running:?}"), format!("{restarted:?}"), "{change}");
            assert!(
                running.to_string().contains("has no column `v`"),
                "{running}"
            );
        }
    }
    database.drop().await;
}

/// With one snapshot for the whole transaction, the catalog would be seen as it was before the rows' lock was taken.
#[tokio::test]
async fn the_default_isolation_of_the_database_does_not_matter() {
    let mut database = Database::new("CREATE TABLE t (id int8 PRIMARY KEY, v numeric(10,4))").await;
    for isolation in ["repeatable read", "serializable"] {
        database
            .run(&format!(
                "ALTER DATABASE {} SET default_transaction_isolation = '{isolation}'; TRUNCATE t;
                 DROP TABLE IF EXISTS connect_progress; ALTER TABLE t ALTER v TYPE numeric(10,4)",
                database.name
            ))
            .await;
        let mut sink = open(&database.url(), &Road::Upsert.toml()).await;
        sink.resume(&[partition(0)]).await.unwrap();
        let [first, second] = [1, 2].map(|id| records(&[&value(id, r#""v":1.2345"#)]));
        sink.write(&batch(&first, 0)).await.unwrap();
        let mut changing = connect(&database.url()).await;
        changing
            .execute("BEGIN; LOCK TABLE t; DELETE FROM t; ALTER TABLE t ALTER v TYPE numeric(10,2)")
            .await
            .unwrap();
        let writing = tokio::spawn(async move { sink.write(&batch(&second, 1)).await });
        wait_until_blocked(&mut database, "connect/test").await;
        changing.execute("COMMIT").await.unwrap();
        let failure = writing.await.unwrap().unwrap_err();
        assert!(
            matches!(failure, Failure::Refused(_)),
            "{isolation}: {failure}"
        );
        assert_eq!(database.text("SELECT count(*) FROM t").await, "(0)");
    }
    database.drop().await;
}

/// The statements are counted as the transactions that they are outside of one.
#[tokio::test]
async fn the_tables_are_looked_at_once_for_a_batch_of_bad_records() {
    let mut database = Database::new("CREATE TABLE t (id int8 PRIMARY KEY, v int4)").await;
    let mut sink = open(&database.url(), &Road::Upsert.toml()).await;
    sink.resume(&[partition(0)]).await.unwrap();
    let values: Vec<String> = (0..5_000)
        .map(|id| value(id, r#""v":3000000000"#))
        .collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let list = records(&values);
    let failure = sink.write(&batch(&list, 0)).await.unwrap_err();
    assert!(matches!(&failure, Failure::Refused(refusals) if refusals.len() == 5_000));
    sink.close().await.unwrap();
    while database
        .text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'connect/test' AND datname = current_database()")
        .await
        != "(0)"
    {
        tokio::task::yield_now().await;
    }
    let transactions =
        "SELECT sum(xact_commit) < 100 FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(database.text(transactions).await, "(t)");
    database.drop().await;
}
