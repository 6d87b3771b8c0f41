//! `filter`: drops the records for which its `when` holds.

use connect_api::{Cause, Finding, Leaf, Predicate, Record, Step, Transform, TransformPlugin};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::json;

/// The plugin `filter`.
pub struct Filter;

/// Drops the records that meet `when`, as Kafka Connect's Filter does with its predicate; without `when` it drops all
/// of them. Dropped records count as filtered, and progress passes them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = describe_when)]
pub struct Config {}

/// `when` is a key of the engine that selects the records to change; here it selects the records to drop.
fn describe_when(schema: &mut Schema) {
    let when = json!({
        "description": "Records that meet this condition are dropped, the others pass. Without it, all are dropped.",
        "type": "string",
        "format": Predicate::FORMAT,
    });
    schema.insert("properties".to_owned(), json!({ "when": when }));
}

/// A built `filter`. The engine evaluates `when` and hands over only the records to drop.
pub struct DropRecord;

impl TransformPlugin for Filter {
    const NAME: &'static str = "filter";
    const ABOUT: &'static str = "drops the records for which `when` holds";
    const EXAMPLE: &'static str = r#"[[transforms]]
type = "filter"
when = "value.total <= 0"
"#;
    type Config = Config;
    type Transform = DropRecord;

    fn build(_config: &Config) -> Result<DropRecord, Finding> {
        Ok(DropRecord)
    }
}

impl Transform for DropRecord {
    fn apply(&mut self, _record: Record) -> Result<Step, Cause> {
        Ok(Step::Drop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use connect_testkit::transforms::{build, record_of};

    #[test]
    fn every_record_it_gets_is_dropped() {
        for text in ["{}", "-", "{} => 1"] {
            let step = build::<Filter>("").unwrap().apply(record_of(text)).unwrap();
            assert!(matches!(step, Step::Drop), "{text}");
        }
    }
}
