//! Which place of a record becomes which column: the configuration and the catalog brought together.
//!
//! A *target* is what rows are collected for: a table, and for upsert, update and delete its key. Several
//! `[[sinks.tables]]` entries of one table and key share a target, so that the last operation of a key wins also
//! where one entry upserts and another deletes.

use connect_api::{
    Cause, ElementsPath, Failure, FieldPath, PathRoot, PathStep, Predicate, Reference,
};

use crate::catalog::Table;
use crate::coerce::Reading;
use crate::config::{ColumnSource, Config, MissingRow, Mode, TableConfig, TimeUnit};
use crate::identifier::quote;
use crate::lookup::Lookup;
use crate::rows::Rows;
use crate::statement;
use crate::target::{ColumnSets, Target, Write};

/// Everything that is needed to turn records into rows.
pub(crate) struct Plan {
    pub(crate) targets: Vec<Target>,
    pub(crate) entries: Vec<Entry>,
}

/// One `[[sinks.tables]]` entry.
pub(crate) struct Entry {
    pub(crate) target: usize,
    pub(crate) mode: Mode,
    pub(crate) each: Option<ElementsPath>,
    pub(crate) when: Option<Predicate>,
    /// The members of the value and of the element that columns begin with.
    pub(crate) members: Lookup,
    pub(crate) of_element: Lookup,
    /// In the order of the target's columns.
    pub(crate) columns: Vec<EntryColumn>,
    /// The set with all of them.
    pub(crate) all: usize,
    /// Whether a record without a value deletes: every key column comes from the record's key.
    pub(crate) takes_tombstones: bool,
}

pub(crate) struct EntryColumn {
    /// Place in the target's columns.
    pub(crate) position: usize,
    /// As it is written.
    pub(crate) reference: Reference,
    /// The same, ready to be followed.
    pub(crate) source: Source,
    /// Mapped by name: a member that differs only in upper and lower case is taken too.
    pub(crate) by_name: Option<String>,
    pub(crate) reading: Reading,
    /// Whether an UNNEST parameter carries it as text.
    pub(crate) as_text: bool,
    pub(crate) if_missing: IfMissing,
}

/// How a column's value is found.
pub(crate) enum Source {
    /// The member in this slot of the value's lookup, and the steps from there.
    Member(usize, Box<[PathStep]>),
    /// The same in the element of `each`.
    OfElement(usize, Box<[PathStep]>),
    /// Metadata, and paths that do not begin with a name.
    Reference,
}

impl Source {
    fn new(reference: &Reference, members: &mut Lookup, of_element: &mut Lookup) -> Source {
        let Reference::Path(path) = reference else {
            return Source::Reference;
        };
        match (path.steps().split_first(), path.root()) {
            (Some((PathStep::Name(name), rest)), PathRoot::Value) => {
                Source::Member(members.slot(name), rest.into())
            }
            (Some((PathStep::Name(name), rest)), PathRoot::Element) => {
                Source::OfElement(of_element.slot(name), rest.into())
            }
            _ => Source::Reference,
        }
    }
}

/// What a missing field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// The column stays out of the statement: its default, or what it has.
    LeaveOut,
    /// NULL, which is what leaving it out would give.
    Null,
    /// There is nothing that the column could get.
    Refuse,
}

/// Brings the configuration and the tables, which are in its order, together.
pub(crate) fn plan(config: &Config, tables: &[Table]) -> Result<Plan, Failure> {
    let mut plan = Plan {
        targets: Vec::new(),
        entries: Vec::new(),
    };
    let mut mapped = Vec::new();
    for (entry, table) in config.tables.iter().zip(tables) {
        let columns = map_columns(entry, table)?;
        let key = key_places(entry, table)?;
        let target = plan.target(entry, table, &key);
        if let Some(target) = plan.targets.get_mut(target) {
            target.include(columns.iter().map(|mapped| mapped.place));
        }
        mapped.push((entry, columns, target, key));
    }
    for (entry, columns, target_index, key) in mapped {
        let Some(target) = plan.targets.get_mut(target_index) else {
            continue;
        };
        target.refuses_missing_rows |=
            entry.mode == Mode::Update && entry.missing_row == MissingRow::Refuse;
        target.choose_copy();
        let entry = EntryMapping {
            config,
            entry,
            key: &key,
        };
        plan.entries
            .push(entry.finish(columns, target_index, target)?);
    }
    for target in plan.targets.iter_mut().filter(|target| target.is_keyed()) {
        target.delete = statement::delete_statement(target);
        target.find_missing = statement::missing_statement(target);
    }
    Ok(plan)
}

/// A column of the table and where its value comes from, before the target's order is known.
struct Mapped {
    place: usize,
    source: ColumnSource,
    by_name: Option<String>,
}

fn map_columns(entry: &TableConfig, table: &Table) -> Result<Vec<Mapped>, Failure> {
    let Some(columns) = &entry.columns else {
        return Ok(map_by_name(entry, table));
    };
    columns
        .iter()
        .map(|(name, source)| {
            let place = table
                .column(name)
                .ok_or_else(|| missing_column(table, name))?;
            let is_generated = table
                .columns
                .get(place)
                .is_some_and(|column| column.is_generated);
            if is_generated {
                let message = format!("column `{name}` of table `{}` is generated", table.name);
                let cause = Cause::new(message)
                    .with_help("PostgreSQL computes it: take it out of `columns`");
                return Err(Failure::Fatal(cause));
            }
            Ok(Mapped {
                place,
                source: source.clone(),
                by_name: None,
            })
        })
        .collect()
}

