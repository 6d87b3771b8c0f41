//! The SQL of a target: one array a column, one statement a table and batch, one text whatever the batch, so that it is
//! prepared once.
//!
//! The batch's columns are named by their number in the statement, and tables have an alias: no column or table, whatever
//! its name, collides with a word of ours.

use crate::catalog::Column;
use crate::identifier::quote;
use crate::target::{Target, Write};

/// The index of a row in the batch, from 1.
const ROW_NUMBER: &str = "row_number";

/// The statement that writes rows with the columns at these positions.
pub(crate) fn write_statement(target: &Target, positions: &[usize]) -> String {
    match target.write {
        Write::Copy => copy_statement(target, positions),
        Write::Insert => insert_statement(target, positions),
        Write::Upsert => upsert_statement(target, positions),
        Write::Update => update_statement(target, positions),
    }
}

fn copy_statement(target: &Target, positions: &[usize]) -> String {
    let names = names(target, positions);
    format!(
        "COPY {} ({names}) FROM STDIN (FORMAT binary)",
        target.table.name.quoted()
    )
}

fn insert_statement(target: &Target, positions: &[usize]) -> String {
    format!(
        "{} SELECT {} FROM {}",
        insert_head(target, positions),
        casts(target, positions),
        batch(positions.len(), "")
    )
}

fn upsert_statement(target: &Target, positions: &[usize]) -> String {
    let key = target.key_positions();
    let rest = positions
        .iter()
        .filter(|position| **position >= target.key_length);
    let settable: Vec<usize> = rest
        .copied()
        .filter(|position| {
            target
                .column(*position)
                .is_some_and(|column| !column.is_identity_always)
        })
        .collect();
    let action = if settable.is_empty() {
        "NOTHING".to_owned()
    } else {
        let assignments = target
            .columns_at(&settable)
            .map(|column| format!("{0} = excluded.{0}", quote(&column.name)));
        format!("UPDATE SET {}", assignments.collect::<Vec<_>>().join(", "))
    };
    let head = insert_head(target, positions);
    let conflict = format!("ON CONFLICT ({}) DO {action}", names(target, &key));
    if target.reduces_here {
        format!(
            "{head} SELECT {} FROM {} {conflict}",
            casts(target, positions),
            batch(positions.len(), "")
        )
    } else {
        format!(
            "{head} SELECT DISTINCT ON ({key}) {} FROM {} ORDER BY {key}, batch.{ROW_NUMBER} DESC {conflict}",
            casts(target, positions),
            batch(positions.len(), ROW_NUMBER),
            key = casts(target, &key),
        )
    }
}

/// The alias is for a table that is itself named `excluded`.
fn insert_head(target: &Target, positions: &[usize]) -> String {
    format!(
        "INSERT INTO {} AS target ({}){}",
        target.table.name.quoted(),
        names(target, positions),
        overriding(target, positions)
    )
}

fn update_statement(target: &Target, positions: &[usize]) -> String {
    // Without anything to set, the key is set to itself: the row is found or not.
    let first_set = if positions.len() > target.key_length {
        target.key_length
    } else {
        0
    };
    let assignments: Vec<_> = target
        .columns_at(positions)
        .enumerate()
        .skip(first_set)
        .map(|(index, column)| format!("{} = {}", quote(&column.name), cast(index, column)))
        .collect();
    format!(
        "UPDATE {} AS target SET {} FROM {} WHERE {}",
        target.table.name.quoted(),
        assignments.join(", "),
        source(target, positions),
        same_key(target)
    )
}

/// Deletes the rows with the keys of the batch.
pub(crate) fn delete_statement(target: &Target) -> String {
    format!(
        "DELETE FROM {} AS target USING {} WHERE {}",
        target.table.name.quoted(),
        batch(target.key_length, ""),
        same_key(target)
    )
}

/// Returns the numbers, from 1, of the keys that no row has.
pub(crate) fn missing_statement(target: &Target) -> String {
    format!(
        "SELECT batch.{ROW_NUMBER} FROM {} WHERE NOT EXISTS (SELECT FROM {} AS target WHERE {})",
        batch(target.key_length, ROW_NUMBER),
        target.table.name.quoted(),
        same_key(target)
    )
}

/// The batch for UPDATE. `UPDATE … FROM` with a key twice applies an arbitrary one: where keys are not reduced here,
/// the server keeps the last.
fn source(target: &Target, positions: &[usize]) -> String {
    if target.reduces_here {
        return batch(positions.len(), "");
    }
    let key = casts(target, &target.key_positions());
    format!(
        "(SELECT DISTINCT ON ({key}) batch.* FROM {} ORDER BY {key}, batch.{ROW_NUMBER} DESC) AS batch",
        batch(positions.len(), ROW_NUMBER)
    )
}

/// The key's columns are the first of every statement.
fn same_key(target: &Target) -> String {
    let conditions: Vec<_> = target
        .columns_at(&target.key_positions())
        .enumerate()
        .map(|(index, column)| format!("target.{} = {}", quote(&column.name), cast(index, column)))
        .collect();
    conditions.join(" AND ")
}

fn overriding(target: &Target, positions: &[usize]) -> &'static str {
    let is_needed = target
        .columns_at(positions)
        .any(|column| column.is_identity_always);
    if is_needed {
        " OVERRIDING SYSTEM VALUE"
    } else {
        ""
    }
}

