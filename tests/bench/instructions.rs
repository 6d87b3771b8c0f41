//! Instructions of the client for each record, counted by callgrind: the same on a busy machine and on a quiet one.
//!
//! The difference of a run and of one with half the records, so that the start does not count. What happens every few
//! seconds, such as statistics, counts too much: under callgrind a second has a fraction of the records.

use std::process::Command;
use std::time::Duration;

use connect_tests::kafka::Topic;
use connect_tests::process::Launch;

use crate::callgrind::{Counts, names};
use crate::{connector, fresh, produce};

pub(crate) async fn measure(records: u64) {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("valgrind is missing; it counts the instructions: sudo apt-get install valgrind");
        #[expect(clippy::disallowed_methods, reason = "nothing is running yet")]
        std::process::exit(3);
    }
    let half = records / 2;
    let fewer = Topic::create("bench-fewer", crate::PARTITIONS as i32).await;
    let more = Topic::create("bench-more", crate::PARTITIONS as i32).await;
    produce(&fewer, half).await;
    produce(&more, records).await;
    let mut columns = Vec::new();
    for (mode, key) in [("insert", ""), ("upsert", "PRIMARY KEY")] {
        eprintln!("{mode}: {half} and {records} records under callgrind");
        let start = counted(&fewer, half, mode, key).await;
        let all = counted(&more, records, mode, key).await;
        columns.push(all.for_each_record(&start, records - half));
    }
    println!("| instructions a record | insert | upsert |");
    println!("|---|---|---|");
    for (room, name) in names().enumerate() {
        println!(
            "| {name} | {:.0} | {:.0} |",
            columns[0][room], columns[1][room]
        );
    }
    let sum = |column: &[f64]| column.iter().sum::<f64>();
    println!(
        "| all | {:.0} | {:.0} |",
        sum(&columns[0]),
        sum(&columns[1])
    );
}

/// What a run of the connector over the whole topic takes.
async fn counted(topic: &Topic, records: u64, mode: &str, key: &str) -> Counts {
    let database = fresh(key).await;
    let output = tempfile::tempdir().expect("a temporary folder");
    let file = output.path().join("counts");
    let folder = connector::folder(topic, mode, 1);
    let launch = Launch::run(&folder).database(database.url()).under(
        "valgrind",
        &[
            "--tool=callgrind",
            &format!("--callgrind-out-file={}", file.display()),
        ],
    );
    let mut process = launch.start();
    let total = i64::try_from(records).expect("not that many");
    connector::reached(&database, total).await;
    let code = process.stop(Duration::from_secs(120)).await;
    assert_eq!(code, 0, "connect ended with {code}");
    database.remove().await;
    if let Some(kept) = std::env::var_os("CONNECT_BENCH_COUNTS") {
        let name = format!("{mode}-{records}");
        std::fs::copy(&file, std::path::Path::new(&kept).join(name)).expect("a copy");
    }
    Counts::read(&file)
}
