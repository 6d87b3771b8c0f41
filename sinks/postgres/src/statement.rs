//! The SQL of a target: one array a column, one statement a table and batch, one text whatever the batch, so that it is
//! prepared once.

use crate::catalog::Column;
use crate::identifier::quote;
use crate::target::{Target, Write};

/// Where a row stands in the batch; a name that no column is likely to have.
const PLACE: &str = "connect_place";

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
        "INSERT INTO {} ({}){} SELECT {} FROM {}",
        target.table.name.quoted(),
        names(target, positions),
        overriding(target, positions),
        casts(target, positions),
        batch(target, positions, "")
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
    let head = format!(
        "INSERT INTO {} ({}){}",
        target.table.name.quoted(),
        names(target, positions),
        overriding(target, positions)
    );
    let conflict = format!("ON CONFLICT ({}) DO {action}", names(target, &key));
    if target.reduces_here {
        format!(
            "{head} SELECT {} FROM {} {conflict}",
            casts(target, positions),
            batch(target, positions, "")
        )
    } else {
        format!(
            "{head} SELECT DISTINCT ON ({key}) {} FROM {} ORDER BY {key}, batch.{PLACE} DESC {conflict}",
            casts(target, positions),
            batch(target, positions, PLACE),
            key = casts(target, &key),
        )
    }
}

fn update_statement(target: &Target, positions: &[usize]) -> String {
    let rest: Vec<usize> = positions
        .iter()
        .copied()
        .filter(|position| *position >= target.key_length)
        .collect();
    // Without anything to set, the key is set to itself: the row is found or not.
    let settable = if rest.is_empty() {
        target.key_positions()
    } else {
        rest
    };
    let assignments: Vec<_> = target
        .columns_at(&settable)
        .map(|column| format!("{} = {}", quote(&column.name), cast(column)))
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
        batch(target, &target.key_positions(), ""),
        same_key(target)
    )
}

/// Tells the places, from 1, of the keys that no row has.
pub(crate) fn missing_statement(target: &Target) -> String {
    format!(
        "SELECT batch.{PLACE} FROM {} WHERE NOT EXISTS (SELECT FROM {} AS target WHERE {})",
        batch(target, &target.key_positions(), PLACE),
        target.table.name.quoted(),
        same_key(target)
    )
}

/// The batch for UPDATE. `UPDATE … FROM` with a key twice applies an arbitrary one: where keys are not reduced here,
/// the server keeps the last.
fn source(target: &Target, positions: &[usize]) -> String {
    if target.reduces_here {
        return batch(target, positions, "");
    }
    let key = casts(target, &target.key_positions());
    format!(
        "(SELECT DISTINCT ON ({key}) batch.* FROM {} ORDER BY {key}, batch.{PLACE} DESC) AS batch",
        batch(target, positions, PLACE)
    )
}

fn same_key(target: &Target) -> String {
    let conditions: Vec<_> = target
        .columns_at(&target.key_positions())
        .map(|column| format!("target.{} = {}", quote(&column.name), cast(column)))
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
    let casts: Vec<_> = target.columns_at(positions).map(cast).collect();
    casts.join(", ")
}

/// The column of the batch. The cast has no length or precision, so that nothing is cut off: the assignment to the
/// column checks.
fn cast(column: &Column) -> String {
    if column.travels_as_text() {
        format!("batch.{}::{}", quote(&column.name), column.cast)
    } else {
        format!("batch.{}", quote(&column.name))
    }
}

/// `unnest($1, $2) AS batch (a, b)`; the types come with the parameters.
fn batch(target: &Target, positions: &[usize], ordinality: &str) -> String {
    let parameters: Vec<_> = (1..=positions.len())
        .map(|number| format!("${number}"))
        .collect();
    let names = names(target, positions);
    if ordinality.is_empty() {
        format!("unnest({}) AS batch ({names})", parameters.join(", "))
    } else {
        format!(
            "unnest({}) WITH ORDINALITY AS batch ({names}, {ordinality})",
            parameters.join(", ")
        )
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
    const DELETE: &str = r#"DELETE FROM "shop"."Sales" AS target USING unnest($1) AS batch ("id") WHERE target."id" = batch."id""#;
    const MISSING: &str = r#"SELECT batch.connect_place FROM unnest($1) WITH ORDINALITY AS batch ("id", connect_place) WHERE NOT EXISTS (SELECT FROM "shop"."Sales" AS target WHERE target."id" = batch."id")"#;

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
                r#"INSERT INTO "shop"."Sales" ("address", "id") SELECT batch."address"::"pg_catalog"."inet", batch."id" FROM unnest($1, $2) AS batch ("address", "id")"#
            ]
        );
    }

    #[test]
    fn upserting_and_updating() {
        let upsert = format!("mode = \"upsert\"\nkey = [\"id\"]\n{COLUMNS}");
        assert_eq!(
            statements(&upsert),
            [
                r#"INSERT INTO "shop"."Sales" ("id", "note") SELECT batch."id", batch."note" FROM unnest($1, $2) AS batch ("id", "note") ON CONFLICT ("id") DO UPDATE SET "note" = excluded."note""#,
                DELETE,
                MISSING,
            ]
        );
        let update = format!("mode = \"update\"\nkey = [\"id\"]\n{COLUMNS}");
        assert_eq!(
            statements(&update),
            [
                r#"UPDATE "shop"."Sales" AS target SET "note" = batch."note" FROM unnest($1, $2) AS batch ("id", "note") WHERE target."id" = batch."id""#,
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
                r#"INSERT INTO "shop"."Sales" ("address", "tags") SELECT DISTINCT ON (batch."address"::"pg_catalog"."inet") batch."address"::"pg_catalog"."inet", batch."tags"::"pg_catalog"."_text" FROM unnest($1, $2) WITH ORDINALITY AS batch ("address", "tags", connect_place) ORDER BY batch."address"::"pg_catalog"."inet", batch.connect_place DESC ON CONFLICT ("address") DO UPDATE SET "tags" = excluded."tags""#
            )
        );
    }
}
