//! A target: a table, the operation on it, and the rows that a batch collects for it.

use std::collections::{BTreeMap, HashMap};

use crate::catalog::{Column, Table};
use crate::config::OnConflict;
use crate::rows::{ColumnSets, Row, Rows};

/// A table, and the rows that a batch writes to it.
pub(crate) struct Target {
    pub(crate) table: Table,
    pub(crate) write: WriteMethod,
    /// Indexes into `table.columns`; the key's come first.
    pub(crate) columns: Vec<usize>,
    pub(crate) key_length: usize,
    /// Whether equal keys have equal bytes. If not, the server is asked which keys are equal.
    pub(crate) has_canonical_key: bool,
    /// Whether a key identifies at most one row.
    pub(crate) has_unique_key: bool,
    /// Whether an update that finds no row rejects its record.
    pub(crate) refuses_missing_rows: bool,
    /// What an insert does on a conflict.
    pub(crate) on_conflict: OnConflict,
    /// Whether rows can be appended by COPY when all of a batch have the same columns.
    pub(crate) takes_copy: bool,
    /// Whether the last batch had rows with different columns, so that this one is not first tried by COPY.
    pub(crate) prefers_insert: bool,
    /// With `orphans = "delete"`, the positions of the record's part of the key.
    pub(crate) parent: Option<Vec<usize>>,
    pub(crate) sets: ColumnSets,
    pub(crate) rows: Rows,
}

/// How rows that are not deleted are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteMethod {
    /// Append by COPY BINARY.
    Copy,
    /// Append by INSERT, if COPY is not possible.
    Insert,
    Upsert,
    Update,
}

/// The columns of the rows that one statement writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Positions in the target's columns, in order.
    pub(crate) positions: Vec<usize>,
    /// Whether some rows lack some of these columns; bitmaps then say which columns a row has.
    pub(crate) is_sparse: bool,
}

impl Shape {
    /// Rows that all have these columns.
    pub(crate) fn dense(positions: &[usize]) -> Shape {
        Shape {
            positions: positions.to_vec(),
            is_sparse: false,
        }
    }
}

/// Rows that one statement writes.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) shape: Shape,
    pub(crate) rows: Vec<Row>,
}

impl Target {
    /// The column at a position of this target.
    pub(crate) fn column(&self, position: usize) -> &Column {
        self.columns
            .get(position)
            .and_then(|index| self.table.columns.get(*index))
            .expect("a target's columns are columns of its table")
    }

    pub(crate) fn columns_at(&self, positions: &[usize]) -> impl Iterator<Item = &Column> {
        positions.iter().map(|position| self.column(*position))
    }

    pub(crate) fn key_positions(&self) -> Vec<usize> {
        (0..self.key_length).collect()
    }

    pub(crate) fn is_keyed(&self) -> bool {
        matches!(self.write, WriteMethod::Upsert | WriteMethod::Update)
    }

    /// Whether the batch changes the table.
    pub(crate) fn is_touched(&self) -> bool {
        !self.rows.rows.is_empty() || !self.rows.sweeps.is_empty()
    }

    /// Appends columns that are new.
    pub(crate) fn include(&mut self, columns: impl Iterator<Item = usize>) {
        for column in columns {
            if !self.columns.contains(&column) {
                self.columns.push(column);
            }
        }
    }

    /// Decides whether COPY can write to the table. It supports neither ON CONFLICT nor types without a binary form.
    pub(crate) fn choose_copy(&mut self) {
        let all_binary =
            (0..self.columns.len()).all(|position| self.column(position).column_type.has_binary());
        self.takes_copy = self.write == WriteMethod::Insert
            && self.on_conflict == OnConflict::Error
            && self.table.takes_copy
            && all_binary;
        if self.takes_copy {
            self.write = WriteMethod::Copy;
        }
    }

    /// Whether all rows have the same columns.
    pub(crate) fn is_uniform(&self) -> bool {
        let mut sets = self.rows.rows.iter().map(|row| row.set);
        sets.next().is_none_or(|first| sets.all(|set| set == first))
    }

    /// Divides rows among statements. Inserted rows keep their order.
    pub(crate) fn groups(&self, rows: &[Row]) -> Vec<Group> {
        let union = self.union(rows);
        let mut named: HashMap<usize, Vec<usize>> = HashMap::new();
        for row in rows {
            named
                .entry(row.set)
                .or_insert_with(|| self.named(self.sets.positions(row.set), &union));
        }
        let columns = |row: &Row| {
            let columns = named.get(&row.set);
            columns
                .expect("every row's set has been visited")
                .as_slice()
        };
        let mut groups: Vec<Group> = Vec::new();
        if self.is_keyed() {
            let mut by_columns: BTreeMap<&[usize], Vec<Row>> = BTreeMap::new();
            for row in rows {
                by_columns.entry(columns(row)).or_default().push(*row);
            }
            groups.extend(
                by_columns
                    .into_iter()
                    .map(|(columns, rows)| self.group(columns, rows)),
            );
        } else {
            let runs = rows.chunk_by(|left, right| columns(left) == columns(right));
            groups.extend(runs.filter_map(|run| {
                let columns = columns(run.first()?);
                Some(self.group(columns, run.to_vec()))
            }));
        }
        groups
    }

    fn group(&self, columns: &[usize], rows: Vec<Row>) -> Group {
        let is_sparse = rows
            .iter()
            .any(|row| self.sets.positions(row.set).len() < columns.len());
        Group {
            shape: Shape {
                positions: columns.to_vec(),
                is_sparse,
            },
            rows,
        }
    }

    /// The columns that at least one of these rows has.
    fn union(&self, rows: &[Row]) -> Vec<usize> {
        let mut is_present = vec![false; self.columns.len()];
        let mut last = None;
        for row in rows
            .iter()
            .filter(|row| last.replace(row.set) != Some(row.set))
        {
            for position in self.sets.positions(row.set) {
                if let Some(present) = is_present.get_mut(*position) {
                    *present = true;
                }
            }
        }
        (0..self.columns.len())
            .filter(|position| is_present.get(*position) == Some(&true))
            .collect()
    }

    /// The columns that the statement of a row with this set names: those of all rows of the batch, except columns that the
    /// statement could not leave unchanged for a row that lacks them.
    fn named(&self, set: &[usize], union: &[usize]) -> Vec<usize> {
        if self.write == WriteMethod::Upsert && self.table.has_insert_triggers {
            // A trigger may change the key in `excluded`, so the statement could not determine which columns the record has.
            return set.to_vec();
        }
        let named = union.iter().copied().filter(|position| {
            let column = self.column(*position);
            let can_be_absent = self.write == WriteMethod::Update
                || !column.has_default
                || column.default_sql.is_some();
            can_be_absent || set.contains(position)
        });
        named.collect()
    }
}
