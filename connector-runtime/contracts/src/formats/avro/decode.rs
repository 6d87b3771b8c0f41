//! Avro's bytes to a value.

use bytes::Bytes;
use connect_api::{Value, ValueBuilder, ValueLimits};

use super::schema::{AvroSchema, AvroType, AvroTypeId};
use super::{MAX_DEPTH, uuid};
use crate::decimal;
use crate::time::{self, TimePrecision};
use crate::trail::{Misread, TrailStep, misread};

/// Text that any payload may become, however small it is.
const FREE_TEXT: usize = 1 << 20;
/// Text for each byte of the payload. An absent optional field is written in one byte, and a wide record repeats the
/// field's name.
const TEXT_PER_BYTE: usize = 64;

pub(super) fn to_value(schema: &AvroSchema, payload: &Bytes) -> Result<Value, String> {
    let text = payload.len().saturating_mul(TEXT_PER_BYTE);
    let limits = ValueLimits {
        bytes: text.saturating_add(FREE_TEXT).min(i32::MAX as usize),
        ..ValueLimits::of_payload(payload.len())
    };
    let mut reader = Reader {
        schema,
        rest: payload,
        out: ValueBuilder::of_payload(payload.clone(), limits),
        depth: 0,
    };
    match reader.value(schema.root()) {
        Ok(()) if reader.rest.is_empty() => Ok(reader.out.finish()),
        Ok(()) => Err(format!(
            "{} bytes are left over behind the value",
            reader.rest.len()
        )),
        Err(misread) => {
            let offset = payload.len() - reader.rest.len();
            Err(format!(
                "{} at byte {offset}, at {}",
                misread.reason,
                misread.trail.path()
            ))
        }
    }
}

