//! Reduces a target's rows to the last operation of each key.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::rows::{ColumnSets, FieldSpan, Operation, Row, Rows};

/// Keys that are equal to the table although their bytes differ (`1.0` and `1.00`, two texts of one citext), as the server
/// reports them.
#[derive(Debug, Default)]
pub(crate) struct EqualKeys {
    /// From a key to the representative of all keys that equal it; keys without an equal are absent.
    representatives: HashMap<Vec<u8>, Vec<u8>>,
}

impl EqualKeys {
    /// Adds keys that are equal to each other.
    pub(crate) fn add(&mut self, keys: &[&[u8]]) {
        // The smallest, so that all writers of these keys sort them alike.
        let Some(smallest) = keys.iter().min() else {
            return;
        };
        for key in keys {
            self.representatives.insert(key.to_vec(), smallest.to_vec());
        }
    }

    /// The representative of this key.
    pub(crate) fn representative<'a>(&'a self, key: &'a [u8]) -> &'a [u8] {
        self.representatives.get(key).map_or(key, Vec::as_slice)
    }
}

/// A keyed target's reduced rows: each key once per list, sorted by key.
#[derive(Debug, Default)]
pub(crate) struct Reduced {
    /// Run first.
    pub(crate) deletes: Vec<Row>,
    pub(crate) writes: Vec<Row>,
    /// All rows, those of one key together.
    order: Vec<Row>,
    /// For each write, the range of `order` that it consists of.
    sources: Vec<Range<usize>>,
}

impl Reduced {
    /// The records that the write with this index consists of.
    pub(crate) fn records_of(&self, write: usize) -> impl Iterator<Item = usize> {
        let rows = self
            .sources
            .get(write)
            .and_then(|sources| self.order.get(sources.clone()))
            .expect("every write consists of rows");
        rows.iter().map(|row| row.record)
    }
}

impl Rows {
    /// Reduces the rows of `order` to the last operation of each key, sorted by key.
    ///
    /// Two writers that lock rows in different orders deadlock, so every statement is ordered by the key's bytes. A key that was
    /// deleted and written again is in both lists, and the deletes run first, because columns that the last write lacks must not
    /// survive the delete. Rows of one key with different sets of columns are overlaid, because a column that a later record
    /// lacks keeps the value of an earlier one.
    pub(crate) fn reduce(
        &mut self,
        mut order: Vec<Row>,
        equal: &EqualKeys,
        sets: &mut ColumnSets,
    ) -> Reduced {
        // A stable sort keeps the rows of one key in arrival order.
        order.sort_by(|left, right| {
            let left = equal.representative(self.key(left));
            left.cmp(equal.representative(self.key(right)))
        });
        let mut reduced = Reduced::default();
        let mut start = 0;
        while start < order.len() {
            let of_key = self.same_key(&order, start, equal);
            let end = start + of_key.len();
            let last_delete = of_key
                .iter()
                .rposition(|row| row.operation == Operation::Delete);
            let (before, written) = of_key.split_at(last_delete.map_or(0, |index| index + 1));
            reduced.deletes.extend(before.last());
            if let Some(last) = written.last() {
                let is_uniform = written.iter().all(|row| row.set == last.set);
                reduced.sources.push(end - written.len()..end);
                reduced.writes.push(if is_uniform {
                    *last
                } else {
                    self.overlay(written, *last, sets)
                });
            }
            start = end;
        }
        reduced.order = order;
        reduced
    }

