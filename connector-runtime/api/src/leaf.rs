//! The small types that configuration is made of. Each is written as a string in TOML, names a `format` in the
//! generated JSON Schema, and registers its parser under that format: a bad leaf is found in the same pass as a bad key.

/// Parses one leaf, only to find out whether it is valid; `Err` says what is wrong and what is expected.
pub type LeafCheck = fn(&str) -> Result<(), String>;

/// Every leaf format with its parser, for a validator to register.
pub fn leaf_formats() -> Vec<(&'static str, LeafCheck)> {
    use crate::{field, fields, path, predicate, reference, start_at, units};
    vec![
        ("field-path", |text| path::FieldPath::parse(text).map(drop)),
        ("field", |text| field::Field::parse(text).map(drop)),
        ("fields", |text| fields::Fields::parse(text).map(drop)),
        ("elements-path", |text| {
            path::ElementsPath::parse(text).map(drop)
        }),
        ("reference", |text| {
            reference::Reference::parse(text).map(drop)
        }),
        (PREDICATE_FORMAT, |text| {
            predicate::Predicate::parse(text).map(drop)
        }),
        ("duration", |text| units::Duration::parse(text).map(drop)),
        ("size", |text| units::Size::parse(text).map(drop)),
        ("pattern", |text| units::Pattern::parse(text).map(drop)),
        ("timestamp-or-word", |text| {
            start_at::StartAt::parse(text).map(drop)
        }),
    ]
}

/// Formats whose strings are paths of files, relative to the file that names them: the loader makes them absolute.
pub const FILE_FORMATS: [&str; 2] = [FILE_FORMAT, SCHEMA_FILE_FORMAT];
/// The format of a path of any file or folder.
pub const FILE_FORMAT: &str = "file-path";
/// The format of a path of a JSON Schema file: `check` compiles what it names.
pub const SCHEMA_FILE_FORMAT: &str = "schema-file";
/// The format of a condition.
pub const PREDICATE_FORMAT: &str = "predicate";
/// The format of a secret: drawn lines mask it.
pub const SECRET_FORMAT: &str = "secret";

/// Gives a leaf type `Deserialize` (through its parser) and `JsonSchema` (a string with its format).
macro_rules! leaf_type {
    ($type:ty, $format:expr, $description:expr, $parse:path) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                $parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": $format, "description": $description })
            }
        }
    };
}
pub(crate) use leaf_type;
