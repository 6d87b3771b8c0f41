//! Verifies that a relation is the progress table: its columns, primary key and owner, and the absence of triggers and rules.
//!
//! Every statement on the table runs with our privileges. Before PostgreSQL 15 any role may create tables in `public`: a table of
//! another role could contain wrong progress, or run that role's code in a trigger.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};

use crate::identifier::quote;

/// A column as `CREATE TABLE` and `format_type` write it.
struct Column {
    name: &'static str,
    kind: &'static str,
    required: bool,
    default: Option<&'static str>,
}

const fn column(name: &'static str, kind: &'static str, required: bool) -> Column {
    Column {
        name,
        kind,
        required,
        default: None,
    }
}

const COLUMNS: [Column; 10] = [
    column("cluster_id", "text", true),
    column("connector", "text", true),
    column("sink", "text", true),
    column("topic", "text", true),
    column("partition", "integer", true),
    column("next_offset", "bigint", false),
    column("epoch", "bigint", true),
    column("topic_id", "text", false),
    column("last_timestamp", "timestamp with time zone", false),
    Column {
        name: "updated_at",
        kind: "timestamp with time zone",
        required: true,
        default: Some("now()"),
    },
];

pub(super) const IDENTITY: &str = "cluster_id, connector, sink, topic, partition";

/// `table` is quoted.
pub(super) fn create_statement(table: &str) -> String {
    let columns = COLUMNS.iter().map(|column| {
        let not_null = if column.required { " NOT NULL" } else { "" };
        let default = column.default.map(|value| format!(" DEFAULT {value}"));
        let default = default.unwrap_or_default();
        format!("{} {}{not_null}{default}, ", column.name, column.kind)
    });
    let columns: String = columns.collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {table} ({columns}PRIMARY KEY ({IDENTITY})) WITH (fillfactor = 50)"
    )
}

/// One difference, and the statement that removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) found: String,
    pub(super) expected: String,
    pub(super) remedy: String,
}

/// The trusted owners: our role, the roles that it is a member of, the owner of the database, and superusers. Not `pg_has_role`,
/// which treats a superuser as a member of every role.
const RELATION: &str = r#"
WITH RECURSIVE own (oid) AS (
    SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
  UNION
    SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN own ON m.member = own.oid
)
SELECT c.relkind::text AS kind, c.relpersistence::text AS persistence, c.relrowsecurity AS has_policies,
  c.relispartition AS is_partition, current_user::text AS role,
  pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
  c.relowner IN (SELECT oid FROM own)
    OR c.relowner IN (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolsuper)
    OR c.relowner = (SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = current_database()) AS is_trusted,
  ARRAY(SELECT t.tgname::text FROM pg_catalog.pg_trigger t
    WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY 1) AS triggers,
  ARRAY(SELECT w.rulename::text FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid ORDER BY 1) AS rules,
  ARRAY(SELECT i.inhrelid::regclass::text FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid ORDER BY 1) AS children,
  ARRAY(SELECT i.inhparent::regclass::text FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid ORDER BY 1) AS parents,
  ARRAY(SELECT o.conname::text FROM pg_catalog.pg_constraint o
    WHERE o.conrelid = c.oid AND o.contype NOT IN ('p', 'n') ORDER BY 1) AS constraints,
  ARRAY(SELECT x.indexrelid::regclass::text FROM pg_catalog.pg_index x
    WHERE x.indrelid = c.oid AND x.indisunique AND NOT x.indisprimary AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_constraint o WHERE o.conindid = x.indexrelid) ORDER BY 1) AS indexes,
  ARRAY(SELECT a.attname::text FROM pg_catalog.pg_index x
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (x.indkey)
    WHERE x.indrelid = c.oid AND x.indisprimary AND x.indimmediate ORDER BY a.attname) AS key
FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)"#;

