//! The benchmark: one table of a connector's throughput and of the limits of the same server. Run by `dev/bench`; not
//! a test, because a slow machine is no failure.

// A benchmark that cannot continue stops with the location of the failure, and its table is its output.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod binary;
mod callgrind;
mod connector;
mod instructions;
mod limits;
mod peer;
mod sale;
mod upserts;

use std::time::Duration;

use connect_tests::database::Database;
use connect_tests::kafka::Topic;
use connect_tests::load::Producer;
use sqlx::PgPool;

use crate::connector::Measured;
use crate::sale::{COLUMNS, Sale};

const PARTITIONS: u64 = 6;

struct Options {
    records: u64,
    tasks: u32,
    measures: Measures,
}

#[derive(Clone, Copy)]
enum Measures {
    Rates,
    Instructions,
    Upserts,
}

fn options() -> Options {
    let mut options = Options {
        records: 2_000_000,
        tasks: 2,
        measures: Measures::Rates,
    };
    let mut records = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|number| number.parse::<u32>().ok());
        match word.as_str() {
            "--instructions" => options.measures = Measures::Instructions,
            "--upserts" => options.measures = Measures::Upserts,
            "--records" => records = Some(number().unwrap_or_else(|| usage())),
            "--tasks" => options.tasks = number().unwrap_or_else(|| usage()),
            _ => usage(),
        }
    }
    options.records = match (records, options.measures) {
        (Some(records), _) => records.into(),
        (None, Measures::Rates) => 2_000_000,
        (None, Measures::Instructions) => 200_000,
        (None, Measures::Upserts) => 500_000,
    };
    options
}

fn usage() -> ! {
    eprintln!("usage: dev/bench [--records 2000000] [--tasks 2] [--peers]");
    eprintln!("       dev/bench --instructions [--records 200000]");
    eprintln!("       dev/bench --upserts [--records 500000]");
    #[expect(clippy::disallowed_methods, reason = "nothing is running yet")]
    std::process::exit(2);
}

#[tokio::main]
async fn main() {
    let options = options();
    match options.measures {
        Measures::Rates => rates(&options).await,
        Measures::Instructions => instructions::measure(options.records).await,
        Measures::Upserts => ways_to_upsert(options.records).await,
    }
}

async fn ways_to_upsert(records: u64) {
    println!(
        "| upsert of {records} rows, backend CPU s per million | new rows | the same rows again |"
    );
    println!("|---|---|---|");
    for (name, way) in upserts::WAYS {
        let database = fresh("PRIMARY KEY").await;
        let (new, again) = upserts::measure(&pool(&database).await, way, records).await;
        database.remove().await;
        let per_million = |spent: Duration| spent.as_secs_f64() * 1e6 / records as f64;
        println!(
            "| {name} | {:.2} | {:.2} |",
            per_million(new),
            per_million(again)
        );
    }
}

