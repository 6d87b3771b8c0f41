//! The testkit's rolling files, a sink that accepts, with faults as `troubles` defines.

use connect_api::{
    Batch, Position, Result, Sink, SinkContext, SinkPlugin, TopicPartition, Written, async_trait,
};
use connect_testkit::{RollingFiles, RollingFilesConfig, RollingFilesSink};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::trouble::{Call, Trouble, strike};

pub(crate) struct FaultyFiles;

/// `type = "faulty_files"`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultyFilesConfig {
    files: RollingFilesConfig,
    #[serde(default)]
    troubles: Vec<Trouble>,
}

pub(crate) struct FaultyFilesSink {
    files: RollingFilesSink,
    troubles: Vec<Trouble>,
}

#[async_trait]
impl SinkPlugin for FaultyFiles {
    const NAME: &'static str = "faulty_files";
    const ABOUT: &'static str = "Accepts records, and finishes files of them or not";
    const EXAMPLE: &'static str = "[[sinks]]\ntype = \"faulty_files\"\nfiles = { folder = \"out\", records = 100, size = \"1MiB\", age = \"1m\" }\n";
    type Config = FaultyFilesConfig;
    type Sink = FaultyFilesSink;

    async fn open(config: &FaultyFilesConfig, context: SinkContext) -> Result<FaultyFilesSink> {
        Ok(FaultyFilesSink {
            files: RollingFiles::open(&config.files, context).await?,
            troubles: config.troubles.clone(),
        })
    }
}

#[async_trait]
impl Sink for FaultyFilesSink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        strike(&self.troubles, Call::Write, &[]).await;
        self.files.write(batch).await
    }

    async fn flush(&mut self) -> Result<Vec<Position>> {
        strike(&self.troubles, Call::Flush, &[]).await;
        self.files.flush().await
    }

    async fn forget(&mut self, partitions: &[TopicPartition]) {
        self.files.forget(partitions).await;
    }
}
