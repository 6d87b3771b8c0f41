//! The SQL statements of a target: one array per column, one statement per table and batch.
//!
//! The batch's columns are named by their number in the statement, and tables have an alias, so that no name of a column or table
//! collides with ours. Bitmaps (`p1`, `p2`, …) say which columns a row has, so that records with optional fields need one statement
//! and not one for each combination of fields.

use crate::catalog::Column;
use crate::config::OnConflict;
use crate::identifier::quote;
use crate::target::{Shape, Target, WriteMethod};

/// The number of a row in the batch, from 1.
const ROW_NUMBER: &str = "row_number";

/// Columns per `int8` bitmap.
pub(crate) const BITMAP_COLUMNS: usize = 62;

/// The statement that writes rows of this shape.
pub(crate) fn write_statement(target: &Target, shape: &Shape) -> String {
    match target.write {
        WriteMethod::Copy => copy_statement(target, shape),
        WriteMethod::Insert => insert_statement(target, shape),
        WriteMethod::Upsert => upsert_statement(target, shape),
        WriteMethod::Update => update_statement(target, shape),
    }
}

fn copy_statement(target: &Target, shape: &Shape) -> String {
    format!(
        "COPY {} ({}) FROM STDIN (FORMAT binary)",
        target.table.name.quoted(),
        names(target, &shape.positions)
    )
}

fn insert_statement(target: &Target, shape: &Shape) -> String {
    let conflict = match target.on_conflict {
        OnConflict::Error => "",
        OnConflict::Nothing => " ON CONFLICT DO NOTHING",
    };
    format!(
        "{} SELECT {} FROM {}{conflict}",
        insert_head(target, &shape.positions),
        values(target, shape),
        inserted(shape)
    )
}

fn upsert_statement(target: &Target, shape: &Shape) -> String {
    let key = target.key_positions();
    let assignments: Vec<String> = shape
        .positions
        .iter()
        .enumerate()
        .skip(target.key_length)
        .map(|(index, position)| (index, target.column(*position)))
        .filter(|(_, column)| !column.is_identity_always)
        .map(|(index, column)| {
            let name = quote(&column.name);
            if shape.is_sparse {
                let has = has_in_batch(target, index);
                format!("{name} = CASE WHEN {has} THEN excluded.{name} ELSE target.{name} END")
            } else {
                format!("{name} = excluded.{name}")
            }
        })
        .collect();
    let action = if assignments.is_empty() {
        "NOTHING".to_owned()
    } else {
        format!("UPDATE SET {}", assignments.join(", "))
    };
    // All writers lock rows in one order; if only the server can compare keys, it sorts them.
    let order = if target.has_canonical_key {
        String::new()
    } else {
        format!(" ORDER BY {}", stored_key(target))
    };
    format!(
        "{}{} SELECT {} FROM {}{order} ON CONFLICT ({}) DO {action}",
        if shape.is_sparse && !assignments.is_empty() {
            presence_relation(target, shape)
        } else {
            String::new()
        },
        insert_head(target, &shape.positions),
        values(target, shape),
        inserted(shape),
        names(target, &key),
    )
}

/// A relation of keys and bitmaps, because in DO UPDATE `excluded` has only the table's columns.
fn presence_relation(target: &Target, shape: &Shape) -> String {
    let keys: Vec<String> = (0..target.key_length)
        .map(|index| format!("k{}", index + 1))
        .collect();
    let bitmaps: Vec<String> = (1..=bitmap_count(shape))
        .map(|number| format!("p{number}"))
        .collect();
    let first = shape.positions.len() + 1;
    let parameters: Vec<String> = (1..=target.key_length)
        .chain(first..first + bitmaps.len())
        .map(|number| format!("${number}"))
        .collect();
    let columns: Vec<String> = (0..target.key_length)
        .map(batch_column)
        .chain(bitmaps.clone())
        .collect();
    format!(
        "WITH presence ({}, {bitmaps}) AS (SELECT {}, {bitmaps} FROM unnest({}) AS batch ({})) ",
        keys.join(", "),
        stored_key(target),
        parameters.join(", "),
        columns.join(", "),
        bitmaps = bitmaps.join(", "),
    )
}

