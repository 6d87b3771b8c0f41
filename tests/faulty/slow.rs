//! A slow sink: it writes one line per batch, with the content and the time.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use connect_api::{
    Batch, Cause, Duration, Failure, Result, Sink, SinkContext, SinkPlugin, Written, async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct Slow;

/// `type = "slow"`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlowConfig {
    /// The file of the lines, created if missing.
    file: String,
    /// The duration of each write.
    takes: Duration,
}

pub(crate) struct SlowSink {
    file: File,
    takes: std::time::Duration,
    opened: Instant,
}

#[async_trait]
impl SinkPlugin for Slow {
    const NAME: &'static str = "slow";
    const ABOUT: &'static str = "Takes its time";
    const EXAMPLE: &'static str =
        "[[sinks]]\ntype = \"slow\"\nfile = \"lines\"\ntakes = \"30ms\"\n";
    type Config = SlowConfig;
    type Sink = SlowSink;

    async fn open(config: &SlowConfig, _: SinkContext) -> Result<SlowSink> {
        let file = File::options().create(true).append(true).open(&config.file);
        Ok(SlowSink {
            file: file.map_err(|error| Failure::Fatal(Cause::new(error.to_string())))?,
            takes: config.takes.get(),
            opened: Instant::now(),
        })
    }
}

#[async_trait]
impl Sink for SlowSink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        tokio::time::sleep(self.takes).await;
        // Milliseconds, records, then partition:first-next for each partition.
        let mut line = format!(
            "{} {}",
            self.opened.elapsed().as_millis(),
            batch.records.len()
        );
        for progress in &batch.progress {
            let (partition, first, next) = (
                progress.partition.partition,
                progress.expected,
                progress.next,
            );
            write!(line, " {partition}:{first}-{next}").map_err(|error| retry(&error))?;
        }
        writeln!(self.file, "{line}").map_err(|error| retry(&error))?;
        Ok(Written::Durable)
    }
}

fn retry(error: &dyn std::error::Error) -> Failure {
    Failure::Retry(Cause::new(error.to_string()))
}
