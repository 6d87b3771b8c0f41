//! A batch's rows of one table, encoded, and their reduction to the last operation of each key.
//!
//! All rows stand behind each other in one reused buffer: a count of fields and the fields, which is the very form of
//! COPY BINARY. The key's fields come first, so that a row's key is one range of bytes.

/// What is done with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Write,
    Delete,
}

/// One encoded row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Where it begins and ends in the buffer; the count of fields is the first two bytes.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Where its key ends.
    pub(crate) key_end: usize,
    /// Which set of columns it has: an index into the target's sets.
    pub(crate) set: usize,
    /// Index of its record in the batch.
    pub(crate) record: usize,
    pub(crate) operation: Operation,
}

const COUNT_BYTES: usize = 2;

/// The rows of one target.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) data: Vec<u8>,
    pub(crate) rows: Vec<Row>,
}

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.data.clear();
        self.rows.clear();
    }

    pub(crate) fn bytes(&self, row: &Row) -> &[u8] {
        self.data.get(row.start..row.end).unwrap_or_default()
    }

    pub(crate) fn key(&self, row: &Row) -> &[u8] {
        self.data
            .get(row.start + COUNT_BYTES..row.key_end)
            .unwrap_or_default()
    }

    /// The row's fields, each with its length in front.
    pub(crate) fn fields(&self, row: &Row) -> Fields<'_> {
        Fields(
            self.data
                .get(row.start + COUNT_BYTES..row.end)
                .unwrap_or_default(),
        )
    }

    /// Appends a row that consists of these fields and stands for the same key as `like`.
    fn append(&mut self, like: Row, set: usize, fields: &[(usize, usize)]) -> Row {
        let start = self.data.len();
        self.data
            .extend_from_slice(&(fields.len() as u16).to_be_bytes());
        for (from, to) in fields {
            self.data.extend_from_within(*from..*to);
        }
        Row {
            start,
            end: self.data.len(),
            key_end: start + (like.key_end - like.start),
            set,
            ..like
        }
    }
}

/// Iterates over the fields of a row.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, _) = self.0.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        let (field, rest) = self.0.split_at_checked(4 + length)?;
        self.0 = rest;
        Some(field)
    }
}

/// What is left of a keyed target's rows: each key once in each list, sorted by key.
#[derive(Debug, Default)]
pub(crate) struct Reduced {
    /// Run first.
    pub(crate) deletes: Vec<Row>,
    pub(crate) writes: Vec<Row>,
}

impl Rows {
    /// Reduces the rows to the last operation of each key, sorted by key.
    ///
    /// Two writers that lock rows in different orders deadlock, so the order is the key's bytes in every statement. A key
    /// that was deleted and written again is in both lists, and the deletes run first: what the last write does not
    /// mention must not survive the delete. Rows of one key with different sets of columns are laid over each
    /// other, because a column that a later record lacks keeps what an earlier one wrote. `columns_of` tells a set's
    /// columns, and `set_of` the set with exactly those columns.
    pub(crate) fn reduce(
        &mut self,
        columns_of: impl Fn(usize) -> Vec<usize>,
        mut set_of: impl FnMut(&[usize]) -> usize,
    ) -> Reduced {
        let mut order: Vec<Row> = self.rows.clone();
        // Stable: rows of one key stay in the order in which they came.
        order.sort_by(|left, right| self.key(left).cmp(self.key(right)));
        let mut reduced = Reduced::default();
        let mut start = 0;
        while let Some(first) = order.get(start) {
            let key = self.key(first);
            let rest = order.get(start..).unwrap_or_default();
            let count = rest.iter().take_while(|row| self.key(row) == key).count();
            let of_key = rest.get(..count).unwrap_or_default();
            start += count;
            let last_delete = of_key
                .iter()
                .rposition(|row| row.operation == Operation::Delete);
            if let Some(deleted) = last_delete.and_then(|place| of_key.get(place)) {
                reduced.deletes.push(*deleted);
            }
            let written = of_key
                .get(last_delete.map_or(0, |place| place + 1)..)
                .unwrap_or_default();
            if let Some(last) = written.last() {
                let is_uniform = written.iter().all(|row| row.set == last.set);
                let row = if is_uniform {
                    *last
                } else {
                    self.overlay(written, *last, &columns_of, &mut set_of)
                };
                reduced.writes.push(row);
            }
        }
        reduced
    }

