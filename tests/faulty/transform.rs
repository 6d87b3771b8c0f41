//! A transform that changes nothing, with faults as `troubles` defines.

use connect_api::{Cause, Finding, Record, Step, Transform, TransformPlugin};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::trouble::{Call, Trouble, strike_now};

pub(crate) struct Faulty;

/// `type = "faulty"`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultyConfig {
    troubles: Vec<Trouble>,
}

pub(crate) struct FaultyTransform(Vec<Trouble>);

impl TransformPlugin for Faulty {
    const NAME: &'static str = "faulty";
    const ABOUT: &'static str = "Changes nothing, if it ends";
    const EXAMPLE: &'static str = "[[transforms]]\ntype = \"faulty\"\ntroubles = [{ at = \"apply\", how = \"panic\", while_exists = \"file\" }]\n";
    type Config = FaultyConfig;
    type Transform = FaultyTransform;

    fn build(config: &FaultyConfig) -> Result<FaultyTransform, Finding> {
        Ok(FaultyTransform(config.troubles.clone()))
    }
}

impl Transform for FaultyTransform {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        let key = record.origin.key.as_deref().unwrap_or_default();
        strike_now(&self.0, Call::Apply, &[key]);
        Ok(Step::Keep(record))
    }
}
