//! A sink that is not part of `connect`: `append_file` appends records to files, one line of JSON each.
//!
//! What it shows beside the shipped sink `stdout`: a configuration with a path, an outage that leaves nothing half-way,
//! and taking over from a predecessor that was killed in the middle of a line.

use std::path::{Path, PathBuf};

use connect_api::{
    Batch, Cause, Counter, Failure, FilePath, Result, Sink, SinkContext, SinkPlugin, Written,
    async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};

/// The kind of sink, as `main` registers it.
pub struct AppendFile;

/// Appends records to files, one line of JSON each, and one file a task.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder of the files, which must be there. A file is named `<connector>-<task>.jsonl`.
    folder: FilePath,
}

#[async_trait]
impl SinkPlugin for AppendFile {
    const NAME: &'static str = "append_file";
    const ABOUT: &'static str = "appends records to files, one line of JSON each";
    const EXAMPLE: &'static str = "[[sinks]]\ntype   = \"append_file\"\nfolder = \"../out\"\n";
    type Config = Config;
    type Sink = Lines;

    async fn open(config: &Config, context: SinkContext) -> Result<Lines> {
        let name = format!("{}-{}.jsonl", context.connector, context.task);
        let path = config.folder.as_path().join(name);
        Lines::open(&path, context.rows_written)
            .await
            .map_err(|error| outage(&path, &error))
    }
}

/// An open file.
pub struct Lines {
    path: PathBuf,
    file: File,
    /// Everything below is whole lines of finished batches.
    length: u64,
    rows_written: Counter,
}

impl Lines {
    async fn open(path: &Path, rows_written: Counter) -> std::io::Result<Lines> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .await?;
        Ok(Lines {
            path: path.to_owned(),
            length: whole_lines(&mut file).await?,
            file,
            rows_written,
        })
    }

    /// Writes behind the finished batches, whatever an unfinished one left there.
    async fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
        self.file.set_len(self.length).await?;
        self.file.seek(SeekFrom::Start(self.length)).await?;
        self.file.write_all(lines).await?;
        self.file.flush().await?;
        self.file.sync_data().await
    }
}

#[async_trait]
impl Sink for Lines {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        let mut lines = Vec::new();
        for record in &batch.records {
            match record.root() {
                Some(value) => value.write_json(&mut lines),
                None => lines.extend_from_slice(b"null"),
            }
            lines.push(b'\n');
        }
        // A full disk is an outage as well: the engine sends the batch again until there is room.
        let appended = self.append(&lines).await;
        appended.map_err(|error| outage(&self.path, &error))?;
        self.length += lines.len() as u64;
        self.rows_written.add(batch.records.len() as u64);
        Ok(Written::Durable)
    }
}

/// The length of the file without the line that a killed predecessor left unfinished: its batch is sent again.
async fn whole_lines(file: &mut File) -> std::io::Result<u64> {
    const CHUNK_BYTES: u64 = 64 * 1024;
    let mut end = file.metadata().await?.len();
    while end > 0 {
        let start = end.saturating_sub(CHUNK_BYTES);
        let mut chunk = vec![0; (end - start) as usize];
        file.seek(SeekFrom::Start(start)).await?;
        file.read_exact(&mut chunk).await?;
        if let Some(last) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn outage(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Retry(Cause::new(format!("{}: {error}", path.display())))
}
