//! `batch_files`, a sink that is not part of `connect`: it collects records and writes them to files, one line of
//! JSON each.
//!
//! Unlike `stdout`, the smallest sink, it *accepts* records now and makes them durable later. The contract is in
//! `connect_api::Sink`; this sink fulfils it as follows:
//!
//! - `write` takes records into memory and returns `Accepted`. The engine stores no position for them yet, counts
//!   them as in flight, and calls `flush` before they exceed `[batch] in_flight`, so this sink needs no limit of its
//!   own.
//! - A file is written under a hidden name, synced to the disk, and renamed. Only then are positions reported. All
//!   held records go into one file, so a flush succeeds as a whole or not at all.
//! - A failed write leaves the held records as they were: the batch is added only after its file is finished, or when
//!   nothing more can fail.
//! - A crash loses the held records. They were never reported as durable, so they are replayed.
//!
//! The resulting guarantee is at least once: if a crash follows a finished file before the engine learns of it, the
//! same records are written to a second file.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use connect_api::{
    Batch, Cause, Counter, Duration, Failure, FilePath, Position, Result, Sink, SinkContext,
    SinkPlugin, TopicPartition, Written, async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// The plugin, as `main` registers it.
pub struct BatchFiles;

/// Collects records and writes them to files, one line of JSON each.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The existing folder of the files. A finished file is named `<connector>-<a unique name>.jsonl`.
    folder: FilePath,
    /// A file is finished when it has at least this many records.
    #[serde(default = "default_records")]
    records: u64,
    /// A file is finished this long after its first record, however few it has.
    #[serde(default = "default_age")]
    age: Duration,
}

fn default_records() -> u64 {
    10_000
}

fn default_age() -> Duration {
    Duration::parse("1m").expect("it is a duration")
}

#[async_trait]
impl SinkPlugin for BatchFiles {
    const NAME: &'static str = "batch_files";
    const ABOUT: &'static str = "collects records into files, one line of JSON each";
    const EXAMPLE: &'static str = "[[sinks]]\ntype    = \"batch_files\"\nfolder  = \"../out\"\nrecords = 10_000\nage     = \"1m\"\n";
    type Config = Config;
    type Sink = Collector;

    async fn open(config: &Config, context: SinkContext) -> Result<Collector> {
        let collector = Collector {
            config: config.clone(),
            connector: context.connector.to_string(),
            held: Held::default(),
            rows_written: context.rows_written,
        };
        // A missing folder is reported now, not when the first file is full.
        let folder = collector.folder();
        let listed = fs::read_dir(folder).await.map(drop);
        listed.map_err(|error| outage(folder, &error))?;
        Ok(collector)
    }
}

/// An open sink.
pub struct Collector {
    config: Config,
    connector: String,
    held: Held,
    rows_written: Counter,
}

/// The accepted records that are in no file yet.
#[derive(Clone, Default)]
struct Held {
    lines: Vec<Line>,
    /// The accepted position of each partition.
    next: BTreeMap<TopicPartition, i64>,
    /// The arrival time of the first record.
    since: Option<Instant>,
}

#[derive(Clone)]
struct Line {
    partition: TopicPartition,
    json: Vec<u8>,
}

impl Held {
    fn add(&mut self, batch: &Batch<'_>) {
        self.since.get_or_insert_with(Instant::now);
        for record in &batch.records {
            let mut json = Vec::new();
            match record.root() {
                Some(value) => value.write_json(&mut json),
                None => json.extend_from_slice(b"null"),
            }
            json.push(b'\n');
            self.lines.push(Line {
                partition: record.topic_partition(),
                json,
            });
        }
        // Progress counts without records, too: all of them may have been filtered.
        let moved = batch.progress.iter();
        self.next
            .extend(moved.map(|moved| (moved.partition.clone(), moved.next)));
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.lines
            .retain(|line| !partitions.contains(&line.partition));
        self.next
            .retain(|partition, _| !partitions.contains(partition));
        if self.next.is_empty() {
            self.since = None;
        }
    }
}

impl Collector {
    fn folder(&self) -> &Path {
        self.config.folder.as_path()
    }

    /// Writes a file and renames it after it is synced. The rename must be synced, too, before it is reported.
    async fn finish(&self, lines: &[Line]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        // The name is unique: a predecessor that resumes after a freeze cannot overwrite its successor's file.
        let name = format!("{}-{}.jsonl", self.connector, Uuid::new_v4().simple());
        let open = self.folder().join(format!(".{name}"));
        let finished = self.folder().join(name);
        if let Err(error) = write_lines(&open, lines).await {
            // Readers do not see the remains, because the name is hidden.
            let _ = fs::remove_file(&open).await;
            return Err(outage(&open, &error));
        }
        // From here on nothing waits: a call dropped at a deadline either finishes the file or does not.
        let renamed = std::fs::rename(&open, &finished)
            .and_then(|()| std::fs::File::open(self.folder())?.sync_all());
        if let Err(error) = renamed {
            // Its lines are still held, and would be written twice.
            let _ = std::fs::remove_file(&finished);
            return Err(outage(&finished, &error));
        }
        self.rows_written.add(lines.len() as u64);
        Ok(())
    }

    fn flush_by(&self) -> Option<Instant> {
        self.held.since.map(|since| since + self.config.age.get())
    }
}

#[async_trait]
impl Sink for Collector {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        let held = self.held.lines.len() + batch.records.len();
        if (held as u64) < self.config.records {
            self.held.add(batch);
            return Ok(Written::Accepted {
                durable: Vec::new(),
                flush_by: self.flush_by(),
            });
        }
        let mut all = self.held.clone();
        all.add(batch);
        self.finish(&all.lines).await?;
        self.held = Held::default();
        Ok(Written::Durable)
    }

    async fn flush(&mut self) -> Result<Vec<Position>> {
        self.finish(&self.held.lines).await?;
        let Held { next, .. } = std::mem::take(&mut self.held);
        let positions = next.into_iter();
        Ok(positions
            .map(|(partition, next)| Position { partition, next })
            .collect())
    }

    async fn forget(&mut self, partitions: &[TopicPartition]) {
        self.held.forget(partitions);
    }
}

async fn write_lines(path: &Path, lines: &[Line]) -> std::io::Result<()> {
    let mut file = File::create_new(path).await?;
    let all: Vec<u8> = lines.iter().flat_map(|line| &line.json).copied().collect();
    file.write_all(&all).await?;
    file.flush().await?;
    file.sync_all().await
}

/// A full disk is an outage as well: the engine waits and retries until there is space.
fn outage(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Retry(Cause::new(format!("{}: {error}", path.display())))
}
