//! Leaf types of configuration: durations, paths, predicates and others that TOML writes as a string.
//!
//! Each names a `format` in the generated JSON Schema, by which the validator finds its parser. So a malformed leaf is reported
//! in the same pass as an unknown key.

/// A type that TOML writes as a string.
pub trait Leaf: Sized {
    /// The `format` of its JSON Schema.
    const FORMAT: &'static str;
    /// The `description` of its JSON Schema, which editors show.
    const ABOUT: &'static str;
    /// What messages say is expected.
    const EXPECTED: &'static str;
    /// What messages suggest to type, without quotes.
    const EXAMPLE: &'static str = "…";
    /// A valid text that replaces a placeholder whose value is unknown here; `None`: any text is valid.
    const STAND_IN: Option<&'static str> = None;

    /// `Err` describes what is wrong and what is expected.
    fn parse(text: &str) -> Result<Self, String>;
}

/// The properties of a [`Leaf`], found by its format.
#[derive(Clone, Copy, Debug)]
pub struct LeafFormat {
    pub name: &'static str,
    pub expected: &'static str,
    pub example: &'static str,
    pub stand_in: Option<&'static str>,
    /// Parses a text and discards the result: whether it is valid.
    pub check: fn(&str) -> Result<(), String>,
}

impl LeafFormat {
    pub const fn of<L: Leaf>() -> LeafFormat {
        LeafFormat {
            name: L::FORMAT,
            expected: L::EXPECTED,
            example: L::EXAMPLE,
            stand_in: L::STAND_IN,
            check: |text| L::parse(text).map(drop),
        }
    }
}

/// Implements [`Leaf`], `Deserialize` and `JsonSchema` for a type through its own `parse`.
macro_rules! leaf_type {
    ($type:ident { $($consts:tt)* }) => {
        impl crate::leaf::Leaf for $type {
            $($consts)*

            fn parse(text: &str) -> Result<Self, String> {
                <$type>::parse(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                <$type>::parse(&text).map_err(serde::de::Error::custom)
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
                use crate::leaf::Leaf;
                let (format, about) = (<$type as Leaf>::FORMAT, <$type as Leaf>::ABOUT);
                schemars::json_schema!({ "type": "string", "format": format, "description": about })
            }
        }
    };
}
pub(crate) use leaf_type;