struct Reader<'a> {
    schema: &'a AvroSchema,
    rest: &'a [u8],
    out: ValueBuilder,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, id: AvroTypeId) -> Result<(), Misread> {
        let schema = self.schema;
        match schema.get(id) {
            AvroType::Null => self.out.null()?,
            AvroType::Boolean => match self.take(1)? {
                [0] => self.out.boolean(false)?,
                [1] => self.out.boolean(true)?,
                _ => return misread("a boolean that is neither 0 nor 1"),
            },
            AvroType::Int => {
                let number = self.int()?;
                self.out.integer(number.into())?;
            }
            AvroType::Long => {
                let number = self.long()?;
                self.out.integer(number)?;
            }
            AvroType::Float => {
                let number = f32::from_le_bytes(self.array()?);
                self.out.float(number)?;
            }
            AvroType::Double => {
                let number = f64::from_le_bytes(self.array()?);
                self.out.double(number)?;
            }
            AvroType::Bytes => {
                let bytes = self.sized()?;
                self.out.bytes(bytes)?;
            }
            AvroType::Fixed(size) => {
                let bytes = self.take(*size)?;
                self.out.bytes(bytes)?;
            }
            AvroType::String | AvroType::UuidText => {
                let text = self.text()?;
                self.out.string(text)?;
            }
            AvroType::Enum(symbols) => {
                let index = self.long()?;
                let symbol = usize::try_from(index)
                    .ok()
                    .and_then(|index| symbols.get(index));
                match symbol {
                    Some(symbol) => self.out.symbol(symbol)?,
                    None => {
                        return misread(format!("symbol {index} of an enum of {}", symbols.len()));
                    }
                }
            }
            AvroType::Array(_) | AvroType::Map(_) | AvroType::Union(_) | AvroType::Record(_) => {
                self.nested(id)?
            }
            _ => self.logical(id)?,
        }
        Ok(())
    }

    fn logical(&mut self, id: AvroTypeId) -> Result<(), Misread> {
        let schema = self.schema;
        match schema.get(id) {
            AvroType::Decimal { scale, fixed, .. } => {
                let bytes = match fixed {
                    Some(size) => self.take(*size)?,
                    None => self.sized()?,
                };
                self.decimal(bytes, i64::from(*scale))?;
            }
            AvroType::BigDecimal => {
                let mut outer = self.sized()?;
                std::mem::swap(&mut self.rest, &mut outer);
                let inner = self.sized().and_then(|digits| Ok((digits, self.long()?)));
                std::mem::swap(&mut self.rest, &mut outer);
                let (digits, scale) = inner?;
                self.decimal(digits, scale)?;
            }
            AvroType::UuidBytes { sized } => {
                let bytes = if *sized {
                    self.sized()?
                } else {
                    self.take(16)?
                };
                let Ok(sixteen) = bytes.try_into() else {
                    return misread(format!("a UUID of {} bytes", bytes.len()));
                };
                self.out.string(&uuid::text(sixteen))?;
            }
            AvroType::Date => {
                let days = self.int()?;
                self.out.string(&time::date_text(days))?;
            }
            AvroType::TimeMillis => {
                let count = self.int()?;
                self.time_of_day(count.into(), TimePrecision::Milliseconds)?;
            }
            AvroType::TimeMicros => {
                let count = self.long()?;
                self.time_of_day(count, TimePrecision::Microseconds)?;
            }
            AvroType::Timestamp(unit) => {
                let count = self.long()?;
                self.out.string(&time::timestamp_text(count, *unit))?;
            }
            AvroType::LocalTimestamp(unit) => {
                let count = self.long()?;
                self.out.string(&time::local_timestamp_text(count, *unit))?;
            }
            AvroType::Duration => {
                self.out.begin_object()?;
                for part in ["months", "days", "milliseconds"] {
                    let number = u32::from_le_bytes(self.array()?);
                    self.out.key(part)?;
                    self.out.unsigned(number.into())?;
                }
                self.out.end()?;
            }
            avro_type => unreachable!("`value` reads {avro_type:?} itself"),
        }
        Ok(())
    }

    /// What holds other values. The depth is bounded: a recursive type nests as deep as the bytes say.
    fn nested(&mut self, id: AvroTypeId) -> Result<(), Misread> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return misread(format!("values nested more than {MAX_DEPTH} deep"));
        }
        let schema = self.schema;
        match schema.get(id) {
            AvroType::Array(element) => {
                self.out.begin_array()?;
                self.blocks(|reader, index| {
                    reader
                        .value(*element)
                        .map_err(|error| error.under(|| TrailStep::Index(index)))
                })?;
                self.out.end()?;
            }
            AvroType::Map(value) => {
                self.out.begin_object()?;
                self.blocks(|reader, _| {
                    let key = reader.text()?;
                    reader.out.key(key)?;
                    let member = || TrailStep::Member(key.to_owned());
                    reader.value(*value).map_err(|error| error.under(member))
                })?;
                self.out.end()?;
            }
            AvroType::Union(branches) => {
                let index = self.long()?;
                let branch = usize::try_from(index)
                    .ok()
                    .and_then(|index| branches.get(index));
                match branch {
                    Some(branch) => self.value(*branch)?,
                    None => {
                        return misread(format!("branch {index} of a union of {}", branches.len()));
                    }
                }
            }
            AvroType::Record(fields) => {
                self.out.begin_object()?;
                for field in fields {
                    self.out.key(&field.name)?;
                    let member = || TrailStep::Member(field.name.to_string());
                    self.value(field.type_id)
                        .map_err(|error| error.under(member))?;
                }
                self.out.end()?;
            }
            avro_type => unreachable!("{avro_type:?} has no inner values"),
        }
        self.depth -= 1;
        Ok(())
    }

    /// Arrays and maps come in blocks: a count and so many elements, until a count of 0. A negative count is followed by
    /// the block's size in bytes.
    fn blocks(
        &mut self,
        mut element: impl FnMut(&mut Self, usize) -> Result<(), Misread>,
    ) -> Result<(), Misread> {
        let mut index = 0;
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                element(self, index)?;
                index += 1;
            }
        }
    }

    fn int(&mut self) -> Result<i32, Misread> {
        let number = self.long()?;
        i32::try_from(number).or_else(|_| misread("an int of more than 32 bits"))
    }

    /// Zigzag in base 128, the lowest group first.
    fn long(&mut self) -> Result<i64, Misread> {
        let mut number: u64 = 0;
        for group in 0..10 {
            let byte = self.take(1)?.first().copied().unwrap_or_default();
            let bits = u64::from(byte & 0x7f);
            if group == 9 && bits > 1 {
                break;
            }
            number |= bits << (7 * group);
            if byte & 0x80 == 0 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        misread("a number of more than 64 bits")
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Misread> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => misread(format!(
                "the bytes end: {count} are needed and {} are left",
                self.rest.len()
            )),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Misread> {
        let bytes = self.take(N)?;
        bytes.try_into().or_else(|_| misread("the bytes end"))
    }

    fn sized(&mut self) -> Result<&'a [u8], Misread> {
        let size = self.long()?;
        match usize::try_from(size) {
            Ok(size) => self.take(size),
            Err(_) => misread(format!("a length of {size}")),
        }
    }

    fn text(&mut self) -> Result<&'a str, Misread> {
        std::str::from_utf8(self.sized()?).or_else(|_| misread("text that is not UTF-8"))
    }

    fn decimal(&mut self, bytes: &[u8], scale: i64) -> Result<(), Misread> {
        match decimal::digits(bytes, scale) {
            Some(digits) => Ok(self.out.number(&digits)?),
            None => misread(format!(
                "a decimal of {} bytes with the scale {scale}",
                bytes.len()
            )),
        }
    }

    fn time_of_day(&mut self, count: i64, unit: TimePrecision) -> Result<(), Misread> {
        match time::time_text(count, unit) {
            Some(text) => Ok(self.out.string(&text)?),
            None => misread(format!(
                "a time of day of {count} {}, which is not within a day",
                unit.name()
            )),
        }
    }
}
