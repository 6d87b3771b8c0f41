//! Reads a table's relations: the tables that its foreign keys reference, and its insert triggers. They determine the order of
//! writing a batch, and whether a statement can match its rows by key.

use sqlx::postgres::PgConnection;
use sqlx::{Row, query};

/// A table that a foreign key references, directly or through other tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) oid: i64,
    /// Whether deleting the parent's row changes referencing rows (CASCADE, SET NULL, SET DEFAULT) instead of failing.
    pub(crate) acts_on_delete: bool,
}

/// A partition has the foreign keys of its root.
const PARENTS: &str = r"
WITH RECURSIVE reached (oid, acts) AS (
    SELECT f.confrelid, f.confdeltype IN ('c', 'n', 'd')
    FROM pg_catalog.pg_constraint f
    WHERE f.contype = 'f' AND f.conrelid IN ($1::oid, coalesce(pg_catalog.pg_partition_root($1::oid), $1::oid))
  UNION
    SELECT f.confrelid, r.acts OR f.confdeltype IN ('c', 'n', 'd')
    FROM reached r JOIN pg_catalog.pg_constraint f ON f.contype = 'f' AND f.conrelid = r.oid
)
SELECT oid::int8 AS oid, bool_or(acts) AS acts FROM reached GROUP BY oid ORDER BY oid";

/// Triggers for each row, before an insert (the bits 1, 2 and 4 of `tgtype`), of the table and its partitions.
const INSERT_TRIGGERS: &str = r"
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_trigger g
    WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 7 = 7
      AND (g.tgrelid = $1::oid OR g.tgrelid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree($1::oid) t)))";

pub(super) async fn parents(
    connection: &mut PgConnection,
    oid: i64,
) -> Result<Vec<Parent>, sqlx::Error> {
    let rows = query(PARENTS)
        .persistent(false)
        .bind(oid)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Parent {
                oid: row.try_get("oid")?,
                acts_on_delete: row.try_get("acts")?,
            })
        })
        .collect()
}

pub(super) async fn has_insert_triggers(
    connection: &mut PgConnection,
    oid: i64,
) -> Result<bool, sqlx::Error> {
    let row = query(INSERT_TRIGGERS)
        .persistent(false)
        .bind(oid)
        .fetch_one(connection)
        .await?;
    row.try_get(0)
}
