//! `mask_field`: hides what stands in fields.

use connect_api::{
    Cause, Field, Finding, Kind, Record, Step, Transform, TransformPlugin, Value, ValueRef,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::{self, Part};

/// See the module.
pub struct MaskField;

/// Hides what stands in fields. A missing field stays missing, `null` stays `null`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The fields to mask.
    #[schemars(extend("minItems" = 1))]
    fields: Vec<Field>,
    /// What stands there instead. Default: the empty value of the field's own type (`""`, `0`, `false`, `[]`, `{}`).
    #[serde(default)]
    replacement: Option<serde_json::Value>,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

/// A built `mask_field`.
pub struct Mask {
    fields: Vec<Field>,
    replacement: Option<Value>,
    on: Part,
}

impl TransformPlugin for MaskField {
    const NAME: &'static str = "mask_field";
    const ABOUT: &'static str = "hides what stands in fields";
    const EXAMPLE: &'static str = r#"[[transforms]]
type        = "mask_field"
fields      = ["card_number", "$.customer.email"]
replacement = "***"
"#;
    type Config = Config;
    type Transform = Mask;

    fn build(config: &Config) -> Result<Mask, Finding> {
        Ok(Mask {
            fields: config.fields.clone(),
            replacement: config.replacement.as_ref().map(Value::from),
            on: config.on,
        })
    }
}

impl Transform for Mask {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        self.on.edit(record, |part| {
            for field in &self.fields {
                let Some(place) = field.get(part).filter(|place| !place.is_null()) else {
                    continue;
                };
                let mask = self
                    .replacement
                    .clone()
                    .unwrap_or_else(|| empty_like(place));
                part::insert(part, field, mask)?;
            }
            Ok(())
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

fn empty_like(place: ValueRef<'_>) -> Value {
    match place.kind() {
        Kind::Null => Value::null(),
        Kind::Bool(_) => Value::boolean(false),
        Kind::Number(_) => Value::integer(0),
        Kind::String(_) => Value::string(""),
        Kind::Bytes(_) => Value::bytes(bytes::Bytes::new()),
        Kind::Array(_) => Value::empty_array(),
        Kind::Object(_) => Value::empty_object(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_testkit::transforms::check;

    #[test]
    fn fields_are_masked_by_type_or_by_a_replacement() {
        for (config, start, expected) in [
            (
                "fields = ['a', 'b', 'c', 'd', 'e', 'f', 'missing']",
                r#"{"a":"x","b":1.5,"c":true,"d":[1],"e":{"g":1},"f":null,"h":1}"#,
                r#"{"a":"","b":0,"c":false,"d":[],"e":{},"f":null,"h":1}"#,
            ),
            (
                "fields = ['a', '$.b.c', '$.d[-1]', 'missing', 'n']\nreplacement = '***'",
                r#"{"a":1,"b":{"c":"secret"},"d":[1,2],"n":null}"#,
                r#"{"a":"***","b":{"c":"***"},"d":[1,"***"],"n":null}"#,
            ),
            (
                "fields = ['a']\nreplacement = 0",
                r#"{"a":"x"}"#,
                r#"{"a":0}"#,
            ),
            (
                "fields = ['$']\non = 'key'",
                r#""k" => {"a":1}"#,
                r#""" => {"a":1}"#,
            ),
            ("fields = ['a']", "-", "-"),
            ("fields = ['a']", "[1]", "[1]"),
        ] {
            check::<MaskField>(config, start, expected);
        }
    }
}
