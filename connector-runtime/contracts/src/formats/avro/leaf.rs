//! What a value without inner values is written as, if that keeps it.

use connect_api::ValueRef;
use num_bigint::{BigInt, Sign};

use super::plan::Plan;
use super::uuid;
use super::wire::{write_long, write_sized};
use crate::decimal::MAX_DIGITS;
use crate::exact::{bytes, digits, float, whole};
use crate::time::{self, TimeUnit};

/// The encoding of a leaf.
pub(super) enum Leaf {
    Nothing,
    Byte(u8),
    /// Zigzag.
    Number(i64),
    /// Behind their length.
    Sized(Vec<u8>),
    /// As they are.
    Bare(Vec<u8>),
}

impl Leaf {
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Leaf::Nothing => {}
            Leaf::Byte(byte) => out.push(byte),
            Leaf::Number(number) => write_long(out, number),
            Leaf::Sized(bytes) => write_sized(out, &bytes),
            Leaf::Bare(bytes) => out.extend_from_slice(&bytes),
        }
    }

    /// `None` where the type cannot hold exactly this value, and for types with inner values.
    pub(super) fn of(plan: &Plan, value: ValueRef<'_>) -> Option<Leaf> {
        let text = value.as_str();
        Some(match plan {
            Plan::Null => {
                if !value.is_null() {
                    return None;
                }
                Leaf::Nothing
            }
            Plan::Boolean => Leaf::Byte(value.as_bool()?.into()),
            Plan::Int => Leaf::Number(whole::<i32>(value)?.into()),
            Plan::Long => Leaf::Number(whole(value)?),
            Plan::Float => Leaf::Bare(float::<f32>(value)?.to_le_bytes().to_vec()),
            Plan::Double => Leaf::Bare(float::<f64>(value)?.to_le_bytes().to_vec()),
            Plan::String => Leaf::Sized(text?.as_bytes().to_vec()),
            Plan::Bytes => Leaf::Sized(bytes(value)?),
            Plan::Fixed(size) => Leaf::Bare(bytes(value).filter(|bytes| bytes.len() == *size)?),
            Plan::Enum(symbols) => {
                let text = text?;
                let index = symbols.iter().position(|symbol| symbol == text)?;
                Leaf::Number(index as i64)
            }
            Plan::Decimal {
                precision,
                scale,
                fixed,
            } => decimal(value, *precision, *scale, *fixed)?,
            Plan::BigDecimal => Leaf::Sized(big_decimal(value)?),
            Plan::UuidText => {
                uuid::bytes_of(text?)?;
                Leaf::Sized(text?.as_bytes().to_vec())
            }
            Plan::UuidBytes { sized: true } => Leaf::Sized(uuid::bytes_of(text?)?.to_vec()),
            Plan::UuidBytes { sized: false } => Leaf::Bare(uuid::bytes_of(text?)?.to_vec()),
            Plan::Date => Leaf::Number(time::date_of(text?)?.into()),
            Plan::TimeMillis => Leaf::Number(time::time_of(text?, TimeUnit::Milliseconds)?),
            Plan::TimeMicros => Leaf::Number(time::time_of(text?, TimeUnit::Microseconds)?),
            Plan::Timestamp(unit) => Leaf::Number(match text {
                Some(text) => time::timestamp_of(text, *unit)?,
                None => time::timestamp_of_milliseconds(whole(value)?, *unit)?,
            }),
            Plan::LocalTimestamp(unit) => Leaf::Number(time::local_timestamp_of(text?, *unit)?),
            Plan::Array(_) | Plan::Map(_) | Plan::Union(_) | Plan::Record(_) | Plan::Duration => {
                return None;
            }
        })
    }
}

/// Whether a float is the very number that a double would be, not only the same digits.
pub(super) fn is_exact_float(value: ValueRef<'_>) -> bool {
    let (Some(narrow), Some(wide)) = (float::<f32>(value), float::<f64>(value)) else {
        return false;
    };
    f64::from(narrow) == wide || wide.is_nan()
}

fn decimal(
    value: ValueRef<'_>,
    precision: usize,
    scale: u32,
    fixed: Option<usize>,
) -> Option<Leaf> {
    let number = digits(value)?.unscaled(scale.into())?;
    if number.magnitude().to_string().len() > precision {
        return None;
    }
    let bytes = number.to_signed_bytes_be();
    match fixed {
        None => Some(Leaf::Sized(bytes)),
        Some(size) => Some(Leaf::Bare(padded(&number, bytes, size)?)),
    }
}

fn padded(number: &BigInt, bytes: Vec<u8>, size: usize) -> Option<Vec<u8>> {
    let missing = size.checked_sub(bytes.len())?;
    let sign = if number.sign() == Sign::Minus {
        0xff
    } else {
        0
    };
    let mut padded = vec![sign; missing];
    padded.extend(bytes);
    Some(padded)
}

/// The number and its own scale, as one run of bytes.
fn big_decimal(value: ValueRef<'_>) -> Option<Vec<u8>> {
    let number = digits(value)?;
    let scale = u32::try_from(number.fraction_digits()).ok();
    let scale = scale.filter(|scale| *scale as usize <= MAX_DIGITS)?;
    let mut inner = Vec::new();
    write_sized(
        &mut inner,
        &number.unscaled(scale.into())?.to_signed_bytes_be(),
    );
    write_long(&mut inner, scale.into());
    Some(inner)
}
