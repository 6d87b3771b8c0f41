//! Writes rows by UNNEST: as arrays, one per column.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnection, PgTypeInfo};
use sqlx::{Arguments, Encode, Executor, Postgres, Row as _, Type};

use crate::coerce;
use crate::reduce::EqualKeys;
use crate::rows::{EncodedFields, Row};
use crate::statement::{self, BITMAP_COLUMNS};
use crate::target::{Shape, Target};

const TEXT_ARRAY_OID: u32 = 1009;
const TEXT_OID: u32 = 25;
const INT8_ARRAY_OID: u32 = 1016;
const INT8_OID: u32 = 20;

/// An array in its binary form, with its type from the catalog.
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

/// A connection with the common state of its statements.
pub(crate) struct Session<'a> {
    pub(crate) connection: &'a mut PgConnection,
    /// Whether prepared statements have names, which a transaction pooler does not support.
    pub(crate) is_persistent: bool,
    pub(crate) scratch: &'a mut Vec<u8>,
}

impl Session<'_> {
    /// Writes rows of this shape. Returns how many rows of the table were touched.
    pub(crate) async fn write(
        &mut self,
        target: &Target,
        shape: &Shape,
        rows: &[Row],
    ) -> Result<u64, sqlx::Error> {
        let statement = statement::write_statement(target, shape);
        self.execute(&statement, target, shape, rows).await
    }

    /// Deletes the rows with these keys.
    pub(crate) async fn delete(
        &mut self,
        target: &Target,
        rows: &[Row],
    ) -> Result<u64, sqlx::Error> {
        let statement = statement::delete_statement(target);
        let shape = Shape::dense(&target.key_positions());
        self.execute(&statement, target, &shape, rows).await
    }

    async fn execute(
        &mut self,
        statement: &str,
        target: &Target,
        shape: &Shape,
        rows: &[Row],
    ) -> Result<u64, sqlx::Error> {
        let arguments = self.arguments(target, shape, rows)?;
        let query = sqlx::query_with(statement, arguments).persistent(self.is_persistent);
        Ok(self.connection.execute(query).await?.rows_affected())
    }

    /// The indexes in `rows` of the keys that no row of the table has.
    pub(crate) async fn find_missing(
        &mut self,
        target: &Target,
        rows: &[Row],
    ) -> Result<Vec<usize>, sqlx::Error> {
        let statement = statement::missing_statement(target);
        let shape = Shape::dense(&target.key_positions());
        let arguments = self.arguments(target, &shape, rows)?;
        let query = sqlx::query_with(&statement, arguments).persistent(self.is_persistent);
        let found = self.connection.fetch_all(query).await?;
        found
            .iter()
            .map(|row| Ok(index_of_number(row.try_get(0)?)))
            .collect()
    }

    /// Asks the server which of the rows' keys are equal to the table. The key consists of the columns at `positions`.
    pub(crate) async fn equal_keys(
        &mut self,
        target: &Target,
        positions: &[usize],
        rows: &[Row],
    ) -> Result<EqualKeys, sqlx::Error> {
        let mut equal = EqualKeys::default();
        let mut columns = target.columns_at(positions);
        if rows.len() < 2 || columns.all(|column| column.has_canonical_bytes) {
            return Ok(equal);
        }
        let mut distinct = rows.to_vec();
        distinct.sort_by(|left, right| target.rows.key(left).cmp(target.rows.key(right)));
        distinct.dedup_by(|left, right| target.rows.key(left) == target.rows.key(right));
        let statement = statement::equal_keys_statement(target, positions);
        let arguments = self.arguments(target, &Shape::dense(positions), &distinct)?;
        let query = sqlx::query_with(&statement, arguments).persistent(self.is_persistent);
        for found in self.connection.fetch_all(query).await? {
            let numbers: Vec<i64> = found.try_get(0)?;
            let keys: Vec<&[u8]> = numbers
                .into_iter()
                .map(|number| {
                    let row = distinct.get(index_of_number(number));
                    target
                        .rows
                        .key(row.expect("the server numbers the rows that it received"))
                })
                .collect();
            equal.add(&keys);
        }
        Ok(equal)
    }

    /// Deletes the rows of these parents, whose columns are at `positions`, except those with the keys of `kept`.
    pub(crate) async fn sweep(
        &mut self,
        target: &Target,
        positions: &[usize],
        parents: &[Row],
        kept: &[Row],
    ) -> Result<u64, sqlx::Error> {
        let statement = statement::sweep_statement(target, positions);
        let mut arguments = PgArguments::default();
        self.add_arrays(&mut arguments, target, &Shape::dense(positions), parents)?;
        let key = Shape::dense(&target.key_positions());
        self.add_arrays(&mut arguments, target, &key, kept)?;
        let query = sqlx::query_with(&statement, arguments).persistent(self.is_persistent);
        Ok(self.connection.execute(query).await?.rows_affected())
    }

    /// One array for each column of the shape, and its bitmaps.
    fn arguments(
        &mut self,
        target: &Target,
        shape: &Shape,
        rows: &[Row],
    ) -> Result<PgArguments, sqlx::Error> {
        let mut arguments = PgArguments::default();
        self.add_arrays(&mut arguments, target, shape, rows)?;
        Ok(arguments)
    }

    fn add_arrays(
        &mut self,
        arguments: &mut PgArguments,
        target: &Target,
        shape: &Shape,
        rows: &[Row],
    ) -> Result<(), sqlx::Error> {
        let mut cursors: Vec<Cursor<'_>> = rows
            .iter()
            .map(|row| Cursor {
                positions: target.sets.positions(row.set),
                fields: target.rows.fields(row),
            })
            .collect();
        for position in &shape.positions {
            let column = target.column(*position);
            let (array_oid, element_oid) = if column.travels_as_text() {
                (TEXT_ARRAY_OID, TEXT_OID)
            } else {
                (column.array_oid, column.oid)
            };
            begin_array(self.scratch, element_oid, rows.len())?;
            for cursor in &mut cursors {
                match cursor.take(*position) {
                    Some(field) => self.scratch.extend_from_slice(field),
                    None => coerce::null(self.scratch),
                }
            }
            add(arguments, self.scratch, array_oid)?;
        }
        for bitmap in shape
            .positions
            .chunks(BITMAP_COLUMNS)
            .take(statement::bitmap_count(shape))
        {
            begin_array(self.scratch, INT8_OID, rows.len())?;
            for row in rows {
                let present = target.sets.positions(row.set);
                let bits = presence(bitmap, present).to_be_bytes();
                self.scratch.extend_from_slice(&8_i32.to_be_bytes());
                self.scratch.extend_from_slice(&bits);
            }
            add(arguments, self.scratch, INT8_ARRAY_OID)?;
        }
        Ok(())
    }
}

