//! `header_from`: copies or moves fields into headers.

use std::sync::Arc;

use connect_api::{
    Cause, Explanation, Field, Finding, Header, Key, Record, Step, Transform, TransformPlugin,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::part::{self, Part};

/// The plugin `header_from`.
pub struct HeaderFrom;

/// Copies or moves fields into headers and replaces every header of their names. Text is written as it is, everything
/// else as JSON. A missing field removes the header, so that one of another hop is not mistaken for this record's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Fields by header: `{ country = "$.store.country" }`.
    #[schemars(extend("minProperties" = 1))]
    headers: std::collections::BTreeMap<String, Field>,
    /// Whether the fields stay in the record.
    #[serde(default)]
    operation: Operation,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

/// What becomes of a field that is written to a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Operation {
    /// It stays.
    #[default]
    Copy,
    /// It is removed.
    Move,
}

/// A built `header_from`.
pub struct FieldsToHeaders {
    headers: Vec<(String, Field)>,
    operation: Operation,
    on: Part,
}

impl TransformPlugin for HeaderFrom {
    const NAME: &'static str = "header_from";
    const ABOUT: &'static str = "copies or moves fields into headers";
    const EXAMPLE: &'static str = r#"[[transforms]]
type      = "header_from"
headers   = { country = "$.store.country", trace = "trace_id" }
operation = "move"
"#;
    const EXPLANATIONS: &'static [Explanation] = &[part::FIELD, part::HEADER];
    type Config = Config;
    type Transform = FieldsToHeaders;

    fn build(config: &Config) -> Result<FieldsToHeaders, Finding> {
        for (name, field) in &config.headers {
            let pointer = connect_api::pointer::member("/headers", name);
            part::check_header(&pointer, name)?;
            if config.operation == Operation::Move && field.path().steps().is_empty() {
                let message = "`$` is the whole value, which cannot be moved away";
                return Err(Finding::error("transform.field", pointer, message));
            }
        }
        Ok(FieldsToHeaders {
            headers: config.headers.clone().into_iter().collect(),
            operation: config.operation,
            on: config.on,
        })
    }
}

impl Transform for FieldsToHeaders {
    fn apply(&mut self, mut record: Record) -> Result<Step, Cause> {
        let origin = &mut record.origin;
        let part = match self.on {
            Part::Value => record.value.as_mut(),
            Part::Key => part::decoded(&mut record.key)?,
        };
        let Some(part) = part else {
            return Ok(Step::Keep(record));
        };
        let headers = &mut Arc::make_mut(origin).headers;
        for (name, field) in &self.headers {
            headers.retain(|header| header.name != *name);
            if let Some(found) = field.get(part) {
                headers.push(Header {
                    name: name.clone(),
                    value: Some(Key::bytes_of(found)),
                });
            }
        }
        if self.operation == Operation::Move {
            for (_, field) in &self.headers {
                part.remove(field.path());
            }
        }
        Ok(Step::Keep(record))
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use connect_testkit::transforms::{apply, check_refused, headers_of, record_of};

    #[test]
    fn fields_become_headers() {
        for (config, start, value, headers) in [
            (
                "headers = { n = 'n', t = '$.o.t' }",
                r#"{"n":1.50,"o":{"t":"x"}}"#,
                r#"{"n":1.50,"o":{"t":"x"}}"#,
                "trace=t1 n=1.50 t=x",
            ),
            (
                "headers = { trace = 'n', o = 'o' }\noperation = 'move'",
                r#"{"n":null,"o":{"t":"x"},"p":1}"#,
                r#"{"p":1}"#,
                r#"o={"t":"x"} trace=null"#,
            ),
            // Two headers may come from one field, also where it moves.
            (
                "headers = { a = 'n', b = 'n' }\noperation = 'move'",
                r#"{"n":1}"#,
                "{}",
                "trace=t1 a=1 b=1",
            ),
            ("headers = { trace = 'missing' }", "{}", "{}", ""),
        ] {
            let record = apply::<HeaderFrom>(config, record_of(start)).unwrap();
            assert_eq!(record.root().unwrap().to_json(), value, "{config}");
            assert_eq!(headers_of(&record), headers, "{config}");
        }
        let of_key = apply::<HeaderFrom>(
            "headers = { k = 'id' }\non = 'key'",
            record_of(r#"{"id":7} => -"#),
        );
        assert_eq!(headers_of(&of_key.unwrap()), "trace=t1 k=7");
        let tombstone = apply::<HeaderFrom>("headers = { trace = 'id' }", record_of("1 => -"));
        assert_eq!(headers_of(&tombstone.unwrap()), "trace=t1");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        check_refused::<HeaderFrom>(
            "headers = { '__connect.errors.topic' = 'a' }",
            "/headers/__connect.errors.topic",
            "reserved for this program",
        );
        check_refused::<HeaderFrom>(
            "headers = { a = '$' }\noperation = 'move'",
            "/headers/a",
            "cannot be moved away",
        );
    }
}
