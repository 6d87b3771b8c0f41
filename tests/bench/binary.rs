//! PostgreSQL's binary formats, for measuring the limits: the fastest way in which the same server takes the same
//! rows.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

use crate::sale::Sale;

/// The header and trailer of a binary COPY.
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
pub(crate) const TRAILER: &[u8] = &[0xff, 0xff];

/// Microseconds between PostgreSQL's epoch, 2000-01-01, and 1970.
const EPOCH_US: i64 = 946_684_800_000_000;

/// One row of a binary COPY.
pub(crate) fn append_row(sale: &Sale, row: &mut Vec<u8>) {
    row.extend(13_i16.to_be_bytes());
    field(row, sale.sale_id.as_bytes());
    field(row, &sale.store_id.to_be_bytes());
    field(row, &sale.register.to_be_bytes());
    field(row, &sale.customer_id.to_be_bytes());
    field(row, &sale.loyalty_points.to_be_bytes());
    field(row, sale.sku.as_bytes());
    field(row, sale.product.as_bytes());
    field(row, &sale.quantity.to_be_bytes());
    field(row, &numeric(sale.price_cents));
    field(row, &numeric(sale.total_cents));
    field(row, &timestamp(sale.sold_at_ms));
    field(row, &timestamp(sale.received_at_ms));
    field(row, &[u8::from(sale.voided)]);
}

fn field(row: &mut Vec<u8>, bytes: &[u8]) {
    let length = i32::try_from(bytes.len()).expect("a short field");
    row.extend(length.to_be_bytes());
    row.extend(bytes);
}

fn timestamp(at_ms: i64) -> [u8; 8] {
    (at_ms * 1000 - EPOCH_US).to_be_bytes()
}

/// A `numeric` in base 10,000: count of digits, weight of the first, sign, decimals, then the digits.
fn numeric(cents: i64) -> Vec<u8> {
    let mut whole = cents / 100;
    let mut digits = vec![i16::try_from(cents % 100 * 100).expect("below 10,000")];
    let mut weight = -1_i16;
    while whole > 0 {
        digits.push(i16::try_from(whole % 10_000).expect("below 10,000"));
        whole /= 10_000;
        weight += 1;
    }
    digits.reverse();
    let count = i16::try_from(digits.len()).expect("few digits");
    let mut bytes = Vec::new();
    for number in [count, weight, 0, 2].into_iter().chain(digits) {
        bytes.extend(number.to_be_bytes());
    }
    bytes
}

/// A `numeric` with two decimals, for binding in an array.
pub(crate) struct Numeric(pub(crate) i64);

/// A `timestamptz`, for binding in an array.
pub(crate) struct Timestamp(pub(crate) i64);

macro_rules! bound {
    ($type:ty, $name:literal, $array:literal, $encode:path) => {
        impl Type<Postgres> for $type {
            fn type_info() -> PgTypeInfo {
                PgTypeInfo::with_name($name)
            }
        }

        impl PgHasArrayType for $type {
            fn array_type_info() -> PgTypeInfo {
                PgTypeInfo::with_name($array)
            }
        }

        impl Encode<'_, Postgres> for $type {
            fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                buffer.extend_from_slice(&$encode(self.0));
                Ok(IsNull::No)
            }
        }
    };
}

bound!(Numeric, "numeric", "_numeric", numeric);
bound!(Timestamp, "timestamptz", "_timestamptz", timestamp);
