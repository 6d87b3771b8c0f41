//! A sink that accepts: it writes records to one open file per partition, and finishes a file when it has enough
//! records, is large enough, or is old enough.
//!
//! It is for tests, and an example of how to write such a sink. Its rules:
//! - An open file is hidden and has a unique name. It is finished by a rename after its content is on the disk, and
//!   the rename is on the disk before it is reported. So readers only see complete files.
//! - A position is reported only after the file with its records is finished.
//! - The next write cuts off what a failed write left at the end of an open file, so nothing of a failed batch
//!   counts.
//! - Several files are finished together or not at all, so that after a failed flush no record is replayed and
//!   finished twice.
//! - Files that a crash left open are removed. Files of other tasks are recognised by the lock that their owner
//!   holds.
//!
//! Its calls block. That is allowed, because the plugins of a connector have their own worker threads.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use async_trait::async_trait;
use connect_api::{
    Batch, Cause, Counter, Duration, Failure, FilePath, Position, Record, Result, Sink,
    SinkContext, SinkPlugin, Size, TopicPartition, Written,
};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

/// The plugin, for distributions of tests.
pub struct RollingFiles;

/// Writes records to files, one open file per partition.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollingFilesConfig {
    /// The existing folder of the files. Finished files end in `.jsonl`.
    pub folder: FilePath,
    /// A file with this many records is finished.
    pub records: u64,
    /// A file of this size is finished.
    pub size: Size,
    /// A file is finished this long after its first record.
    pub age: Duration,
}

#[async_trait]
impl SinkPlugin for RollingFiles {
    const NAME: &'static str = "rolling_files";
    const ABOUT: &'static str = "Writes records to files that roll by count, size and age";
    const EXAMPLE: &'static str = "[[sinks]]\ntype = \"rolling_files\"\nfolder = \"../out\"\nrecords = 1000\nsize = \"1MiB\"\nage = \"1m\"\n";
    type Config = RollingFilesConfig;
    type Sink = RollingFilesSink;

    async fn open(config: &RollingFilesConfig, context: SinkContext) -> Result<RollingFilesSink> {
        let sink = RollingFilesSink {
            config: config.clone(),
            open: BTreeMap::new(),
            rows_written: context.rows_written,
        };
        sink.prepare_folder().map_err(|error| sink.outage(&error))?;
        Ok(sink)
    }
}

/// An open sink.
pub struct RollingFilesSink {
    config: RollingFilesConfig,
    open: BTreeMap<TopicPartition, OpenFile>,
    rows_written: Counter,
}

/// An unfinished file. Dropping it removes it, because its records are replayed.
struct OpenFile {
    file: File,
    path: PathBuf,
    finished_path: PathBuf,
    /// The length of the valid content.
    length: u64,
    records: u64,
    /// Every record below is in this file, finished earlier, or filtered.
    next: i64,
    since: Instant,
}

/// The part of a batch that belongs to one partition.
#[derive(Default)]
struct Addition {
    lines: Vec<u8>,
    records: u64,
}

const OPEN: &str = ".open";

impl RollingFilesSink {
    fn folder(&self) -> &Path {
        self.config.folder.as_path()
    }

    fn outage(&self, error: &io::Error) -> Failure {
        Failure::Retry(Cause::new(format!("{}: {error}", self.folder().display())))
    }

