//! `insert_field`: puts a literal, a field or metadata of the record into a field.

use connect_api::{
    Cause, Explanation, Field, Finding, Record, Reference, Step, Transform, TransformPlugin, Value,
    time,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::{self, Part};

/// The plugin `insert_field`.
pub struct InsertField;

/// Puts a literal, a field or metadata of the record into a field and replaces what the field held.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The target: a name, or a path such as `$.store.id`. Missing objects on the way are created.
    field: Field,
    /// A literal: text, number, boolean, array or table. Either this or `from`.
    #[serde(default)]
    value: Option<serde_json::Value>,
    /// A path into the value, or metadata such as `#timestamp` and `#now` (times as RFC 3339 text). If the path leads
    /// to nothing, the record stays unchanged.
    #[serde(default)]
    from: Option<Reference>,
    /// Whether the field is one of the value or of the key.
    #[serde(default)]
    on: Part,
}

/// The content that is inserted.
enum Content {
    Literal(Value),
    From(Reference),
}

/// A built `insert_field`.
pub struct FieldInsertion {
    field: Field,
    content: Content,
    on: Part,
}

impl TransformPlugin for InsertField {
    const NAME: &'static str = "insert_field";
    const ABOUT: &'static str = "puts a literal, a field or metadata into a field";
    const EXAMPLE: &'static str = r##"[[transforms]]
type  = "insert_field"
field = "ingested_at"
from  = "#now"
"##;
    const EXPLANATIONS: &'static [Explanation] = &[part::CONTENT, part::REFERENCE];
    type Config = Config;
    type Transform = FieldInsertion;

    fn build(config: &Config) -> Result<FieldInsertion, Finding> {
        let content = match (&config.value, &config.from) {
            (Some(literal), None) => Content::Literal(Value::from(literal)),
            (None, Some(from)) => Content::From(part::of_record(from)?),
            (None, None) | (Some(_), Some(_)) => {
                return Err(Finding::error(
                    "transform.content",
                    "",
                    "insert_field takes either `value`, a literal, or `from`, a path or metadata",
                ));
            }
        };
        Ok(FieldInsertion {
            field: config.field.clone(),
            content,
            on: config.on,
        })
    }
}

impl Transform for FieldInsertion {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        let content = match &self.content {
            Content::Literal(literal) => literal.clone(),
            Content::From(from) => match resolve(from, &record)? {
                Some(content) => content,
                None => return Ok(Step::Keep(record)),
            },
        };
        self.on
            .edit(record, |part| part::insert(part, &self.field, content))
    }

    fn uses_key(&self) -> bool {
        let reads_key = match &self.content {
            Content::Literal(_) => false,
            Content::From(from) => from.reads_key(),
        };
        self.on.is_key() || reads_key
    }
}

fn resolve(from: &Reference, record: &Record) -> Result<Option<Value>, Cause> {
    let resolved = from
        .resolve(record, None, time::now_ms())
        .map_err(Cause::new)?;
    Ok(resolved.to_value())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use connect_testkit::transforms::{apply, build, check, check_refused, record_of};

    #[test]
    fn literals_and_references_are_put_in() {
        for (config, start, expected) in [
            ("field = 'a'\nvalue = 'x'", "{}", r#"{"a":"x"}"#),
            (
                "field = 'a'\nvalue = 1.50",
                r#"{"b":1}"#,
                r#"{"b":1,"a":1.5}"#,
            ),
            (
                "field = 'a'\nvalue = [1, {b = true}]",
                "{}",
                r#"{"a":[1,{"b":true}]}"#,
            ),
            (
                "field = 'a'\nvalue = 1",
                r#"{"a":{"b":1},"c":2}"#,
                r#"{"a":1,"c":2}"#,
            ),
            ("field = '$.a.b'\nvalue = 1", "{}", r#"{"a":{"b":1}}"#),
            ("field = \"$['a.b']\"\nvalue = 1", "{}", r#"{"a.b":1}"#),
            (
                "field = 'copy'\nfrom = '$.a'",
                r#"{"a":[1.50,"\n"]}"#,
                r#"{"a":[1.50,"\n"],"copy":[1.50,"\n"]}"#,
            ),
            ("field = 'copy'\nfrom = '$.missing'", "{}", "{}"),
            (
                "field = 't'\nfrom = '#timestamp'",
                "{}",
                r#"{"t":"2023-11-14T22:13:20.123Z"}"#,
            ),
            ("field = 't'\nfrom = '#topic'", "{}", r#"{"t":"sales"}"#),
            ("field = 't'\nfrom = '#partition'", "{}", r#"{"t":3}"#),
            ("field = 't'\nfrom = '#offset'", "{}", r#"{"t":42}"#),
            ("field = 't'\nfrom = '#header.trace'", "{}", r#"{"t":"t1"}"#),
            ("field = 't'\nfrom = '#header.none'", "{}", "{}"),
            (
                "field = 'k'\nfrom = '#key.id'",
                r#"{"id":7} => {}"#,
                r#"{"id":7} => {"k":7}"#,
            ),
            (
                "field = 'k'\nfrom = '#key'",
                r#""x" => {}"#,
                r#""x" => {"k":"x"}"#,
            ),
            (
                "field = 'v'\nfrom = '$.a'\non = 'key'",
                r#"{} => {"a":1}"#,
                r#"{"v":1} => {"a":1}"#,
            ),
            // Nothing to insert into.
            ("field = 'a'\nvalue = 1", "-", "-"),
            ("field = 'a'\nvalue = 1\non = 'key'", "{}", "{}"),
            (
                "field = 'a'\nvalue = 1",
                "[1]",
                "!array found where an object was expected",
            ),
            (
                "field = '$.a[0]'\nvalue = 1",
                "{}",
                "!there is no such array element",
            ),
            ("field = '$'\nvalue = {a = 1}", "[1]", r#"{"a":1}"#),
        ] {
            check::<InsertField>(config, start, expected);
        }
    }

    #[test]
    fn now_is_the_time_of_processing() {
        let before = time::now_ms();
        let made = apply::<InsertField>("field = 't'\nfrom = '#now'", record_of("{}")).unwrap();
        let text = made.root().unwrap().get("t").unwrap();
        let now = time::parse_ms(text.as_str().unwrap()).unwrap();
        assert!((before..=time::now_ms()).contains(&now));
    }

    #[test]
    fn exactly_one_content_is_needed() {
        check_refused::<InsertField>("field = 'a'", "", "either `value`");
        check_refused::<InsertField>("field = 'a'\nvalue = 1\nfrom = '$.b'", "", "either `value`");
        check_refused::<InsertField>("field = 'a'\nfrom = '@.b'", "/from", "an element of `each`");
        check_refused::<InsertField>(
            "field = 'a'\nfrom = '#index'",
            "/from",
            "an element of `each`",
        );
    }

    #[test]
    fn it_reports_whether_it_needs_the_key() {
        for (config, expected) in [
            ("field = 'a'\nvalue = 1", false),
            ("field = 'a'\nvalue = 1\non = 'key'", true),
            ("field = 'a'\nfrom = '#key'", true),
            ("field = 'a'\nfrom = '#offset'", false),
        ] {
            let built = build::<InsertField>(config).unwrap();
            assert_eq!(built.uses_key(), expected, "{config}");
        }
    }
}
