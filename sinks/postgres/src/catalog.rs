//! Reads the definition of a table: when the sink opens, and again after the table has changed.

mod relations;
mod version;

use connect_api::Cause;
use sqlx::postgres::PgConnection;
use sqlx::{Row, query};

use crate::coerce::{ColumnType, DeclaredType, Server};
use crate::failure::WriteError;
use crate::identifier::{TableName, quote};

pub(crate) use relations::Parent;
pub(crate) use version::Version;

/// A table's definition.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// With its schema.
    pub(crate) name: TableName,
    /// Whether COPY may write to it. Not to views, and not if there is row-level security or a rule, which COPY bypasses.
    pub(crate) takes_copy: bool,
    pub(crate) is_view: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) oid: i64,
    /// Whether triggers may change a row before it is inserted, and with it its key.
    pub(crate) has_insert_triggers: bool,
    /// The tables that its foreign keys reference, directly or not.
    pub(crate) parents: Vec<Parent>,
    pub(crate) version: Version,
    /// The columns of each unique index that ON CONFLICT can use.
    pub(crate) unique_keys: Vec<Vec<String>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) column_type: ColumnType,
    /// The type as in SQL: `numeric(10,2)`.
    pub(crate) type_name: String,
    /// The base type's quoted name with its schema, without length or precision: a cast to it does not truncate.
    pub(crate) cast: String,
    /// The base type, and the array type that an UNNEST parameter of it has.
    pub(crate) oid: u32,
    pub(crate) array_oid: u32,
    pub(crate) takes_null: bool,
    /// Whether the column has a default.
    pub(crate) has_default: bool,
    /// The default as SQL; `None` also if it cannot be part of a statement, as that of an identity column.
    pub(crate) default_sql: Option<String>,
    pub(crate) is_generated: bool,
    /// `GENERATED ALWAYS AS IDENTITY`.
    pub(crate) is_identity_always: bool,
    /// Whether equal values have equal bytes. Not under nondeterministic collations.
    pub(crate) has_canonical_bytes: bool,
    /// The type with its precision, if storing a value rounds it: `timestamp(0) with time zone`.
    pub(crate) rounding_cast: Option<String>,
    /// The nondeterministic collation, under which different strings may be equal.
    pub(crate) loose_collation: Option<String>,
}

/// Domains are resolved to their base type, also in elements of arrays; a NOT NULL on the way counts. Category A is not enough
/// for an array: `int2vector` has it, and is not the array type of its elements.
const COLUMNS: &str = r"
WITH RECURSIVE resolved AS (
    SELECT a.attnum, a.atttypid AS type, a.atttypmod AS modifier, a.attnotnull AS not_null, false AS has_default
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
    SELECT r.attnum, t.typbasetype, t.typtypmod, r.not_null OR t.typnotnull, r.has_default OR t.typdefault IS NOT NULL
    FROM resolved r JOIN pg_catalog.pg_type t ON t.oid = r.type
    WHERE t.typtype = 'd'
), element AS (
    SELECT r.attnum, e.oid AS type, r.modifier
    FROM resolved r
    JOIN pg_catalog.pg_type t ON t.oid = r.type
    JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
  UNION ALL
    SELECT r.attnum, t.typbasetype, t.typtypmod
    FROM element r JOIN pg_catalog.pg_type t ON t.oid = r.type
    WHERE t.typtype = 'd'
), leaf AS (
    SELECT r.attnum, r.modifier, t.oid, n.nspname, t.typname, t.typtype
    FROM element r
    JOIN pg_catalog.pg_type t ON t.oid = r.type
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype <> 'd'
)
SELECT a.attname::text AS name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name,
       r.type::int8 AS oid, t.typarray::int8 AS array_oid,
       n.nspname::text AS type_schema, t.typname::text AS type,
       e.oid IS NOT NULL AS is_array, t.typelem::int8 AS element_oid, t.typdelim::text AS delimiter,
       coalesce(e.nspname, n.nspname)::text AS leaf_schema, coalesce(e.typname, t.typname)::text AS leaf,
       coalesce(e.typtype, t.typtype)::text AS leaf_kind, coalesce(e.modifier, r.modifier) AS leaf_modifier,
       coalesce((SELECT array_agg(l.enumlabel::text ORDER BY l.enumsortorder) FROM pg_catalog.pg_enum l
                 WHERE l.enumtypid = coalesce(e.oid, t.oid)), '{}') AS labels,
       coalesce(pg_catalog.scale(0::pg_catalog.numeric::pg_catalog.money::pg_catalog.numeric), 0) AS money_decimals,
       pg_catalog.current_setting('server_version_num')::int4 >= 140000 AS has_infinite_numeric,
       r.not_null, a.atthasdef OR a.attidentity <> '' OR r.has_default AS has_default,
       a.attgenerated <> '' AS is_generated, a.attidentity::text = 'a' AS is_identity_always,
       CASE WHEN a.attgenerated = '' AND a.attidentity = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS default_sql,
       CASE WHEN r.modifier >= 0 AND n.nspname = 'pg_catalog'
             AND t.typname IN ('time', 'timetz', 'timestamp', 'timestamptz', 'interval')
            THEN pg_catalog.format_type(r.type, r.modifier) END AS rounding_cast,
       CASE WHEN NOT c.collisdeterministic
            THEN pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(c.collname) END AS loose_collation