    /// One row with, for each column, what the last row that has it says.
    fn overlay(
        &mut self,
        rows: &[Row],
        last: Row,
        columns_of: &impl Fn(usize) -> Vec<usize>,
        set_of: &mut impl FnMut(&[usize]) -> usize,
    ) -> Row {
        let mut latest = std::collections::BTreeMap::new();
        for row in rows {
            let mut from = row.start + COUNT_BYTES;
            for (column, field) in columns_of(row.set).into_iter().zip(self.fields(row)) {
                let to = from + field.len();
                latest.insert(column, (from, to));
                from = to;
            }
        }
        let columns: Vec<usize> = latest.keys().copied().collect();
        let fields: Vec<(usize, usize)> = latest.into_values().collect();
        let set = set_of(&columns);
        self.append(last, set, &fields)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use Operation::{Delete, Write};

    /// Sets of columns by their index; column 0 is the key.
    const SETS: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];

    fn rows(operations: &[(Operation, usize, &[u8])]) -> Rows {
        let mut rows = Rows::default();
        for (record, (operation, set, values)) in operations.iter().enumerate() {
            let start = rows.data.len();
            rows.data
                .extend_from_slice(&(values.len() as u16).to_be_bytes());
            for value in *values {
                rows.data.extend_from_slice(&1_i32.to_be_bytes());
                rows.data.push(*value);
            }
            rows.rows.push(Row {
                start,
                end: rows.data.len(),
                key_end: start + 7,
                set: *set,
                record,
                operation: *operation,
            });
        }
        rows
    }

    fn values(rows: &Rows, list: &[Row]) -> Vec<(usize, Vec<u8>)> {
        list.iter()
            .map(|row| (row.set, rows.fields(row).map(|field| field[4]).collect()))
            .collect()
    }

    #[test]
    fn the_last_of_a_key_is_left() {
        type Given<'a> = &'a [(Operation, usize, &'a [u8])];
        type Expected<'a> = &'a [(usize, &'a [u8])];
        let cases: [(&str, Given, Expected, Expected); 7] = [
            (
                "sorted by key",
                &[(Write, 0, b"bxy"), (Write, 0, b"axy")],
                &[],
                &[(0, b"axy"), (0, b"bxy")],
            ),
            (
                "last wins",
                &[(Write, 0, b"a11"), (Write, 0, b"b11"), (Write, 0, b"a22")],
                &[],
                &[(0, b"a22"), (0, b"b11")],
            ),
            (
                "write, then delete",
                &[(Write, 0, b"a11"), (Delete, 3, b"a")],
                &[(3, b"a")],
                &[],
            ),
            (
                "delete, then write",
                &[(Delete, 3, b"a"), (Write, 1, b"a1")],
                &[(3, b"a")],
                &[(1, b"a1")],
            ),
            (
                "missing columns keep what came before",
                &[(Write, 0, b"a12"), (Write, 1, b"a3")],
                &[],
                &[(0, b"a32")],
            ),
            (
                "columns of both",
                &[(Write, 1, b"a1"), (Write, 2, b"a2")],
                &[],
                &[(0, b"a12")],
            ),
            (
                "nothing survives a delete",
                &[
                    (Write, 0, b"a12"),
                    (Delete, 3, b"a"),
                    (Write, 2, b"a9"),
                    (Write, 2, b"a8"),
                ],
                &[(3, b"a")],
                &[(2, b"a8")],
            ),
        ];
        for (name, operations, deletes, writes) in cases {
            let mut rows = rows(operations);
            let reduced = rows.reduce(
                |set| SETS[set].to_vec(),
                |columns| SETS.iter().position(|set| *set == columns).unwrap(),
            );
            let expected = |list: Expected| {
                list.iter()
                    .map(|(set, values)| (*set, values.to_vec()))
                    .collect::<Vec<_>>()
            };
            assert_eq!(values(&rows, &reduced.deletes), expected(deletes), "{name}");
            assert_eq!(values(&rows, &reduced.writes), expected(writes), "{name}");
        }
    }
}
