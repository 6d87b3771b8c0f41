//! The promises of a sink, checked by the suite that the shipped sinks pass.

#![allow(clippy::unwrap_used, clippy::panic)]

use connect_api::{Plugins, Result, Sink, async_trait};
use connect_testkit::conformance::{SinkUnderTest, check_sink};
use connect_testkit::context;
use third_party_sink::AppendFile;

struct UnderTest {
    folder: tempfile::TempDir,
    plugins: Plugins,
}

#[async_trait]
impl SinkUnderTest for UnderTest {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        let plugin = self.plugins.sinks().first().unwrap();
        let table = format!(r#"{{"folder":"{}"}}"#, self.folder.path().display());
        let configured = (plugin.configure)(table.parse().unwrap()).unwrap();
        configured.open(context()).await
    }

    async fn delivered(&mut self) -> Vec<i64> {
        let written = std::fs::read_to_string(self.folder.path().join("conformance-0.jsonl"));
        let id = |line: &str| {
            let number = line.strip_prefix(r#"{"id":"#)?.strip_suffix('}')?;
            number.parse().ok()
        };
        written.unwrap_or_default().lines().filter_map(id).collect()
    }
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_sink() {
    check_sink(&mut UnderTest {
        folder: tempfile::tempdir().unwrap(),
        plugins: Plugins::new().sink::<AppendFile>(),
    })
    .await;
}

#[tokio::test]
async fn half_a_line_of_a_killed_predecessor_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("conformance-0.jsonl");
    std::fs::write(&file, "{\"id\":1}\n{\"id\":2").unwrap();
    let mut under_test = UnderTest {
        folder,
        plugins: Plugins::new().sink::<AppendFile>(),
    };
    let mut sink = under_test.open().await.unwrap();
    let records = [connect_testkit::record(2, r#"{"id":2}"#)];
    sink.write(&connect_testkit::batch(&records)).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "{\"id\":1}\n{\"id\":2}\n"
    );
}
