//! `split`: one record becomes one for each element of an array.

use connect_api::{
    Cause, Explanation, Field, Finding, Found, Record, Step, Transform, TransformPlugin, Value,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part;

/// The plugin `split`.
pub struct Split;

/// Makes one record for each element of an array; they keep the key and are numbered from 0 (`#ordinal`). They are
/// written or rejected together. A record with an empty array is filtered; one with no array in the field is rejected.
/// A tombstone passes unchanged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The field with the array: a name, or a path such as `$.order.lines`.
    field: Field,
    /// The field that receives the element: the other members of the value stay, the array goes. Default: the element
    /// becomes the whole value.
    #[serde(default)]
    to: Option<Field>,
}

/// A built `split`.
pub struct SplitArray {
    field: Field,
    to: Option<Field>,
}

impl TransformPlugin for Split {
    const NAME: &'static str = "split";
    const ABOUT: &'static str = "makes one record for each element of an array";
    const EXAMPLE: &'static str = r#"[[transforms]]
type  = "split"
field = "lines"
to    = "line"
"#;
    const EXPLANATIONS: &'static [Explanation] = &[part::FIELD];
    type Config = Config;
    type Transform = SplitArray;

    fn build(config: &Config) -> Result<SplitArray, Finding> {
        if config.to.is_some() && config.field.path().steps().is_empty() {
            let message = "with `field = \"$\"` the elements are the whole values, and no other member stays beside `to`";
            return Err(Finding::error("transform.field", "/to", message));
        }
        Ok(SplitArray {
            field: config.field.clone(),
            to: config.to.clone(),
        })
    }
}

impl Transform for SplitArray {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        let Some(value) = &record.value else {
            return Ok(Step::Keep(record));
        };
        let found = self.field.get(value);
        let Some(elements) = found.and_then(|found| found.elements()) else {
            let found = found.map_or_else(Found::nothing, Found::from);
            let message = format!(
                "{} is {}; an array is expected",
                self.field, found.description
            );
            return Err(Cause::new(message).about(found));
        };
        let around = self.to.as_ref().map(|to| {
            let mut around = value.clone();
            around.remove(self.field.path());
            (around, to)
        });
        let mut parts = Vec::new();
        for element in elements {
            parts.push(Record {
                origin: record.origin.clone(),
                key: record.key.clone(),
                value: Some(part_value(around.as_ref(), element.to_value())?),
                ordinal: record.ordinal,
                routed_topic: record.routed_topic.clone(),
            });
        }
        Ok(Step::Split(parts))
    }
}

fn part_value(around: Option<&(Value, &Field)>, element: Value) -> Result<Value, Cause> {
    let Some((around, to)) = around else {
        return Ok(element);
    };
    let mut value = around.clone();
    part::insert(&mut value, to, element)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_testkit::transforms::{check, check_refused};

    #[test]
    fn each_element_becomes_a_record() {
        for (config, start, expected) in [
            (
                "field = 'a'",
                r#""k" => {"a":[1.50,"\n"]}"#,
                r#""k" => 1.50 | "k" => "\n""#,
            ),
            (
                "field = 'a'\nto = 'e'",
                r#"{"a":[1,{"x":2}],"b":3}"#,
                r#"{"b":3,"e":1} | {"b":3,"e":{"x":2}}"#,
            ),
            (
                "field = '$.s.a'\nto = '$.s.a'",
                r#"{"s":{"a":[1,2],"b":3}}"#,
                r#"{"s":{"b":3,"a":1}} | {"s":{"b":3,"a":2}}"#,
            ),
            ("field = '$'", "[1,[2],null]", "1 | [2] | null"),
            ("field = 'a'", r#"{"a":[]}"#, ""),
            ("field = 'a'", "-", "-"),
            (
                "field = 'a'",
                r#"{"b":[]}"#,
                "!$.a is nothing; an array is expected",
            ),
            (
                "field = 'a'",
                r#"{"a":null}"#,
                "!$.a is null; an array is expected",
            ),
            (
                "field = 'a'",
                r#"{"a":{"b":1}}"#,
                "!$.a is an object of 1 member",
            ),
            (
                "field = 'a'\nto = '$.b.c'",
                r#"{"a":[1],"b":2}"#,
                "!number found where an object was expected",
            ),
        ] {
            check::<Split>(config, start, expected);
        }
        check_refused::<Split>("field = '$'\nto = 'x'", "/to", "whole values");
    }
}
