//! Maps paths of records to columns, from the configuration and the catalog.
//!
//! A *target* is a table with the rows collected for it. All `[[sinks.tables]]` entries of one table share it, so that the last
//! operation of a key wins even if one entry upserts and another deletes.

mod columns;

use connect_api::{
    Cause, ElementsPath, Failure, FieldPath, PathRoot, PathStep, Predicate, Reference,
};

use crate::catalog::Table;
use crate::coerce::Reading;
use crate::config::{Config, MissingRow, TableConfig, WriteMode};
use crate::entries;
use crate::lookup::Lookup;
use crate::order::{Cuts, Order, Segment};
use crate::rows::{ColumnSets, Rows};
use crate::target::{Target, WriteMethod};

use columns::{Mapped, key_indexes, map_columns};

/// The plan that turns records into rows.
pub(crate) struct Plan {
    /// One target per table.
    pub(crate) targets: Vec<Target>,
    pub(crate) entries: Vec<Entry>,
    /// The order in which the targets are written.
    pub(crate) order: Order,
}

impl Plan {
    /// Cuts the encoded batch of `records` records into segments.
    pub(crate) fn segments(&self, records: usize, cuts: Cuts) -> Vec<Segment> {
        self.order.segments(&self.targets, records, cuts)
    }
}

/// One `[[sinks.tables]]` entry.
pub(crate) struct Entry {
    pub(crate) target: usize,
    pub(crate) mode: WriteMode,
    pub(crate) each: Option<ElementsPath>,
    pub(crate) when: Option<Predicate>,
    /// The members of the value and of the element that the columns' paths begin with.
    pub(crate) members: Lookup,
    pub(crate) of_element: Lookup,
    /// In the order of the target's columns.
    pub(crate) columns: Vec<EntryColumn>,
    /// The set of all columns of the entry.
    pub(crate) all: usize,
    /// Whether a record without a value deletes: every key column comes from the record's key.
    pub(crate) takes_tombstones: bool,
    /// With `orphans = "delete"`, the array whose elements are all rows of the record.
    pub(crate) orphans: Option<FieldPath>,
    /// Whether some column must have a value to show that the record, or the element, belongs to the table.
    pub(crate) needs_evidence: bool,
}

pub(crate) struct EntryColumn {
    /// Index in the target's columns.
    pub(crate) position: usize,
    /// The reference as written.
    pub(crate) reference: Reference,
    /// The same, compiled for the lookup.
    pub(crate) source: ValueSource,
    /// Mapped by name: a member that differs only in case is used, too.
    pub(crate) by_name: Option<String>,
    pub(crate) reading: Reading,
    /// Whether an UNNEST parameter contains it as text.
    pub(crate) travels_as_text: bool,
    pub(crate) if_missing: IfMissing,
    /// Whether a value here shows that the record, or the element, belongs to the table.
    pub(crate) is_evidence: bool,
}

/// How a column's value is looked up.
pub(crate) enum ValueSource {
    /// The member in this slot of the value's lookup, and the steps from there.
    Member(usize, Box<[PathStep]>),
    /// The same in the element of `each`.
    OfElement(usize, Box<[PathStep]>),
    /// By resolving the reference: metadata, and paths that do not begin with a name.
    Reference,
}

impl ValueSource {
    fn new(reference: &Reference, members: &mut Lookup, of_element: &mut Lookup) -> ValueSource {
        let Reference::Path(path) = reference else {
            return ValueSource::Reference;
        };
        match (path.steps().split_first(), path.root()) {
            (Some((PathStep::Name(name), rest)), PathRoot::Value) => {
                ValueSource::Member(members.slot(name), rest.into())
            }
            (Some((PathStep::Name(name), rest)), PathRoot::Element) => {
                ValueSource::OfElement(of_element.slot(name), rest.into())
            }
            _ => ValueSource::Reference,
        }
    }
}

/// What happens to a column whose field is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// The row omits the column: it gets its default, or keeps its value.
    LeaveOut,
    /// NULL, which omitting the column would result in, too.
    Null,
    /// The record is rejected, because the column needs a value.
    Refuse,
}

