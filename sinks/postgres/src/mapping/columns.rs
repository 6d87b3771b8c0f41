//! Resolves the columns of an entry: those of its `columns` and `key`, or all columns by the names of fields.

use connect_api::{Cause, Failure, FieldPath, Reference};

use crate::catalog::{Column, Table};
use crate::config::{ColumnSource, TableConfig, WriteMode};
use crate::identifier::quote;

/// A column of the table and where its value comes from, before the target's order is known.
pub(super) struct Mapped {
    /// Index into the table's columns.
    pub(super) index: usize,
    pub(super) source: ColumnSource,
    pub(super) by_name: Option<String>,
}

pub(super) fn map_columns(entry: &TableConfig, table: &Table) -> Result<Vec<Mapped>, Failure> {
    let Some(columns) = &entry.columns else {
        return Ok(map_by_name(entry, table));
    };
    let mut mapped: Vec<Mapped> = Vec::new();
    for (name, source) in columns {
        let index = table
            .column(name)
            .ok_or_else(|| missing_column(table, name))?;
        let column = table.columns.get(index).expect("the table has this column");
        if column.is_generated {
            let message = format!("column `{name}` of table `{}` is generated", table.name);
            let cause =
                Cause::new(message).with_help("PostgreSQL computes it: remove it from `columns`");
            return Err(Failure::Fatal(cause));
        }
        if !can_be_set(entry, table, index) {
            let message = format!(
                "column `{}` of table `{}` is GENERATED ALWAYS AS IDENTITY: an UPDATE cannot set it",
                column.name, table.name
            );
            let cause = Cause::new(message).with_help("remove it from `columns`");
            return Err(Failure::Fatal(cause));
        }
        if mapped.iter().any(|earlier| earlier.index == index) {
            let message = format!(
                "column `{}` of table `{}` is mapped twice in `columns`",
                column.name, table.name
            );
            let cause = Cause::new(message).with_help("keep one of the two lines");
            return Err(Failure::Fatal(cause));
        }
        check_options(table, column, source)?;
        mapped.push(Mapped {
            index,
            source: source.clone(),
            by_name: None,
        });
    }
    Ok(mapped)
}

/// Refuses options that have no effect for the column's type.
fn check_options(table: &Table, column: &Column, source: &ColumnSource) -> Result<(), Failure> {
    let Some(problem) = column.column_type.option_problem(source) else {
        return Ok(());
    };
    let message = format!(
        "column `{}` ({}) of table `{}`: {problem}",
        column.name, column.type_name, table.name
    );
    let cause = Cause::new(message).with_help("correct the column's options in `columns`");
    Err(Failure::Fatal(cause))
}

/// Whether the entry's statements may set the column. An INSERT overrides the identity, and an upsert keeps it in an existing
/// row.
fn can_be_set(entry: &TableConfig, table: &Table, index: usize) -> bool {
    let column = table.columns.get(index).expect("the table has this column");
    let is_key = || {
        let mut key = entry.key.iter();
        key.any(|name| table.column(name) == Some(index))
    };
    entry.mode != WriteMode::Update || !column.is_identity_always || is_key()
}

/// Maps every writable column to the field of the same name.
fn map_by_name(entry: &TableConfig, table: &Table) -> Vec<Mapped> {
    let start = if entry.each.is_some() { "@" } else { "$" };
    let writable = table
        .columns
        .iter()
        .enumerate()
        .filter(|(index, column)| !column.is_generated && can_be_set(entry, table, *index));
    writable
        .map(|(index, column)| Mapped {
            index,
            source: ColumnSource::from(member_of(start, &column.name)),
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

/// The key's columns in the table; none for inserts.
pub(super) fn key_indexes(entry: &TableConfig, table: &Table) -> Result<Vec<usize>, Failure> {
    if entry.mode == WriteMode::Insert {
        return Ok(Vec::new());
    }
    let indexes = entry
        .key
        .iter()
        .map(|name| {
            table
                .column(name)
                .ok_or_else(|| missing_column(table, name))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if indexes.is_empty() {
        let message = format!("table `{}` needs a `key` for this mode", table.name);
        return Err(Failure::Fatal(Cause::new(message)));
    }
    for (position, index) in indexes.iter().enumerate() {
        if indexes
            .iter()
            .take(position)
            .any(|earlier| earlier == index)
        {
            let message = format!("`key` of table `{}` names a column twice", table.name);
            return Err(Failure::Fatal(Cause::new(message)));
        }
    }
    let names: Vec<String> = indexes
        .iter()
        .filter_map(|index| table.columns.get(*index))
        .map(|column| column.name.clone())
        .collect();
    if entry.mode == WriteMode::Upsert && !table.has_unique_key(&names) {
        let quoted: Vec<_> = names.iter().map(|name| quote(name)).collect();
        let cause = Cause::new(format!(
            "table `{}` has no unique index over ({}), which upsert needs",
            table.name,
            names.join(", ")
        ))
        .with_code("42P10")
        .with_help(if table.is_view {
            "a view has no indexes: name its table instead".to_owned()
        } else {
            format!(
                "CREATE UNIQUE INDEX ON {} ({})",
                table.name.quoted(),
                quoted.join(", ")
            )
        });
        return Err(Failure::Fatal(cause));
    }
    Ok(indexes)
}
