//! The configuration of the sink: a `[[sinks]]` table with `type = "postgres"`.

use std::collections::BTreeMap;
use std::fmt;

use connect_api::{Duration, ElementsPath, FilePath, Predicate, Reference, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};

/// A PostgreSQL database, and the tables that records are written to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `postgres://user:password@host:5432/database`; or `host` and the keys after it. A password in a URL is percent-encoded.
    #[serde(default)]
    pub url: Option<Secret>,
    /// Name or address of the server, or the folder of its Unix socket (starts with `/`).
    #[serde(default)]
    pub host: Option<String>,
    /// Port of the server; by default 5432.
    #[serde(default)]
    pub port: Option<u16>,
    /// Role to connect as.
    #[serde(default)]
    pub user: Option<String>,
    /// Its password, verbatim: never URL-decoded.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Database to connect to; by default the one named like the user.
    #[serde(default)]
    pub database: Option<String>,
    /// How the connection is encrypted. Default: the `sslmode` of the URL, else `verify-full`, or `disable` on loopback and Unix sockets.
    #[serde(default)]
    pub sslmode: Option<SslMode>,
    /// PEM file of the certificate authority that signed the server's certificate; by default the system's.
    #[serde(default)]
    pub ca: Option<FilePath>,
    /// Folder of sqlx migrations (`0001_name.sql`), run once under an advisory lock before the first batch.
    #[serde(default)]
    pub migrations: Option<FilePath>,
    /// URL for migrations, if not `url`: they need a session, which a transaction pooler does not provide.
    #[serde(default)]
    pub migrations_url: Option<Secret>,
    /// Connections go through a transaction pooler such as PgBouncer: no named prepared statements are used.
    #[serde(default)]
    pub pooler: bool,
    /// `exactly_once` stores progress in the transaction of the rows; `at_least_once` leaves it to the consumer group.
    #[serde(default)]
    pub delivery: Delivery,
    /// Table that holds progress: `name` or `schema.name`. A name alone is looked up in the role's search path when the
    /// connector starts; a missing table is created in the first schema. An existing table must be as it would be created, without
    /// triggers, rules or policies, and owned by this role, a role that it is a member of, the owner of the database or a superuser.
    #[serde(default = "default_progress_table")]
    pub progress_table: String,
    /// How long a row waits for the row that its foreign key references before its record is rejected.
    #[serde(default = "default_missing_parent")]
    pub missing_parent: Duration,
    /// Time limit of one statement.
    #[serde(default = "default_statement_timeout")]
    pub statement_timeout: Duration,
    /// Time limit of waiting for one lock; then the batch is retried.
    #[serde(default = "default_lock_timeout")]
    pub lock_timeout: Duration,
    /// Meaning of a time without an offset from UTC.
    #[serde(default)]
    pub naive_time: NaiveTime,
    /// Treatment of strings that contain the character U+0000, which PostgreSQL cannot store.
    #[serde(default)]
    pub null_character: NullCharacter,
    /// The tables, written in this order, in one transaction per batch.
    #[schemars(length(min = 1))]
    pub tables: Vec<TableConfig>,
}

/// One table and how records become its rows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// `name` or `schema.name`, spelled as in the catalog; a name with a dot is written in double quotes.
    pub table: String,
    /// The operation on the rows.
    #[serde(default)]
    pub mode: WriteMode,
    /// Columns that identify a row, for upsert (they need a unique index), update and delete.
    #[serde(default)]
    pub key: Vec<String>,
    /// The value of each column. Without it the top-level fields go to the columns of the same name; fields without a column are ignored. What PostgreSQL would silently truncate or reinterpret is rejected; integers may be written `1.0`, `1e3` or `"1"`, base64 with or without padding; fractions of a second are rounded to what the column declares, and trailing blanks beyond the length of `varchar(n)` are removed.
    #[serde(default)]
    pub columns: Option<BTreeMap<String, ColumnSource>>,
    /// One row for each element of this array; references to the element start with `@`.
    #[serde(default)]
    pub each: Option<ElementsPath>,
    /// Only records that meet this condition are written here, or delete a row. It applies to tombstones, too: their `value` is `null`, so a condition that reads a member of it needs `value == null || …` or `value != null && …`, else the tombstone is rejected.
    #[serde(default)]
    pub when: Option<Predicate>,
    /// What an update does if it finds no row.
    #[serde(default)]
    pub missing_row: MissingRow,
    /// What an insert does with a row that violates a unique index or exclusion constraint.
    #[serde(default)]
    pub on_conflict: OnConflict,
    /// What an upsert with `each` does with the rows of elements that the record's array no longer contains.
    #[serde(default)]
    pub orphans: Orphans,
}

/// The operation on the rows of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// Append: every row is kept.
    #[default]
    Insert,
    /// Insert, or overwrite the mapped columns of the row with the same key.
    Upsert,
    /// Overwrite the mapped columns of the row with the same key.
    Update,
    /// Delete the row with the same key.
    Delete,
}

/// What an update does if it finds no row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingRow {
    /// The record is rejected.
    #[default]
    Refuse,
    /// Nothing happens.
    Ignore,
}

