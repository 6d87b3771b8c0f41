//! Topics into files of many records: the start of a scenario, and the files at its end.

use std::collections::BTreeMap;
use std::path::PathBuf;

use connect_tests::checker::{Digest, Entry, Evidence, Ledger, Place, Verdict};
use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::process::Launch;
use serde_json::Value;

use crate::FAULTY;

/// A connector with a sink that accepts.
pub(super) struct Scene {
    pub(super) topic: Topic,
    pub(super) folder: Folder,
    batch: String,
    troubles: String,
}

/// The rules for finishing a file.
pub(super) struct Roll {
    pub(super) records: u64,
    pub(super) age: &'static str,
}

/// Files are finished only by a flush.
pub(super) const NEVER: Roll = Roll {
    records: 1_000_000_000,
    age: "1h",
};

impl Scene {
    /// `batch` is the content of that table, `troubles` the sink's list.
    pub(super) fn new(topic: Topic, roll: &Roll, batch: &str, troubles: &str) -> Scene {
        let scene = Scene {
            topic,
            folder: Folder::new(),
            batch: batch.to_owned(),
            troubles: troubles.to_owned(),
        };
        let files = scene.folder.path().join("files");
        std::fs::create_dir(files).expect("a folder for files");
        scene.roll(roll);
        scene
    }

    /// Changes the rules for processes that start from now on.
    pub(super) fn roll(&self, roll: &Roll) {
        let Roll { records, age } = roll;
        let connector = format!(
            r#"topics = ["{}"]
[batch]
{}
[[sinks]]
type = "faulty_files"
files = {{ folder = "../files", records = {records}, size = "1GiB", age = "{age}" }}
troubles = [{}]
"#,
            self.topic.name(),
            self.batch,
            self.troubles
        );
        self.folder.connector(self.topic.name(), connector);
    }

    pub(super) fn launch(&self) -> Launch {
        Launch::run(&self.folder).program(FAULTY)
    }

    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("files"));
        let paths = entries.into_iter().flatten();
        let paths = paths.map(|entry| entry.expect("an entry").path());
        paths
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect()
    }

    /// Unfinished files, which readers do not see.
    pub(super) fn open_files(&self) -> usize {
        self.files("open").len()
    }

    /// The records of each finished file, in order.
    pub(super) fn finished(&self) -> Vec<Vec<Entry>> {
        let files = self.files("jsonl").into_iter();
        files
            .map(|file| {
                let text = std::fs::read_to_string(file).expect("a finished file stays");
                assert!(text.ends_with('\n'), "a finished file has whole lines");
                text.lines().map(|line| self.entry(line)).collect()
            })
            .collect()
    }

    fn entry(&self, line: &str) -> Entry {
        let parsed: Value = serde_json::from_str(line).expect("a line of JSON");
        let (_, value) = line.split_once(r#""value":"#).expect("a value");
        let value = value.strip_suffix('}').expect("the end of the line");
        let number = |name: &str| parsed[name].as_i64().expect("a number");
        let place = Place::new(
            self.topic.name(),
            number("partition") as i32,
            number("offset"),
        );
        let id = parsed["value"]["id"].as_str().expect("an id");
        Entry::new(id, place, content(value, &parsed["value"]))
    }

    pub(super) fn count(&self) -> usize {
        self.finished().iter().map(Vec::len).sum()
    }

    /// How often each record occurs, by id.
    pub(super) fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for entry in self.finished().into_iter().flatten() {
            *times.entry(entry.id).or_default() += 1;
        }
        times
    }

    /// Compares ids in with ids out. Within a file the order of the topic is kept; files have no order among each
    /// other.
    pub(super) fn reconcile(&self, ledger: &Ledger) -> Verdict {
        let mut rows = Vec::new();
        for file in self.finished() {
            let offsets: Vec<i64> = file.iter().map(|entry| entry.place.offset).collect();
            assert!(offsets.is_sorted(), "a file in the order of the topic");
            rows.extend(file);
        }
        rows.sort_by(|left, right| left.place.cmp(&right.place));
        let evidence = Evidence {
            rows,
            ..Evidence::default()
        };
        Verdict::reconcile(ledger, &evidence)
    }
}

/// The content as in the ledger: the columns of a payment, otherwise the whole value.
fn content(text: &str, value: &Value) -> Digest {
    let Some(account) = value["account"].as_str() else {
        return Digest::of(text);
    };
    // As written: a double would drop trailing zeros.
    let (_, amount) = text.split_once(r#""amount":"#).expect("an amount");
    let (amount, _) = amount.split_once(',').expect("a note behind it");
    let note = value["note"].as_str().expect("a note");
    Digest::of(format!("{}|{account}|{amount}|{note}", value["sequence"]))
}
