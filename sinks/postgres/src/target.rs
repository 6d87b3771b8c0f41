//! What rows are collected for: a table, what is done with its rows, and the statements for that.

use std::collections::HashMap;

use crate::catalog::{Column, Table};
use crate::identifier::TableName;
use crate::rows::{Reduced, Rows};
use crate::statement;

/// A table and what is done with its rows.
pub(crate) struct Target {
    pub(crate) table: Table,
    pub(crate) write: Write,
    /// Places of the columns in `table.columns`; the key's come first.
    pub(crate) columns: Vec<usize>,
    pub(crate) key_length: usize,
    /// Whether equal keys have equal bytes. Where they have not, the server tells the last of a key.
    pub(crate) reduces_here: bool,
    /// Whether an update that finds no row is a refusal.
    pub(crate) refuses_missing_rows: bool,
    pub(crate) sets: ColumnSets,
    /// Statements over the key alone.
    pub(crate) delete: String,
    pub(crate) find_missing: String,
    pub(crate) rows: Rows,
}

/// What is done with rows that are not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Append by COPY BINARY.
    Copy,
    /// Append by INSERT, where COPY cannot go.
    Insert,
    Upsert,
    Update,
}

/// The sets of columns that rows of a target come with, each with its statement: one text per set, whatever the batch.
#[derive(Default)]
pub(crate) struct ColumnSets {
    sets: Vec<ColumnSet>,
    by_positions: HashMap<Vec<usize>, usize>,
}

pub(crate) struct ColumnSet {
    /// Places in the target's columns, in order.
    pub(crate) positions: Vec<usize>,
    pub(crate) statement: String,
}

impl ColumnSets {
    /// The index of the set with these positions, made with `statement` if it is new.
    pub(crate) fn index(
        &mut self,
        positions: &[usize],
        statement: impl FnOnce() -> String,
    ) -> usize {
        if let Some(index) = self.by_positions.get(positions) {
            return *index;
        }
        let index = self.sets.len();
        self.sets.push(ColumnSet {
            positions: positions.to_vec(),
            statement: statement(),
        });
        self.by_positions.insert(positions.to_vec(), index);
        index
    }

    pub(crate) fn get(&self, index: usize) -> Option<&ColumnSet> {
        self.sets.get(index)
    }

    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }
}

impl Target {
    /// The column at a place of this target.
    pub(crate) fn column(&self, position: usize) -> Option<&Column> {
        self.columns
            .get(position)
            .and_then(|place| self.table.columns.get(*place))
    }

    pub(crate) fn columns_at<'a>(
        &'a self,
        positions: &'a [usize],
    ) -> impl Iterator<Item = &'a Column> {
        positions
            .iter()
            .filter_map(|position| self.column(*position))
    }

    pub(crate) fn key_positions(&self) -> Vec<usize> {
        (0..self.key_length).collect()
    }

    /// The set with these positions; see [`ColumnSets`].
    pub(crate) fn set(&mut self, positions: &[usize]) -> usize {
        let mut sets = std::mem::take(&mut self.sets);
        let index = sets.index(positions, || statement::write_statement(self, positions));
        self.sets = sets;
        index
    }

    /// Reduces the rows to the last operation of each key; see [`Rows::reduce`].
    pub(crate) fn reduce(&mut self) -> Reduced {
        let mut rows = std::mem::take(&mut self.rows);
        let mut sets = std::mem::take(&mut self.sets);
        let known: Vec<Vec<usize>> = sets.sets.iter().map(|set| set.positions.clone()).collect();
        let reduced = rows.reduce(
            |set| known.get(set).cloned().unwrap_or_default(),
            |positions| sets.index(positions, || statement::write_statement(self, positions)),
        );
        self.sets = sets;
        self.rows = rows;
        reduced
    }

    pub(crate) fn is_keyed(&self) -> bool {
        matches!(self.write, Write::Upsert | Write::Update)
    }
}

impl Target {
    /// Whether rows of this table and key belong here.
    pub(crate) fn is_same(&self, table: &TableName, key: &[usize]) -> bool {
        let own = self.columns.get(..self.key_length).unwrap_or_default();
        self.table.name == *table
            && own.len() == key.len()
            && own.iter().all(|place| key.contains(place))
    }

    /// Adds columns behind those that are known.
    pub(crate) fn include(&mut self, places: impl Iterator<Item = usize>) {
        for place in places {
            if !self.columns.contains(&place) {
                self.columns.push(place);
            }
        }
    }

    /// COPY BINARY, if every column has a binary form and the table takes it.
    pub(crate) fn choose_copy(&mut self) {
        let all_binary = (0..self.columns.len())
            .filter_map(|position| self.column(position))
            .all(|column| column.column_type.has_binary());
        if self.write == Write::Insert && self.table.takes_copy && all_binary {
            self.write = Write::Copy;
        }
    }
}
