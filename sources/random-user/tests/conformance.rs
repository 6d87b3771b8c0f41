//! The fetcher passes the conformance suite for sources.

use connect_api::{Positions, Result, Source, SourceContext, SourcePlugin, async_trait};
use connect_source_random_user::{RandomUser, RandomUserConfig};
use connect_testkit::conformance::{SourceUnderTest, check_source};

/// No server listens at the address, so that people are generated.
struct MadeUp(RandomUserConfig);

#[async_trait]
impl SourceUnderTest for MadeUp {
    async fn open(&mut self, positions: Positions) -> Result<Box<dyn Source>> {
        let context = SourceContext {
            connector: "users".into(),
            positions,
        };
        Ok(Box::new(RandomUser::open(&self.0, context).await?))
    }

    /// Ticks are times of the real clock.
    fn is_repeatable(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn the_fetcher_keeps_the_promises_of_a_source() {
    let keys =
        r#"{"url": "http://127.0.0.1:1/", "every": "20ms", "results": 5, "offline": "generate"}"#;
    let config = serde_json::from_str(keys).expect("a configuration");
    check_source(&mut MadeUp(config)).await;
}