    /// The rows from `start` on that have one key.
    fn same_key<'a>(&self, order: &'a [Row], start: usize, equal: &EqualKeys) -> &'a [Row] {
        let rest = order.get(start..).unwrap_or_default();
        let mut groups = rest.chunk_by(|left, right| {
            equal.representative(self.key(left)) == equal.representative(self.key(right))
        });
        groups.next().unwrap_or_default()
    }

    /// One row that has each column from the last row that contains it. The key is that of the last row.
    fn overlay(&mut self, rows: &[Row], last: Row, sets: &mut ColumnSets) -> Row {
        let mut latest: BTreeMap<usize, FieldSpan> = BTreeMap::new();
        for row in rows {
            latest.extend(sets.positions(row.set).iter().copied().zip(self.spans(row)));
        }
        let columns: Vec<usize> = latest.keys().copied().collect();
        let fields: Vec<FieldSpan> = latest.into_values().collect();
        self.append(last, sets.index(&columns), &fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operation::{Delete, Write};

    /// Sets of columns by their index; column 0 is the key.
    const SETS: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];

    fn sets() -> ColumnSets {
        let mut sets = ColumnSets::default();
        for set in SETS {
            sets.keep(set);
        }
        sets
    }

    fn rows(operations: &[(Operation, usize, &[u8])]) -> Rows {
        let mut rows = Rows::default();
        for (record, (operation, set, values)) in operations.iter().enumerate() {
            let start = rows.begin();
            for value in *values {
                rows.data.extend_from_slice(&1_i32.to_be_bytes());
                rows.data.push(*value);
            }
            rows.finish(start, values.len());
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

    /// What is left, as `set:values`.
    fn shown(rows: &Rows, list: &[Row]) -> String {
        let words: Vec<String> = list
            .iter()
            .map(|row| {
                let values: String = rows
                    .fields(row)
                    .filter_map(|field| field.last().map(|byte| char::from(*byte)))
                    .collect();
                format!("{}:{values}", row.set)
            })
            .collect();
        words.join(" ")
    }

    #[test]
    fn the_last_of_a_key_is_left() {
        type Operations<'a> = &'a [(Operation, usize, &'a [u8])];
        // `A` and `a` are one key to the table.
        let cases: [(&str, Operations, &str, &str); 11] = [
            (
                "sorted by key",
                &[(Write, 0, b"bxy"), (Write, 0, b"axy")],
                "",
                "0:axy 0:bxy",
            ),
            (
                "last wins",
                &[(Write, 0, b"a11"), (Write, 0, b"b11"), (Write, 0, b"a22")],
                "",
                "0:a22 0:b11",
            ),
            (
                "last wins among equal keys",
                &[(Write, 0, b"a11"), (Write, 0, b"b11"), (Write, 0, b"A22")],
                "",
                "0:A22 0:b11",
            ),
            (
                "write, then delete",
                &[(Write, 0, b"a11"), (Delete, 3, b"a")],
                "3:a",
                "",
            ),
            (
                "write, then delete of an equal key",
                &[(Write, 0, b"A11"), (Delete, 3, b"a")],
                "3:a",
                "",
            ),
            (
                "delete, then write",
                &[(Delete, 3, b"a"), (Write, 1, b"a1")],
                "3:a",
                "1:a1",
            ),
            (
                "missing columns keep what came before",
                &[(Write, 0, b"a12"), (Write, 1, b"a3")],
                "",
                "0:a32",
            ),
            (
                "missing columns keep what came before under an equal key",
                &[(Write, 0, b"a12"), (Write, 1, b"A3")],
                "",
                "0:A32",
            ),
            (
                "columns of both",
                &[(Write, 1, b"a1"), (Write, 2, b"a2")],
                "",
                "0:a12",
            ),
            (
                "nothing survives a delete",
                &[
                    (Write, 0, b"a12"),
                    (Delete, 3, b"a"),
                    (Write, 2, b"a9"),
                    (Write, 2, b"a8"),
                ],
                "3:a",
                "2:a8",
            ),
            ("nothing", &[], "", ""),
        ];
        let mut equal = EqualKeys::default();
        equal.add(&[b"\0\0\0\x01a", b"\0\0\0\x01A"]);
        for (name, operations, deletes, writes) in cases {
            let mut rows = rows(operations);
            let order = rows.rows.clone();
            let reduced = rows.reduce(order, &equal, &mut sets());
            assert_eq!(shown(&rows, &reduced.deletes), deletes, "{name}");
            assert_eq!(shown(&rows, &reduced.writes), writes, "{name}");
        }
    }

    #[test]
    fn a_write_knows_the_records_that_it_consists_of() {
        let mut rows = rows(&[
            (Write, 1, b"b1"),
            (Write, 1, b"a1"),
            (Delete, 3, b"a"),
            (Write, 1, b"a2"),
            (Write, 2, b"a3"),
        ]);
        let order = rows.rows.clone();
        let reduced = rows.reduce(order, &EqualKeys::default(), &mut sets());
        let records: Vec<Vec<usize>> = (0..reduced.writes.len())
            .map(|write| reduced.records_of(write).collect())
            .collect();
        assert_eq!(records, [vec![3, 4], vec![0]]);
    }

    #[test]
    fn sets_of_a_batch_are_forgotten() {
        let mut sets = ColumnSets::default();
        let kept = sets.keep(&[0, 1, 2]);
        for _ in 0..3 {
            assert_eq!(sets.index(&[0, 2]), 1);
            assert_eq!(sets.index(&[0, 1, 2]), kept);
            assert_eq!(sets.index(&[0]), 2);
            sets.clear();
        }
        assert_eq!(sets.positions(kept), [0, 1, 2]);
    }
}
