//! `image_info`: the format and size of an image.

use std::io::Cursor;

use connect_api::{
    Cause, Explanation, Field, Finding, Record, Step, Transform, TransformPlugin, Value,
    ValueBuilder, ValueLimits,
};
use image::{ImageFormat, ImageReader, Limits};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::content::Encoding;
use crate::part::{self, Part};

/// The plugin `image_info`.
pub struct ImageInfo;

/// Describes an image (PNG, JPEG, GIF, WebP) by an object with `format`, `width`, `height` and `bytes`. The size is read
/// from the header first: an image of more pixels than `max_pixels` rejects the record before anything is decoded, and
/// so does content that is not an image or, with `decode`, breaks off. `null` stays `null`, and a missing field changes
/// nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The field with the image: bytes, or text with `encoding = "base64"`.
    field: Field,
    /// The field that receives the description.
    to: Field,
    /// What the text of the field means.
    #[serde(default)]
    encoding: Encoding,
    /// Whether the whole image is decoded, so that one that is cut off or damaged is rejected.
    #[serde(default = "yes")]
    decode: bool,
    /// The largest width times height.
    #[serde(default = "forty_megapixels")]
    #[schemars(range(min = 1))]
    max_pixels: u64,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

fn yes() -> bool {
    true
}

fn forty_megapixels() -> u64 {
    40_000_000
}

/// Memory for each pixel while an image is decoded: four channels of 16 bits, twice.
const BYTES_A_PIXEL: u64 = 16;

/// A built `image_info`.
pub struct ImageDescription {
    field: Field,
    to: Field,
    encoding: Encoding,
    decode: bool,
    max_pixels: u64,
    on: Part,
}

impl TransformPlugin for ImageInfo {
    const NAME: &'static str = "image_info";
    const ABOUT: &'static str = "describes an image: format, width, height";
    const EXAMPLE: &'static str = r#"[[transforms]]
type     = "image_info"
field    = "image"
encoding = "base64"
to       = "info"
"#;
    const EXPLANATIONS: &'static [Explanation] = &[];
    type Config = Config;
    type Transform = ImageDescription;

    fn build(config: &Config) -> Result<ImageDescription, Finding> {
        Ok(ImageDescription {
            field: config.field.clone(),
            to: config.to.clone(),
            encoding: config.encoding,
            decode: config.decode,
            max_pixels: config.max_pixels,
            on: config.on,
        })
    }
}

