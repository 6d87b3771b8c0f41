//! The keys of a `[source]` table of type `random_image`.

use connect_api::{Explanation, Finding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every key has a default: an empty table produces one PNG of 64 x 64 pixels per second.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The same seed produces the same images. With another seed the source starts again at the first image.
    pub seed: u64,
    /// Images per second; 0 means as fast as possible.
    #[schemars(range(min = 0.0, max = 100_000.0))]
    pub rate: f64,
    /// Stop after this many images in total, including those before a restart. Without it the source never ends.
    pub count: Option<u64>,
    /// Pixels in a row.
    #[schemars(range(min = 1, max = 4_096))]
    pub width: u32,
    /// Rows.
    #[schemars(range(min = 1, max = 4_096))]
    pub height: u32,
    pub format: PictureFormat,
    /// How the image is put into the record.
    pub content: ImageEncoding,
    /// The customer of every image. Without it, images are those of customers 1 to 1000.
    pub customer_id: Option<u32>,
}

/// The format of the images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PictureFormat {
    #[default]
    Png,
    Jpeg,
}

/// How an image is put into the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageEncoding {
    /// Text in Base64, for contracts in JSON.
    #[default]
    Base64,
    /// Bytes, for formats that have them, such as Avro. JSON writes them in Base64.
    Bytes,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            seed: 1,
            rate: 1.0,
            count: None,
            width: 64,
            height: 64,
            format: PictureFormat::default(),
            content: ImageEncoding::default(),
            customer_id: None,
        }
    }
}

/// Random pixels cannot be compressed, and a record that Kafka does not take stops the connector.
const MOST_PIXELS: u64 = 200_000;

pub(crate) const EXPLANATIONS: &[Explanation] = &[Explanation {
    code: "random-image.size",
    why: "Random pixels cannot be compressed: 200,000 of them are about 600 kB, or 800 kB in Base64, and Kafka takes messages of at most 1 MB unless it is configured otherwise.",
    example: "width = 1000\nheight = 1000",
    fix: "width = 400\nheight = 300",
}];

impl Config {
    pub(crate) fn check(&self) -> Vec<Finding> {
        let pixels = u64::from(self.width) * u64::from(self.height);
        if pixels <= MOST_PIXELS {
            return Vec::new();
        }
        let message = format!(
            "`width` times `height` is {pixels} pixels; at most {MOST_PIXELS} fit a message"
        );
        vec![Finding::error("random-image.size", "/height", message)]
    }
}
