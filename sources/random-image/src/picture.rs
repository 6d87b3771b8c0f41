//! One image of random pixels, encoded.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ImageError, RgbImage};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::{Config, PictureFormat};

/// Customers of images without a fixed one.
const CUSTOMERS: u32 = 1_000;
/// Quality of JPEG images, of 100.
const QUALITY: u8 = 80;

/// An image and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) customer_id: u32,
    pub(crate) content: Vec<u8>,
}

impl Picture {
    /// Image `number` of the configured seed: each has a random stream of its own.
    pub(crate) fn of(config: &Config, number: u64) -> Result<Picture, ImageError> {
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        random.set_stream(number);
        let drawn = random.random_range(1..=CUSTOMERS);
        let mut pixels = RgbImage::new(config.width, config.height);
        random.fill_bytes(&mut pixels);
        let mut content = Cursor::new(Vec::new());
        match config.format {
            PictureFormat::Png => {
                let (compression, filter) = (CompressionType::Fast, FilterType::NoFilter);
                let encoder = PngEncoder::new_with_quality(&mut content, compression, filter);
                pixels.write_with_encoder(encoder)?;
            }
            PictureFormat::Jpeg => {
                pixels.write_with_encoder(JpegEncoder::new_with_quality(&mut content, QUALITY))?;
            }
        }
        Ok(Picture {
            customer_id: config.customer_id.unwrap_or(drawn),
            content: content.into_inner(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_image_follows_from_seed_and_number() {
        for format in [PictureFormat::Png, PictureFormat::Jpeg] {
            let config = Config {
                format,
                width: 13,
                height: 7,
                ..Config::default()
            };
            let other = Config {
                seed: 2,
                ..config.clone()
            };
            let of = |config, number| Picture::of(config, number).unwrap();
            assert_eq!(of(&config, 5), of(&config, 5));
            assert_ne!(of(&config, 5).content, of(&config, 6).content);
            assert_ne!(of(&config, 5).content, of(&other, 5).content);
            let decoded = image::load_from_memory(&of(&config, 5).content).unwrap();
            assert_eq!((decoded.width(), decoded.height()), (13, 7));
        }
    }

    #[test]
    fn the_largest_image_fits_a_message() {
        for format in [PictureFormat::Png, PictureFormat::Jpeg] {
            let config = Config {
                format,
                width: 400,
                height: 500,
                ..Config::default()
            };
            assert_eq!(config.check(), []);
            let length = Picture::of(&config, 0).unwrap().content.len();
            assert!(length * 4 / 3 < 1_000_000, "{format:?}: {length} bytes");
        }
    }
}
