//! `extract_field`: one field becomes the whole value or key.

use connect_api::{Cause, Field, Finding, Record, Step, Transform, TransformPlugin};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::Part;

/// The plugin `extract_field`.
pub struct ExtractField;

/// Makes one field the whole value or key. A record without the field is rejected; `when = "has(value.after)"` passes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The field: a name, or a path such as `$.payload.after`.
    field: Field,
    /// Whether the field is one of the value or of the key.
    #[serde(default)]
    on: Part,
}

/// A built `extract_field`.
pub struct Extract {
    field: Field,
    on: Part,
}

impl TransformPlugin for ExtractField {
    const NAME: &'static str = "extract_field";
    const ABOUT: &'static str = "makes one field the whole value or key";
    const EXAMPLE: &'static str = r#"[[transforms]]
type  = "extract_field"
field = "$.payload.after"
"#;
    type Config = Config;
    type Transform = Extract;

    fn build(config: &Config) -> Result<Extract, Finding> {
        Ok(Extract {
            field: config.field.clone(),
            on: config.on,
        })
    }
}

impl Transform for Extract {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        self.on.edit(record, |part| {
            let Some(node) = self.field.get(part) else {
                return Err(Cause::new(format!("{} is missing", self.field)));
            };
            *part = node.to_value();
            Ok(())
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_testkit::transforms::check;

    #[test]
    fn a_field_becomes_the_whole_value() {
        for (config, start, expected) in [
            (
                "field = 'a'",
                r#"{"a":{"b":["\n"]},"c":1}"#,
                r#"{"b":["\n"]}"#,
            ),
            ("field = '$.a.b'", r#"{"a":{"b":1.50}}"#, "1.50"),
            ("field = '$.a[-1]'", r#"{"a":[1,2]}"#, "2"),
            ("field = 'a'", r#"{"a":null}"#, "null"),
            (
                "field = 'id'\non = 'key'",
                r#"{"id":"x"} => {"id":1}"#,
                r#""x" => {"id":1}"#,
            ),
            ("field = 'a'", r#"{"b":1}"#, "!$.a is missing"),
            ("field = 'a'", r#""text""#, "!$.a is missing"),
            ("field = 'a'", "-", "-"),
            ("field = 'a'\non = 'key'", r#"{"b":1}"#, r#"{"b":1}"#),
        ] {
            check::<ExtractField>(config, start, expected);
        }
    }
}