const ATTRIBUTES: &str = r"
SELECT a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS kind, a.attnotnull AS required,
  a.atthasdef OR a.attidentity <> '' AS has_default, a.attgenerated <> '' AS is_generated,
  coalesce((SELECT l.collisdeterministic FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation), true)
    AS is_exact
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// How the relation of this quoted name differs from the progress table; `None` if there is none.
pub(super) async fn differences(
    connection: &mut PgConnection,
    table: &str,
) -> Result<Option<Vec<Difference>>, sqlx::Error> {
    let relation = query(RELATION).persistent(false).bind(table);
    let Some(relation) = relation.fetch_optional(&mut *connection).await? else {
        return Ok(None);
    };
    if let Some(difference) = of_kind(&relation)? {
        return Ok(Some(vec![difference]));
    }
    let attributes = query(ATTRIBUTES).persistent(false).bind(table);
    let attributes = attributes.fetch_all(connection).await?;
    let mut differences = of_owner(&relation, table)?;
    differences.extend(of_side_effects(&relation, table)?);
    differences.extend(of_key(&relation, table)?);
    differences.extend(of_columns(&attributes, table)?);
    Ok(Some(differences))
}

/// For another kind of relation no other difference is reported.
fn of_kind(relation: &PgRow) -> Result<Option<Difference>, sqlx::Error> {
    let kind: &str = relation.try_get("kind")?;
    let persistence: &str = relation.try_get("persistence")?;
    let found = match (kind, persistence) {
        ("r", "t") => "a temporary table",
        ("r", _) => return Ok(None),
        ("p", _) => "a partitioned table",
        ("v", _) => "a view",
        ("m", _) => "a materialized view",
        ("f", _) => "a foreign table",
        _ => "an index, a sequence or a type",
    };
    Ok(Some(Difference {
        found: found.to_owned(),
        expected: "an ordinary table".to_owned(),
        remedy: "rename or drop it, or write `progress_table = \"SCHEMA.NAME\"`".to_owned(),
    }))
}

fn of_owner(relation: &PgRow, table: &str) -> Result<Vec<Difference>, sqlx::Error> {
    let mut differences = Vec::new();
    let (owner, role): (&str, &str) = (relation.try_get("owner")?, relation.try_get("role")?);
    if !relation.try_get::<bool, _>("is_trusted")? {
        differences.push(Difference {
            found: format!("the owner `{owner}`"),
            expected: format!(
                "`{role}`, a role that it is a member of, the owner of the database or a superuser"
            ),
            remedy: format!(
                "if you know this table: ALTER TABLE {table} OWNER TO {}",
                quote(role)
            ),
        });
    }
    Ok(differences)
}

/// Objects that could run code, hide rows, or fail for a reason that is not a record's.
fn of_side_effects(relation: &PgRow, table: &str) -> Result<Vec<Difference>, sqlx::Error> {
    let mut differences = Vec::new();
    let mut differs = |found: String, expected: &str, remedy: String| {
        let expected = expected.to_owned();
        differences.push(Difference {
            found,
            expected,
            remedy,
        });
    };
    let names = |of: &str| relation.try_get::<Vec<String>, _>(of);
    for name in names("triggers")? {
        let remedy = format!("DROP TRIGGER {} ON {table}", quote(&name));
        differs(format!("the trigger `{name}`"), "no trigger", remedy);
    }
    for name in names("rules")? {
        let remedy = format!("DROP RULE {} ON {table}", quote(&name));
        differs(format!("the rule `{name}`"), "no rule", remedy);
    }
    for name in names("constraints")? {
        let remedy = format!("ALTER TABLE {table} DROP CONSTRAINT {}", quote(&name));
        let expected = "no constraint but the primary key";
        differs(format!("the constraint `{name}`"), expected, remedy);
    }
    for name in names("indexes")? {
        let expected = "no unique index but the primary key";
        differs(
            format!("the unique index {name}"),
            expected,
            format!("DROP INDEX {name}"),
        );
    }
    for name in names("children")? {
        let remedy = format!("ALTER TABLE {name} NO INHERIT {table}");
        differs(
            format!("the child {name}"),
            "no table that inherits from it",
            remedy,
        );
    }
    for name in names("parents")? {
        let remedy = if relation.try_get("is_partition")? {
            format!("ALTER TABLE {name} DETACH PARTITION {table}")
        } else {
            format!("ALTER TABLE {table} NO INHERIT {name}")
        };
        differs(
            format!("the parent {name}"),
            "a table that inherits from none",
            remedy,
        );
    }
    if relation.try_get("has_policies")? {
        let remedy = format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY");
        differs("row-level security".to_owned(), "none", remedy);
    }
    if relation.try_get::<&str, _>("persistence")? == "u" {
        let remedy = format!("ALTER TABLE {table} SET LOGGED");
        let found = "an unlogged table, which is empty after a crash";
        differs(found.to_owned(), "a logged one", remedy);
    }
    Ok(differences)
}

