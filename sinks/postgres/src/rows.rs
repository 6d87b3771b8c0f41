//! The encoded rows of a batch for one table.
//!
//! All rows are in one reused buffer, in the form of COPY BINARY: a field count and the fields. The key's fields come first, so
//! that a row's key is one range of bytes.

use std::collections::HashMap;
use std::ops::Range;

/// The operation on a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Write,
    Delete,
}

/// One encoded row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Its range in the buffer, which begins with two bytes of field count.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The end of its key.
    pub(crate) key_end: usize,
    /// Its columns: an index into the target's sets.
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
    /// In the order of their records.
    pub(crate) sweeps: Vec<Sweep>,
}

/// The elements of one record, whose other rows are to be deleted.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    /// A row that consists of the record's part of the key.
    pub(crate) parent: Row,
    /// The rows of the elements.
    pub(crate) elements: Range<usize>,
}

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.data.clear();
        self.rows.clear();
        self.sweeps.clear();
    }

    pub(crate) fn bytes(&self, row: &Row) -> &[u8] {
        self.range(row.start, row.end)
    }

    pub(crate) fn key(&self, row: &Row) -> &[u8] {
        self.range(row.start + COUNT_BYTES, row.key_end)
    }

    /// The row's fields, each preceded by its length.
    pub(crate) fn fields(&self, row: &Row) -> EncodedFields<'_> {
        EncodedFields(self.range(row.start + COUNT_BYTES, row.end))
    }

    /// Begins a row at the end of the buffer and returns its start. [`Rows::finish`] writes its field count.
    pub(crate) fn begin(&mut self) -> usize {
        let start = self.data.len();
        self.data.extend_from_slice(&[0; COUNT_BYTES]);
        start
    }

    /// Writes the field count of the row that starts at `start`.
    pub(crate) fn finish(&mut self, start: usize, field_count: usize) {
        let count = u16::try_from(field_count).expect("a table has at most 1,600 columns");
        self.data
            .get_mut(start..start + COUNT_BYTES)
            .expect("a row begins with its field count")
            .copy_from_slice(&count.to_be_bytes());
    }

    /// Appends a row that consists of these ranges of the buffer and has the same key as `like`.
    pub(crate) fn append(&mut self, like: Row, set: usize, fields: &[FieldSpan]) -> Row {
        let start = self.begin();
        for field in fields {
            self.data.extend_from_within(field.start..field.end);
        }
        self.finish(start, fields.len());
        Row {
            start,
            end: self.data.len(),
            key_end: start + (like.key_end - like.start),
            set,
            ..like
        }
    }

    /// The row's fields as ranges of the buffer.
    pub(crate) fn spans(&self, row: &Row) -> impl Iterator<Item = FieldSpan> {
        let mut end = row.start + COUNT_BYTES;
        self.fields(row).map(move |field| {
            let start = end;
            end = start + field.len();
            FieldSpan { start, end }
        })
    }

    /// The row's field of the column `wanted`; `positions` are the columns of the row.
    pub(crate) fn span_of(&self, row: &Row, positions: &[usize], wanted: usize) -> FieldSpan {
        let mut fields = positions.iter().zip(self.spans(row));
        let found = fields.find(|(position, _)| **position == wanted);
        found.expect("the row has this column").1
    }

    fn range(&self, start: usize, end: usize) -> &[u8] {
        self.data
            .get(start..end)
            .expect("a row's range is in the buffer that it was encoded into")
    }
}

/// A range of the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldSpan {
    start: usize,
    end: usize,
}

/// Iterates over the fields of a row.
#[derive(Clone, Copy)]
pub(crate) struct EncodedFields<'a>(&'a [u8]);

impl<'a> Iterator for EncodedFields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let (length, _) = self
            .0
            .split_first_chunk::<4>()
            .expect("a field begins with its length");
        // NULL has length -1 and no bytes.
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        let (field, rest) = self
            .0
            .split_at_checked(4 + length)
            .expect("a field has as many bytes as its length says");
        self.0 = rest;
        Some(field)
    }
}

/// The column sets of a batch's rows. Those of complete entries are kept; the others are dropped with the batch, because records
/// with n optional fields may have any of 2ⁿ.
#[derive(Debug, Default)]
pub(crate) struct ColumnSets {
    sets: Vec<Vec<usize>>,
    by_positions: HashMap<Vec<usize>, usize>,
    kept: usize,
}

impl ColumnSets {
    /// The index of the set with these positions.
    pub(crate) fn index(&mut self, positions: &[usize]) -> usize {
        if let Some(index) = self.by_positions.get(positions) {
            return *index;
        }
        let index = self.sets.len();
        self.sets.push(positions.to_vec());
        self.by_positions.insert(positions.to_vec(), index);
        index
    }

    /// The index of a set that every batch may have.
    pub(crate) fn keep(&mut self, positions: &[usize]) -> usize {
        let index = self.index(positions);
        self.kept = self.sets.len();
        index
    }

    /// Drops the sets of the last batch.
    pub(crate) fn clear(&mut self) {
        for positions in self.sets.drain(self.kept..) {
            self.by_positions.remove(&positions);
        }
    }

    /// The positions of a set in the target's columns, in order.
    pub(crate) fn positions(&self, set: usize) -> &[usize] {
        self.sets
            .get(set)
            .expect("a row's set is one of its target's")
    }
}