/// Makes the plan from the configuration and its tables, which are in the same order.
pub(crate) fn plan(config: &Config, tables: &[Table]) -> Result<Plan, Failure> {
    let mut targets: Vec<Target> = Vec::new();
    let mut mapped = Vec::new();
    for (index, (entry, table)) in config.tables.iter().zip(tables).enumerate() {
        let columns = map_columns(entry, table)?;
        let key = key_indexes(entry, table)?;
        agree_with_earlier(config, tables, index)?;
        let target_index = target_of(&mut targets, entry, table, &key);
        let target = target_at(&mut targets, target_index);
        target.include(columns.iter().map(|mapped| mapped.index));
        target.refuses_missing_rows |=
            entry.mode == WriteMode::Update && entry.missing_row == MissingRow::Refuse;
        mapped.push((entry, columns, target_index, key));
    }
    for target in &mut targets {
        target.choose_copy();
    }
    let mut entries = Vec::new();
    for (entry, columns, target_index, key) in mapped {
        let entry = EntryMapping {
            config,
            entry,
            key: &key,
        };
        let target = target_at(&mut targets, target_index);
        entries.push(entry.finish(columns, target_index, target)?);
    }
    Ok(Plan {
        order: Order::new(targets.iter().map(|target| &target.table)),
        targets,
        entries,
    })
}

fn target_at(targets: &mut [Target], index: usize) -> &mut Target {
    targets.get_mut(index).expect("an entry's target exists")
}

/// The target of an entry: that of an earlier entry of the same table, or a new one.
fn target_of(
    targets: &mut Vec<Target>,
    entry: &TableConfig,
    table: &Table,
    key: &[usize],
) -> usize {
    let write = match entry.mode {
        WriteMode::Insert => WriteMethod::Insert,
        WriteMode::Update => WriteMethod::Update,
        WriteMode::Upsert | WriteMode::Delete => WriteMethod::Upsert,
    };
    let existing = targets
        .iter_mut()
        .enumerate()
        .find(|(_, target)| target.table.name == table.name);
    if let Some((index, target)) = existing {
        // An entry that deletes can be combined with upserts and with updates, in any order.
        if write == WriteMethod::Update {
            target.write = write;
        }
        return index;
    }
    let key_columns = || key.iter().filter_map(|index| table.columns.get(*index));
    let names: Vec<String> = key_columns().map(|column| column.name.clone()).collect();
    targets.push(Target {
        table: table.clone(),
        write,
        columns: key.to_vec(),
        key_length: key.len(),
        has_canonical_key: key_columns().all(|column| column.has_canonical_bytes),
        has_unique_key: table.has_unique_key(&names),
        refuses_missing_rows: false,
        on_conflict: entry.on_conflict,
        parent: None,
        takes_copy: false,
        prefers_insert: false,
        sets: ColumnSets::default(),
        rows: Rows::default(),
    });
    targets.len() - 1
}

/// Entries of one table, however its name is spelled, must agree on mode and key.
fn agree_with_earlier(config: &Config, tables: &[Table], index: usize) -> Result<(), Failure> {
    let all: Vec<(&TableConfig, &Table)> = config.tables.iter().zip(tables).collect();
    let (earlier, rest) = all.split_at(index);
    let Some((entry, table)) = rest.first() else {
        return Ok(());
    };
    for (other, _) in earlier.iter().filter(|(_, other)| other.name == table.name) {
        let same_column = |left: &str, right: &str| table.column(left) == table.column(right);
        if let Err(disagreement) = entries::agree(other, entry, same_column) {
            let message = entries::message(&table.name.to_string(), other, entry, disagreement);
            return Err(Failure::Fatal(
                Cause::new(message).with_help(disagreement.help()),
            ));
        }
    }
    Ok(())
}

/// An entry whose columns are known, on its way to an [`Entry`].
struct EntryMapping<'a> {
    config: &'a Config,
    entry: &'a TableConfig,
    key: &'a [usize],
}