fn names(target: &Target, positions: &[usize]) -> String {
    let names: Vec<_> = target
        .columns_at(positions)
        .map(|column| quote(&column.name))
        .collect();
    names.join(", ")
}

fn casts(target: &Target, positions: &[usize]) -> String {
    let casts: Vec<_> = target
        .columns_at(positions)
        .enumerate()
        .map(|(index, column)| cast(index, column))
        .collect();
    casts.join(", ")
}

/// The column of the batch at this index in the statement. The cast has no length or precision, so that nothing is cut
/// off: the assignment to the column checks.
fn cast(index: usize, column: &Column) -> String {
    let name = batch_column(index);
    if column.travels_as_text() {
        format!("batch.{name}::{}", column.cast)
    } else {
        format!("batch.{name}")
    }
}

fn batch_column(index: usize) -> String {
    format!("c{}", index + 1)
}

/// `unnest($1, $2) AS batch (c1, c2)`; the types come with the parameters.
fn batch(column_count: usize, ordinality: &str) -> String {
    let parameters: Vec<_> = (1..=column_count)
        .map(|number| format!("${number}"))
        .collect();
    let names: Vec<_> = (0..column_count).map(batch_column).collect();
    let (parameters, names) = (parameters.join(", "), names.join(", "));
    if ordinality.is_empty() {
        format!("unnest({parameters}) AS batch ({names})")
    } else {
        format!("unnest({parameters}) WITH ORDINALITY AS batch ({names}, {ordinality})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::catalog::testing::table;
    use crate::config::Config;
    use crate::mapping::plan;

    /// The statements of this table entry, over the table that the catalog's tests have.
    fn statements(entry: &str) -> Vec<String> {
        let text = format!("url = \"x\"\n[[tables]]\ntable = \"sales\"\n{entry}");
        let parsed: serde_json::Value = toml::from_str(&text).unwrap();
        let config: Config = serde_json::from_value(parsed).unwrap();
        let plan = plan(&config, &[table()]).ok().unwrap();
        let target = plan.targets.first().unwrap();
        let write = target.sets.get(0).unwrap().statement.clone();
        [write, target.delete.clone(), target.find_missing.clone()]
            .into_iter()
            .filter(|statement| !statement.is_empty())
            .collect()
    }

    const COLUMNS: &str = "columns = { id = \"$.a\", note = \"$.b\" }";
    const DELETE: &str = r#"DELETE FROM "shop"."Sales" AS target USING unnest($1) AS batch (c1) WHERE target."id" = batch.c1"#;
    const MISSING: &str = r#"SELECT batch.row_number FROM unnest($1) WITH ORDINALITY AS batch (c1, row_number) WHERE NOT EXISTS (SELECT FROM "shop"."Sales" AS target WHERE target."id" = batch.c1)"#;

    #[test]
    fn appending() {
        assert_eq!(
            statements(COLUMNS),
            [r#"COPY "shop"."Sales" ("id", "note") FROM STDIN (FORMAT binary)"#]
        );
        let with_text = "columns = { address = \"$.a\", id = \"$.b\" }";
        assert_eq!(
            statements(with_text),
            [
                r#"INSERT INTO "shop"."Sales" AS target ("address", "id") SELECT batch.c1::"pg_catalog"."inet", batch.c2 FROM unnest($1, $2) AS batch (c1, c2)"#
            ]
        );
    }

    #[test]
    fn upserting_and_updating() {
        let upsert = format!("mode = \"upsert\"\nkey = [\"id\"]\n{COLUMNS}");
        assert_eq!(
            statements(&upsert),
            [
                r#"INSERT INTO "shop"."Sales" AS target ("id", "note") SELECT batch.c1, batch.c2 FROM unnest($1, $2) AS batch (c1, c2) ON CONFLICT ("id") DO UPDATE SET "note" = excluded."note""#,
                DELETE,
                MISSING,
            ]
        );
        let update = format!("mode = \"update\"\nkey = [\"id\"]\n{COLUMNS}");
        assert_eq!(
            statements(&update),
            [
                r#"UPDATE "shop"."Sales" AS target SET "note" = batch.c2 FROM unnest($1, $2) AS batch (c1, c2) WHERE target."id" = batch.c1"#,
                DELETE,
                MISSING,
            ]
        );
    }

    #[test]
    fn the_server_reduces_keys_whose_bytes_do_not_tell() {
        let upsert = "mode = \"upsert\"\nkey = [\"address\"]\ncolumns = { address = \"$.a\", tags = \"$.b\" }";
        assert_eq!(
            statements(upsert).first().map(String::as_str),
            Some(
                r#"INSERT INTO "shop"."Sales" AS target ("address", "tags") SELECT DISTINCT ON (batch.c1::"pg_catalog"."inet") batch.c1::"pg_catalog"."inet", batch.c2::"pg_catalog"."_text" FROM unnest($1, $2) WITH ORDINALITY AS batch (c1, c2, row_number) ORDER BY batch.c1::"pg_catalog"."inet", batch.row_number DESC ON CONFLICT ("address") DO UPDATE SET "tags" = excluded."tags""#
            )
        );
    }
}