async fn rates(options: &Options) {
    let records = options.records;
    eprintln!("producing {records} records into {PARTITIONS} partitions");
    let topic = Topic::create("bench", i32::try_from(PARTITIONS).expect("few")).await;
    produce(&topic, records).await;

    eprintln!("the limits");
    let batches = limits::encode(records);
    let database = fresh("").await;
    let one_copy = limits::one_copy(&pool(&database).await, &batches).await;
    let content = content(&database).await;
    assert_eq!(
        content.0,
        i64::try_from(records).expect("not that many"),
        "rows"
    );
    database.remove().await;
    let database = fresh("").await;
    let copy = limits::copy_in_batches(&pool(&database).await, &batches).await;
    assert_eq!(self::content(&database).await, content, "COPY in batches");
    database.remove().await;
    drop(batches);
    let database = fresh("PRIMARY KEY").await;
    let upsert_limit = limits::upsert_in_batches(&pool(&database).await, records).await;
    assert_eq!(self::content(&database).await, content, "upsert in batches");
    database.remove().await;

    eprintln!("the connector");
    let mut measured = Vec::new();
    let mut peers = Vec::new();
    for (mode, key) in [("insert", ""), ("upsert", "PRIMARY KEY")] {
        let database = fresh(key).await;
        measured.push(connector::measure(&topic, &database, records, mode, options.tasks).await);
        assert_eq!(self::content(&database).await, content, "connect, {mode}");
        database.remove().await;
        if peer::is_wanted() {
            let database = fresh(key).await;
            peers.push(peer::measure(&topic, &database, records, mode, options.tasks).await);
            assert_eq!(self::content(&database).await, content, "the peer, {mode}");
            database.remove().await;
        }
    }
    let nothing = Topic::create("bench-idle", 1).await;
    let database = fresh("").await;
    let idle_mib = connector::idle_mib(&nothing, &database).await;
    database.remove().await;

    let rate = |spent: Duration| records as f64 / spent.as_secs_f64();
    println!(
        "{records} records, {PARTITIONS} partitions, {} tasks",
        options.tasks
    );
    println!();
    println!("| | rows/s | of its limit | client CPU s per million | peak RSS MiB | first row s |");
    println!("|---|---|---|---|---|---|");
    println!("| limit: one binary COPY | {:.0} | | | | |", rate(one_copy));
    println!(
        "| limit: binary COPY, 5,000 rows a transaction | {:.0} | | | | |",
        rate(copy)
    );
    println!(
        "| limit: UNNEST upsert, 5,000 rows a transaction | {:.0} | | | | |",
        rate(upsert_limit)
    );
    print("connect, insert", &measured[0], rate(copy));
    print("connect, upsert", &measured[1], rate(upsert_limit));
    if let [insert, upsert] = &peers[..] {
        print("Kafka Connect, insert", insert, rate(copy));
        print("Kafka Connect, upsert", upsert, rate(upsert_limit));
    }
    println!();
    for (peer, ours) in peers.iter().zip(&measured) {
        println!("{}", peer::ratios(ours, peer));
    }
    println!(
        "insert is {:.2} of the one COPY; idle RSS {idle_mib:.0} MiB",
        measured[0].rows_a_second / rate(one_copy)
    );
}

fn print(name: &str, measured: &Measured, limit: f64) {
    println!(
        "| {name} | {:.0} | {:.2} | {:.2} | {:.0} | {:.2} |",
        measured.rows_a_second,
        measured.rows_a_second / limit,
        measured.cpu_seconds_a_million,
        measured.peak_mib,
        measured.first_row.as_secs_f64()
    );
}

async fn produce(topic: &Topic, records: u64) {
    let topic = topic.clone();
    let acknowledged = tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for n in 0..records {
            let sale = Sale::number(n);
            let partition = i32::try_from(n % PARTITIONS).expect("few");
            producer.send(
                &topic,
                partition,
                &sale.sale_id,
                sale.json().as_bytes(),
                b"",
            );
        }
        producer.finish()
    });
    let ledger = acknowledged.await.expect("the load ends");
    assert_eq!(ledger.len() as u64, records, "every record acknowledged");
}

/// A database with an empty table, for every run.
async fn fresh(key: &str) -> Database {
    let columns = COLUMNS.map(|(name, kind)| {
        let key = if name == "sale_id" { key } else { "" };
        format!("{name} {kind} NOT NULL {key}")
    });
    let database = Database::create().await;
    database
        .execute(&format!("CREATE TABLE sales ({})", columns.join(", ")))
        .await;
    // Pending writes of an earlier run must not slow down this one.
    database.execute("CHECKPOINT").await;
    database
}

/// The number of rows and a sum over the text of each: a rate counts only if every method wrote the same rows once.
async fn content(database: &Database) -> (i64, i64) {
    let sum = "SELECT sum(hashtext(sales::text)::bigint)::bigint FROM sales";
    let sum = database.try_number(sum).await.expect("a sum");
    (database.count("sales").await, sum)
}

async fn pool(database: &Database) -> PgPool {
    PgPool::connect(&database.url())
        .await
        .expect("a connection")
}
