//! The sink of rolling files passes the suites for sinks and for accepting sinks.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use connect_api::{Plugins, Result, Sink, Written, async_trait};
use connect_testkit::conformance::{
    AcceptingSinkUnderTest, SinkUnderTest, check_accepting_sink, check_sink,
};
use connect_testkit::{RollingFiles, context};

/// Moving the folder away causes an outage.
struct Rolling {
    root: tempfile::TempDir,
    plugins: Plugins,
    records: u64,
    age: &'static str,
}

impl Rolling {
    fn new(records: u64) -> Rolling {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("files")).unwrap();
        Rolling {
            root,
            plugins: Plugins::new().sink::<RollingFiles>(),
            records,
            age: "1h",
        }
    }

    async fn open_sink(&self) -> Result<Box<dyn Sink>> {
        let plugin = self.plugins.sinks().first().unwrap();
        let table = format!(
            r#"{{"folder":"{}","records":{},"size":"1KiB","age":"{}"}}"#,
            self.root.path().join("files").display(),
            self.records,
            self.age
        );
        let configured = (plugin.configure)(table.parse().unwrap()).unwrap();
        configured.open(context()).await
    }

    fn files(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.path().join("files"));
        let names = entries.into_iter().flatten().map(|entry| {
            let name = entry.unwrap().file_name();
            name.into_string().unwrap()
        });
        names.filter(|name| is_wanted(name)).collect()
    }

    fn places(&self) -> Vec<(i32, i64)> {
        let mut places = Vec::new();
        for name in self.files(|name| name.ends_with(".jsonl")) {
            let text = std::fs::read_to_string(self.root.path().join("files").join(name)).unwrap();
            for line in text.lines() {
                let line = connect_testkit::value(line);
                let number = |member: &str| -> i64 {
                    let value = line.root().get(member).unwrap();
                    value.to_json().parse().unwrap()
                };
                places.push((number("partition") as i32, number("offset")));
            }
        }
        places
    }
}

#[async_trait]
impl AcceptingSinkUnderTest for Rolling {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        self.open_sink().await
    }

    async fn finished(&mut self) -> Vec<(i32, i64)> {
        self.places()
    }

    fn most_held(&self) -> usize {
        2 * self.records as usize
    }

    async fn set_outage(&mut self, on: bool) -> bool {
        let here = self.root.path().join("files");
        let away = self.root.path().join("away");
        let (from, to) = if on { (here, away) } else { (away, here) };
        std::fs::rename(from, to).unwrap();
        true
    }
}

#[async_trait]
impl SinkUnderTest for Rolling {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        self.open_sink().await
    }

    async fn delivered(&mut self) -> Vec<i64> {
        self.places()
            .into_iter()
            .map(|(_, offset)| offset)
            .collect()
    }
}

#[tokio::test]
async fn rolling_files_keep_both_kinds_of_promises() {
    for records in [3, 5] {
        check_accepting_sink(&mut Rolling::new(records)).await;
        check_sink(&mut Rolling::new(records)).await;
    }
}

#[tokio::test]
async fn files_that_a_crash_left_open_are_removed_and_those_of_others_are_not() {
    let rolling = Rolling::new(100);
    let mut running = rolling.open_sink().await.unwrap();
    let records = [connect_testkit::record(0, "{}")];
    running
        .write(&connect_testkit::batch(&records))
        .await
        .unwrap();
    let left = rolling.root.path().join("files/.left.open");
    std::fs::write(&left, "{\"partition\":0,\"off").unwrap();
    drop(rolling.open_sink().await.unwrap());
    assert!(!left.exists());
    let open = rolling.files(|name| name.ends_with(".open"));
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(rolling.places(), []);
    running.flush().await.unwrap();
    assert_eq!(rolling.places(), [(0, 0)]);
    assert_eq!(rolling.files(|name| name.ends_with(".open")).len(), 0);
}

#[tokio::test]
async fn a_file_rolls_by_count_by_size_and_by_age() {
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(2_000));
    // (records, age, value, rolls at once)
    let cases = [
        (100, "1h", "{}", false),
        (1, "1h", "{}", true),
        (100, "1h", &long, true),
        (100, "1ns", "{}", true),
    ];
    for (records, age, value, rolls) in cases {
        let rolling = Rolling {
            age,
            ..Rolling::new(records)
        };
        let mut sink = rolling.open_sink().await.unwrap();
        let record = [connect_testkit::record(0, value)];
        let written = sink.write(&connect_testkit::batch(&record)).await.unwrap();
        assert_eq!(written == Written::Durable, rolls, "{records} {age}");
        assert_eq!(
            rolling.places().len(),
            usize::from(rolls),
            "{records} {age}"
        );
    }
}
