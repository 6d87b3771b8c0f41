//! Slow writes cost neither throughput (nothing is paused) nor the membership in the group.

use std::path::Path;
use std::time::Duration;

use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::load::produce_payments;
use connect_tests::process::Launch;
use connect_tests::{eventually, servers};

use crate::{FAULTY, payments};

/// The content of one write.
struct Written {
    at_ms: u64,
    records: u64,
    /// Partition, first offset, next offset.
    ranges: Vec<(i32, i64, i64)>,
}

fn written(file: &Path) -> Vec<Written> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(parse).collect()
}

fn parse(line: &str) -> Written {
    let mut words = line.split(' ');
    Written {
        at_ms: words.next().unwrap().parse().unwrap(),
        records: words.next().unwrap().parse().unwrap(),
        ranges: words
            .map(|word| {
                let (partition, range) = word.split_once(':').unwrap();
                let (first, next) = range.split_once('-').unwrap();
                (
                    partition.parse().unwrap(),
                    first.parse().unwrap(),
                    next.parse().unwrap(),
                )
            })
            .collect(),
    }
}

fn connector(topic: &Topic, file: &Path, takes: &str, batch: &str) -> String {
    format!(
        "topics = [\"{}\"]\n[value]\nformat = \"bytes\"\n[[sinks]]\ntype = \"slow\"\n\
         file = \"{}\"\ntakes = \"{takes}\"\n{batch}",
        topic.name(),
        file.display()
    )
}

/// Checks that every offset of every partition occurs once, in order: each write starts where the last one ended.
fn assert_each_once(written: &[Written], records: u64) {
    let mut ends = std::collections::BTreeMap::new();
    for write in written {
        for (partition, first, next) in &write.ranges {
            let expected = ends.insert(*partition, *next).unwrap_or(0);
            assert_eq!(
                *first, expected,
                "partition {partition} continues where it ended"
            );
        }
    }
    assert_eq!(
        written.iter().map(|write| write.records).sum::<u64>(),
        records
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_30_ms_still_moves_more_than_100_000_records_a_second() {
    let _turn = servers::alone().await;
    let topic = Topic::create("slow", 6).await;
    let records = 600_000;
    produce_payments(&topic, 6, records).await;
    let records = u64::try_from(records).unwrap();
    let folder = Folder::new();
    let file = folder.path().join("written");
    folder.connector("slow", connector(&topic, &file, "30ms", ""));
    let mut process = Launch::run(&folder).program(FAULTY).start();
    eventually("every record", payments::SETTLED, async || {
        let sum: u64 = written(&file).iter().map(|write| write.records).sum();
        (sum >= records).then_some(())
    })
    .await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    let written = written(&file);
    assert_each_once(&written, records);
    let rate = best_rate(&written);
    assert!(rate > 100_000, "{rate} records a second");
}

/// Records per second in the best stretch of 20 writes. Other programs on the machine slow down some writes; pausing
/// the partitions around each write would slow down every one (5,000 per second, measured).
fn best_rate(written: &[Written]) -> u64 {
    const STRETCH: usize = 20;
    let rates = written.windows(STRETCH + 1).map(|writes| {
        let moved: u64 = writes[1..].iter().map(|write| write.records).sum();
        moved * 1000 / (writes[STRETCH].at_ms - writes[0].at_ms)
    });
    rates.max().expect("more than one stretch")
}

/// Kafka expels a member that has not polled for `max.poll.interval.ms`, five minutes by default. Here it is 10 s, so
/// that a write of two and a half times that length shows in half a minute what two writes of 6 minutes would show in
/// 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_outlasts_the_poll_interval_keeps_the_membership() {
    let _turn = servers::shared().await;
    let topic = Topic::create("very-slow", 2).await;
    produce_payments(&topic, 2, 3_000).await;
    let folder = Folder::new();
    let file = folder.path().join("written");
    folder
        .settings("[kafka]\n\"max.poll.interval.ms\" = 10000\n")
        .connector(
            "very-slow",
            connector(&topic, &file, "25s", "[batch]\nmax_records = 2000\n"),
        );
    let mut process = Launch::run(&folder).program(FAULTY).start();
    eventually("two writes", payments::SETTLED, async || {
        let sum: u64 = written(&file).iter().map(|write| write.records).sum();
        (sum >= 3_000).then_some(())
    })
    .await;
    assert_each_once(&written(&file), 3_000);
    assert_eq!(
        process.events("partitions_assigned").len(),
        1,
        "{}",
        process.stderr()
    );
    assert_eq!(process.stop(Duration::from_secs(60)).await, 0);
}
