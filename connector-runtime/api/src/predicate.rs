//! `when`: CEL over a record.

use crate::leaf::leaf_type;
use crate::record::Record;

/// A compiled condition over `value key headers topic partition offset timestamp`.
#[derive(Debug)]
pub struct Predicate {
    text: String,
}

impl Predicate {
    pub fn parse(text: &str) -> Result<Predicate, String> {
        Ok(Predicate {
            text: text.to_owned(),
        })
    }

    /// Whether the record meets the condition. `Err` (a missing field, say) is the record's fault.
    pub fn matches(&self, _record: &Record) -> Result<bool, String> {
        Err(format!("`{}` cannot be evaluated yet", self.text))
    }
}

impl Clone for Predicate {
    fn clone(&self) -> Self {
        Predicate {
            text: self.text.clone(),
        }
    }
}

leaf_type!(
    Predicate,
    "predicate",
    "A condition in CEL over `value key headers topic partition offset timestamp`, such as `value.total > 100.0`.",
    Predicate::parse
);
