//! `random_image`: images of random pixels, as a camera or an upload form would send them.
//!
//! An image is a function of the seed and its number, so a restart continues with the image that would have come next.

mod config;
mod picture;
mod source;

pub use config::{Config, ImageEncoding, PictureFormat};
pub use source::{RandomImage, RandomImageSource};
