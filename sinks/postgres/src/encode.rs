//! Encodes records to rows.

mod rejection;
mod size;

use connect_api::{Cause, Element, Failure, Record, RejectedRecord, Resolved, ValueRef};

use crate::coerce::{ColumnInput, null};
use crate::config::WriteMode;
use crate::copy;
use crate::lookup::{SlotValues, follow};
use crate::mapping::{Entry, EntryColumn, IfMissing, Plan, ValueSource};
use crate::rows::{Operation, Row, Sweep};
use crate::target::{Target, WriteMethod};

use rejection::{CellContext, orphans_of_tombstone};
use size::{MOST_BYTES_OF_A_BATCH, MOST_BYTES_OF_A_RECORD, batch_too_large, record_too_large};

impl Plan {
    /// Fills every target with the rows of these records, or returns all records that do not fit. `TooMuch`: the rows of the batch
    /// are too large, and no record is at fault.
    ///
    /// Rows for COPY must all have the same columns. A batch whose rows differ is encoded again for INSERT; following batches are
    /// encoded for INSERT directly, until one has the same columns in all rows.
    pub(crate) fn encode(&mut self, records: &[&Record]) -> Result<(), Failure> {
        self.encode_once(records)?;
        let mut is_mixed = false;
        for target in &mut self.targets {
            let is_uniform = target.is_uniform();
            is_mixed |= target.write == WriteMethod::Copy && !is_uniform;
            target.prefers_insert = !is_uniform;
        }
        if is_mixed {
            self.encode_once(records)?;
        }
        Ok(())
    }

    fn encode_once(&mut self, records: &[&Record]) -> Result<(), Failure> {
        for target in &mut self.targets {
            target.rows.clear();
            target.sets.clear();
            if target.takes_copy {
                target.write = if target.prefers_insert {
                    WriteMethod::Insert
                } else {
                    WriteMethod::Copy
                };
            }
            if target.write == WriteMethod::Copy {
                target.rows.data.extend_from_slice(copy::HEADER);
            }
        }
        let now_ms = connect_api::time::now_ms();
        let mut refusals = Vec::new();
        let mut scratch = Scratch::default();
        for (index, record) in records.iter().enumerate() {
            let mut encoder = Encoder {
                record,
                index,
                now_ms,
                room: MOST_BYTES_OF_A_RECORD,
                scratch: &mut scratch,
            };
            let mut encoded = encoder.record(&mut self.entries, &mut self.targets);
            if encoded.is_ok() && self.encoded_bytes() > MOST_BYTES_OF_A_BATCH {
                // The records of one source record are written together, so halving the batch would not help.
                let is_alone = records
                    .first()
                    .is_some_and(|first| is_of_one(first, record));
                if is_alone {
                    encoded = Err(record_too_large());
                } else if refusals.is_empty() {
                    return Err(batch_too_large());
                } else {
                    break;
                }
            }
            if let Err(cause) = encoded {
                refusals.push(RejectedRecord {
                    record: index,
                    cause,
                });
            }
        }
        if refusals.is_empty() {
            Ok(())
        } else {
            Err(Failure::Refused(refusals))
        }
    }

    fn encoded_bytes(&self) -> usize {
        let rows = self.targets.iter().map(|target| &target.rows);
        rows.map(|rows| rows.data.len() + size_of_val(rows.rows.as_slice()))
            .sum()
    }
}

/// Whether both stem from one source record.
fn is_of_one(left: &Record, right: &Record) -> bool {
    let (left, right) = (&left.origin, &right.origin);
    (left.offset, left.partition, &left.topic) == (right.offset, right.partition, &right.topic)
}

/// The encoder of one record.
struct Encoder<'s, 'a> {
    record: &'a Record,
    index: usize,
    now_ms: i64,
    /// The bytes that its rows may still take.
    room: usize,
    scratch: &'s mut Scratch<'a>,
}

/// Buffers that are reused for all records.
#[derive(Default)]
struct Scratch<'a> {
    /// The positions of the row's columns.
    present: Vec<usize>,
    /// Whether a column has a value that shows that the record, or the element, belongs to the table.
    has_evidence: bool,
    /// The members that the entry's lookups found in the value and in the element.
    members: SlotValues<'a>,
    of_element: SlotValues<'a>,
}

