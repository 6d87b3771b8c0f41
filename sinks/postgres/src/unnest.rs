//! Statements over arrays: one array a column, one statement a table and batch, one text whatever the batch.

use connect_api::{Cause, Refusal};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnection, PgTypeInfo};
use sqlx::{Arguments, Encode, Executor, Postgres, Row as _, Type};

use crate::catalog::Column;
use crate::failure::WriteError;
use crate::identifier::quote;
use crate::mapping::{Target, Write};
use crate::rows::{Operation, Row, Rows};

const TEXT_ARRAY_OID: u32 = 1009;
const TEXT_OID: u32 = 25;

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
    let action = match settable.is_empty() {
        true => "NOTHING".to_owned(),
        false => {
            let assignments = target
                .columns_at(&settable)
                .map(|column| format!("{0} = excluded.{0}", quote(&column.name)));
            format!("UPDATE SET {}", assignments.collect::<Vec<_>>().join(", "))
        }
    };
    let head = format!(
        "INSERT INTO {} ({}){}",
        target.table.name.quoted(),
        names(target, positions),
        overriding(target, positions)
    );
    let conflict = format!("ON CONFLICT ({}) DO {action}", names(target, &key));
    match target.reduces_here {
        true => format!(
            "{head} SELECT {} FROM {} {conflict}",
            casts(target, positions),
            batch(target, positions, "")
        ),
        // The server knows which keys are equal: the last of each, in the order of the key.
        false => format!(
            "{head} SELECT DISTINCT ON ({key}) {} FROM {} ORDER BY {key}, batch.ordinality DESC {conflict}",
            casts(target, positions),
            batch(target, positions, "ordinality"),
            key = casts(target, &key),
        ),
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
        "SELECT batch.ordinality FROM {} WHERE NOT EXISTS (SELECT FROM {} AS target WHERE {})",
        batch(target, &target.key_positions(), "ordinality"),
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
        "(SELECT DISTINCT ON ({key}) batch.* FROM {} ORDER BY {key}, batch.ordinality DESC) AS batch",
        batch(target, positions, "ordinality")
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
    match column.travels_as_text() {
        true => format!("batch.{}::{}", quote(&column.name), column.cast),
        false => format!("batch.{}", quote(&column.name)),
    }
}

/// `unnest($1, $2) AS batch (a, b)`; the types come with the parameters.
fn batch(target: &Target, positions: &[usize], ordinality: &str) -> String {
    let parameters: Vec<_> = (1..=positions.len())
        .map(|number| format!("${number}"))
        .collect();
    let names = names(target, positions);
    match ordinality.is_empty() {
        true => format!("unnest({}) AS batch ({names})", parameters.join(", ")),
        false => format!(
            "unnest({}) WITH ORDINALITY AS batch ({names}, {ordinality})",
            parameters.join(", ")
        ),
    }
}

/// An array in its binary form, with the type that the catalog says.
struct EncodedArray<'a> {
    bytes: &'a [u8],
    array_oid: u32,
}

impl Type<Postgres> for EncodedArray<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(TEXT_ARRAY_OID))
    }
}

impl Encode<'_, Postgres> for EncodedArray<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.array_oid)))
    }

    fn size_hint(&self) -> usize {
        self.bytes.len()
    }
}

