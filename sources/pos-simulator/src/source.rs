//! The plugin: it produces sales in chunks, and its position is the number of sales so far.

use bytes::Bytes;
use connect_api::{
    Cause, CheckContext, Explanation, Failure, Finding, JsonLimits, Polled, Positions, Result,
    Source, SourceContext, SourcePlugin, SourceRecord, Value, async_trait,
};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::config::PosSimulatorConfig;
use crate::pace::{LARGEST_CHUNK, Pace};
use crate::sale::Sales;

/// `type = "pos_simulator"`.
pub struct PosSimulator;

#[async_trait]
impl SourcePlugin for PosSimulator {
    const NAME: &'static str = "pos_simulator";
    const ABOUT: &'static str =
        "simulated sales of a chain of stores; the same seed gives the same sales at any rate";
    const EXAMPLE: &'static str = r#"[source]
type = "pos_simulator"
seed = 7
rate = 50   # sales a second; 0 = as fast as possible
"#;
    const EXPLANATIONS: &'static [Explanation] = &[Explanation {
        code: "pos-simulator.curve",
        why: "`rate_by_hour` spreads the sales of a day over its hours, so no hour may be negative and at least one must be positive",
        example: "rate_by_hour = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]",
        fix: "rate_by_hour = [0, 0, 0, 0, 0, 0, 1, 3, 5, 6, 7, 9, 10, 8, 6, 6, 7, 9, 8, 5, 2, 1, 0, 0]",
    }];
    type Config = PosSimulatorConfig;
    type Source = PosSimulatorSource;

    fn check(config: &PosSimulatorConfig, _context: &CheckContext<'_>) -> Vec<Finding> {
        let curve = Clock::new(config).err();
        curve
            .map(|message| Finding::error("pos-simulator.curve", "/rate_by_hour", message))
            .into_iter()
            .collect()
    }

    async fn open(
        config: &PosSimulatorConfig,
        context: SourceContext,
    ) -> Result<PosSimulatorSource> {
        PosSimulatorSource::new(config, &context.positions)
    }
}

/// The source partition of a position: the sales of one seed.
#[derive(Debug, Serialize)]
struct Partition {
    simulator: &'static str,
    seed: u64,
}

/// The source offset of a position.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Offset {
    /// The number of the next sale, which equals the number of sales so far.
    next: u64,
}

/// The open simulator.
pub struct PosSimulatorSource {
    partition: Partition,
    sales: Sales,
    pace: Option<Pace>,
    next: u64,
    end: u64,
    text: String,
}

impl PosSimulatorSource {
    fn new(config: &PosSimulatorConfig, positions: &Positions) -> Result<PosSimulatorSource> {
        let partition = Partition {
            simulator: PosSimulator::NAME,
            seed: config.seed,
        };
        let stored: Option<Offset> = positions.get(&partition)?;
        let clock = Clock::new(config).map_err(|message| Failure::Fatal(Cause::new(message)))?;
        Ok(PosSimulatorSource {
            partition,
            sales: Sales::new(config, clock.clone()),
            pace: Pace::new(clock, config.rate),
            next: stored.map_or(0, |offset| offset.next),
            end: config.count.unwrap_or(u64::MAX),
            text: String::with_capacity(1_024),
        })
    }

    fn sale(&mut self, number: u64) -> Result<SourceRecord> {
        self.text.clear();
        self.sales.write(number, &mut self.text);
        let bytes = Bytes::copy_from_slice(self.text.as_bytes());
        let value = Value::parse_json(bytes, JsonLimits::default()).map_err(|error| {
            Failure::Fatal(Cause::new(format!("sale {number} is not JSON: {error}")))
        })?;
        Ok(SourceRecord::of_value(value))
    }
}

#[async_trait]
impl Source for PosSimulatorSource {
    async fn poll(&mut self) -> Result<Polled> {
        let limit = self.end.saturating_sub(self.next).min(LARGEST_CHUNK);
        if limit == 0 {
            return Ok(Polled {
                finished: true,
                ..Polled::default()
            });
        }
        let chunk = match &mut self.pace {
            Some(pace) => pace.due(self.next, limit).await,
            None => limit,
        };
        let next = self.next + chunk;
        let records = (self.next..next)
            .map(|number| self.sale(number))
            .collect::<Result<Vec<_>>>()?;
        let mut positions = Positions::default();
        positions.set(&self.partition, &Offset { next })?;
        self.next = next;
        Ok(Polled {
            records,
            positions,
            finished: next >= self.end,
        })
    }
}
