//! The three plugins pass the conformance suites.

use std::fs;

use connect_api::{Plugins, Positions, Record, Result, Sink, Source, SourceContext, async_trait};
use connect_testkit::conformance::{SinkUnderTest, SourceUnderTest, check_sink, check_source};
use connect_testkit::transforms::{check, check_refused};
use connect_testkit::{context, record};
use own_plugins::{LineFiles, LogLines, UpperCase};
use serde_json::json;
use tempfile::TempDir;

struct Files(TempDir);

#[async_trait]
impl SinkUnderTest for Files {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        let plugins = Plugins::new().sink::<LineFiles>();
        let table = json!({ "folder": self.0.path() });
        let configured = (plugins.sinks()[0].configure)(table).expect("the table is right");
        configured.open(context()).await
    }

    fn record(&self, offset: i64) -> Record {
        record(offset, &format!(r#"{{"offset":{offset}}}"#))
    }

    /// The offsets in finished files.
    async fn delivered(&mut self) -> Vec<i64> {
        let files = fs::read_dir(self.0.path()).expect("the folder exists");
        let finished = files
            .map(|file| file.expect("it is listed").path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "jsonl")
            });
        let texts: Vec<String> = finished
            .map(|path| fs::read_to_string(path).expect("it is a file"))
            .collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        lines
            .filter_map(|line| {
                line.strip_prefix(r#"{"offset":"#)?
                    .strip_suffix('}')?
                    .parse()
                    .ok()
            })
            .collect()
    }
}

#[tokio::test]
async fn the_sink_keeps_its_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    check_sink(&mut Files(folder)).await;
}

struct Log(TempDir);

#[async_trait]
impl SourceUnderTest for Log {
    async fn open(&mut self, positions: Positions) -> Result<Box<dyn Source>> {
        let plugins = Plugins::new().source::<LogLines>();
        let table = json!({ "file": self.0.path().join("log") });
        let configured = (plugins.sources()[0].configure)(table).expect("the table is right");
        let context = SourceContext {
            connector: "log".into(),
            positions,
        };
        configured.open(context).await
    }
}

#[tokio::test]
async fn the_source_keeps_its_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines: String = (0..100).map(|number| format!("line {number}\n")).collect();
    fs::write(folder.path().join("log"), lines).expect("it is written");
    check_source(&mut Log(folder)).await;
}

#[test]
fn the_transform_changes_what_it_should() {
    let config = r#"fields = ["country", "$.store.city"]"#;
    let cases = [
        (r#"{"country":"de"}"#, r#"{"country":"DE"}"#),
        (r#"{"store":{"city":"Ulm"}}"#, r#"{"store":{"city":"ULM"}}"#),
        ("{}", "{}"),
        ("1 => -", "1 => -"),
        (r#"{"country":7}"#, "!$.country is not text"),
    ];
    for (before, after) in cases {
        check::<UpperCase>(config, before, after);
    }
    check_refused::<UpperCase>("fields = []", "/fields", "at least one field");
}
