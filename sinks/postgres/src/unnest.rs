//! Writing by UNNEST: the rows of a target as arrays, one a column.

use connect_api::{Cause, Refusal};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnection, PgTypeInfo};
use sqlx::{Arguments, Encode, Executor, Postgres, Row as _, Type};

use crate::catalog::Column;
use crate::failure::WriteError;
use crate::rows::{Operation, Row, Rows};
use crate::target::{Target, Write};

const TEXT_ARRAY_OID: u32 = 1009;
const TEXT_OID: u32 = 25;

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
        let (array_oid, element_oid) = if column.travels_as_text() {
            (TEXT_ARRAY_OID, TEXT_OID)
        } else {
            (column.array_oid, column.oid)
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
    if keys.is_empty() {
        Ok(())
    } else {
        Err(WriteError::refused(missing_rows(target, &keys)))
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