/// Whether the record of the conflicting row has the column at this index. The server hashes the keys of each column once, so that
/// this is a lookup.
fn has_in_batch(target: &Target, index: usize) -> String {
    let keys: Vec<String> = target
        .columns_at(&target.key_positions())
        .map(|column| format!("excluded.{}", quote(&column.name)))
        .collect();
    let known: Vec<String> = (1..=target.key_length)
        .map(|number| format!("presence.k{number}"))
        .collect();
    format!(
        "({}) IN (SELECT {} FROM presence WHERE {})",
        keys.join(", "),
        known.join(", "),
        has("presence", index)
    )
}

/// Whether a row of the batch has the column at this index.
fn has(relation: &str, index: usize) -> String {
    let bit = 1_i64 << (index % BITMAP_COLUMNS);
    format!("{relation}.p{} & {bit} <> 0", index / BITMAP_COLUMNS + 1)
}

/// The alias is needed for a table that is itself named `excluded`.
fn insert_head(target: &Target, positions: &[usize]) -> String {
    let overriding = if target
        .columns_at(positions)
        .any(|column| column.is_identity_always)
    {
        " OVERRIDING SYSTEM VALUE"
    } else {
        ""
    };
    format!(
        "INSERT INTO {} AS target ({}){overriding}",
        target.table.name.quoted(),
        names(target, positions),
    )
}

fn update_statement(target: &Target, shape: &Shape) -> String {
    // Without columns to set, the key is set to itself, which counts the row.
    let first_set = if shape.positions.len() > target.key_length {
        target.key_length
    } else {
        0
    };
    let assignments: Vec<_> = target
        .columns_at(&shape.positions)
        .enumerate()
        .skip(first_set)
        .map(|(index, column)| {
            let name = quote(&column.name);
            let value = cast(index, column);
            if shape.is_sparse && index >= target.key_length {
                let has = has("batch", index);
                format!("{name} = CASE WHEN {has} THEN {value} ELSE target.{name} END")
            } else {
                format!("{name} = {value}")
            }
        })
        .collect();
    format!(
        "UPDATE {} AS target SET {} FROM {} WHERE {}",
        target.table.name.quoted(),
        assignments.join(", "),
        batch(shape),
        same_key(target)
    )
}

/// Deletes the rows with the keys of the batch.
pub(crate) fn delete_statement(target: &Target) -> String {
    format!(
        "DELETE FROM {} AS target USING {} WHERE {}",
        target.table.name.quoted(),
        batch(&Shape::dense(&target.key_positions())),
        same_key(target)
    )
}

/// Returns the numbers, from 1, of the keys that no row has.
pub(crate) fn missing_statement(target: &Target) -> String {
    format!(
        "SELECT batch.{ROW_NUMBER} FROM {} WHERE NOT EXISTS (SELECT FROM {} AS target WHERE {})",
        numbered(target.key_length),
        target.table.name.quoted(),
        same_key(target)
    )
}

/// Returns the numbers, from 1, of rows whose values of these columns are equal to the table, for each value that occurs repeatedly.
pub(crate) fn equal_keys_statement(target: &Target, positions: &[usize]) -> String {
    format!(
        "SELECT array_agg(batch.{ROW_NUMBER}) FROM {} GROUP BY {} HAVING count(*) > 1",
        numbered(positions.len()),
        stored_values(target, positions)
    )
}

/// Deletes the rows with the batch's values of the columns `parent`, except those with a key of the parameters that follow.
pub(crate) fn sweep_statement(target: &Target, parent: &[usize]) -> String {
    let key = target.key_positions();
    format!(
        "DELETE FROM {} AS target USING {} WHERE {} AND NOT EXISTS (SELECT FROM {} WHERE {})",
        target.table.name.quoted(),
        unnest("batch", 1, parent.len()),
        same_values(target, parent, "batch"),
        unnest("kept", parent.len() + 1, key.len()),
        same_values(target, &key, "kept"),
    )
}

/// The parameters from `first` on as a relation.
fn unnest(relation: &str, first: usize, count: usize) -> String {
    let parameters: Vec<String> = (first..first + count)
        .map(|number| format!("${number}"))
        .collect();
    let names: Vec<String> = (0..count).map(batch_column).collect();
    format!(
        "unnest({}) AS {relation} ({})",
        parameters.join(", "),
        names.join(", ")
    )
}

/// The batch's first columns with the row number.
fn numbered(count: usize) -> String {
    let parameters: Vec<String> = (1..=count).map(|number| format!("${number}")).collect();
    let names: Vec<String> = (0..count).map(batch_column).collect();
    format!(
        "unnest({}) WITH ORDINALITY AS batch ({}, {ROW_NUMBER})",
        parameters.join(", "),
        names.join(", ")
    )
}

