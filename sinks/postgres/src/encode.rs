//! From records to encoded rows.

use connect_api::{Cause, Element, Record, Refusal, Resolved, ValueRef};

use crate::catalog::Column;
use crate::coerce::{Input, Misfit, null};
use crate::config::Mode;
use crate::copy;
use crate::lookup::{Found, follow};
use crate::mapping::{Entry, EntryColumn, IfMissing, Plan, Source};
use crate::rows::{Operation, Row};
use crate::target::{Target, Write};

impl Plan {
    /// Fills every target with the rows of these records, or tells all records that do not fit.
    pub(crate) fn encode(&mut self, records: &[&Record]) -> Result<(), Vec<Refusal>> {
        for target in &mut self.targets {
            target.rows.clear();
            if target.write == Write::Copy {
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
                scratch: &mut scratch,
            };
            if let Err(cause) = encoder.record(&mut self.entries, &mut self.targets) {
                refusals.push(Refusal {
                    record: index,
                    cause,
                });
            }
        }
        if refusals.is_empty() {
            Ok(())
        } else {
            Err(refusals)
        }
    }
}

/// One record at work.
struct Encoder<'s, 'a> {
    record: &'a Record,
    index: usize,
    now_ms: i64,
    scratch: &'s mut Scratch<'a>,
}

/// Reused from record to record.
#[derive(Default)]
struct Scratch<'a> {
    /// The positions of the row's columns.
    present: Vec<usize>,
    /// What the entry's lookups found in the value and in the element.
    members: Found<'a>,
    of_element: Found<'a>,
}

