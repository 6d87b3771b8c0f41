//! `drop_headers`: removes headers by name.

use std::sync::Arc;

use connect_api::{Cause, Explanation, Finding, Pattern, Record, Step, Transform, TransformPlugin};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part;

/// The plugin `drop_headers`.
pub struct DropHeaders;

/// Removes headers. A sink that writes to Kafka does not pass them on, and conditions and `#header.NAME` no longer see
/// them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names of headers, as they are written.
    #[serde(default)]
    headers: Vec<String>,
    /// A regular expression for names: `^internal\.` removes every header whose name it matches somewhere.
    #[serde(default)]
    pattern: Option<Pattern>,
}

/// A built `drop_headers`.
pub struct HeaderRemoval {
    headers: Vec<String>,
    pattern: Option<Pattern>,
}

impl TransformPlugin for DropHeaders {
    const NAME: &'static str = "drop_headers";
    const ABOUT: &'static str = "removes headers by name";
    const EXAMPLE: &'static str = r#"[[transforms]]
type    = "drop_headers"
headers = ["trace"]
pattern = "^internal\\."
"#;
    const EXPLANATIONS: &'static [Explanation] = &[part::CONTENT];
    type Config = Config;
    type Transform = HeaderRemoval;

    fn build(config: &Config) -> Result<HeaderRemoval, Finding> {
        if config.headers.is_empty() && config.pattern.is_none() {
            let message = "drop_headers takes `headers`, names, or `pattern`, a regular expression";
            return Err(Finding::error("transform.content", "", message));
        }
        Ok(HeaderRemoval {
            headers: config.headers.clone(),
            pattern: config.pattern.clone(),
        })
    }
}

impl HeaderRemoval {
    fn removes(&self, name: &str) -> bool {
        let is_matched = |pattern: &Pattern| pattern.is_match(name);
        self.headers.iter().any(|header| header == name)
            || self.pattern.as_ref().is_some_and(is_matched)
    }
}

impl Transform for HeaderRemoval {
    fn apply(&mut self, mut record: Record) -> Result<Step, Cause> {
        let mut headers = record.origin.headers.iter();
        // Most records carry none of them: the shared origin is copied only for those that do.
        if headers.any(|header| self.removes(&header.name)) {
            let origin = Arc::make_mut(&mut record.origin);
            origin.headers.retain(|header| !self.removes(&header.name));
        }
        Ok(Step::Keep(record))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use connect_testkit::transforms::{apply, check_refused, headers_of, with_headers};

    #[test]
    fn headers_are_removed_by_name_and_pattern() {
        for (config, expected) in [
            ("headers = ['a']", "b=2 x.b=4 A=5"),
            ("headers = ['b', 'none']", "a=1 a=3 x.b=4 A=5"),
            ("pattern = '^x\\.'", "a=1 b=2 a=3 A=5"),
            ("headers = ['a']\npattern = 'b$'", "A=5"),
            ("pattern = ''", ""),
        ] {
            let headers = [("a", "1"), ("b", "2"), ("a", "3"), ("x.b", "4"), ("A", "5")];
            let record = apply::<DropHeaders>(config, with_headers(&headers)).unwrap();
            assert_eq!(headers_of(&record), expected, "{config}");
        }
        check_refused::<DropHeaders>("", "", "takes `headers`, names");
    }
}
