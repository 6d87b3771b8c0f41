//! The sink passes the conformance suites for sinks and for accepting sinks.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use connect_api::{Plugins, Result, Sink, Written, async_trait};
use connect_testkit::conformance::{
    AcceptingSinkUnderTest, SinkUnderTest, check_accepting_sink, check_sink,
};
use connect_testkit::{batch, context, record, record_in};
use third_party_sink::BatchFiles;

struct UnderTest {
    root: tempfile::TempDir,
    plugins: Plugins,
}

impl UnderTest {
    fn new() -> UnderTest {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("files")).unwrap();
        UnderTest {
            root,
            plugins: Plugins::new().sink::<BatchFiles>(),
        }
    }

    async fn open_sink(&self) -> Result<Box<dyn Sink>> {
        let plugin = self.plugins.sinks().first().unwrap();
        let folder = self.root.path().join("files");
        let table = format!(r#"{{"folder":"{}","records":4}}"#, folder.display());
        let configured = (plugin.configure)(table.parse().unwrap()).unwrap();
        configured.open(context()).await
    }

    /// Partition and offset of each line of each finished file.
    fn numbers(&self) -> Vec<(i32, i64)> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(self.root.path().join("files")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with('.') {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            numbers.extend(text.lines().filter_map(|line| {
                let both = line.strip_prefix(r#"{"id":["#)?.strip_suffix("]}")?;
                let (partition, offset) = both.split_once(',')?;
                Some((partition.parse().ok()?, offset.parse().ok()?))
            }));
        }
        numbers
    }
}

#[async_trait]
impl SinkUnderTest for UnderTest {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        self.open_sink().await
    }

    fn record(&self, offset: i64) -> connect_api::Record {
        record(offset, &format!(r#"{{"id":[0,{offset}]}}"#))
    }

    async fn delivered(&mut self) -> Vec<i64> {
        self.numbers()
            .into_iter()
            .map(|(_, offset)| offset)
            .collect()
    }
}

#[async_trait]
impl AcceptingSinkUnderTest for UnderTest {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        self.open_sink().await
    }

    fn record(&self, partition: i32, offset: i64) -> connect_api::Record {
        record_in(
            partition,
            offset,
            &format!(r#"{{"id":[{partition},{offset}]}}"#),
        )
    }

    async fn finished(&mut self) -> Vec<(i32, i64)> {
        self.numbers()
    }

    fn most_held(&self) -> usize {
        4
    }

    /// Moving the folder away causes an outage.
    async fn set_outage(&mut self, on: bool) -> bool {
        let here = self.root.path().join("files");
        let away = self.root.path().join("away");
        let (from, to) = if on { (here, away) } else { (away, here) };
        std::fs::rename(from, to).unwrap();
        true
    }
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_sink() {
    check_sink(&mut UnderTest::new()).await;
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_sink_that_accepts() {
    check_accepting_sink(&mut UnderTest::new()).await;
}

#[tokio::test]
async fn a_file_is_finished_with_enough_records_and_appears_complete() {
    let under_test = UnderTest::new();
    let mut sink = under_test.open_sink().await.unwrap();
    let records: Vec<_> = (0..4)
        .map(|offset| record(offset, &format!(r#"{{"id":[0,{offset}]}}"#)))
        .collect();
    let accepted = sink.write(&batch(&records[..3])).await.unwrap();
    assert!(matches!(
        accepted,
        Written::Accepted {
            flush_by: Some(_),
            ..
        }
    ));
    assert_eq!(under_test.numbers(), []);
    let durable = sink.write(&batch(&records[3..])).await.unwrap();
    assert_eq!(durable, Written::Durable);
    assert_eq!(under_test.numbers(), [(0, 0), (0, 1), (0, 2), (0, 3)]);
}