/// The key's columns are the first of every statement.
fn same_key(target: &Target) -> String {
    same_values(target, &target.key_positions(), "batch")
}

/// Compares the row with the first columns of the relation.
fn same_values(target: &Target, positions: &[usize], relation: &str) -> String {
    let conditions: Vec<_> = target
        .columns_at(positions)
        .enumerate()
        .map(|(index, column)| {
            let name = quote(&column.name);
            format!("target.{name} = {}", stored(relation, index, column))
        })
        .collect();
    conditions.join(" AND ")
}

fn stored_key(target: &Target) -> String {
    stored_values(target, &target.key_positions())
}

fn stored_values(target: &Target, positions: &[usize]) -> String {
    let casts: Vec<_> = target
        .columns_at(positions)
        .enumerate()
        .map(|(index, column)| stored("batch", index, column))
        .collect();
    casts.join(", ")
}

fn names(target: &Target, positions: &[usize]) -> String {
    let names: Vec<_> = target
        .columns_at(positions)
        .map(|column| quote(&column.name))
        .collect();
    names.join(", ")
}

/// The value of each column. A column that a row lacks gets its default, as if the statement did not name it.
fn values(target: &Target, shape: &Shape) -> String {
    let values: Vec<_> = target
        .columns_at(&shape.positions)
        .enumerate()
        .map(|(index, column)| match &column.default_sql {
            Some(default) if shape.is_sparse && index >= target.key_length => format!(
                "CASE WHEN {} THEN {} ELSE ({default})::{} END",
                has("batch", index),
                cast(index, column),
                column.cast
            ),
            _ => cast(index, column),
        })
        .collect();
    values.join(", ")
}

/// The column of the batch at this index in the statement. The cast has no length or precision, so that it does not truncate: the
/// assignment to the column checks.
fn cast(index: usize, column: &Column) -> String {
    cast_of("batch", index, column)
}

fn cast_of(relation: &str, index: usize, column: &Column) -> String {
    let name = batch_column(index);
    if column.travels_as_text() {
        format!("{relation}.{name}::{}", column.cast)
    } else {
        format!("{relation}.{name}")
    }
}

/// The same, converted as the table stores it, for comparison with stored values: a `timestamptz(0)` is rounded.
fn stored(relation: &str, index: usize, column: &Column) -> String {
    let collation = column.loose_collation.as_ref();
    let collate = collation.map_or(String::new(), |collation| format!(" COLLATE {collation}"));
    match &column.rounding_cast {
        Some(rounding) => format!("{}::{rounding}{collate}", cast_of(relation, index, column)),
        None => format!("{}{collate}", cast_of(relation, index, column)),
    }
}

fn batch_column(index: usize) -> String {
    format!("c{}", index + 1)
}

/// How many bitmaps each row of a sparse shape has.
pub(crate) fn bitmap_count(shape: &Shape) -> usize {
    if shape.is_sparse {
        shape.positions.len().div_ceil(BITMAP_COLUMNS)
    } else {
        0
    }
}

/// `(SELECT unnest($1) AS c1, unnest($2) AS c2) AS batch`: the same relation as [`batch`], for INSERT. A function in
/// FROM copies all rows first, which takes a sixth of the server's time for an upsert (`dev/bench --upserts`).
fn inserted(shape: &Shape) -> String {
    let names = batch_names(shape);
    let columns: Vec<String> = (1..)
        .zip(names)
        .map(|(number, name)| format!("unnest(${number}) AS {name}"))
        .collect();
    format!("(SELECT {}) AS batch", columns.join(", "))
}

fn batch_names(shape: &Shape) -> Vec<String> {
    let bitmaps = (1..=bitmap_count(shape)).map(|number| format!("p{number}"));
    let columns = (0..shape.positions.len()).map(batch_column);
    columns.chain(bitmaps).collect()
}

/// `unnest($1, $2) AS batch (c1, c2)`; the types come with the parameters.
fn batch(shape: &Shape) -> String {
    let names = batch_names(shape);
    let parameters: Vec<String> = (1..=names.len())
        .map(|number| format!("${number}"))
        .collect();
    format!(
        "unnest({}) AS batch ({})",
        parameters.join(", "),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests;
