//! Conditions and tombstones: a condition that reads a value that is not there.
//!
//! Where tombstones are kept, every condition is asked about them, `value` being null. One that reads a member of it
//! without asking first rejects each tombstone, and the rows that they should delete stay.

use connect_api::{Leaf as _, Predicate, Severity};
use serde_json::Value as Json;

use super::code;
use super::leaves::Leaf;
use super::places::Places;
use super::report::{Draft, Report};

/// Whether records without a value get as far as the conditions.
pub(super) fn keep_tombstones(root: &Json) -> bool {
    root.pointer("/value/tombstone").and_then(Json::as_str) == Some("delete")
}

/// Points out a condition that fails for a tombstone, or may.
pub(super) fn check_tombstones(leaf: &Leaf<'_>, places: &Places, report: &mut Report) {
    if leaf.format != Predicate::FORMAT || report.is_unknown(leaf.pointer) {
        return;
    }
    // What does not parse is reported already.
    let Ok(condition) = Predicate::parse(leaf.text) else {
        return;
    };
    let Some(read) = condition.read_of_tombstone() else {
        return;
    };
    let message = format!(
        "this condition reads `{read}`, which a tombstone does not have: with value.tombstone = \"delete\" tombstones come here and are rejected"
    );
    let draft = Draft::error(
        code::CONDITION_OF_TOMBSTONE,
        places.value(leaf.pointer),
        message,
    )
    .severity(Severity::Warning)
    .label("`value` is null for a tombstone")
    .help("write `value == null || …` if it holds for tombstones, `value != null && …` if not")
    .at(leaf.pointer);
    report.add(draft);
}