impl Transform for ImageDescription {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        self.on.edit(record, |part| {
            let Some(found) = self.field.get(part) else {
                return Ok(());
            };
            let description = if found.is_null() {
                Value::null()
            } else {
                let content = self.encoding.bytes(&self.field, found)?;
                self.describe(&content)
                    .map_err(|reason| Cause::new(format!("{} {reason}", self.field)))?
            };
            part::insert(part, &self.to, description)
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

impl ImageDescription {
    fn describe(&self, content: &[u8]) -> Result<Value, String> {
        let format = image::guess_format(content).ok().and_then(name_of);
        let Some((format, name)) = format else {
            return Err("is not an image in PNG, JPEG, GIF or WebP".to_owned());
        };
        let damaged = |error| format!("is a damaged {name} image: {error}");
        let header = ImageReader::with_format(Cursor::new(content), format);
        let (width, height) = header.into_dimensions().map_err(damaged)?;
        let pixels = u64::from(width) * u64::from(height);
        if pixels > self.max_pixels {
            return Err(format!(
                "is an image of {width} x {height} pixels; max_pixels is {}",
                self.max_pixels
            ));
        }
        if self.decode {
            let mut whole = ImageReader::with_format(Cursor::new(content), format);
            let mut limits = Limits::default();
            limits.max_alloc = Some(pixels.saturating_mul(BYTES_A_PIXEL).saturating_add(1 << 20));
            whole.limits(limits);
            whole.decode().map_err(damaged)?;
        }
        Ok(description(name, width, height, content.len()))
    }
}

fn name_of(format: ImageFormat) -> Option<(ImageFormat, &'static str)> {
    let name = match format {
        ImageFormat::Png => "png",
        ImageFormat::Jpeg => "jpeg",
        ImageFormat::Gif => "gif",
        ImageFormat::WebP => "webp",
        _ => return None,
    };
    Some((format, name))
}

fn description(format: &str, width: u32, height: u32, bytes: usize) -> Value {
    let mut builder = ValueBuilder::new(ValueLimits::default());
    let built = builder.begin_object().and_then(|()| {
        builder.key("format")?;
        builder.string(format)?;
        for (name, number) in [
            ("width", u64::from(width)),
            ("height", u64::from(height)),
            ("bytes", bytes as u64),
        ] {
            builder.key(name)?;
            builder.unsigned(number)?;
        }
        builder.end()
    });
    built.expect("four short members are below every limit");
    builder.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use connect_testkit::transforms::check;
    use image::{DynamicImage, RgbImage};

    use super::*;

    fn image_of(format: ImageFormat) -> Vec<u8> {
        let pixels = RgbImage::from_fn(16, 9, |x, y| image::Rgb([x as u8 * 16, y as u8 * 28, 7]));
        let mut content = Cursor::new(Vec::new());
        DynamicImage::from(pixels)
            .write_to(&mut content, format)
            .unwrap();
        content.into_inner()
    }

    #[track_caller]
    fn check_image(config: &str, content: &[u8], expected: &str) {
        let image = STANDARD.encode(content);
        let config = format!("field = 'i'\nto = 'd'\nencoding = 'base64'\n{config}");
        let expected = if expected.starts_with('!') {
            expected.to_owned()
        } else {
            format!(r#"{{"i":"{image}","d":{expected}}}"#)
        };
        check::<ImageInfo>(&config, &format!(r#"{{"i":"{image}"}}"#), &expected);
    }

    #[test]
    fn images_are_described() {
        for (format, name) in [
            (ImageFormat::Png, "png"),
            (ImageFormat::Jpeg, "jpeg"),
            (ImageFormat::Gif, "gif"),
            (ImageFormat::WebP, "webp"),
        ] {
            let content = image_of(format);
            let bytes = content.len();
            let expected =
                format!(r#"{{"format":"{name}","width":16,"height":9,"bytes":{bytes}}}"#);
            check_image("", &content, &expected);
        }
    }

    #[test]
    fn what_is_no_whole_image_is_rejected() {
        let png = image_of(ImageFormat::Png);
        let cut = &png[..png.len() - 30];
        let mut damaged = png.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        // The header of a PNG of 100,000 x 100,000 pixels, 33 bytes.
        let mut bomb = png[..33].to_vec();
        bomb[16..24].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0]);
        for (config, content, expected) in [
            ("", cut, "!$.i is a damaged png image"),
            ("", &damaged[..], "!$.i is a damaged png image"),
            ("", &bomb[..], "!$.i is"),
            (
                "max_pixels = 143",
                &png[..],
                "!is an image of 16 x 9 pixels; max_pixels is 143",
            ),
            ("", &b"GIF89a"[..], "!$.i is a damaged gif image"),
            (
                "",
                &b"hello"[..],
                "!is not an image in PNG, JPEG, GIF or WebP",
            ),
            ("", &b""[..], "!is not an image"),
        ] {
            check_image(config, content, expected);
        }
        let size = cut.len();
        check_image(
            "decode = false",
            cut,
            &format!(r#"{{"format":"png","width":16,"height":9,"bytes":{size}}}"#),
        );
    }

    #[test]
    fn null_and_missing_stay() {
        let config = "field = 'i'\nto = 'd'";
        check::<ImageInfo>(config, r#"{"i":null}"#, r#"{"i":null,"d":null}"#);
        check::<ImageInfo>(config, "{}", "{}");
        check::<ImageInfo>(config, "-", "-");
        check::<ImageInfo>(config, r#"{"i":7}"#, "!text or bytes are expected");
    }
}
