//! Sink `stdout`: one line of JSON per record. It shows authors everything that a sink needs.

use connect_api::{
    Batch, Cause, Failure, Result, Sink, SinkContext, SinkPlugin, ValueRef, Written,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The plugin, as `main` registers it.
pub struct Stdout;

/// Prints records as lines of JSON.
#[derive(Clone, Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Prints topic, partition and offset around the value.
    show_metadata: bool,
}

#[connect_api::async_trait]
impl SinkPlugin for Stdout {
    const NAME: &'static str = "stdout";
    const ABOUT: &'static str = "prints records as lines of JSON";
    const EXAMPLE: &'static str = "[[sinks]]\ntype = \"stdout\"\n";
    const WRITES_TO_TERMINAL: bool = true;
    type Config = Config;
    type Sink = Printer<tokio::io::Stdout>;

    async fn open(config: &Config, context: SinkContext) -> Result<Self::Sink> {
        Ok(Printer(tokio::io::stdout(), config.clone(), context))
    }
}

/// An open sink: the output, the configuration and the engine's context.
pub struct Printer<Out>(Out, Config, SinkContext);

#[connect_api::async_trait]
impl<Out: AsyncWrite + Send + Unpin> Sink for Printer<Out> {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        let Printer(out, config, context) = self;
        let mut lines = String::new();
        for record in &batch.records {
            let from = &record.origin;
            let mut line = record.root().map_or("null".into(), ValueRef::to_json);
            if config.show_metadata {
                let (topic, partition, offset) = (&from.topic, from.partition, from.offset);
                let place =
                    format!(r#""topic":"{topic}","partition":{partition},"offset":{offset}"#);
                line = format!(r#"{{{place},"value":{line}}}"#);
            }
            lines += &(line + "\n");
        }
        let outage = |error| Failure::Retry(Cause::new(format!("stdout: {error}")));
        out.write_all(lines.as_bytes()).await.map_err(outage)?;
        // Durable means that the lines have left every buffer of ours.
        out.flush().await.map_err(outage)?;
        context.rows_written.add(batch.records.len() as u64);
        Ok(Written::Durable)
    }
}

#[cfg(test)]
mod tests;
