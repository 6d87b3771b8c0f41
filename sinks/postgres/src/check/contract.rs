//! Compares a table's paths with the contract of the records.

use connect_api::{Contract, Finding, PathRoot, PathStep, Presence, Reference};

use super::{is_path, is_same_name, source_pointer};
use crate::config::{TableConfig, WriteMode};

/// Finds paths that no valid record has, and key columns that some valid records lack.
pub(super) fn compare(
    table: &TableConfig,
    pointer: &str,
    contract: &dyn Contract,
    findings: &mut Vec<Finding>,
) {
    for (column, source) in table.columns.iter().flatten() {
        let Some(steps) = steps(table, &source.path).filter(|_| is_path(&source.path)) else {
            continue;
        };
        let field = contract.field(&steps);
        let is_key = table.mode != WriteMode::Insert
            && table.key.iter().any(|name| is_same_name(name, column));
        let at = source_pointer(pointer, column, source);
        match field.presence {
            Presence::Never => {
                let message = format!(
                    "no record that is valid by the contract has `{}`",
                    source.path
                );
                let finding = Finding::error("mapping.unknown-path", at, message);
                findings.push(finding.with_help("correct the path, or the contract"));
            }
            Presence::Sometimes if is_key => {
                let message = format!(
                    "key column `{column}` needs a value, and the contract lets `{}` be absent",
                    source.path
                );
                let finding = Finding::warning("mapping.optional-key", at, message);
                findings.push(finding.with_help(
                    "add it to `required` in the contract; records without it are rejected",
                ));
            }
            _ => {}
        }
    }
}

/// The reference's steps from the root of the value; `None` for metadata.
pub(super) fn steps(table: &TableConfig, reference: &Reference) -> Option<Vec<Option<PathStep>>> {
    let Reference::Path(path) = reference else {
        return None;
    };
    let mut steps = match path.root() {
        PathRoot::Value => Vec::new(),
        PathRoot::Element => table.each.as_ref()?.described(),
    };
    steps.extend(path.steps().iter().cloned().map(Some));
    Some(steps)
}
