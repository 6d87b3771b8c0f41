//! The first minute: a fresh copy of the shipped folder, with nothing but the binary.

use std::path::{Path, PathBuf};
use std::time::Duration;

use connect_tests::process::{ConnectProcess, Launch};
use connect_tests::{eventually, servers};
use sqlx::{Connection, PgConnection};

use crate::shipped;

const TABLES: [&str; 4] = ["customers", "transactions", "transaction_items", "users"];

/// Copies the parts of a clone that the command reads.
fn fresh_copy(folder: &Path) {
    for name in ["connectors.d", "schemas", "migrations"] {
        shipped::copy(&servers::workspace().join(name), &folder.join(name));
    }
}

fn start(folder: &Path) -> ConnectProcess {
    Launch::new(&["run", "--embedded", "connectors.d/"])
        .working_in(folder)
        // They apply only without --embedded.
        .variable("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")
        .variable("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
        .start()
}

async fn count(url: &str, table: &str) -> Option<i64> {
    let mut client = PgConnection::connect(url).await.ok()?;
    sqlx::query_scalar(&format!("SELECT count(*) FROM {table}"))
        .fetch_one(&mut client)
        .await
        .ok()
}

/// Waits for rows in every table and returns the database's URL.
async fn rows_in_every_table(folder: &Path) -> String {
    let file: PathBuf = folder.join(".connect/postgres/url");
    let deadline = Duration::from_secs(60);
    eventually("rows in every table", deadline, async || {
        let url = std::fs::read_to_string(&file).ok()?.trim().to_owned();
        for table in TABLES {
            count(&url, table).await.filter(|count| *count > 0)?;
        }
        Some(url)
    })
    .await
}

fn mode(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}

async fn is_gone(url: &str) {
    eventually(
        "PostgreSQL has ended",
        Duration::from_secs(20),
        async || PgConnection::connect(url).await.is_err().then_some(()),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_command_fills_every_table_and_can_be_repeated() {
    let _turn = servers::shared().await;
    let folder = tempfile::tempdir().unwrap();
    fresh_copy(folder.path());

    let mut process = start(folder.path());
    let url = rows_in_every_table(folder.path()).await;
    assert_eq!(mode(&folder.path().join(".connect/postgres/url")), 0o600);
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    is_gone(&url).await;

    // Once more, and this time it is killed: its remains must not block the next run.
    let mut process = start(folder.path());
    rows_in_every_table(folder.path()).await;
    process.kill();
    let mut process = start(folder.path());
    let url = rows_in_every_table(folder.path()).await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    is_gone(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_may_try_it_at_the_same_time() {
    let _turn = servers::shared().await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut processes = Vec::new();
    for folder in &folders {
        fresh_copy(folder.path());
        processes.push(start(folder.path()));
    }
    for folder in &folders {
        rows_in_every_table(folder.path()).await;
    }
    for process in &mut processes {
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    }
}