impl<'a> Encoder<'_, 'a> {
    fn record(&mut self, entries: &mut [Entry], targets: &mut [Target]) -> Result<(), Cause> {
        let Some(root) = self.record.root() else {
            return self.tombstone(entries, targets);
        };
        for entry in entries {
            let Some(target) = targets.get_mut(entry.target) else {
                continue;
            };
            if let Some(when) = &entry.when
                && !when.matches(self.record).map_err(|reason| {
                    Cause::new(format!("`when` of table `{}`: {reason}", target.table.name))
                })?
            {
                continue;
            }
            let operation = match entry.mode {
                Mode::Delete => Operation::Delete,
                _ => Operation::Write,
            };
            self.rows(entry, target, root, operation)?;
        }
        Ok(())
    }

    /// A record without a value deletes the row that its key names, in every table that is keyed by it.
    fn tombstone(&mut self, entries: &mut [Entry], targets: &mut [Target]) -> Result<(), Cause> {
        let mut is_taken = false;
        for entry in entries.iter_mut().filter(|entry| entry.takes_tombstones) {
            if let Some(target) = targets.get_mut(entry.target) {
                entry.members.fill(None, &mut self.scratch.members);
                self.row(entry, target, None, Operation::Delete)?;
                is_taken = true;
            }
        }
        if is_taken {
            Ok(())
        } else {
            Err(
                Cause::new("a tombstone, and no table can tell which row it deletes").with_help(
                    "a table with mode upsert or delete whose key columns all come from `#key` can",
                ),
            )
        }
    }

    fn rows(
        &mut self,
        entry: &mut Entry,
        target: &mut Target,
        root: ValueRef<'a>,
        operation: Operation,
    ) -> Result<(), Cause> {
        entry.members.fill(Some(root), &mut self.scratch.members);
        let Some(each) = &entry.each else {
            return self.row(entry, target, None, operation);
        };
        for (place, value) in each.follow(root).into_iter().enumerate() {
            let element = Element {
                value,
                index: u32::try_from(place + 1).unwrap_or(u32::MAX),
            };
            entry
                .of_element
                .fill(Some(value), &mut self.scratch.of_element);
            self.row(entry, target, Some(element), operation)?;
        }
        Ok(())
    }

    fn row(
        &mut self,
        entry: &Entry,
        target: &mut Target,
        element: Option<Element<'a>>,
        operation: Operation,
    ) -> Result<(), Cause> {
        let start = target.rows.data.len();
        target.rows.data.extend_from_slice(&[0; 2]);
        self.scratch.present.clear();
        let mut key_end = target.rows.data.len();
        let columns = match operation {
            Operation::Delete => entry.columns.get(..target.key_length).unwrap_or_default(),
            Operation::Write => &entry.columns,
        };
        let mut data = std::mem::take(&mut target.rows.data);
        let written = columns.iter().try_for_each(|column| {
            self.cell(column, target, element, &mut data)?;
            if column.position < target.key_length {
                key_end = data.len();
            }
            Ok(())
        });
        target.rows.data = data;
        written?;
        if self.scratch.present.is_empty() {
            let message = format!(
                "no field of the record is a column of table `{}`",
                target.table.name
            );
            return Err(Cause::new(message));
        }
        let count = (self.scratch.present.len() as u16).to_be_bytes();
        if let Some(place) = target.rows.data.get_mut(start..start + count.len()) {
            place.copy_from_slice(&count);
        }
        let set = if self.scratch.present.len() == entry.columns.len() {
            entry.all
        } else {
            target.set(&self.scratch.present)
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

    /// Appends the column's field, or leaves the column out of the row.
    fn cell(
        &mut self,
        entry_column: &EntryColumn,
        target: &Target,
        element: Option<Element<'a>>,
        data: &mut Vec<u8>,
    ) -> Result<(), Cause> {
        let Some(column) = target.column(entry_column.position) else {
            return Ok(());
        };
        let place = Place {
            entry_column,
            column,
            target,
        };
        let resolved = self.resolve(entry_column, element).map_err(|reason| {
            Cause::new(format!(
                "{} of column `{}`: {reason}",
                entry_column.reference, column.name
            ))
        })?;
        let Some(input) = Input::resolved(resolved) else {
            match entry_column.if_missing {
                IfMissing::LeaveOut => return Ok(()),
                IfMissing::Null => null(data),
                IfMissing::Refuse => return Err(place.missing()),
            }
            self.scratch.present.push(entry_column.position);
            return Ok(());
        };
        let is_key = entry_column.position < target.key_length;
        if matches!(input, Input::Null) && (is_key || !column.takes_null) {
            return Err(place.misfit(
                input,
                if is_key {
                    "a key column cannot be NULL".into()
                } else {
                    "the column is NOT NULL".into()
                },
            ));
        }
        let written = if entry_column.as_text {
            column
                .column_type
                .write_text(input, &entry_column.reading, data)
        } else {
            column
                .column_type
                .write_binary(input, &entry_column.reading, data)
        };
        written.map_err(|misfit| place.misfit(input, misfit))?;
        self.scratch.present.push(entry_column.position);
        Ok(())
    }

    fn resolve(
        &self,
        column: &EntryColumn,
        element: Option<Element<'a>>,
    ) -> Result<Resolved<'a>, String> {
        let member = |found: &Found<'a>, slot: usize, rest| {
            let start = found.get(slot).copied().flatten();
            let place = start.and_then(|start| follow(start, rest));
            place.map_or(Resolved::Missing, Resolved::Value)
        };
        let resolved = match &column.source {
            Source::Member(slot, rest) => member(&self.scratch.members, *slot, rest),
            Source::OfElement(slot, rest) => member(&self.scratch.of_element, *slot, rest),
            Source::Reference => column
                .reference
                .resolve(self.record, element, self.now_ms)?,
        };
        let (Resolved::Missing, Some(name)) = (&resolved, &column.by_name) else {
            return Ok(resolved);
        };
        let start = element.map(|element| element.value).or(self.record.root());
        let similar = start.and_then(|start| similar_member(start, name));
        Ok(similar.map_or(Resolved::Missing, Resolved::Value))
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

/// A column and where its value comes from, for messages.
struct Place<'a> {
    entry_column: &'a EntryColumn,
    column: &'a Column,
    target: &'a Target,
}

impl Place<'_> {
    fn misfit(&self, input: Input<'_>, misfit: Misfit) -> Cause {
        Cause::new(format!(
            "{} at {} does not fit column `{}` ({}) of table `{}`: {misfit}",
            input.describe(),
            self.entry_column.reference,
            self.column.name,
            self.column.type_name,
            self.target.table.name
        ))
    }

    fn missing(&self) -> Cause {
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
