//! Transform `upper_case`: converts text to upper case.

use connect_api::{
    Cause, Explanation, Field, Finding, Record, Step, Transform, TransformPlugin, Value,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The plugin, as `main` registers it.
pub struct UpperCase;

/// Converts text to upper case. A missing field stays missing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The fields, such as `country` or `$.store.city`.
    fields: Vec<Field>,
}

impl TransformPlugin for UpperCase {
    const NAME: &'static str = "upper_case";
    const ABOUT: &'static str = "converts text to upper case";
    const EXAMPLE: &'static str = "[[transforms]]\ntype = \"upper_case\"\nfields = [\"country\"]\n";
    const EXPLANATIONS: &'static [Explanation] = &[Explanation {
        code: "upper-case.no-field",
        why: "Without a field the transform does nothing.",
        example: "fields = []",
        fix: "fields = [\"country\"]",
    }];
    type Config = Config;
    type Transform = Capitals;

    fn build(config: &Config) -> Result<Capitals, Finding> {
        if config.fields.is_empty() {
            let message = "expected at least one field";
            return Err(Finding::error("upper-case.no-field", "/fields", message));
        }
        Ok(Capitals(config.fields.clone()))
    }
}

/// A built `upper_case`.
pub struct Capitals(Vec<Field>);

impl Transform for Capitals {
    fn apply(&mut self, mut record: Record) -> Result<Step, Cause> {
        // A tombstone has nothing to convert.
        if let Some(value) = &mut record.value {
            for field in &self.0 {
                let Some(found) = field.get(value) else {
                    continue;
                };
                // The record's own fault: it is dead-lettered or stops the connector, depending on `[errors]`.
                let text = found
                    .as_str()
                    .ok_or_else(|| Cause::new(format!("{field} is not text")))?
                    .to_uppercase();
                value
                    .insert(field.path(), Value::string(&text))
                    .map_err(|error| Cause::new(error.message))?;
            }
        }
        Ok(Step::Keep(record))
    }
}
