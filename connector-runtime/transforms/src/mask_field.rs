//! `mask_field`: hides the content of fields.

use connect_api::{
    Cause, Fields, Finding, Kind, Record, Step, Transform, TransformPlugin, Value, ValueRef,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::Part;

/// The plugin `mask_field`.
pub struct MaskField;

/// Hides the content of fields. A missing field stays missing, `null` stays `null`. A record with another type on the
/// way of a path is rejected, because it may hold the content to hide elsewhere.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The fields to mask: names, paths, or paths with `[*]` for every element of an array: `$.lines[*].card`.
    #[schemars(extend("minItems" = 1))]
    fields: Vec<Fields>,
    /// The content instead. Default: the empty value of the field's own type (`""`, `0`, `false`, `[]`, `{}`).
    #[serde(default)]
    replacement: Option<serde_json::Value>,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

/// A built `mask_field`.
pub struct Mask {
    fields: Vec<Fields>,
    replacement: Option<Value>,
    on: Part,
}

impl TransformPlugin for MaskField {
    const NAME: &'static str = "mask_field";
    const ABOUT: &'static str = "hides the content of fields";
    const EXAMPLE: &'static str = r#"[[transforms]]
type        = "mask_field"
fields      = ["card_number", "$.customer.email", "$.lines[*].voucher"]
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
                part.replace_each(field, |_, found| {
                    let mask = || {
                        self.replacement
                            .clone()
                            .unwrap_or_else(|| empty_like(found))
                    };
                    Ok::<_, Cause>((!found.is_null()).then(mask))
                })?;
            }
            Ok(())
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

fn empty_like(found: ValueRef<'_>) -> Value {
    match found.kind() {
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
            (
                "fields = ['a']",
                "[1]",
                "!array found at $ where $.a expects an object",
            ),
            ("fields = ['a']", "null", "null"),
        ] {
            check::<MaskField>(config, start, expected);
        }
    }

    #[test]
    fn a_field_of_every_element_is_masked() {
        let card = "fields = ['$.lines[*].card']\nreplacement = '***'";
        let nested = "fields = ['$.orders[*].lines[*].card', 'name']";
        for (config, start, expected) in [
            (
                card,
                r#"{"a":[1],"lines":[{"card":"4111","n":1},{"n":2},{"card":null},{"card":{"nr":5}}],"b":2}"#,
                r#"{"a":[1],"lines":[{"card":"***","n":1},{"n":2},{"card":null},{"card":"***"}],"b":2}"#,
            ),
            (card, r#"{"lines":[]}"#, r#"{"lines":[]}"#),
            (card, r#"{"lines":null}"#, r#"{"lines":null}"#),
            (card, r#"{"lines":[null]}"#, r#"{"lines":[null]}"#),
            (card, r#"{"other":1}"#, r#"{"other":1}"#),
            (
                nested,
                r#"{"orders":[{"lines":[{"card":"a"},{"card":1.5}]},{},{"lines":[]},{"lines":[{"card":[1,2]}]}],"name":"x"}"#,
                r#"{"orders":[{"lines":[{"card":""},{"card":0}]},{},{"lines":[]},{"lines":[{"card":[]}]}],"name":""}"#,
            ),
            (
                "fields = ['$.cards[*]']",
                r#"{"cards":["4111",{"nr":"4222"},[1]]}"#,
                r#"{"cards":["",{},[]]}"#,
            ),
            (
                "fields = ['$[*][0]']\nreplacement = {masked = true}",
                "[[1,2],[],[3]]",
                r#"[[{"masked":true},2],[],[{"masked":true}]]"#,
            ),
            (
                "fields = ['$.lines[-1].card']",
                r#"{"lines":[{"card":"a"},{"card":"b"}]}"#,
                r#"{"lines":[{"card":"a"},{"card":""}]}"#,
            ),
            // The field has another form here, which must not pass silently.
            (
                card,
                r#"{"lines":{"card":"4111"}}"#,
                "!object found at $.lines where $.lines[*].card expects an array",
            ),
            (card, r#"{"lines":"4111"}"#, "!string found at $.lines"),
            (
                card,
                r#"{"lines":[{"card":"a"},"4111"]}"#,
                "!string found at $.lines[1] where $.lines[*].card expects an object",
            ),
            (
                nested,
                r#"{"orders":[{},{"lines":[{"card":"a"}]},{"lines":[[]]}]}"#,
                "!array found at $.orders[2].lines[0] where",
            ),
            (
                "fields = ['$.customer.email']",
                r#"{"customer":"a@b.c"}"#,
                "!string found at $.customer where $.customer.email expects an object",
            ),
        ] {
            check::<MaskField>(config, start, expected);
        }
    }

    #[test]
    fn text_that_is_not_a_path_to_fields_is_refused() {
        for (text, message) in [
            ("lines[*].card", "a path starts with `$`"),
            ("$.lines[*", "not a path of RFC 9535"),
            ("$.lines[*]card", "not a path of RFC 9535"),
            ("$..card", "consists of names, indexes and `[*]`"),
            ("$.lines[0:2].card", "consists of names, indexes and `[*]`"),
            (
                "$.lines[?@.card].card",
                "consists of names, indexes and `[*]`",
            ),
        ] {
            let error = Fields::parse(text).expect_err(text);
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
