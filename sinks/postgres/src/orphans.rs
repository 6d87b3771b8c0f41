//! `orphans = "delete"`: deletes the rows of elements that a record no longer contains.
//!
//! A record lists its elements. One statement deletes all other rows with the record's part of the key, except keys that the batch
//! itself contains: for those, a delete is inserted before the reduction wherever a later record no longer contains them. So the
//! result is the same as writing the records one by one.

use std::collections::{HashMap, HashSet};

use crate::failure::WriteError;
use crate::order::Segment;
use crate::reduce::EqualKeys;
use crate::rows::{Operation, Row, Rows, Sweep};
use crate::target::Target;
use crate::unnest::Session;

/// The result of a sweep.
pub(crate) struct Swept {
    /// The segment's rows to reduce, with deletes of those that a later record no longer contains.
    pub(crate) rows: Vec<Row>,
    pub(crate) touched: u64,
}

/// Deletes the rows of elements that the segment's records no longer contain.
pub(crate) async fn sweep(
    session: &mut Session<'_>,
    target: &mut Target,
    segment: &Segment,
    equal: &EqualKeys,
) -> Result<Swept, WriteError> {
    let parent = target
        .parent
        .clone()
        .expect("only a target that knows the record's part of the key is swept");
    let range = segment.range_of(&target.rows.rows);
    let first = range.start;
    let rows = target.rows.rows.get(range);
    let rows = rows
        .expect("rows are in the order of their records")
        .to_vec();
    let in_segment = |sweep: &&Sweep| segment.records.contains(&sweep.parent.record);
    let sweeps: Vec<Sweep> = target
        .rows
        .sweeps
        .iter()
        .filter(in_segment)
        .cloned()
        .collect();
    if sweeps.is_empty() {
        return Ok(Swept { rows, touched: 0 });
    }
    let parents = parents_of(target, &rows, &parent);
    let mut all: Vec<Row> = sweeps.iter().map(|sweep| sweep.parent).collect();
    all.extend_from_slice(&parents);
    let equal_parents = session.equal_keys(target, &parent, &all).await?;
    let known = Known {
        rows: &target.rows,
        first,
        list: &rows,
        parents: &parents,
        equal,
        equal_parents: &equal_parents,
    };
    let with_deletes = known.with_deletes(&sweeps);
    let swept = known.distinct_parents(&sweeps);
    let touched = session.sweep(target, &parent, &swept, &rows).await?;
    Ok(Swept {
        rows: with_deletes,
        touched,
    })
}

/// For each row, a row that consists of the record's part of its key.
fn parents_of(target: &mut Target, rows: &[Row], parent: &[usize]) -> Vec<Row> {
    let set = target.sets.index(parent);
    rows.iter()
        .map(|row| {
            let positions = target.sets.positions(row.set);
            let spans: Vec<_> = parent
                .iter()
                .map(|position| target.rows.span_of(row, positions, *position))
                .collect();
            let mut made = target.rows.append(*row, set, &spans);
            made.key_end = made.end;
            made
        })
        .collect()
}

/// The rows of a segment, with the equality of their keys.
struct Known<'a> {
    rows: &'a Rows,
    /// The index of the segment's first row among all rows.
    first: usize,
    list: &'a [Row],
    /// One for each row of the list.
    parents: &'a [Row],
    equal: &'a EqualKeys,
    equal_parents: &'a EqualKeys,
}

impl<'a> Known<'a> {
    fn key(&self, row: &Row) -> &'a [u8] {
        self.equal.representative(self.rows.key(row))
    }

    fn parent(&self, row: &Row) -> &'a [u8] {
        self.equal_parents.representative(self.rows.key(row))
    }

    fn elements(&self, sweep: &Sweep) -> &'a [Row] {
        let range = sweep.elements.start - self.first..sweep.elements.end - self.first;
        let rows = self.list.get(range);
        rows.expect("a record's rows are in its segment")
    }

    /// The rows, with deletes inserted before the elements of a sweep: one for each key of the same record that the sweep does not
    /// contain. For each key only the last such sweep counts.
    fn with_deletes(&self, sweeps: &[Sweep]) -> Vec<Row> {
        let mut by_parent: HashMap<&[u8], Vec<usize>> = HashMap::new();
        let mut elements: HashSet<(usize, &[u8])> = HashSet::new();
        for (index, sweep) in sweeps.iter().enumerate() {
            let of_parent = by_parent.entry(self.parent(&sweep.parent)).or_default();
            of_parent.push(index);
            let keys = self.elements(sweep).iter().map(|row| self.key(row));
            elements.extend(keys.map(|key| (index, key)));
        }
        let mut deletes: HashMap<usize, Vec<Row>> = HashMap::new();
        let mut seen: HashSet<&[u8]> = HashSet::new();
        for (row, parent) in self.list.iter().zip(self.parents) {
            let key = self.key(row);
            if !seen.insert(key) {
                continue;
            }
            let of_parent = by_parent.get(self.parent(parent)).into_iter().flatten();
            let mut without = of_parent
                .rev()
                .filter(|sweep| !elements.contains(&(**sweep, key)));
            if let Some(sweep) = without.next() {
                deletes.entry(*sweep).or_default().push(*row);
            }
        }
        self.merged(sweeps, &deletes)
    }

    fn merged(&self, sweeps: &[Sweep], deletes: &HashMap<usize, Vec<Row>>) -> Vec<Row> {
        let mut merged = Vec::with_capacity(self.list.len());
        let mut rest = self.list;
        for (index, sweep) in sweeps.iter().enumerate() {
            let taken = self.list.len() - rest.len();
            let (before, after) = rest.split_at(sweep.elements.start - self.first - taken);
            merged.extend_from_slice(before);
            rest = after;
            merged.extend(deletes.get(&index).into_iter().flatten().map(|row| Row {
                record: sweep.parent.record,
                operation: Operation::Delete,
                ..*row
            }));
        }
        merged.extend_from_slice(rest);
        merged
    }

    fn distinct_parents(&self, sweeps: &[Sweep]) -> Vec<Row> {
        let mut seen = HashSet::new();
        let parents = sweeps.iter().map(|sweep| sweep.parent);
        parents
            .filter(|parent| seen.insert(self.parent(parent)))
            .collect()
    }
}