/// One array for each of the first `count` fields of the rows.
fn arguments(
    columns: &[&Column],
    rows: &Rows,
    chosen: &[Row],
    scratch: &mut Vec<u8>,
) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    let mut fields: Vec<_> = chosen.iter().map(|row| rows.fields(row)).collect();
    let count = i32::try_from(chosen.len()).map_err(|error| sqlx::Error::Encode(error.into()))?;
    for column in columns {
        let (array_oid, element_oid) = match column.travels_as_text() {
            true => (TEXT_ARRAY_OID, TEXT_OID),
            false => (column.array_oid, column.oid),
        };
        scratch.clear();
        for word in [1, 1, element_oid as i32, count, 1] {
            scratch.extend_from_slice(&word.to_be_bytes());
        }
        for fields in &mut fields {
            scratch.extend_from_slice(fields.next().unwrap_or_default());
        }
        let array = EncodedArray {
            bytes: scratch,
            array_oid,
        };
        arguments.add(array).map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Runs a statement over the rows' fields, the first of which belong to the columns at `positions`. Returns the rows touched.
pub(crate) async fn execute(
    connection: &mut PgConnection,
    target: &Target,
    statement: &str,
    positions: &[usize],
    chosen: &[Row],
    is_persistent: bool,
    scratch: &mut Vec<u8>,
) -> Result<u64, sqlx::Error> {
    let columns: Vec<&Column> = target.columns_at(positions).collect();
    let arguments = arguments(&columns, &target.rows, chosen, scratch)?;
    let query = sqlx::query_with(statement, arguments).persistent(is_persistent);
    Ok(connection.execute(query).await?.rows_affected())
}

/// The indexes in `chosen` of the keys that no row has.
pub(crate) async fn find_missing(
    connection: &mut PgConnection,
    target: &Target,
    chosen: &[Row],
    is_persistent: bool,
    scratch: &mut Vec<u8>,
) -> Result<Vec<usize>, sqlx::Error> {
    let positions = target.key_positions();
    let columns: Vec<&Column> = target.columns_at(&positions).collect();
    let arguments = arguments(&columns, &target.rows, chosen, scratch)?;
    let query = sqlx::query_with(&target.find_missing, arguments).persistent(is_persistent);
    let rows = connection.fetch_all(query).await?;
    rows.iter()
        .map(|row| {
            let place: i64 = row.try_get(0)?;
            Ok((place - 1) as usize)
        })
        .collect()
}

/// All rows of a target: deletes first, then what is written. Returns the rows touched.
pub(crate) async fn write(
    connection: &mut PgConnection,
    target: &mut Target,
    is_persistent: bool,
    scratch: &mut Vec<u8>,
) -> Result<u64, WriteError> {
    if target.rows.rows.is_empty() {
        return Ok(0);
    }
    let steps = steps(target);
    let key = target.key_positions();
    let mut touched = 0;
    for step in &steps {
        if step.operation == Operation::Delete {
            let statement = &target.delete;
            touched += execute(
                connection,
                target,
                statement,
                &key,
                &step.rows,
                is_persistent,
                scratch,
            )
            .await?;
            continue;
        }
        for set_index in 0..target.sets.len() {
            let chosen: Vec<Row> = step
                .rows
                .iter()
                .filter(|row| row.set == set_index)
                .copied()
                .collect();
            let Some(set) = target.sets.get(set_index).filter(|_| !chosen.is_empty()) else {
                continue;
            };
            let (statement, positions) = (&set.statement, &set.positions);
            let found = execute(
                connection,
                target,
                statement,
                positions,
                &chosen,
                is_persistent,
                scratch,
            )
            .await?;
            touched += found;
            if target.write == Write::Update
                && target.refuses_missing_rows
                && found < chosen.len() as u64
            {
                refuse_missing(connection, target, &chosen, is_persistent, scratch).await?;
            }
        }
    }
    Ok(touched)
}

/// Rows that one statement a set of columns can take.
struct Step {
    operation: Operation,
    rows: Vec<Row>,
}

/// The order in which a target's rows are written. Keys that are reduced here occur once, so all deletes and then all
/// writes will do. Where only the server knows which keys are equal, the order of the records is kept between
/// deletes and writes.
fn steps(target: &mut Target) -> Vec<Step> {
    if target.is_keyed() && target.reduces_here {
        let reduced = target.reduce();
        return vec![
            Step {
                operation: Operation::Delete,
                rows: reduced.deletes,
            },
            Step {
                operation: Operation::Write,
                rows: reduced.writes,
            },
        ]
        .into_iter()
        .filter(|step| !step.rows.is_empty())
        .collect();
    }
    let runs = target
        .rows
        .rows
        .chunk_by(|left, right| left.operation == right.operation);
    runs.filter_map(|run| {
        run.first().map(|first| Step {
            operation: first.operation,
            rows: run.to_vec(),
        })
    })
    .collect()
}

/// Fewer rows were updated than keys sent: refuses the records whose keys no row has.
async fn refuse_missing(
    connection: &mut PgConnection,
    target: &Target,
    chosen: &[Row],
    is_persistent: bool,
    scratch: &mut Vec<u8>,
) -> Result<(), WriteError> {
    let places = find_missing(connection, target, chosen, is_persistent, scratch).await?;
    let keys: Vec<&[u8]> = places
        .iter()
        .filter_map(|place| chosen.get(*place))
        .map(|row| target.rows.key(row))
        .collect();
    match keys.is_empty() {
        true => Ok(()),
        false => Err(WriteError::refused(missing_rows(target, &keys))),
    }
}

/// Names every record that wrote to a key that no row has.
fn missing_rows(target: &Target, keys: &[&[u8]]) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    for row in &target.rows.rows {
        let is_known = refusals.iter().any(|refusal| refusal.record == row.record);
        if !is_known && keys.contains(&target.rows.key(row)) {
            let cause = Cause::new(format!(
                "table `{}` has no row with this key to update",
                target.table.name
            ))
            .with_help(
                "missing_row = \"ignore\" lets such records pass, mode = \"upsert\" inserts them",
            );
            refusals.push(Refusal {
                record: row.record,
                cause,
            });
        }
    }
    refusals
}
