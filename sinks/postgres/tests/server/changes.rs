//! The table changes while the sink runs: whatever changes, whenever, in every mode, the sink does what one that was opened
//! after the change does with the same record.

mod list;
mod moments;

use connect_api::{Failure, Sink};
use connect_sink_postgres::PostgresSink;
use sqlx::{Executor, PgConnection};

use crate::support::*;

use list::{CHANGES, Change};

/// How rows are written.
#[derive(Clone, Copy, PartialEq)]
enum Road {
    Copy,
    /// Insert with a column that COPY BINARY cannot carry.
    Unnest,
    Upsert,
    /// Upsert without named statements.
    Pooled,
    Update,
    Delete,
}

/// When the change is committed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// Before the batch is handed over.
    Before,
    /// After the batch is encoded, before its rows are written.
    Encoded,
    /// While the statement that writes the rows waits for the table.
    Waiting,
}

impl Road {
    fn toml(self) -> String {
        let mode = match self {
            Road::Copy | Road::Unnest => "mode = \"insert\"",
            Road::Upsert | Road::Pooled => "mode = \"upsert\"\nkey = [\"id\"]",
            Road::Update => "mode = \"update\"\nkey = [\"id\"]",
            Road::Delete => "mode = \"delete\"\nkey = [\"id\"]",
        };
        let pooler = self == Road::Pooled;
        format!("pooler = {pooler}\nlock_timeout = \"20s\"\n[[tables]]\ntable = \"t\"\n{mode}")
    }

    fn is_insert(self) -> bool {
        matches!(self, Road::Copy | Road::Unnest)
    }

    /// Through a pooler, statements are those of upsert; a delete needs no column but the key.
    fn moments(self) -> &'static [Moment] {
        match self {
            Road::Pooled | Road::Delete => &[Moment::Before],
            _ => &[Moment::Before, Moment::Encoded, Moment::Waiting],
        }
    }

    /// The table before a change, with the rows that update and delete need.
    async fn make_table(self, database: &mut Database, change: &Change) {
        let text = if self == Road::Unnest { ", a inet" } else { "" };
        let seed = if self.is_insert() {
            String::new()
        } else {
            format!(
                "INSERT INTO t SELECT r.* FROM generate_series(1, 3) n,
                 json_populate_record(NULL::t, json_build_object('id', n)) s,
                 json_populate_record(s, '{{{}}}') r",
                change.first
            )
        };
        let sql = format!(
            "BEGIN; DROP SCHEMA IF EXISTS shop, gone, first CASCADE; CREATE SCHEMA shop;
             CREATE TYPE mood AS ENUM ('sad'); CREATE DOMAIN must AS int4;
             CREATE TABLE t (id int8 PRIMARY KEY, {}{text}); {seed}; COMMIT",
            change.columns
        );
        database.run(&sql).await;
    }
}

/// A sink that lives through all changes.
struct Running {
    sink: PostgresSink,
    next: i64,
}

impl Running {
    async fn write(mut self, value: String) -> (Running, Result<(), Failure>) {
        let list = records(&[&value]);
        let written = self.sink.write(&batch(&list, self.next)).await;
        self.next += i64::from(written.is_ok());
        (self, written.map(|_| ()))
    }
}

fn value(id: i32, fields: &str) -> String {
    let separator = if fields.is_empty() { "" } else { "," };
    format!("{{\"id\":{id}{separator}{fields}}}")
}

/// What became of record 2, and of the rows with its key.
async fn outcome(database: &mut Database, written: Result<(), Failure>) -> String {
    match written {
        Err(Failure::Refused(refusals)) => return format!("refused: {}", refusals[0].cause),
        Err(failure) => return format!("{failure:?}"),
        Ok(()) => (),
    }
    let mut rows = Vec::new();
    for table in ["first.t", "shop.t", "shop.old", "gone.t"] {
        let exists = format!("SELECT to_regclass('{table}') IS NOT NULL");
        if database.text(&exists).await == "(t)" {
            let query = format!("SELECT * FROM {table} WHERE id = 2");
            let found = database.lines(&query).await.join(" ");
            rows.push(format!("{table}: {found}"));
        }
    }
    rows.join(", ")
}

