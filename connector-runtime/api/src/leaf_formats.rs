//! The list of all leaf formats, which the validator of connector files registers.

use crate::leaf::{Leaf, LeafFormat};
use crate::predicate::Predicate;
use crate::reference::Reference;
use crate::start_at::StartAt;
use crate::template::Template;
use crate::units::{Duration, FilePath, Pattern, SchemaFile, Secret, Size};
use crate::value::{ElementsPath, Field, FieldPath, Fields};

/// Every leaf format of the API.
pub const LEAF_FORMATS: [LeafFormat; 15] = [
    LeafFormat::of::<Duration>(),
    LeafFormat::of::<ElementsPath>(),
    LeafFormat::of::<Field>(),
    LeafFormat::of::<FieldPath>(),
    LeafFormat::of::<Fields>(),
    LeafFormat::of::<FilePath>(),
    LeafFormat::of::<Pattern>(),
    LeafFormat::of::<Predicate>(),
    LeafFormat::of::<Reference>(),
    LeafFormat::of::<SchemaFile>(),
    LeafFormat::of::<Secret>(),
    LeafFormat::of::<Size>(),
    LeafFormat::of::<StartAt>(),
    LeafFormat::of::<Template>(),
    LeafFormat::of::<jiff::Timestamp>(),
];

/// Times are written in RFC 3339. `jiff` provides their `Deserialize`.
impl Leaf for jiff::Timestamp {
    const FORMAT: &'static str = "date-time";
    const ABOUT: &'static str = "A time with its offset, \"2026-11-20T00:00:00Z\" (RFC 3339).";
    const EXPECTED: &'static str = "a time such as \"2026-11-20T00:00:00Z\" (RFC 3339)";
    const STAND_IN: Option<&'static str> = Some("2026-11-20T00:00:00Z");

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            format!("`{text}` is not a time with its offset such as 2026-11-20T00:00:00Z")
        })
    }
}
