//! The traits of a transform.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::failure::Cause;
use crate::finding::{Explanation, Finding};
use crate::record::Record;

/// A kind of transform: the word in `type = "…"`, its configuration, and how to build it.
pub trait TransformPlugin: 'static {
    /// The word in `type = "…"`.
    const NAME: &'static str;
    /// One line for `connect plugins`.
    const ABOUT: &'static str;
    /// A minimal `[[transforms]]` table.
    const EXAMPLE: &'static str;
    /// The finding codes that `build` below may use.
    const EXPLANATIONS: &'static [Explanation] = &[];
    /// The keys of the `[[transforms]]` table besides the engine's own. Needs `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned + JsonSchema + Send + Sync + 'static;
    type Transform: Transform + 'static;

    /// Compiles the transform. Pure, because `check` calls it too.
    fn build(config: &Self::Config) -> Result<Self::Transform, Finding>;
}

/// A compiled transform. One task owns it. No I/O, no waiting.
pub trait Transform: Send {
    /// `Err` is the record's own fault: `[errors]` decides whether it is dead-lettered or stops the connector.
    fn apply(&mut self, record: Record) -> Result<Step, Cause>;

    /// Whether the decoded key is read or written.
    fn uses_key(&self) -> bool {
        false
    }
}

/// The result of a transform.
#[derive(Debug)]
pub enum Step {
    Keep(Record),
    /// Filtered on purpose.
    Drop,
    /// Several records, which are written or rejected together; the engine numbers them.
    Split(Vec<Record>),
}
