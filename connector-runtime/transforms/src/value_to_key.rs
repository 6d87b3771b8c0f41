//! `value_to_key`: makes the key from fields of the value.

use connect_api::{
    Cause, Explanation, Field, FieldPath, Finding, Key, PathStep, Record, Step, Transform,
    TransformPlugin, Value,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The plugin `value_to_key`.
pub struct ValueToKey;

/// Makes the key an object of these fields of the value; `extract_field` with `on = "key"` then reduces it to one of
/// them. A record without one of the fields is rejected. A sink that writes keys may write the original key unless it
/// is configured for this one (`key = "#key"` with kafka).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The fields, each under its own name in the key: `$.store.id` becomes `id`.
    #[schemars(extend("minItems" = 1))]
    fields: Vec<Field>,
}

/// A built `value_to_key`.
pub struct MakeKey {
    fields: Vec<(Field, FieldPath)>,
}

impl TransformPlugin for ValueToKey {
    const NAME: &'static str = "value_to_key";
    const ABOUT: &'static str = "makes the key from fields of the value";
    const EXAMPLE: &'static str = r#"[[transforms]]
type   = "value_to_key"
fields = ["store_id", "transaction_id"]
"#;
    const EXPLANATIONS: &'static [Explanation] = &[crate::part::FIELD];
    type Config = Config;
    type Transform = MakeKey;

    fn build(config: &Config) -> Result<MakeKey, Finding> {
        let mut fields: Vec<(Field, FieldPath)> = Vec::new();
        for (index, field) in config.fields.iter().enumerate() {
            let refuse = |message: String| {
                Finding::error("transform.field", format!("/fields/{index}"), message)
            };
            let Some(PathStep::Name(name)) = field.path().steps().last() else {
                return Err(refuse(format!("`{field}` has no member name for the key")));
            };
            let member = FieldPath::of_member(name);
            if fields.iter().any(|(_, taken)| *taken == member) {
                return Err(refuse(format!(
                    "another field already becomes `{name}` in the key"
                )));
            }
            fields.push((field.clone(), member));
        }
        Ok(MakeKey { fields })
    }
}

impl Transform for MakeKey {
    fn apply(&mut self, mut record: Record) -> Result<Step, Cause> {
        let Some(value) = &record.value else {
            return Ok(Step::Keep(record));
        };
        let mut key = Value::empty_object();
        for (field, member) in &self.fields {
            let Some(place) = field.get(value) else {
                return Err(Cause::new(format!("{field} is missing")));
            };
            key.insert(member, place.to_value())
                .map_err(|error| Cause::new(error.message))?;
        }
        record.key = Key::Decoded(key);
        Ok(Step::Keep(record))
    }

    fn uses_key(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_testkit::transforms::{check, check_refused};

    #[test]
    fn the_key_is_made_of_fields() {
        for (config, start, expected) in [
            (
                "fields = ['b', 'a']",
                r#"{"a":1.50,"b":"\n","c":0}"#,
                r#"{"b":"\n","a":1.50} => {"a":1.50,"b":"\n","c":0}"#,
            ),
            (
                "fields = ['$.s.id']",
                r#""old" => {"s":{"id":7}}"#,
                r#"{"id":7} => {"s":{"id":7}}"#,
            ),
            (
                "fields = ['a']",
                r#"{"a":null}"#,
                r#"{"a":null} => {"a":null}"#,
            ),
            ("fields = ['a', 'b']", r#"{"a":1}"#, "!$.b is missing"),
            ("fields = ['a']", r#""k" => -"#, r#""k" => -"#),
        ] {
            check::<ValueToKey>(config, start, expected);
        }
        check_refused::<ValueToKey>("fields = ['$']", "/fields/0", "no member name");
        check_refused::<ValueToKey>("fields = ['$.a[0]']", "/fields/0", "no member name");
        check_refused::<ValueToKey>(
            "fields = ['id', '$.s.id']",
            "/fields/1",
            "already becomes `id` in the key",
        );
    }
}
