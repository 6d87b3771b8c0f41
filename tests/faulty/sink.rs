//! A sink that writes one line per record to a file, at least once, with faults as `troubles` defines.

use std::fs::File;
use std::io::Write as _;

use connect_api::{
    Batch, Cause, Failure, Origin, RejectedRecord, Result, Sink, SinkContext, SinkPlugin, Written,
    async_trait,
};
use connect_tests::checker::{Digest, Entry, Place};
use connect_tests::sink_lines;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::trouble::{Call, Trouble, blames, strike};

pub(crate) struct Faulty;

/// `type = "faulty"`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultyConfig {
    /// The file of the lines, created if missing.
    file: String,
    #[serde(default)]
    troubles: Vec<Trouble>,
}

pub(crate) struct FaultySink {
    file: File,
    troubles: Vec<Trouble>,
    writes: u64,
}

#[async_trait]
impl SinkPlugin for Faulty {
    const NAME: &'static str = "faulty";
    const ABOUT: &'static str = "Writes to a file, or not";
    const EXAMPLE: &'static str = "[[sinks]]\ntype = \"faulty\"\nfile = \"lines\"\n";
    type Config = FaultyConfig;
    type Sink = FaultySink;

    async fn open(config: &FaultyConfig, _: SinkContext) -> Result<FaultySink> {
        strike(&config.troubles, Call::Open, &[]).await;
        let file = File::options().create(true).append(true).open(&config.file);
        Ok(FaultySink {
            file: file.map_err(|error| Failure::Fatal(Cause::new(error.to_string())))?,
            troubles: config.troubles.clone(),
            writes: 0,
        })
    }
}

fn header_bytes(origin: &Origin) -> usize {
    let values = origin.headers.iter().flat_map(|header| &header.value);
    values.map(|value| value.len()).sum()
}

#[async_trait]
impl Sink for FaultySink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        let keys = batch.records.iter();
        let keys: Vec<&[u8]> = keys
            .filter_map(|record| record.origin.key.as_deref())
            .collect();
        strike(&self.troubles, Call::Write, &keys).await;
        if blames(&self.troubles, &keys) {
            return Err(Failure::Refused(vec![RejectedRecord {
                record: batch.records.len(),
                cause: Cause::new("a record outside the batch"),
            }]));
        }
        self.writes += 1;
        let lines: String = batch
            .records
            .iter()
            .map(|record| {
                let origin = &record.origin;
                let value = origin.value.as_deref().unwrap_or_default();
                let written = sink_lines::Written {
                    write: self.writes,
                    bytes: (value.len() + header_bytes(origin)) as u64,
                    entry: Entry::new(
                        String::from_utf8_lossy(origin.key.as_deref().unwrap_or_default()),
                        Place::new(&origin.topic, origin.partition, origin.offset),
                        Digest::of(value),
                    ),
                };
                written.to_line()
            })
            .collect();
        let written = self.file.write_all(lines.as_bytes());
        written.map_err(|error| Failure::Retry(Cause::new(error.to_string())))?;
        Ok(Written::Durable)
    }

    async fn close(&mut self) -> Result<()> {
        strike(&self.troubles, Call::Close, &[]).await;
        Ok(())
    }
}