/// What an insert does with a row that violates a unique index or exclusion constraint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The record is rejected.
    #[default]
    Error,
    /// The existing row is kept, and the new one is skipped; of two new ones the first is kept.
    Nothing,
}

/// What an upsert with `each` does with the rows of elements that the record's array no longer contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Orphans {
    /// They are kept.
    #[default]
    Keep,
    /// They are deleted in the same transaction: all rows with the record's part of the key (`$…` and `#…`) and another element's part (`@…` and `#index`), regardless of what wrote them. An empty array deletes all of them, and so does a tombstone, if the record's part comes from `#key`. A record whose array is missing, null or not an array deletes nothing.
    Delete,
}

/// How progress is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    #[default]
    ExactlyOnce,
    AtLeastOnce,
}

/// Meaning of a time without an offset from UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NaiveTime {
    /// It is UTC.
    #[default]
    Utc,
    /// The record is rejected.
    Reject,
}

/// Treatment of the character U+0000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NullCharacter {
    /// The record is rejected.
    #[default]
    Reject,
    /// The character is left out.
    Remove,
}

/// How the connection is encrypted, by libpq's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Never.
    Disable,
    /// If the server offers it.
    Prefer,
    /// Always, without verifying the server.
    Require,
    /// Always, and the certificate is signed by `ca`.
    VerifyCa,
    /// Always, and the certificate is signed and names the host.
    VerifyFull,
}

/// The unit of an epoch number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TimeUnit {
    #[serde(rename = "days")]
    Days,
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "us")]
    Microseconds,
    #[serde(rename = "ns")]
    Nanoseconds,
}

/// The format of decimals in strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecimalFormat {
    /// Kafka Connect's `decimal.format=BASE64`: the unscaled integer's bytes.
    Base64,
}

/// Where a column's value comes from: a reference, or a table with the reference in `path` and how to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSource {
    pub path: Reference,
    pub unit: Option<TimeUnit>,
    pub decimal: Option<DecimalFormat>,
    pub scale: Option<i16>,
    pub parse: bool,
    /// Whether it was written as a table, for the location of findings.
    pub is_table: bool,
}

impl From<Reference> for ColumnSource {
    fn from(path: Reference) -> ColumnSource {
        ColumnSource {
            path,
            unit: None,
            decimal: None,
            scale: None,
            parse: false,
            is_table: false,
        }
    }
}

/// The long form. Kept apart so that its errors name its keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnTable {
    path: Reference,
    #[serde(default)]
    unit: Option<TimeUnit>,
    #[serde(default)]
    decimal: Option<DecimalFormat>,
    #[serde(default)]
    scale: Option<i16>,
    #[serde(default)]
    parse: bool,
}

impl<'de> Deserialize<'de> for ColumnSource {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = ColumnSource;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "a reference such as \"$.price\", or { path = \"$.sold_at\", unit = \"s\" }",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ColumnSource, E> {
                Reference::parse(text)
                    .map(ColumnSource::from)
                    .map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnSource, A::Error> {
                let table = ColumnTable::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(ColumnSource {
                    path: table.path,
                    unit: table.unit,
                    decimal: table.decimal,
                    scale: table.scale,
                    parse: table.parse,
                    is_table: true,
                })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// One schema for both forms instead of `anyOf`, so that a validator names the wrong key and not only that no alternative fits.
impl JsonSchema for ColumnSource {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ColumnSource".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let reference = generator.subschema_for::<Reference>();
        schemars::json_schema!({
            "type": ["string", "object"],
            "description": "Where a column's value comes from: `$…`, `@…`, `#…`, or a table with it in `path`.",
            "format": "reference",
            "properties": {
                "path": reference,
                "unit": {
                    "type": "string",
                    "enum": ["days", "s", "ms", "us", "ns"],
                    "description": "The unit of a number, or a string of digits, that counts from 1970 or, in a `time` column, from midnight. `date` and `time` columns accept numbers only with it; timestamps without it read integers as milliseconds."
                },
                "decimal": {
                    "type": "string",
                    "enum": ["base64"],
                    "description": "Strings are decimals as Kafka Connect writes them with `decimal.format=BASE64`: the unscaled integer's bytes. Needs `scale`."
                },
                "scale": {
                    "type": "integer",
                    "minimum": -32768,
                    "maximum": 32767,
                    "description": "Digits after the point of a `decimal`: the parameter `scale` of Kafka Connect's schema."
                },
                "parse": {
                    "type": "boolean",
                    "default": false,
                    "description": "Strings hold JSON text that a `json` or `jsonb` column gets as JSON. A string that is not JSON is rejected."
                }
            },
            "required": ["path"],
            "additionalProperties": false
        })
    }
}

fn default_progress_table() -> String {
    "connect_progress".into()
}

fn default_missing_parent() -> Duration {
    Duration::from_millis(30_000)
}

fn default_statement_timeout() -> Duration {
    Duration::from_millis(600_000)
}

fn default_lock_timeout() -> Duration {
    Duration::from_millis(10_000)
}