FROM resolved r
JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::oid AND a.attnum = r.attnum
JOIN pg_catalog.pg_type t ON t.oid = r.type
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN leaf e ON e.attnum = r.attnum
LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.collnamespace
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE t.typtype <> 'd'
ORDER BY r.attnum";

const RELATION: &str = r"
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name,
       c.relkind::text AS kind, c.relrowsecurity OR c.relhasrules AS copy_passes_by
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = pg_catalog.to_regclass($1)";

/// Unique indexes over plain columns, without a condition, not deferred: those that ON CONFLICT (columns) can infer.
const UNIQUE_KEYS: &str = r"
SELECT array_agg(a.attname::text ORDER BY k.place) AS columns
FROM pg_catalog.pg_index i
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
GROUP BY i.indexrelid";

/// Tables of the same name in another schema or case, for an error's help.
const SIMILAR: &str = r"
SELECT n.nspname::text AS schema, c.relname::text AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE lower(c.relname) = lower($1) AND c.relkind IN ('r', 'p', 'v', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1, 2 LIMIT 3";

/// Reads the definition of a table. The connection is in a transaction with one snapshot, so that all parts are from the same
/// moment.
pub(crate) async fn read(
    connection: &mut PgConnection,
    wanted: &TableName,
) -> Result<Table, WriteError> {
    let found = query(RELATION)
        .persistent(false)
        .bind(wanted.quoted())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(relation) = found else {
        return Err(missing(connection, wanted).await?);
    };
    let oid: i64 = relation.try_get("oid")?;
    let kind: String = relation.try_get("kind")?;
    let copy_passes_by: bool = relation.try_get("copy_passes_by")?;
    let is_view = matches!(kind.as_str(), "v" | "m");
    let rows = query(COLUMNS)
        .persistent(false)
        .bind(oid)
        .fetch_all(&mut *connection)
        .await?;
    let mut columns = rows.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    for column in &mut columns {
        // An omitted column of a view gets the default of its table, which the view's columns do not show.
        column.has_default |= is_view;
    }
    let keys = query(UNIQUE_KEYS)
        .persistent(false)
        .bind(oid)
        .fetch_all(&mut *connection)
        .await?;
    let parents = relations::parents(connection, oid).await?;
    let version = Version::read(connection, wanted, oid, &parents).await?;
    let unique_keys = keys
        .iter()
        .map(|row| row.try_get("columns"))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Table {
        name: TableName {
            schema: Some(relation.try_get("schema")?),
            name: relation.try_get("name")?,
        },
        is_view,
        takes_copy: matches!(kind.as_str(), "r" | "p" | "f") && !copy_passes_by,
        columns,
        oid,
        has_insert_triggers: relations::has_insert_triggers(connection, oid).await?,
        parents,
        version,
        unique_keys,
    })
}

async fn missing(
    connection: &mut PgConnection,
    wanted: &TableName,
) -> Result<WriteError, sqlx::Error> {
    let similar = query(SIMILAR)
        .persistent(false)
        .bind(&wanted.name)
        .fetch_all(&mut *connection)
        .await?;
    let names = similar
        .iter()
        .map(|row| {
            let schema: String = row.try_get("schema")?;
            let name: String = row.try_get("name")?;
            Ok(format!("`{schema}.{name}`"))
        })
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    let help = if names.is_empty() {
        "create it, or set `migrations` to a folder with migrations that do".into()
    } else {
        format!("there is {}; names are case-sensitive", names.join(" and "))
    };
    let cause = Cause::new(format!("table `{wanted}` does not exist"))
        .with_code("42P01")
        .with_help(help);
    Ok(WriteError::fatal(cause))
}

