//! `format = "…"`: a reference to an entry of the table of formats.

use std::sync::Arc;

use connect_api::Cause;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::compiling;
use crate::formats::{self, Codec, FormatEntry, Registered};
use crate::registry::SchemaSource;
use connect_api::text::cut;

/// The format of a key or value.
#[derive(Clone, Copy)]
pub struct Format(&'static FormatEntry);

impl Format {
    pub fn named(name: &str) -> Option<Format> {
        Format::all().find(|format| format.name() == name)
    }

    pub fn all() -> impl Iterator<Item = Format> {
        formats::ALL.iter().map(|entry| Format(entry))
    }

    /// The word in `format = "…"`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    pub(crate) fn entry(self) -> &'static FormatEntry {
        self.0
    }

    /// The codec without a registry.
    pub(crate) fn plain_codec(self, write_schema: Option<&str>) -> Result<Arc<dyn Codec>, Cause> {
        let plain = self.0.plain.as_ref().ok_or_else(|| {
            Cause::new(format!("`{}` needs a schema registry", self.name()))
                .with_help("add `registry = {}`")
        })?;
        (plain.compile)(write_schema).map_err(|reason| self.uncompiled("write_schema", &reason))
    }

    /// The codec of a schema file that is written with.
    pub(crate) fn codec_of_file(self, name: &str, text: &str) -> Result<Arc<dyn Codec>, Cause> {
        let source = SchemaSource::alone(name.to_owned(), "file:/".to_owned(), text.to_owned());
        let compile = self.registered()?.compile;
        compiling::on_own_thread(move || compile(&source))
            .flatten()
            .map_err(|reason| self.uncompiled(name, &reason))
    }

    /// The full name of the record that a schema describes.
    pub(crate) fn record_name(self, schema: &str) -> Result<String, Cause> {
        (self.registered()?.record_name)(schema)
    }

    /// The registry's name for the type of the format's schemas.
    pub(crate) fn schema_type(self) -> &'static str {
        self.registered()
            .expect("`check` refuses a registry for a format without schemas")
            .schema_type
    }

    fn registered(self) -> Result<&'static Registered, Cause> {
        self.0.registered.as_ref().ok_or_else(|| {
            Cause::new(format!(
                "schemas of `{}` are not in a registry",
                self.name()
            ))
        })
    }

    fn uncompiled(self, name: &str, reason: &str) -> Cause {
        let message = format!(
            "the {} schema {name} does not compile: {reason}",
            self.name()
        );
        Cause::new(cut(&message, 400))
    }
}

/// JSON is the default.
impl Default for Format {
    fn default() -> Self {
        Format::named("json").expect("JSON is a format")
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Format) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Format {}

impl std::hash::Hash for Format {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl std::fmt::Debug for Format {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Format::named(&name).ok_or_else(|| {
            let names: Vec<&str> = Format::all().map(Format::name).collect();
            de::Error::custom(format!(
                "unknown format `{name}`, expected one of {}",
                names.join(", ")
            ))
        })
    }
}

impl JsonSchema for Format {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Format".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let choices: Vec<serde_json::Value> = formats::ALL
            .iter()
            .map(|entry| {
                serde_json::json!({
                    "type": "string",
                    "const": entry.name,
                    "description": entry.about,
                })
            })
            .collect();
        schemars::json_schema!({
            "description": "The format of a key or value.",
            "oneOf": choices,
        })
    }
}