impl<'a> Encoder<'_, 'a> {
    fn record(&mut self, entries: &mut [Entry], targets: &mut [Target]) -> Result<(), Cause> {
        let (mut is_meant, mut is_taken) = (false, false);
        for entry in entries {
            let target = targets
                .get_mut(entry.target)
                .expect("an entry's target is one of the plan's");
            if !self.meets(entry, target)? {
                continue;
            }
            is_meant = true;
            match self.record.root() {
                Some(root) => {
                    self.rows(entry, target, root)?;
                    is_taken = true;
                }
                None if entry.takes_tombstones => {
                    entry.members.fill(None, &mut self.scratch.members);
                    if entry.orphans.is_some() {
                        let no_elements = target.rows.rows.len();
                        self.sweep(entry, target, no_elements)?;
                    } else {
                        self.row(entry, target, None, Operation::Delete)?;
                    }
                    is_taken = true;
                }
                None if entry.orphans.is_some() => return Err(orphans_of_tombstone(target)),
                None => {}
            }
        }
        if is_meant && !is_taken {
            return Err(
                Cause::new("a tombstone, and no table can tell which row it deletes").with_help(
                    "a table with mode upsert or delete whose key columns all come from `#key` can",
                ),
            );
        }
        Ok(())
    }

    /// Whether the record meets the entry's condition. It applies to tombstones, too, which would otherwise delete rows of tables
    /// that their topic is not written to.
    fn meets(&self, entry: &Entry, target: &Target) -> Result<bool, Cause> {
        let Some(when) = &entry.when else {
            return Ok(true);
        };
        when.matches(self.record).map_err(|reason| {
            Cause::new(format!("`when` of table `{}`: {reason}", target.table.name))
        })
    }

    fn rows(
        &mut self,
        entry: &mut Entry,
        target: &mut Target,
        root: ValueRef<'a>,
    ) -> Result<(), Cause> {
        let operation = match entry.mode {
            WriteMode::Delete => Operation::Delete,
            WriteMode::Insert | WriteMode::Upsert | WriteMode::Update => Operation::Write,
        };
        entry.members.fill(Some(root), &mut self.scratch.members);
        let Some(each) = &entry.each else {
            return self.row(entry, target, None, operation);
        };
        let first = target.rows.rows.len();
        for (index, value) in each.follow(root).into_iter().enumerate() {
            let element = Element {
                value,
                index: u32::try_from(index + 1)
                    .map_err(|_| Cause::new("an array has more than 4,294,967,295 elements"))?,
            };
            entry
                .of_element
                .fill(Some(value), &mut self.scratch.of_element);
            self.row(entry, target, Some(element), operation)?;
        }
        // A missing array, null or another type does not list the elements.
        let array = entry.orphans.as_ref().and_then(|path| path.follow(root));
        if array.is_some_and(|array| array.elements().is_some()) {
            self.sweep(entry, target, first)?;
        }
        Ok(())
    }

    /// Adds a sweep: the rows from `first` on are all rows of the record in this table.
    fn sweep(&mut self, entry: &Entry, target: &mut Target, first: usize) -> Result<(), Cause> {
        let parent = target
            .parent
            .clone()
            .expect("a target whose orphans are deleted knows the record's part of the key");
        let start = target.rows.begin();
        self.scratch.present.clear();
        let mut data = std::mem::take(&mut target.rows.data);
        let mut of_record = entry
            .columns
            .iter()
            .filter(|column| parent.contains(&column.position));
        let written = of_record.try_for_each(|column| self.cell(column, target, None, &mut data));
        target.rows.data = data;
        written?;
        target.rows.finish(start, parent.len());
        let end = target.rows.data.len();
        target.rows.sweeps.push(Sweep {
            parent: Row {
                start,
                end,
                key_end: end,
                set: target.sets.index(&parent),
                record: self.index,
                operation: Operation::Delete,
            },
            elements: first..target.rows.rows.len(),
        });
        Ok(())
    }

    fn row(
        &mut self,
        entry: &Entry,
        target: &mut Target,
        element: Option<Element<'a>>,
        operation: Operation,
    ) -> Result<(), Cause> {
        let start = target.rows.begin();
        self.scratch.present.clear();
        self.scratch.has_evidence = false;
        let mut key_end = target.rows.data.len();
        let columns = match operation {
            Operation::Delete => entry
                .columns
                .get(..target.key_length)
                .expect("an entry that deletes maps the key"),
            Operation::Write => &entry.columns,
        };
        let mut data = std::mem::take(&mut target.rows.data);
        let written: Result<(), Cause> = columns.iter().try_for_each(|column| {
            self.cell(column, target, element, &mut data)?;
            if column.position < target.key_length {
                key_end = data.len();
            }
            Ok(())
        });
        target.rows.data = data;
        written?;
        let bytes = target.rows.data.len() - start + size_of::<Row>();
        self.room = self.room.checked_sub(bytes).ok_or_else(record_too_large)?;
        let is_meant = !entry.needs_evidence || self.scratch.has_evidence;
        if self.scratch.present.is_empty() || (!is_meant && self.record.root().is_some()) {
            return Err(self.not_meant(target, element));
        }
        target.rows.finish(start, self.scratch.present.len());
        let set = if self.scratch.present.len() == entry.columns.len() {
            entry.all
        } else {
            target.sets.index(&self.scratch.present)
        };
        target.rows.rows.push(Row {
            start,
            end: target.rows.data.len(),
            key_end,
            set,
            record: self.index,
            operation,
        });
        Ok(())
    }

    /// No column has a value from the record or the element, so the row would be empty.
    fn not_meant(&self, target: &Target, element: Option<Element<'a>>) -> Cause {
        let (what, found) = match element {
            Some(element) => ("element", Some(element.value)),
            None => ("record", self.record.root()),
        };
        let table = &target.table.name;
        match found {
            Some(value) if value.members().is_none() => Cause::new(format!(
                "no field of the {what} is a column of table `{table}`: found {}, expected an object",
                value.type_name()
            )),
            _ => Cause::new(format!(
                "no field of the {what} is a column of table `{table}`"
            )),
        }
    }

    /// Appends the column's field, or omits the column from the row.
    fn cell(
        &mut self,
        entry_column: &EntryColumn,
        target: &Target,
        element: Option<Element<'a>>,
        data: &mut Vec<u8>,
    ) -> Result<(), Cause> {
        let place = CellContext {
            entry_column,
            column: target.column(entry_column.position),
            target,
        };
        match self.member(entry_column) {
            Some(value) => self.field(place, ColumnInput::of(value), data),
            None => self.cell_without_member(place, element, data),
        }
    }

    /// The same for metadata, missing members and those whose names are spelled otherwise.
    #[inline(never)]
    fn cell_without_member(
        &mut self,
        place: CellContext<'_>,
        element: Option<Element<'a>>,
        data: &mut Vec<u8>,
    ) -> Result<(), Cause> {
        if let Some(input) = self.otherwise(&place, element)? {
            return self.field(place, input, data);
        }
        match place.entry_column.if_missing {
            IfMissing::LeaveOut => return Ok(()),
            IfMissing::Null => null(data),
            IfMissing::Refuse => return Err(place.missing()),
        }
        self.scratch.present.push(place.entry_column.position);
        Ok(())
    }

    /// Appends what was found for the column. Inlined always: it is short, and its call costs a third of it.
    #[inline(always)]
    fn field(
        &mut self,
        place: CellContext<'_>,
        input: ColumnInput<'a>,
        data: &mut Vec<u8>,
    ) -> Result<(), Cause> {
        let CellContext {
            entry_column,
            column,
            target,
        } = place;
        self.scratch.has_evidence |= entry_column.is_evidence;
        let is_key = entry_column.position < target.key_length;
        if matches!(input, ColumnInput::Null) && (is_key || !column.takes_null) {
            return Err(place.mismatch(
                input,
                if is_key {
                    "a key column cannot be NULL".into()
                } else {
                    "the column is NOT NULL".into()
                },
            ));
        }
        let written = if entry_column.travels_as_text && target.write != WriteMethod::Copy {
            column
                .column_type
                .write_text(input, &entry_column.reading, data)
        } else {
            column
                .column_type
                .write_binary(input, &entry_column.reading, data)
        };
        written.map_err(|mismatch| place.mismatch(input, mismatch))?;
        self.scratch.present.push(entry_column.position);
        Ok(())
    }

    /// The value that the lookups found for the column.
    #[inline]
    fn member(&self, column: &EntryColumn) -> Option<ValueRef<'a>> {
        let (found, slot, rest) = match &column.source {
            ValueSource::Member(slot, rest) => (&self.scratch.members, slot, rest),
            ValueSource::OfElement(slot, rest) => (&self.scratch.of_element, slot, rest),
            ValueSource::Reference => return None,
        };
        follow(found.get(*slot).copied().flatten()?, rest)
    }

    /// The input of a column that no lookup found: metadata, or a member whose name is spelled otherwise.
    fn otherwise(
        &self,
        place: &CellContext<'_>,
        element: Option<Element<'a>>,
    ) -> Result<Option<ColumnInput<'a>>, Cause> {
        let column = place.entry_column;
        let resolved = match &column.source {
            ValueSource::Member(..) | ValueSource::OfElement(..) => Resolved::Missing,
            ValueSource::Reference => {
                let resolved = column.reference.resolve(self.record, element, self.now_ms);
                resolved.map_err(|reason| {
                    Cause::new(format!(
                        "{} of column `{}`: {reason}",
                        column.reference, place.column.name
                    ))
                })?
            }
        };
        let (Resolved::Missing, Some(name)) = (&resolved, &column.by_name) else {
            return Ok(ColumnInput::resolved(resolved));
        };
        let start = element.map(|element| element.value).or(self.record.root());
        let similar = start.and_then(|start| similar_member(start, name));
        Ok(similar.map(ColumnInput::of))
    }
}

/// The only member whose name differs from this one in nothing but upper and lower case.
fn similar_member<'a>(object: ValueRef<'a>, name: &str) -> Option<ValueRef<'a>> {
    let mut similar = object
        .members()?
        .filter(|(member, _)| member.eq_ignore_ascii_case(name));
    let (_, first) = similar.next()?;
    similar.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests;
