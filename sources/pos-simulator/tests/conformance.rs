//! The simulator passes the conformance suite for sources.

use connect_api::{Positions, Result, Source, SourceContext, SourcePlugin, async_trait};
use connect_source_pos_simulator::{PosSimulator, PosSimulatorConfig};
use connect_testkit::conformance::{SourceUnderTest, check_source};

struct Sales(PosSimulatorConfig);

#[async_trait]
impl SourceUnderTest for Sales {
    async fn open(&mut self, positions: Positions) -> Result<Box<dyn Source>> {
        let context = SourceContext {
            connector: "sales".into(),
            positions,
        };
        Ok(Box::new(PosSimulator::open(&self.0, context).await?))
    }
}

#[tokio::test(start_paused = true)]
async fn the_simulator_keeps_the_promises_of_a_source() {
    // As fast as possible, at a rate, and with an end.
    for keys in [
        r#"{"rate": 0}"#,
        r#"{"rate": 500}"#,
        r#"{"rate": 0, "count": 30}"#,
    ] {
        let config = serde_json::from_str(keys).expect("a configuration");
        check_source(&mut Sales(config)).await;
    }
}
