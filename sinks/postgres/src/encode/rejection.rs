//! The messages of records that cannot be encoded.

use connect_api::Cause;

use crate::catalog::Column;
use crate::coerce::{CoerceError, ColumnInput};
use crate::mapping::EntryColumn;
use crate::target::Target;

/// A tombstone whose rows cannot be determined, and would silently stay.
pub(super) fn orphans_of_tombstone(target: &Target) -> Cause {
    let message = format!(
        "a tombstone, and the rows of its elements in table `{}` cannot be found without its value",
        target.table.name
    );
    Cause::new(message).with_help(
        "map the record's part of the key from `#key`, or let `when` leave tombstones out: `value != null && …`",
    )
}

/// A column and where its value comes from, for messages.
#[derive(Clone, Copy)]
pub(super) struct CellContext<'a> {
    pub(super) entry_column: &'a EntryColumn,
    pub(super) column: &'a Column,
    pub(super) target: &'a Target,
}

impl CellContext<'_> {
    pub(super) fn mismatch(&self, input: ColumnInput<'_>, mismatch: CoerceError) -> Cause {
        let found = input.found();
        Cause::new(format!(
            "{} at {} does not fit column `{}` ({}) of table `{}`: {mismatch}",
            found.description,
            self.entry_column.reference,
            self.column.name,
            self.column.type_name,
            self.target.table.name
        ))
        .about(found)
    }

    pub(super) fn missing(&self) -> Cause {
        let what = if self.entry_column.position < self.target.key_length {
            "is a key column"
        } else {
            "is NOT NULL without a default"
        };
        Cause::new(format!(
            "nothing at {}, and column `{}` ({}) of table `{}` {what}",
            self.entry_column.reference,
            self.column.name,
            self.column.type_name,
            self.target.table.name
        ))
    }
}
