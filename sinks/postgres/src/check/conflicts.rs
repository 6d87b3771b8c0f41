//! Checks that several entries of one table are compatible.

use connect_api::Finding;

use super::is_same_name;
use crate::config::TableConfig;
use crate::entries;
use crate::identifier::TableName;

/// Entries of one table must agree on mode and key.
pub(super) fn check(tables: &[TableConfig], findings: &mut Vec<Finding>) {
    const CODE: &str = "postgres.conflicting-tables";
    for (index, table) in tables.iter().enumerate() {
        for earlier in tables.iter().take(index) {
            let Some(certainty) = same_table(&earlier.table, &table.table) else {
                continue;
            };
            let Err(disagreement) = entries::agree(earlier, table, is_same_name) else {
                continue;
            };
            let pointer = format!("/tables/{index}/table");
            let message = entries::message(&table.table, earlier, table, disagreement);
            findings.push(
                match certainty {
                    Certainty::Certain => Finding::error(CODE, pointer, message),
                    Certainty::BySearchPath => Finding::warning(
                        CODE,
                        pointer,
                        format!(
                            "`{}` and `{}` are one table if the search path resolves so, and then {message}",
                            earlier.table, table.table
                        ),
                    ),
                }
                .with_help(disagreement.help()),
            );
            break;
        }
    }
}

/// How certain it is that two names refer to one table.
enum Certainty {
    Certain,
    /// One of them has no schema.
    BySearchPath,
}

/// Whether two names, in any spelling, refer to one table.
fn same_table(left: &str, right: &str) -> Option<Certainty> {
    let left = TableName::parse(left).ok()?;
    let right = TableName::parse(right).ok()?;
    if left.name != right.name {
        return None;
    }
    match (&left.schema, &right.schema) {
        (left, right) if left == right => Some(Certainty::Certain),
        (None, _) | (_, None) => Some(Certainty::BySearchPath),
        _ => None,
    }
}