/// Writes record 2 with a sink that is opened after the change.
async fn after_restart(database: &mut Database, road: Road, change: &Change) -> String {
    road.make_table(database, change).await;
    database.run(change.sql).await;
    let toml = format!("progress_table = \"public.of_restarts\"\n{}", road.toml());
    let written = write_all(&database.url(), &toml, &[&value(2, change.fields)]).await;
    outcome(database, written).await
}

/// Writes record 2 with a sink that has written record 1 before the change.
async fn while_running(
    database: &mut Database,
    changing: &mut PgConnection,
    running: Running,
    road: Road,
    change: &Change,
    moment: Moment,
) -> (Running, String) {
    road.make_table(database, change).await;
    let (running, first) = running.write(value(1, change.first)).await;
    first.unwrap_or_else(|failure| panic!("before {}: {failure}", change.name));
    let hold = match moment {
        Moment::Before => "",
        Moment::Encoded => "SELECT FROM connect_progress FOR UPDATE;",
        Moment::Waiting => "LOCK TABLE t IN ACCESS EXCLUSIVE MODE;",
    };
    let sql = format!("BEGIN; {hold} {}", change.sql);
    changing.execute(sql.as_str()).await.unwrap();
    if moment == Moment::Before {
        changing.execute("COMMIT").await.unwrap();
    }
    let writing = tokio::spawn(running.write(value(2, change.fields)));
    if moment != Moment::Before {
        wait_until_blocked(database, "connect/test").await;
        changing.execute("COMMIT").await.unwrap();
    }
    let (running, written) = writing.await.unwrap();
    (running, outcome(database, written).await)
}

/// Waits until a session with this name waits for a lock.
async fn wait_until_blocked(database: &mut Database, application: &str) {
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
         AND application_name = '{application}' AND wait_event_type = 'Lock'"
    );
    while database.text(&waiting).await == "(0)" {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

async fn every_change_at_every_moment(road: Road) {
    let mut database = Database::new("").await;
    let name = &database.name;
    // Thousands of small transactions: what a crash would lose is no matter here.
    let settings = format!(
        "ALTER DATABASE {name} SET synchronous_commit = off; SET synchronous_commit = off;
         ALTER DATABASE {name} SET search_path = first, shop, public; SET search_path = first, shop, public"
    );
    database.run(&settings).await;
    let mut changing = connect(&database.url()).await;
    let [first, ..] = &CHANGES;
    road.make_table(&mut database, first).await;
    let toml = format!(
        "progress_table = \"public.connect_progress\"\n{}",
        road.toml()
    );
    let mut sink = open(&database.url(), &toml).await;
    sink.resume(&[partition(0)]).await.unwrap();
    let mut running = Running { sink, next: 0 };
    for change in CHANGES {
        let expected = after_restart(&mut database, road, &change).await;
        if road == Road::Copy {
            assert!(
                expected.contains(change.expected),
                "{}, after a restart: {expected}",
                change.name
            );
        }
        for moment in road.moments() {
            if change.widens && *moment != Moment::Before {
                continue;
            }
            let found;
            (running, found) = while_running(
                &mut database,
                &mut changing,
                running,
                road,
                &change,
                *moment,
            )
            .await;
            assert_eq!(found, expected, "{}, {moment:?}", change.name);
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn copy_follows_every_change() {
    every_change_at_every_moment(Road::Copy).await;
}

#[tokio::test]
async fn insert_by_unnest_follows_every_change() {
    every_change_at_every_moment(Road::Unnest).await;
}

#[tokio::test]
async fn upsert_follows_every_change() {
    every_change_at_every_moment(Road::Upsert).await;
}

#[tokio::test]
async fn upsert_through_a_pooler_follows_every_change() {
    every_change_at_every_moment(Road::Pooled).await;
}

#[tokio::test]
async fn update_follows_every_change() {
    every_change_at_every_moment(Road::Update).await;
}

#[tokio::test]
async fn delete_follows_every_change() {
    every_change_at_every_moment(Road::Delete).await;
}
