//! Whether several `[[sinks.tables]]` entries of one table are compatible. `check` compares names, and the plan compares the
//! tables and columns that they resolve to.

use connect_api::FieldPath;

use crate::config::{Orphans, TableConfig, WriteMode};

/// Why two entries of one table are incompatible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disagreement {
    Modes,
    Keys,
    OnConflict,
    Orphans,
}

impl Disagreement {
    /// What to do about it.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Disagreement::Modes => {
                "use one mode; only delete can be combined with upsert or update of the same key"
            }
            Disagreement::Keys => "give both entries the same `key`",
            Disagreement::OnConflict => "give both entries the same `on_conflict`",
            Disagreement::Orphans => {
                "let one entry write the rows, or remove `orphans`: it would delete the rows of the other entry"
            }
        }
    }
}

/// Whether the entries agree on mode and key of their table.
pub(crate) fn agree(
    left: &TableConfig,
    right: &TableConfig,
    same_column: impl Fn(&str, &str) -> bool,
) -> Result<(), Disagreement> {
    match (left.mode, right.mode) {
        (WriteMode::Insert, WriteMode::Insert) => {
            return if left.on_conflict == right.on_conflict {
                Ok(())
            } else {
                Err(Disagreement::OnConflict)
            };
        }
        (WriteMode::Insert, _) | (_, WriteMode::Insert) => return Err(Disagreement::Modes),
        (WriteMode::Upsert, WriteMode::Update) | (WriteMode::Update, WriteMode::Upsert) => {
            return Err(Disagreement::Modes);
        }
        _ => {}
    }
    let both_write = left.mode != WriteMode::Delete && right.mode != WriteMode::Delete;
    let sweeps = |entry: &TableConfig| entry.orphans == Orphans::Delete;
    if both_write && (sweeps(left) || sweeps(right)) {
        return Err(Disagreement::Orphans);
    }
    let names = |column: &String| right.key.iter().any(|other| same_column(column, other));
    if left.key.len() == right.key.len() && left.key.iter().all(names) {
        Ok(())
    } else {
        Err(Disagreement::Keys)
    }
}

/// The message about two incompatible entries.
pub(crate) fn message(
    table: &str,
    earlier: &TableConfig,
    later: &TableConfig,
    disagreement: Disagreement,
) -> String {
    let difference = match disagreement {
        Disagreement::Modes => format!(
            "with mode {} and mode {}",
            mode_word(earlier.mode),
            mode_word(later.mode)
        ),
        Disagreement::Keys => format!(
            "with different keys ({} and {})",
            earlier.key.join(", "),
            later.key.join(", ")
        ),
        Disagreement::OnConflict => "with different `on_conflict`".to_owned(),
        Disagreement::Orphans => "and one deletes orphans".to_owned(),
    };
    format!(
        "two entries write table `{table}` {difference}: the order of their writes would be undefined"
    )
}

/// Why the rows of removed elements cannot be determined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrphansProblem {
    pub(crate) message: &'static str,
    pub(crate) help: &'static str,
}

/// With `orphans = "delete"`, the array whose elements are all rows of the record.
pub(crate) fn orphans(entry: &TableConfig) -> Result<Option<FieldPath>, OrphansProblem> {
    if entry.orphans == Orphans::Keep {
        return Ok(None);
    }
    if entry.mode != WriteMode::Upsert {
        return Err(OrphansProblem {
            message: "only an upsert of all elements determines which rows to delete",
            help: "write `mode = \"upsert\"`, or remove `orphans`",
        });
    }
    let array = entry.each.as_ref().and_then(|each| {
        let text = each.to_string();
        FieldPath::parse(text.strip_suffix("[*]")?).ok()
    });
    let Some(array) = array else {
        return Err(OrphansProblem {
            message: "`each` must lead to all elements of one array of the record",
            help: "write `each = \"$.items[*]\"`, without slices and other wildcards",
        });
    };
    let is_key = |column: &str| {
        let mut names = entry.key.iter();
        names.any(|name| name.to_lowercase() == column.to_lowercase())
    };
    let sources = entry.columns.iter().flatten();
    let of_element: Vec<bool> = sources
        .filter(|(column, _)| is_key(column))
        .map(|(_, source)| source.path.needs_element())
        .collect();
    if !of_element.contains(&true) || !of_element.contains(&false) {
        return Err(OrphansProblem {
            message: "the key must have a part of the record (`$…` or `#key`) and a part of the element (`@…` or `#index`)",
            help: "name both in `key` and `columns`, such as `key = [\"sale\", \"line\"]` with `sale = \"#key\"` and `line = \"#index\"`",
        });
    }
    Ok(Some(array))
}

pub(crate) fn mode_word(mode: WriteMode) -> &'static str {
    match mode {
        WriteMode::Insert => "insert",
        WriteMode::Upsert => "upsert",
        WriteMode::Update => "update",
        WriteMode::Delete => "delete",
    }
}
