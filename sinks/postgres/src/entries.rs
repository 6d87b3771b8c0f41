//! Which `[[sinks.tables]]` entries of one table go together. `check` asks it by the names in the file, and the plan again
//! by the tables and columns that the names lead to.

use crate::config::{Mode, TableConfig};

/// Why two entries of one table do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disagreement {
    Modes,
    Keys,
    OnConflict,
}

impl Disagreement {
    /// What to do about it.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Disagreement::Modes => {
                "use one mode; only delete goes together with upsert or update of the same key"
            }
            Disagreement::Keys => "give both entries the same `key`",
            Disagreement::OnConflict => "give both entries the same `on_conflict`",
        }
    }
}

/// Whether the entries agree on what a row of their table is.
pub(crate) fn agree(
    left: &TableConfig,
    right: &TableConfig,
    same_column: impl Fn(&str, &str) -> bool,
) -> Result<(), Disagreement> {
    match (left.mode, right.mode) {
        (Mode::Insert, Mode::Insert) => {
            return if left.on_conflict == right.on_conflict {
                Ok(())
            } else {
                Err(Disagreement::OnConflict)
            };
        }
        (Mode::Insert, _) | (_, Mode::Insert) => return Err(Disagreement::Modes),
        (Mode::Upsert, Mode::Update) | (Mode::Update, Mode::Upsert) => {
            return Err(Disagreement::Modes);
        }
        _ => {}
    }
    let names = |column: &String| right.key.iter().any(|other| same_column(column, other));
    if left.key.len() == right.key.len() && left.key.iter().all(names) {
        Ok(())
    } else {
        Err(Disagreement::Keys)
    }
}

/// What is wrong with two entries that do not agree.
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
    };
    format!(
        "two entries write table `{table}` {difference}: the order of their writes would be undefined"
    )
}

pub(crate) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Insert => "insert",
        Mode::Upsert => "upsert",
        Mode::Update => "update",
        Mode::Delete => "delete",
    }
}
