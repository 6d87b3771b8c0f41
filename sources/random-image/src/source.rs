//! The plugin: images at a rate; its position is the number of images so far.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connect_api::{
    BuildError, Cause, CheckContext, Explanation, Failure, Finding, Polled, Positions, Result,
    Source, SourceContext, SourcePlugin, SourceRecord, Value, ValueBuilder, ValueLimits,
    async_trait, time,
};
use serde::{Deserialize, Serialize};
use tokio::time::{Duration, Instant, sleep_until};

use crate::config::{self, Config, ImageEncoding, PictureFormat};
use crate::picture::Picture;

/// `type = "random_image"`.
pub struct RandomImage;

#[async_trait]
impl SourcePlugin for RandomImage {
    const NAME: &'static str = "random_image";
    const ABOUT: &'static str = "images of random pixels, the same ones for the same seed";
    const EXAMPLE: &'static str = r#"[source]
type   = "random_image"
width  = 64
height = 64
rate   = 2      # images a second; 0 = as fast as possible
"#;
    const EXPLANATIONS: &'static [Explanation] = config::EXPLANATIONS;
    type Config = Config;
    type Source = RandomImageSource;

    fn check(config: &Config, _context: &CheckContext<'_>) -> Vec<Finding> {
        config.check()
    }

    async fn open(config: &Config, context: SourceContext) -> Result<RandomImageSource> {
        let partition = Partition {
            images: RandomImage::NAME,
            seed: config.seed,
        };
        let stored: Option<Offset> = context.positions.get(&partition)?;
        Ok(RandomImageSource {
            partition,
            next: stored.map_or(0, |offset| offset.next),
            due: Instant::now(),
            config: config.clone(),
        })
    }
}

/// The source partition of a position: the images of one seed.
#[derive(Debug, Serialize)]
struct Partition {
    images: &'static str,
    seed: u64,
}

/// The source offset of a position.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Offset {
    /// The number of the next image, which equals the number of images so far.
    next: u64,
}

/// The open source.
pub struct RandomImageSource {
    config: Config,
    partition: Partition,
    next: u64,
    /// When the next image is due.
    due: Instant,
}

/// Images of one poll at most: each can have 600 kB.
const LARGEST_CHUNK: u64 = 16;
/// After a longer delay the source continues at its rate instead of catching up in one burst.
const LARGEST_DELAY: Duration = Duration::from_secs(1);

#[async_trait]
impl Source for RandomImageSource {
    /// Cancel-safe: an image counts only when it is returned.
    async fn poll(&mut self) -> Result<Polled> {
        let end = self.config.count.unwrap_or(u64::MAX);
        let limit = end.saturating_sub(self.next).min(LARGEST_CHUNK);
        if limit == 0 {
            return Ok(Polled {
                finished: true,
                ..Polled::default()
            });
        }
        sleep_until(self.due).await;
        let now = Instant::now();
        let interval = interval(self.config.rate);
        let mut due = self.due.max(now.checked_sub(LARGEST_DELAY).unwrap_or(now));
        let mut records = Vec::new();
        while (records.len() as u64) < limit && due <= now {
            let number = self.next + records.len() as u64;
            records.push(record(&self.config, number)?);
            due += interval;
        }
        let next = self.next + records.len() as u64;
        let mut positions = Positions::default();
        positions.set(&self.partition, &Offset { next })?;
        (self.next, self.due) = (next, due);
        Ok(Polled {
            records,
            positions,
            finished: next >= end,
        })
    }
}

fn interval(rate: f64) -> Duration {
    if rate > 0.0 {
        Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX)
    } else {
        Duration::ZERO
    }
}

fn record(config: &Config, number: u64) -> Result<SourceRecord> {
    let fatal = |reason: String| Failure::Fatal(Cause::new(reason));
    let picture = Picture::of(config, number)
        .map_err(|error| fatal(format!("image {number} cannot be encoded: {error}")))?;
    let value = value(config, number, &picture)
        .map_err(|error| fatal(format!("image {number} is too large: {error}")))?;
    Ok(SourceRecord::of_value(value))
}

fn value(config: &Config, number: u64, picture: &Picture) -> Result<Value, BuildError> {
    let mut builder = ValueBuilder::new(ValueLimits::default());
    builder.begin_object()?;
    builder.key("image_id")?;
    builder.string(&format!("{}-{number}", config.seed))?;
    builder.key("customer_id")?;
    builder.unsigned(picture.customer_id.into())?;
    builder.key("created_at")?;
    builder.string(&time::format_ms(time::now_ms()))?;
    builder.key("content_type")?;
    builder.string(match config.format {
        PictureFormat::Png => "image/png",
        PictureFormat::Jpeg => "image/jpeg",
    })?;
    builder.key("image")?;
    match config.content {
        ImageEncoding::Bytes => builder.bytes(&picture.content)?,
        ImageEncoding::Base64 => builder.string(&STANDARD.encode(&picture.content))?,
    }
    builder.end()?;
    Ok(builder.finish())
}
