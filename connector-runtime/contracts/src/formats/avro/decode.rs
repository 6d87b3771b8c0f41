//! Decodes Avro's binary encoding to a value.

use bytes::Bytes;
use connect_api::{Value, ValueBuilder, ValueLimits};

use super::schema::{AvroSchema, AvroType, AvroTypeId};
use super::wire::{read_long, read_sized};
use super::{MAX_DEPTH, uuid};
use crate::decimal;
use crate::formats::binary::ByteReader;
use crate::time::{self, TimePrecision};
use crate::trail::{Misread, TrailStep, misread};

/// Text bytes that any payload may become, even a small one.
const FREE_TEXT: usize = 1 << 20;
/// Text bytes for each byte of the payload. An absent optional field takes one byte, and adds the field's name.
const TEXT_PER_BYTE: usize = 64;

pub(super) fn to_value(schema: &AvroSchema, payload: &Bytes) -> Result<Value, String> {
    let text = payload.len().saturating_mul(TEXT_PER_BYTE);
    let limits = ValueLimits {
        bytes: text.saturating_add(FREE_TEXT).min(i32::MAX as usize),
        ..ValueLimits::of_payload(payload.len())
    };
    let mut reader = Reader {
        schema,
        input: ByteReader::new(payload),
        out: ValueBuilder::of_payload(payload.clone(), limits),
        depth: 0,
    };
    match reader.value(schema.root()) {
        Ok(()) if reader.input.is_empty() => Ok(reader.out.finish()),
        Ok(()) => Err(format!(
            "{} bytes are left after the value",
            reader.input.rest.len()
        )),
        Err(misread) => {
            let offset = payload.len() - reader.input.rest.len();
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
    input: ByteReader<'a>,
    out: ValueBuilder,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, id: AvroTypeId) -> Result<(), Misread> {
        let schema = self.schema;
        match schema.get(id) {
            AvroType::Null => self.out.null()?,
            AvroType::Boolean => match self.input.take(1)? {
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
                let number = f32::from_le_bytes(self.input.array()?);
                self.out.float(number)?;
            }
            AvroType::Double => {
                let number = f64::from_le_bytes(self.input.array()?);
                self.out.double(number)?;
            }
            AvroType::Bytes => {
                let bytes = self.sized()?;
                self.out.bytes(bytes)?;
            }
            AvroType::Fixed(size) => {
                let bytes = self.input.take(*size)?;
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
                    Some(size) => self.input.take(*size)?,
                    None => self.sized()?,
                };
                self.decimal(bytes, i64::from(*scale))?;
            }
            AvroType::BigDecimal => {
                let mut inner = ByteReader::new(self.sized()?);
                let digits = read_sized(&mut inner)?;
                let scale = read_long(&mut inner)?;
                self.decimal(digits, scale)?;
            }
            AvroType::UuidBytes { sized } => {
                let bytes = if *sized {
                    self.sized()?
                } else {
                    self.input.take(16)?
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
                    let number = u32::from_le_bytes(self.input.array()?);
                    self.out.key(part)?;
                    self.out.unsigned(number.into())?;
                }
                self.out.end()?;
            }
            avro_type => unreachable!("`value` reads {avro_type:?} itself"),
        }
        Ok(())
    }

    /// Types with inner values. The depth is bounded, because the bytes decide how deeply a recursive type nests.
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

    /// Arrays and maps consist of blocks: a count and that many elements. A count of 0 ends them; a negative count is followed by
    /// the size of the block in bytes.
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

    fn long(&mut self) -> Result<i64, Misread> {
        read_long(&mut self.input)
    }

    fn sized(&mut self) -> Result<&'a [u8], Misread> {
        read_sized(&mut self.input)
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
