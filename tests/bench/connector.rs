//! Measures the connector: the same rows from Kafka, exactly once, with the contract checked.

use std::time::{Duration, Instant};

use connect_tests::database::Database;
use connect_tests::eventually;
use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::process::{ConnectProcess, Launch};

use crate::sale;

/// The measurements of one run.
pub(crate) struct Measured {
    /// The time between 5 % and 95 % of the rows, without start and end.
    pub(crate) rows_a_second: f64,
    pub(crate) cpu_seconds_a_million: f64,
    pub(crate) peak_mib: f64,
    pub(crate) first_row: Duration,
}

const LONG: Duration = Duration::from_secs(600);

pub(crate) fn folder(topic: &Topic, mode: &str, tasks: u32) -> Folder {
    let key = if mode == "upsert" {
        "key = [\"sale_id\"]"
    } else {
        ""
    };
    let folder = Folder::new();
    folder.file("schemas/sale.json", sale::SCHEMA).connector(
        &format!("bench-{mode}"),
        format!(
            r#"topics = ["{}"]
tasks = {tasks}

[value]
format = "json"
schema = "../schemas/sale.json"

[[sinks]]
type = "postgres"
url = "${{env:DATABASE_URL}}"

[[sinks.tables]]
table = "sales"
mode = "{mode}"
{key}
"#,
            topic.name()
        ),
    );
    folder
}

/// The durably written records according to the stored progress, which is far cheaper to query than `count(*)`.
async fn written(database: &Database) -> i64 {
    database
        .try_number("SELECT coalesce(sum(next_offset), 0)::bigint FROM connect_progress")
        .await
        .unwrap_or(0)
}

pub(crate) async fn reached(database: &Database, records: i64) -> Instant {
    eventually(&format!("{records} records written"), LONG, async || {
        (written(database).await >= records).then(Instant::now)
    })
    .await
}

pub(crate) async fn measure(
    topic: &Topic,
    database: &Database,
    records: u64,
    mode: &str,
    tasks: u32,
) -> Measured {
    let folder = folder(topic, mode, tasks);
    let total = i64::try_from(records).expect("not that many");
    let started = Instant::now();
    let mut process = Launch::run(&folder).database(database.url()).start();
    let first_row = reached(database, 1).await - started;
    let low = reached(database, total / 20).await;
    let low_rows = written(database).await;
    let high = reached(database, total / 20 * 19).await;
    let high_rows = written(database).await;
    reached(database, total).await;
    let cpu = process.cpu_seconds();
    let peak = process.memory_kib("VmHWM");
    let code = process.stop(Duration::from_secs(30)).await;
    assert_eq!(code, 0, "connect ended with {code}");
    Measured {
        rows_a_second: (high_rows - low_rows) as f64 / (high - low).as_secs_f64(),
        cpu_seconds_a_million: cpu * 1e6 / records as f64,
        peak_mib: peak as f64 / 1024.0,
        first_row,
    }
}

/// The memory, in MiB, of a process whose only connector is idle.
pub(crate) async fn idle_mib(topic: &Topic, database: &Database) -> f64 {
    let folder = folder(topic, "insert", 1);
    let mut process = Launch::run(&folder).database(database.url()).start();
    eventually("the start is stored", Duration::from_secs(30), async || {
        database
            .try_number("SELECT count(*) FROM connect_progress")
            .await
            .filter(|rows| *rows > 0)
    })
    .await;
    let mib = settled_mib(&process).await;
    process.stop(Duration::from_secs(30)).await;
    mib
}

/// The memory after it has not changed for two seconds.
async fn settled_mib(process: &ConnectProcess) -> f64 {
    let mut last = (process.memory_kib("VmRSS"), Instant::now());
    eventually("memory settles", Duration::from_secs(30), async || {
        let now = process.memory_kib("VmRSS");
        if now != last.0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > Duration::from_secs(2)).then_some(())
    })
    .await;
    last.0 as f64 / 1024.0
}
