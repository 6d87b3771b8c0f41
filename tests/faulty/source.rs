//! A source of numbered records with faults as `troubles` defines.

use connect_api::{
    Cause, Failure, JsonLimits, Polled, Positions, Result, Source, SourceContext, SourcePlugin,
    SourceRecord, Value, async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::trouble::{Call, Trouble, strike};

/// The only source partition.
const NUMBERS: &str = "numbers";
/// Records per poll.
const CHUNK: u64 = 100;

pub(crate) struct Faulty;

/// `type = "faulty"`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultyConfig {
    /// The records are `number-0` up to the one below this.
    count: u64,
    #[serde(default)]
    troubles: Vec<Trouble>,
}

pub(crate) struct FaultySource {
    next: u64,
    count: u64,
    troubles: Vec<Trouble>,
}

#[async_trait]
impl SourcePlugin for Faulty {
    const NAME: &'static str = "faulty";
    const ABOUT: &'static str = "Numbered records, if it gives any";
    const EXAMPLE: &'static str = "[source]\ntype = \"faulty\"\ncount = 100\n";
    type Config = FaultyConfig;
    type Source = FaultySource;

    async fn open(config: &FaultyConfig, context: SourceContext) -> Result<FaultySource> {
        let source = FaultySource {
            next: context.positions.get(&NUMBERS)?.unwrap_or(0),
            count: config.count,
            troubles: config.troubles.clone(),
        };
        source.strike(Call::Open).await;
        Ok(source)
    }
}

impl FaultySource {
    async fn strike(&self, at: Call) {
        let keys: Vec<String> = self.chunk().map(key).collect();
        let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        strike(&self.troubles, at, &keys).await;
    }

    fn chunk(&self) -> std::ops::Range<u64> {
        self.next..self.count.min(self.next + CHUNK)
    }
}

fn key(number: u64) -> String {
    format!("number-{number}")
}

fn record(number: u64) -> Result<SourceRecord> {
    let json = format!(r#"{{"number":{number}}}"#);
    let value = Value::parse_json(json.into(), JsonLimits::default())
        .map_err(|error| Failure::Fatal(Cause::new(error.to_string())))?;
    Ok(SourceRecord {
        key: Some(Value::string(&key(number))),
        ..SourceRecord::of_value(value)
    })
}

#[async_trait]
impl Source for FaultySource {
    async fn poll(&mut self) -> Result<Polled> {
        self.strike(Call::Poll).await;
        if self.next >= self.count {
            // Nothing more to return, and not finished.
            std::future::pending::<()>().await;
        }
        let records = self.chunk().map(record).collect::<Result<Vec<_>>>()?;
        self.next = self.chunk().end;
        let mut positions = Positions::default();
        positions.set(&NUMBERS, &self.next)?;
        Ok(Polled {
            records,
            positions,
            finished: false,
        })
    }

    async fn commit(&mut self, _: &Positions) -> Result<()> {
        self.strike(Call::Commit).await;
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        self.strike(Call::Close).await;
        Ok(())
    }
}
