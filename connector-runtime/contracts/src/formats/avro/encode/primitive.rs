//! Encodes values of types without inner values, if the encoding keeps the value.

use connect_api::ValueRef;
use num_bigint::{BigInt, Sign};

use crate::decimal::MAX_DIGITS;
use crate::exact::{bytes, digits, float, whole};
use crate::formats::avro::schema::AvroType;
use crate::formats::avro::uuid;
use crate::formats::avro::wire::{write_long, write_sized};
use crate::time::{self, TimePrecision};

/// An encoded value of a type without inner values.
pub(super) enum EncodedPrimitive {
    Nothing,
    Byte(u8),
    /// Zigzag.
    Number(i64),
    /// After their length.
    Sized(Vec<u8>),
    /// Without a length.
    Bare(Vec<u8>),
}

impl EncodedPrimitive {
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            EncodedPrimitive::Nothing => {}
            EncodedPrimitive::Byte(byte) => out.push(byte),
            EncodedPrimitive::Number(number) => write_long(out, number),
            EncodedPrimitive::Sized(bytes) => write_sized(out, &bytes),
            EncodedPrimitive::Bare(bytes) => out.extend_from_slice(&bytes),
        }
    }

    /// `None` if the type cannot represent exactly this value, and for types with inner values.
    pub(super) fn of(avro_type: &AvroType, value: ValueRef<'_>) -> Option<EncodedPrimitive> {
        let text = value.as_str();
        Some(match avro_type {
            AvroType::Null => {
                if !value.is_null() {
                    return None;
                }
                EncodedPrimitive::Nothing
            }
            AvroType::Boolean => EncodedPrimitive::Byte(value.as_bool()?.into()),
            AvroType::Int => EncodedPrimitive::Number(whole::<i32>(value)?.into()),
            AvroType::Long => EncodedPrimitive::Number(whole(value)?),
            AvroType::Float => EncodedPrimitive::Bare(float::<f32>(value)?.to_le_bytes().to_vec()),
            AvroType::Double => EncodedPrimitive::Bare(float::<f64>(value)?.to_le_bytes().to_vec()),
            AvroType::String => EncodedPrimitive::Sized(text?.as_bytes().to_vec()),
            AvroType::Bytes => EncodedPrimitive::Sized(bytes(value)?),
            AvroType::Fixed(size) => {
                EncodedPrimitive::Bare(bytes(value).filter(|bytes| bytes.len() == *size)?)
            }
            AvroType::Enum(symbols) => {
                let text = text?;
                let index = symbols.iter().position(|symbol| symbol == text)?;
                EncodedPrimitive::Number(index as i64)
            }
            AvroType::Decimal {
                precision,
                scale,
                fixed,
            } => decimal(value, *precision, *scale, *fixed)?,
            AvroType::BigDecimal => EncodedPrimitive::Sized(big_decimal(value)?),
            AvroType::UuidText => {
                uuid::bytes_of(text?)?;
                EncodedPrimitive::Sized(text?.as_bytes().to_vec())
            }
            AvroType::UuidBytes { sized: true } => {
                EncodedPrimitive::Sized(uuid::bytes_of(text?)?.to_vec())
            }
            AvroType::UuidBytes { sized: false } => {
                EncodedPrimitive::Bare(uuid::bytes_of(text?)?.to_vec())
            }
            AvroType::Date => EncodedPrimitive::Number(time::date_of(text?)?.into()),
            AvroType::TimeMillis => {
                EncodedPrimitive::Number(time::time_of(text?, TimePrecision::Milliseconds)?)
            }
            AvroType::TimeMicros => {
                EncodedPrimitive::Number(time::time_of(text?, TimePrecision::Microseconds)?)
            }
            AvroType::Timestamp(unit) => EncodedPrimitive::Number(match text {
                Some(text) => time::timestamp_of(text, *unit)?,
                None => time::timestamp_of_milliseconds(whole(value)?, *unit)?,
            }),
            AvroType::LocalTimestamp(unit) => {
                EncodedPrimitive::Number(time::local_timestamp_of(text?, *unit)?)
            }
            AvroType::Array(_)
            | AvroType::Map(_)
            | AvroType::Union(_)
            | AvroType::Record(_)
            | AvroType::Duration => {
                return None;
            }
        })
    }
}

/// Whether the nearest float equals the nearest double, and not only prints the same digits.
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
) -> Option<EncodedPrimitive> {
    let number = digits(value)?.unscaled(scale.into())?;
    if number.magnitude().to_string().len() > precision {
        return None;
    }
    let bytes = number.to_signed_bytes_be();
    match fixed {
        None => Some(EncodedPrimitive::Sized(bytes)),
        Some(size) => Some(EncodedPrimitive::Bare(padded(&number, bytes, size)?)),
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

/// The number and its scale, as the content of one bytes value.
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
