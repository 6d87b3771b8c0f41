//! Source `log_lines`: turns each line of a growing file into a record.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::time::Duration;

use connect_api::{
    Cause, Failure, FilePath, Polled, Positions, Result, Source, SourceContext, SourcePlugin,
    SourceRecord, Value, async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The plugin, as `main` registers it.
pub struct LogLines;

/// Follows a file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file to read.
    file: FilePath,
}

#[async_trait]
impl SourcePlugin for LogLines {
    const NAME: &'static str = "log_lines";
    const ABOUT: &'static str = "turns each line of a growing file into a record";
    const EXAMPLE: &'static str = "[source]\ntype = \"log_lines\"\nfile = \"../app.log\"\n";
    type Config = Config;
    type Source = Lines;

    async fn open(config: &Config, context: SourceContext) -> Result<Lines> {
        Ok(Lines {
            config: config.clone(),
            // A stored position in another form is an error, never the start of the file.
            offset: context.positions.get(&PARTITION)?.unwrap_or(0),
        })
    }
}

/// The only source partition.
const PARTITION: &str = "file";
const MOST: usize = 1_000;

/// An open source.
pub struct Lines {
    config: Config,
    /// The position in the file, in bytes.
    offset: u64,
}

#[async_trait]
impl Source for Lines {
    async fn poll(&mut self) -> Result<Polled> {
        loop {
            let file = self.config.file.as_path();
            let (lines, offset) = read(file, self.offset).map_err(|error| {
                Failure::Retry(Cause::new(format!("{}: {error}", file.display())))
            })?;
            if !lines.is_empty() {
                let mut positions = Positions::default();
                positions.set(&PARTITION, &offset)?;
                // After the last wait, so that a dropped poll has moved nothing.
                self.offset = offset;
                let record = |line: String| SourceRecord::of_value(Value::string(&line));
                return Ok(Polled {
                    records: lines.into_iter().map(record).collect(),
                    positions,
                    finished: false,
                });
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// The complete lines from this position on, and the position after them.
fn read(file: &std::path::Path, from: u64) -> io::Result<(Vec<String>, u64)> {
    let mut file = BufReader::new(File::open(file)?);
    file.seek(SeekFrom::Start(from))?;
    let (mut lines, mut offset, mut line) = (Vec::new(), from, String::new());
    while lines.len() < MOST {
        line.clear();
        let length = file.read_line(&mut line)?;
        let Some(complete) = line.strip_suffix('\n') else {
            break;
        };
        lines.push(complete.to_owned());
        offset += length as u64;
    }
    Ok((lines, offset))
}