    /// Removes what a crash left open. A file that can be locked has no owner.
    fn prepare_folder(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.folder())? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "open") {
                continue;
            }
            match File::open(&path) {
                Ok(file) if file.try_lock().is_ok() => remove(&path)?,
                Ok(_) => {}
                // Its owner has finished or removed it in the meantime.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// All or nothing: the lengths of the files change only after every partition's lines are written.
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let mut additions: BTreeMap<TopicPartition, Addition> = BTreeMap::new();
        for record in &batch.records {
            let addition = additions.entry(record.topic_partition()).or_default();
            addition.records += 1;
            write_line(&mut addition.lines, record);
        }
        for (partition, addition) in &additions {
            if !self.open.contains_key(partition) {
                let file = OpenFile::new(self.folder(), partition)?;
                self.open.insert(partition.clone(), file);
            }
            let file = self.open.get_mut(partition).expect("it is open by now");
            file.write_behind(&addition.lines)?;
        }
        for (partition, addition) in additions {
            let file = self.open.get_mut(&partition).expect("it was written to");
            file.length += addition.lines.len() as u64;
            file.records += addition.records;
        }
        Ok(())
    }

    fn full(&self) -> Vec<TopicPartition> {
        let RollingFilesConfig {
            records, size, age, ..
        } = &self.config;
        let full = self.open.iter().filter(|(_, file)| {
            file.records >= *records
                || file.length >= size.bytes()
                || file.since.elapsed() >= age.get()
        });
        full.map(|(partition, _)| partition.clone()).collect()
    }

    /// Finishes these files, all or none, and returns up to where their partitions are durable.
    fn finish(&mut self, partitions: &[TopicPartition]) -> io::Result<Vec<Position>> {
        let files: Vec<&OpenFile> = partitions
            .iter()
            .map(|partition| self.open.get(partition).expect("it is open"))
            .collect();
        for file in &files {
            file.file.set_len(file.length)?;
            file.file.sync_all()?;
        }
        let mut renamed = Vec::with_capacity(files.len());
        let mut rename_all = || -> io::Result<()> {
            for file in &files {
                fs::rename(&file.path, &file.finished_path)?;
                renamed.push(*file);
            }
            File::open(self.folder())?.sync_all()
        };
        if let Err(error) = rename_all() {
            // If this fails as well, those records end up in two files, which "at least once" allows.
            for file in renamed {
                let _ = fs::rename(&file.finished_path, &file.path);
            }
            return Err(error);
        }
        let finished = partitions.iter().filter_map(|partition| {
            let file = self.open.remove(partition)?;
            self.rows_written.add(file.records);
            Some(Position {
                partition: partition.clone(),
                next: file.next,
            })
        });
        Ok(finished.collect())
    }

    /// The time at which the oldest file is old enough.
    fn flush_by(&self) -> Option<Instant> {
        let oldest = self.open.values().map(|file| file.since).min();
        oldest.map(|since| since + self.config.age.get())
    }
}

impl OpenFile {
    fn new(folder: &Path, partition: &TopicPartition) -> io::Result<OpenFile> {
        let name = Uuid::new_v4().simple();
        let path = folder.join(format!(".{name}{OPEN}"));
        let file = File::create_new(&path)?;
        let open = OpenFile {
            file,
            path,
            finished_path: folder.join(format!(
                "{}-{}-{name}.jsonl",
                partition.topic, partition.partition
            )),
            length: 0,
            records: 0,
            next: 0,
            since: Instant::now(),
        };
        open.file.try_lock()?;
        Ok(open)
    }

    fn write_behind(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(lines)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // The next sink that opens removes what cannot be removed now.
        let _ = fs::remove_file(&self.path);
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `{"partition":0,"offset":12,"value":…}`
fn write_line(lines: &mut Vec<u8>, record: &Record) {
    let (partition, offset) = (record.origin.partition, record.origin.offset);
    let start = format!(r#"{{"partition":{partition},"offset":{offset},"value":"#);
    lines.extend_from_slice(start.as_bytes());
    match record.root() {
        Some(value) => value.write_json(lines),
        None => lines.extend_from_slice(b"null"),
    }
    lines.extend_from_slice(b"}\n");
}

#[async_trait]
impl Sink for RollingFilesSink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        let appended = self.append(batch);
        if let Err(error) = appended {
            // The files that this batch created.
            self.open.retain(|_, file| file.records > 0);
            return Err(self.outage(&error));
        }
        let mut durable = Vec::new();
        for progress in &batch.progress {
            match self.open.get_mut(&progress.partition) {
                Some(file) => file.next = progress.next,
                // Nothing of the partition is held, so nothing delays its progress.
                None => durable.push(Position {
                    partition: progress.partition.clone(),
                    next: progress.next,
                }),
            }
        }
        let full = self.full();
        let flush_by = match self.finish(&full) {
            Ok(finished) => {
                durable.extend(finished);
                self.flush_by()
            }
            // The batch is accepted anyway. The engine flushes at once, sees the failure and waits.
            Err(_) => Some(Instant::now()),
        };
        if self.open.is_empty() {
            return Ok(Written::Durable);
        }
        Ok(Written::Accepted { durable, flush_by })
    }

    async fn flush(&mut self) -> Result<Vec<Position>> {
        let all: Vec<TopicPartition> = self.open.keys().cloned().collect();
        self.finish(&all).map_err(|error| self.outage(&error))
    }

    async fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.open.remove(partition);
        }
    }
}
