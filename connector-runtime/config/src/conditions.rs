//! Conditions that read a value that tombstones do not have.
//!
//! If tombstones are kept, every condition is evaluated for them with a `value` of null. A condition that reads a member of
//! `value` without checking for null rejects each tombstone, so the rows that the tombstones should delete remain.

use connect_api::{Leaf as _, Predicate};
use serde_json::Value as Json;

use super::codes;
use super::file::ConfigFile;
use super::formatted::FormattedString;

/// Whether conditions are evaluated for records without a value.
pub(super) fn keep_tombstones(root: &Json) -> bool {
    root.pointer("/value/tombstone").and_then(Json::as_str) == Some("delete")
}

/// Reports a condition that fails, or may fail, for a tombstone.
pub(super) fn check_tombstones(string: &FormattedString<'_>, file: &mut ConfigFile) {
    if string.format != Predicate::FORMAT {
        return;
    }
    // A condition that does not parse is reported already.
    let Ok(condition) = Predicate::parse(string.text) else {
        return;
    };
    let Some(read) = condition.read_of_tombstone() else {
        return;
    };
    let message = format!(
        "this condition reads `{read}`, which a tombstone does not have: with value.tombstone = \"delete\" tombstones come here and are rejected"
    );
    file.add(
        codes::CONDITION_OF_TOMBSTONE
            .warning(string.pointer, message)
            .with_label("`value` is null for a tombstone")
            .with_help(
                "write `value == null || …` if it holds for tombstones, `value != null && …` if not",
            ),
    );
}