impl EntryMapping<'_> {
    fn finish(
        &self,
        columns: Vec<Mapped>,
        target_index: usize,
        target: &mut Target,
    ) -> Result<Entry, Failure> {
        self.check_key(&columns, target)?;
        let is_delete = self.entry.mode == WriteMode::Delete;
        let (mut members, mut of_element) = (Lookup::default(), Lookup::default());
        let mut entry_columns: Vec<EntryColumn> = columns
            .into_iter()
            .filter(|mapped| !is_delete || self.key.contains(&mapped.index))
            .map(|mapped| self.column(mapped, target, &mut members, &mut of_element))
            .collect();
        entry_columns.sort_by_key(|column| column.position);
        let positions: Vec<usize> = entry_columns.iter().map(|column| column.position).collect();
        let all = target.sets.keep(&positions);
        if target.is_keyed() {
            target.sets.keep(&target.key_positions());
        }
        let evidence = evidence(self.entry, &entry_columns);
        for column in &mut entry_columns {
            column.is_evidence = evidence.is_some() && path_root(&column.reference) == evidence;
        }
        let key_columns = entry_columns
            .get(..target.key_length)
            .expect("an entry of a keyed target maps the key");
        let orphans = self.orphans(key_columns, target)?;
        let names_rows = self.entry.each.is_none() || orphans.is_some();
        let takes_tombstones = target.is_keyed()
            && self.entry.mode != WriteMode::Update
            && names_rows
            && key_columns
                .iter()
                .filter(|column| !column.reference.needs_element())
                .all(|column| column.reference.reads_key());
        Ok(Entry {
            target: target_index,
            mode: self.entry.mode,
            each: self.entry.each.clone(),
            when: self.entry.when.clone(),
            members,
            of_element,
            columns: entry_columns,
            all,
            takes_tombstones,
            orphans,
            needs_evidence: evidence.is_some(),
        })
    }

    /// Sets the target's record part of the key if rows of removed elements are deleted.
    fn orphans(
        &self,
        key: &[EntryColumn],
        target: &mut Target,
    ) -> Result<Option<FieldPath>, Failure> {
        let array = entries::orphans(self.entry).map_err(|problem| {
            let message = format!(
                "`orphans` of table `{}`: {}",
                target.table.name, problem.message
            );
            Failure::Fatal(Cause::new(message).with_help(problem.help))
        })?;
        if array.is_some() {
            let of_record = key
                .iter()
                .filter(|column| !column.reference.needs_element());
            let parent: Vec<usize> = of_record.map(|column| column.position).collect();
            target.sets.keep(&parent);
            target.parent = Some(parent);
        }
        Ok(array)
    }

    fn check_key(&self, columns: &[Mapped], target: &Target) -> Result<(), Failure> {
        let unmapped = self
            .key
            .iter()
            .find(|index| !columns.iter().any(|mapped| mapped.index == **index))
            .and_then(|index| target.table.columns.get(*index));
        let Some(column) = unmapped else {
            return Ok(());
        };
        let message = format!(
            "key column `{}` of table `{}` is not mapped",
            column.name, target.table.name
        );
        let cause = Cause::new(message).with_help("add it to `columns`");
        Err(Failure::Fatal(cause))
    }

    fn column(
        &self,
        mapped: Mapped,
        target: &Target,
        members: &mut Lookup,
        of_element: &mut Lookup,
    ) -> EntryColumn {
        let position = target
            .columns
            .iter()
            .position(|index| *index == mapped.index)
            .expect("a target includes the columns of its entries");
        let column = target.column(position);
        let is_key = position < target.key_length;
        let if_missing = match (self.entry.mode, column.has_default) {
            _ if is_key => IfMissing::Refuse,
            (WriteMode::Update | WriteMode::Delete, _) | (_, true) => IfMissing::LeaveOut,
            (_, false) if !column.takes_null => IfMissing::Refuse,
            (WriteMode::Insert, false) => IfMissing::Null,
            (WriteMode::Upsert, false) => IfMissing::LeaveOut,
        };
        EntryColumn {
            position,
            source: ValueSource::new(&mapped.source.path, members, of_element),
            reading: Reading::new(self.config, &mapped.source),
            reference: mapped.source.path,
            by_name: mapped.by_name,
            travels_as_text: column.travels_as_text(),
            if_missing,
            is_evidence: false,
        }
    }
}

/// The root of the paths that show that a record or an element belongs to the table: one of them must lead to a value. `None` if
/// no column has such a path, as in a table of metadata.
fn evidence(entry: &TableConfig, columns: &[EntryColumn]) -> Option<PathRoot> {
    let reads = |root| {
        columns
            .iter()
            .any(|column| path_root(&column.reference) == Some(root))
    };
    if entry.each.is_some() {
        reads(PathRoot::Element).then_some(PathRoot::Element)
    } else {
        reads(PathRoot::Value).then_some(PathRoot::Value)
    }
}

fn path_root(reference: &Reference) -> Option<PathRoot> {
    match reference {
        Reference::Path(path) => Some(path.root()),
        Reference::Metadata(_) => None,
    }
}