fn of_key(relation: &PgRow, table: &str) -> Result<Option<Difference>, sqlx::Error> {
    let found: Vec<String> = relation.try_get("key")?;
    let mut expected: Vec<&str> = IDENTITY.split(", ").collect();
    expected.sort_unstable();
    if found == expected {
        return Ok(None);
    }
    let found = if found.is_empty() {
        "no primary key that is checked immediately".to_owned()
    } else {
        format!("the primary key ({})", found.join(", "))
    };
    Ok(Some(Difference {
        found,
        expected: format!("({IDENTITY})"),
        remedy: format!(
            "drop that key if there is one, and: ALTER TABLE {table} ADD PRIMARY KEY ({IDENTITY})"
        ),
    }))
}

/// Additional columns, possibly of a later version, are accepted if a row can be written without them.
fn of_columns(attributes: &[PgRow], table: &str) -> Result<Vec<Difference>, sqlx::Error> {
    let mut found = Vec::new();
    for attribute in attributes {
        found.push(Attribute::of(attribute)?);
    }
    let mut differences = Vec::new();
    for column in &COLUMNS {
        let attribute = found.iter().find(|known| known.name == column.name);
        differences.extend(column.difference(attribute, table));
    }
    let is_ours = |name: &str| COLUMNS.iter().any(|column| column.name == name);
    for attribute in &found {
        if attribute.required && !attribute.has_default && !is_ours(&attribute.name) {
            let name = quote(&attribute.name);
            differences.push(Difference {
                found: format!(
                    "the column `{}`, which is NOT NULL without a default",
                    attribute.name
                ),
                expected: "no such column".to_owned(),
                remedy: format!("ALTER TABLE {table} ALTER {name} DROP NOT NULL"),
            });
        }
    }
    Ok(differences)
}

/// A column of the relation.
struct Attribute {
    name: String,
    kind: String,
    required: bool,
    has_default: bool,
    is_generated: bool,
    /// Whether the collation is deterministic: texts are equal only if their bytes are.
    is_exact: bool,
}

impl Attribute {
    fn of(row: &PgRow) -> Result<Attribute, sqlx::Error> {
        Ok(Attribute {
            name: row.try_get("name")?,
            kind: row.try_get("kind")?,
            required: row.try_get("required")?,
            has_default: row.try_get("has_default")?,
            is_generated: row.try_get("is_generated")?,
            is_exact: row.try_get("is_exact")?,
        })
    }
}

impl Column {
    fn difference(&self, found: Option<&Attribute>, table: &str) -> Option<Difference> {
        let Column { name, kind, .. } = self;
        let alter = |what: &str| format!("ALTER TABLE {table} ALTER {name} {what}");
        let Some(found) = found else {
            return Some(Difference {
                found: format!("no column `{name}`"),
                expected: (*kind).to_owned(),
                remedy: format!("ALTER TABLE {table} ADD {name} {kind}"),
            });
        };
        let (found, expected, remedy) = if found.kind != *kind {
            (found.kind.clone(), *kind, alter(&format!("TYPE {kind}")))
        } else if !found.is_exact {
            let found = "text with a nondeterministic collation".to_owned();
            (found, "an exact one", alter("TYPE text COLLATE \"C\""))
        } else if found.is_generated {
            ("generated".to_owned(), "stored", alter("DROP EXPRESSION"))
        } else if self.required && !found.required {
            ("nullable".to_owned(), "NOT NULL", alter("SET NOT NULL"))
        } else if !self.required && found.required {
            ("NOT NULL".to_owned(), "nullable", alter("DROP NOT NULL"))
        } else if self.default.is_none() && found.has_default {
            ("a default".to_owned(), "none", alter("DROP DEFAULT"))
        } else if let Some(value) = self.default.filter(|_| !found.has_default) {
            (
                "no default".to_owned(),
                value,
                alter(&format!("SET DEFAULT {value}")),
            )
        } else {
            return None;
        };
        Some(Difference {
            found: format!("of the column `{name}`: {found}"),
            expected: expected.to_owned(),
            remedy,
        })
    }
}
