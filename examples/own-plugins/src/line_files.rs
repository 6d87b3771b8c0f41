//! Sink `line_files`: writes each batch to a file, one line of JSON per record.

use std::fs::{self, File};
use std::io::{self, Write};

use connect_api::{
    Batch, Cause, Failure, FilePath, Result, Sink, SinkContext, SinkPlugin, ValueRef, Written,
    async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

/// The plugin, as `main` registers it.
pub struct LineFiles;

/// Writes each batch to a file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder of the files. It must exist.
    folder: FilePath,
}

#[async_trait]
impl SinkPlugin for LineFiles {
    const NAME: &'static str = "line_files";
    const ABOUT: &'static str = "writes each batch to a file, one line of JSON per record";
    const EXAMPLE: &'static str = "[[sinks]]\ntype = \"line_files\"\nfolder = \"../out\"\n";
    type Config = Config;
    type Sink = Files;

    async fn open(config: &Config, context: SinkContext) -> Result<Files> {
        Ok(Files {
            config: config.clone(),
            context,
        })
    }
}

/// An open sink.
pub struct Files {
    config: Config,
    context: SinkContext,
}

#[async_trait]
impl Sink for Files {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        // All records of a batch may have been filtered.
        if !batch.records.is_empty() {
            let name = Uuid::new_v4().simple().to_string();
            let lines: Vec<String> = batch
                .records
                .iter()
                .map(|record| record.root().map_or("null".to_owned(), ValueRef::to_json))
                .collect();
            // A full disk is an outage: the engine reports it, waits and writes the batch again.
            self.finish(&name, &lines.join("\n"))
                .map_err(|error| Failure::Retry(Cause::new(format!("{name}: {error}"))))?;
            self.context.rows_written.add(lines.len() as u64);
        }
        Ok(Written::Durable)
    }
}

impl Files {
    /// The file is durable when this returns, and never partly visible. If the process crashes before the engine has
    /// stored the progress, the batch is repeated in another file: at least once.
    fn finish(&self, name: &str, text: &str) -> io::Result<()> {
        let folder = self.config.folder.as_path();
        let open = folder.join(format!(".{name}"));
        let mut file = File::create(&open)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        fs::rename(&open, folder.join(format!("{name}.jsonl")))?;
        File::open(folder)?.sync_all()
    }
}
