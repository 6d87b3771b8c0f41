//! The source passes the conformance suite for sources, and its records are images.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use connect_api::{
    CheckContext, Positions, Result, Source, SourceContext, SourcePlugin, async_trait,
};
use connect_source_random_image::{Config, RandomImage, RandomImageSource};
use connect_testkit::conformance::{SourceUnderTest, check_source};

async fn try_open(config: &str, positions: Positions) -> Result<RandomImageSource> {
    let config: Config = toml::from_str(config).unwrap();
    assert_eq!(RandomImage::check(&config, &CheckContext::default()), []);
    let context = SourceContext {
        connector: "images".into(),
        positions,
    };
    RandomImage::open(&config, context).await
}

async fn open(config: &str, positions: Positions) -> RandomImageSource {
    try_open(config, positions).await.unwrap()
}

struct Fast;

#[async_trait]
impl SourceUnderTest for Fast {
    async fn open(&mut self, positions: Positions) -> Result<Box<dyn Source>> {
        let config = "rate = 0\nwidth = 4\nheight = 4";
        Ok(Box::new(try_open(config, positions).await?))
    }

    /// `created_at` is the time of the real clock.
    fn is_repeatable(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_source() {
    check_source(&mut Fast).await;
}

#[tokio::test]
async fn a_restart_continues_with_the_next_image_up_to_the_count() {
    let config = "rate = 0\nwidth = 4\nheight = 4\ncount = 20\ncustomer_id = 7";
    let mut ids = Vec::new();
    let mut positions = Positions::default();
    loop {
        let mut source = open(config, positions.clone()).await;
        let polled = source.poll().await.unwrap();
        for record in &polled.records {
            let value = record.value.as_ref().unwrap();
            let value: serde_json::Value = serde_json::from_str(&value.root().to_json()).unwrap();
            assert_eq!(value["customer_id"], 7);
            assert_eq!(value["content_type"], "image/png");
            ids.push(value["image_id"].as_str().unwrap().to_owned());
        }
        positions.merge(polled.positions);
        if polled.finished {
            break;
        }
    }
    let expected: Vec<String> = (0..20).map(|number| format!("1-{number}")).collect();
    assert_eq!(ids, expected);
}

#[tokio::test(start_paused = true)]
async fn images_come_at_their_rate() {
    let mut source = open("rate = 2.0\nwidth = 1\nheight = 1", Positions::default()).await;
    let before = tokio::time::Instant::now();
    let mut images = 0;
    while images < 21 {
        images += source.poll().await.unwrap().records.len();
    }
    assert_eq!(before.elapsed().as_secs(), 10);
}

#[test]
fn images_that_no_message_can_hold_are_refused() {
    let config: Config = toml::from_str("width = 1000\nheight = 1000").unwrap();
    let findings = RandomImage::check(&config, &CheckContext::default());
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].message.contains("1000000 pixels"),
        "{findings:?}"
    );
}