fn column(row: &sqlx::postgres::PgRow) -> Result<Column, sqlx::Error> {
    let type_schema: String = row.try_get("type_schema")?;
    let type_name: String = row.try_get("type")?;
    let column_type = column_type(row)?;
    let array_oid: i64 = row.try_get("array_oid")?;
    let oid: i64 = row.try_get("oid")?;
    let rounding_cast: Option<String> = row.try_get("rounding_cast")?;
    let loose_collation: Option<String> = row.try_get("loose_collation")?;
    let not_null: bool = row.try_get("not_null")?;
    let own_cast = format!("{}.{}", quote(&type_schema), quote(&type_name));
    Ok(Column {
        name: row.try_get("name")?,
        type_name: row.try_get("type_name")?,
        cast: match column_type.cast_through() {
            Some(first) => format!("{first}::{own_cast}"),
            None => own_cast,
        },
        oid: oid as u32,
        array_oid: array_oid as u32,
        takes_null: !not_null,
        has_default: row.try_get("has_default")?,
        is_generated: row.try_get("is_generated")?,
        is_identity_always: row.try_get("is_identity_always")?,
        default_sql: row.try_get("default_sql")?,
        has_canonical_bytes: rounding_cast.is_none()
            && loose_collation.is_none()
            && column_type.has_canonical_bytes(),
        rounding_cast,
        loose_collation,
        column_type,
    })
}

fn column_type(row: &sqlx::postgres::PgRow) -> Result<ColumnType, sqlx::Error> {
    let money_decimals: i32 = row.try_get("money_decimals")?;
    let leaf = DeclaredType {
        schema: row.try_get("leaf_schema")?,
        name: row.try_get("leaf")?,
        kind: row.try_get("leaf_kind")?,
        modifier: row.try_get("leaf_modifier")?,
        labels: row.try_get("labels")?,
        server: Server {
            money_decimals: u8::try_from(money_decimals)
                .map_err(|error| sqlx::Error::Decode(error.into()))?,
            has_infinite_numeric: row.try_get("has_infinite_numeric")?,
        },
    }
    .column_type();
    if !row.try_get::<bool, _>("is_array")? {
        return Ok(leaf);
    }
    let element_oid: i64 = row.try_get("element_oid")?;
    let delimiter: String = row.try_get("delimiter")?;
    Ok(ColumnType::Array {
        element: Box::new(leaf),
        element_oid: element_oid as u32,
        delimiter: delimiter
            .bytes()
            .next()
            .ok_or_else(|| sqlx::Error::Decode("a type without a delimiter".into()))?,
    })
}

impl Table {
    /// The index of the column of this name: exactly, or else the only one that differs in case.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|column| column.name == name);
        exact.or_else(|| {
            let mut similar = self
                .columns
                .iter()
                .enumerate()
                .filter(|(_, column)| column.name.to_lowercase() == name.to_lowercase());
            let first = similar.next().map(|(index, _)| index);
            first.filter(|_| similar.next().is_none())
        })
    }

    /// Whether a unique index covers exactly these columns.
    pub(crate) fn has_unique_key(&self, names: &[String]) -> bool {
        self.unique_keys
            .iter()
            .any(|key| key.len() == names.len() && key.iter().all(|column| names.contains(column)))
    }
}

impl Column {
    /// Whether an UNNEST parameter of this column contains text that the statement casts: types without a binary form here,
    /// arrays (UNNEST would flatten them), and types that are not built in (which the driver would have to look up).
    pub(crate) fn travels_as_text(&self) -> bool {
        !self.column_type.has_binary()
            || matches!(
                self.column_type,
                ColumnType::Array { .. } | ColumnType::Enum { .. }
            )
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// `shop."Sales"` with a column of each kind that matters to statements.
    pub(crate) fn table() -> Table {
        let column = |name: &str, column_type: ColumnType, cast: &str| Column {
            name: name.into(),
            type_name: cast.into(),
            cast: format!("\"pg_catalog\".\"{cast}\""),
            oid: 20,
            array_oid: 1016,
            takes_null: true,
            has_default: false,
            default_sql: None,
            rounding_cast: None,
            loose_collation: None,
            is_generated: false,
            is_identity_always: false,
            has_canonical_bytes: column_type.has_canonical_bytes(),
            column_type,
        };
        let text = ColumnType::Text { longest: None };
        let tags = ColumnType::Array {
            element: Box::new(text.clone()),
            element_oid: 25,
            delimiter: b',',
        };
        Table {
            name: TableName {
                schema: Some("shop".into()),
                name: "Sales".into(),
            },
            takes_copy: true,
            is_view: false,
            oid: 1,
            has_insert_triggers: false,
            parents: Vec::new(),
            version: Version::default(),
            unique_keys: vec![vec!["id".into()], vec!["address".into()]],
            columns: vec![
                column("id", ColumnType::Int8, "int8"),
                column("note", text, "text"),
                column("tags", tags, "_text"),
                column("address", crate::coerce::testing::named("inet", -1), "inet"),
            ],
        }
    }
}
