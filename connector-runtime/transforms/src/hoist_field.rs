//! `hoist_field`: wraps the whole value or key in an object.

use connect_api::{
    Cause, Explanation, Field, FieldPath, Finding, Record, Step, Transform, TransformPlugin, Value,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::{self, Part};

/// The plugin `hoist_field`.
pub struct HoistField;

/// Wraps the whole value or key in an object with one member. A tombstone stays a tombstone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the member.
    field: Field,
    /// Whether the value or the key is wrapped.
    #[serde(default)]
    on: Part,
}

/// A built `hoist_field`.
pub struct Hoist {
    member: FieldPath,
    on: Part,
}

impl TransformPlugin for HoistField {
    const NAME: &'static str = "hoist_field";
    const ABOUT: &'static str = "wraps the whole value or key in an object";
    const EXAMPLE: &'static str = r#"[[transforms]]
type  = "hoist_field"
field = "payload"
"#;
    const EXPLANATIONS: &'static [Explanation] = &[part::FIELD];
    type Config = Config;
    type Transform = Hoist;

    fn build(config: &Config) -> Result<Hoist, Finding> {
        if config.field.member_name().is_none() {
            let message = format!(
                "`{}` is not the name of one member; the object that is created has one member at the top",
                config.field
            );
            return Err(Finding::error("transform.field", "/field", message));
        }
        Ok(Hoist {
            member: config.field.path().clone(),
            on: config.on,
        })
    }
}

impl Transform for Hoist {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        self.on.edit(record, |part| {
            let content = std::mem::replace(part, Value::empty_object());
            Ok(part.insert(&self.member, content)?)
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_testkit::transforms::{check, check_refused};

    #[test]
    fn the_whole_becomes_a_member() {
        for (config, start, expected) in [
            ("field = 'p'", r#"{"a":1.50}"#, r#"{"p":{"a":1.50}}"#),
            ("field = 'p'", "null", r#"{"p":null}"#),
            ("field = 'p'", r#"["\n"]"#, r#"{"p":["\n"]}"#),
            ("field = \"$['p.q']\"", "1", r#"{"p.q":1}"#),
            (
                "field = 'id'\non = 'key'",
                r#""x" => 1"#,
                r#"{"id":"x"} => 1"#,
            ),
            ("field = 'id'\non = 'key'", "1", "1"),
            ("field = 'p'", "-", "-"),
        ] {
            check::<HoistField>(config, start, expected);
        }
        check_refused::<HoistField>("field = '$.a.b'", "/field", "not the name of one member");
        check_refused::<HoistField>("field = '$'", "/field", "not the name of one member");
    }
}
