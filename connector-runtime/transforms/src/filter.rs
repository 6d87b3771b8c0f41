//! `filter`: drops the records for which its `when` holds.

use connect_api::{Cause, Finding, Record, Step, Transform, TransformPlugin};
use schemars::JsonSchema;
use serde::Deserialize;

/// See the module.
pub struct Filter;

/// Drops the records for which `when` holds, as Kafka Connect's Filter does with its predicate; without `when`, all of
/// them. Dropped records count as filtered, and progress passes them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// A built `filter`. The engine evaluates `when` and shows it only the records to drop.
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
    use crate::part::testing::{build, record};

    #[test]
    fn what_it_is_shown_is_dropped() {
        for text in ["{}", "-", "{} => 1"] {
            let step = build::<Filter>("").unwrap().apply(record(text)).unwrap();
            assert!(matches!(step, Step::Drop), "{text}");
        }
    }
}