/// Every column that can be written, from the field of the same name.
fn map_by_name(entry: &TableConfig, table: &Table) -> Vec<Mapped> {
    let start = if entry.each.is_some() { "@" } else { "$" };
    let writable = table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| !column.is_generated);
    writable
        .map(|(place, column)| Mapped {
            place,
            source: ColumnSource {
                path: member_of(start, &column.name),
                unit: TimeUnit::default(),
                is_table: false,
            },
            by_name: Some(column.name.clone()),
        })
        .collect()
}

/// `$.name` or `@.name`, whatever characters the name has.
fn member_of(start: &str, name: &str) -> Reference {
    let of_value = FieldPath::of_member(name);
    if start == "$" {
        return Reference::Path(of_value);
    }
    let text = format!("@{}", of_value.to_string().trim_start_matches('$'));
    Reference::Path(FieldPath::parse(&text).unwrap_or(of_value))
}

fn missing_column(table: &Table, name: &str) -> Failure {
    let known: Vec<_> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let cause = Cause::new(format!("table `{}` has no column `{name}`", table.name))
        .with_code("42703")
        .with_help(format!("its columns are {}", known.join(", ")));
    Failure::Fatal(cause)
}

fn key_places(entry: &TableConfig, table: &Table) -> Result<Vec<usize>, Failure> {
    if entry.mode == Mode::Insert {
        return Ok(Vec::new());
    }
    let places = entry
        .key
        .iter()
        .map(|name| {
            table
                .column(name)
                .ok_or_else(|| missing_column(table, name))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if places.is_empty() {
        let message = format!("table `{}` needs a `key` for this mode", table.name);
        return Err(Failure::Fatal(Cause::new(message)));
    }
    let names: Vec<String> = places
        .iter()
        .filter_map(|place| table.columns.get(*place))
        .map(|column| column.name.clone())
        .collect();
    if entry.mode == Mode::Upsert && !table.has_unique_key(&names) {
        let quoted: Vec<_> = names.iter().map(|name| quote(name)).collect();
        let cause = Cause::new(format!(
            "table `{}` has no unique index over ({}), which upsert needs",
            table.name,
            names.join(", ")
        ))
        .with_code("42P10")
        .with_help(if table.is_view {
            "a view has no indexes: name the table below it".to_owned()
        } else {
            format!(
                "CREATE UNIQUE INDEX ON {} ({})",
                table.name.quoted(),
                quoted.join(", ")
            )
        });
        return Err(Failure::Fatal(cause));
    }
    Ok(places)
}

impl Plan {
    /// The target of an entry: an existing one of the same table, key and way of writing, else a new one.
    fn target(&mut self, entry: &TableConfig, table: &Table, key: &[usize]) -> usize {
        let write = match entry.mode {
            Mode::Insert => Write::Insert,
            Mode::Update => Write::Update,
            Mode::Upsert | Mode::Delete => Write::Upsert,
        };
        let existing = self.targets.iter().position(|target| {
            let same_write = target.write == write || entry.mode == Mode::Delete;
            target.is_keyed() && same_write && target.is_same(&table.name, key)
        });
        if let Some(existing) = existing {
            return existing;
        }
        let reduces_here = key
            .iter()
            .filter_map(|place| table.columns.get(*place))
            .all(|column| column.has_canonical_bytes);
        self.targets.push(Target {
            table: table.clone(),
            write,
            columns: key.to_vec(),
            key_length: key.len(),
            reduces_here,
            refuses_missing_rows: false,
            sets: ColumnSets::default(),
            delete: String::new(),
            find_missing: String::new(),
            rows: Rows::default(),
        });
        self.targets.len() - 1
    }
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
        let is_delete = self.entry.mode == Mode::Delete;
        let (mut members, mut of_element) = (Lookup::default(), Lookup::default());
        let mut entry_columns: Vec<EntryColumn> = columns
            .into_iter()
            .filter(|mapped| !is_delete || self.key.contains(&mapped.place))
            .filter_map(|mapped| self.column(mapped, target, &mut members, &mut of_element))
            .collect();
        entry_columns.sort_by_key(|column| column.position);
        let positions: Vec<usize> = entry_columns.iter().map(|column| column.position).collect();
        let all = target.set(&positions);
        let key_columns = entry_columns.get(..target.key_length).unwrap_or_default();
        let takes_tombstones = target.is_keyed()
            && self.entry.mode != Mode::Update
            && self.entry.each.is_none()
            && key_columns
                .iter()
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
        })
    }

    fn check_key(&self, columns: &[Mapped], target: &Target) -> Result<(), Failure> {
        let unmapped = self
            .key
            .iter()
            .find(|place| !columns.iter().any(|mapped| mapped.place == **place))
            .and_then(|place| target.table.columns.get(*place));
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
    ) -> Option<EntryColumn> {
        let position = target
            .columns
            .iter()
            .position(|place| *place == mapped.place)?;
        let column = target.column(position)?;
        let is_key = position < target.key_length;
        let if_missing = match (self.entry.mode, column.has_default) {
            _ if is_key => IfMissing::Refuse,
            (Mode::Update | Mode::Delete, _) | (_, true) => IfMissing::LeaveOut,
            (_, false) if !column.takes_null => IfMissing::Refuse,
            (Mode::Insert, false) => IfMissing::Null,
            (Mode::Upsert, false) => IfMissing::LeaveOut,
        };
        Some(EntryColumn {
            position,
            source: Source::new(&mapped.source.path, members, of_element),
            reference: mapped.source.path,
            by_name: mapped.by_name,
            reading: Reading {
                unit: mapped.source.unit,
                naive_time: self.config.naive_time,
                null_character: self.config.null_character,
            },
            as_text: target.write != Write::Copy && column.travels_as_text(),
            if_missing,
        })
    }
}
