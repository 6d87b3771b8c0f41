//! `insert_header`: sets a header to a literal, a field or metadata of the record.

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{
    Cause, Explanation, Finding, Header, Record, Reference, Step, Transform, TransformPlugin, time,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part;

/// The plugin `insert_header`.
pub struct InsertHeader;

/// Sets a header and replaces every header of that name. A sink that writes to Kafka keeps it, and conditions and
/// `#header.NAME` see it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The header's name.
    #[schemars(extend("minLength" = 1))]
    name: String,
    /// A literal. Either this or `from`.
    #[serde(default)]
    value: Option<String>,
    /// A path into the value, or metadata such as `#topic`. Text is written as it is, everything else as JSON. If the
    /// path leads to nothing, the header is removed.
    #[serde(default)]
    from: Option<Reference>,
}

/// The value of the header.
enum Content {
    Literal(Bytes),
    From(Reference),
}

/// A built `insert_header`.
pub struct HeaderInsertion {
    name: String,
    content: Content,
}

impl TransformPlugin for InsertHeader {
    const NAME: &'static str = "insert_header";
    const ABOUT: &'static str = "sets a header to a literal, a field or metadata";
    const EXAMPLE: &'static str = r##"[[transforms]]
type = "insert_header"
name = "country"
from = "$.store.country"
"##;
    const EXPLANATIONS: &'static [Explanation] = &[part::CONTENT, part::HEADER, part::REFERENCE];
    type Config = Config;
    type Transform = HeaderInsertion;

    fn build(config: &Config) -> Result<HeaderInsertion, Finding> {
        part::check_header("/name", &config.name)?;
        let content = match (&config.value, &config.from) {
            (Some(literal), None) => Content::Literal(Bytes::from(literal.clone())),
            (None, Some(from)) => Content::From(part::of_record(from)?),
            (None, None) | (Some(_), Some(_)) => {
                let message =
                    "insert_header takes either `value`, a literal, or `from`, a path or metadata";
                return Err(Finding::error("transform.content", "", message));
            }
        };
        Ok(HeaderInsertion {
            name: config.name.clone(),
            content,
        })
    }
}

impl Transform for HeaderInsertion {
    fn apply(&mut self, mut record: Record) -> Result<Step, Cause> {
        let value = match &self.content {
            Content::Literal(literal) => Some(literal.clone()),
            Content::From(from) => {
                let resolved = from.resolve(&record, None, time::now_ms());
                resolved.map_err(Cause::new)?.key_bytes()
            }
        };
        let origin = Arc::make_mut(&mut record.origin);
        origin.headers.retain(|header| header.name != self.name);
        if let Some(value) = value {
            origin.headers.push(Header {
                name: self.name.clone(),
                value: Some(value),
            });
        }
        Ok(Step::Keep(record))
    }

    fn uses_key(&self) -> bool {
        matches!(&self.content, Content::From(from) if from.reads_key())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use connect_testkit::transforms::{apply, check_refused, headers_of, record_of, with_headers};

    #[test]
    fn a_header_is_set_replaced_or_removed() {
        for (config, expected) in [
            ("name = 'a'\nvalue = 'x'", "b=2 a=x"),
            ("name = 'a'\nfrom = '$.n'", "b=2 a=1.50"),
            ("name = 'a'\nfrom = '$.t'", "b=2 a=text"),
            ("name = 'a'\nfrom = '$.missing'", "b=2"),
            ("name = 'c'\nfrom = '#header.b'", "a=1 b=2 a=3 c=2"),
        ] {
            let mut record = record_of(r#"{"n":1.50,"t":"text"}"#);
            record.origin = with_headers(&[("a", "1"), ("b", "2"), ("a", "3")]).origin;
            let made = apply::<InsertHeader>(config, record).unwrap();
            assert_eq!(headers_of(&made), expected, "{config}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (config, pointer, message) in [
            ("name = 'a'", "", "either `value`"),
            (
                "name = 'a'\nvalue = 'x'\nfrom = '$.x'",
                "",
                "either `value`",
            ),
            (
                "name = '__connect.errors.topic'\nvalue = 'x'",
                "/name",
                "reserved for this program",
            ),
            ("name = 'a'\nfrom = '@.x'", "/from", "an element of `each`"),
        ] {
            check_refused::<InsertHeader>(config, pointer, message);
        }
    }
}