/// The bitmap of the columns that are present, from the lowest bit.
fn presence(columns: &[usize], present: &[usize]) -> i64 {
    columns
        .iter()
        .enumerate()
        .filter(|(_, column)| present.binary_search(column).is_ok())
        .fold(0, |bits, (index, _)| bits | 1 << index)
}

/// A cursor over a row's fields, while arrays are built.
struct Cursor<'a> {
    /// The columns of the remaining fields.
    positions: &'a [usize],
    fields: EncodedFields<'a>,
}

impl<'a> Cursor<'a> {
    /// The row's field of this column, if it has one. Columns are requested in order, without omissions.
    fn take(&mut self, position: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.positions.split_first()?;
        assert!(
            *first >= position,
            "a statement names every column that its rows have"
        );
        if *first > position {
            return None;
        }
        self.positions = rest;
        let field = self.fields.next();
        Some(field.expect("a row has a field for each column of its set"))
    }
}

/// Writes the header of a one-dimensional array.
fn begin_array(out: &mut Vec<u8>, element_oid: u32, count: usize) -> Result<(), sqlx::Error> {
    let count = i32::try_from(count).map_err(|error| sqlx::Error::Encode(error.into()))?;
    out.clear();
    for word in [1, 1, element_oid.cast_signed(), count, 1] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    Ok(())
}

fn add(arguments: &mut PgArguments, bytes: &[u8], array_oid: u32) -> Result<(), sqlx::Error> {
    let array = EncodedArray { bytes, array_oid };
    arguments.add(array).map_err(sqlx::Error::Encode)
}

/// Converts a row number, from 1, to an index.
fn index_of_number(number: i64) -> usize {
    let number = usize::try_from(number).expect("the server counts from 1");
    number.checked_sub(1).expect("the server counts from 1")
}
