//! Avro's bytes to JSON text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::plan::{Plan, PlanId, Plans};
use super::time::{self, TimeUnit};
use super::{MAX_DEPTH, Trail, TrailStep, logical};

/// Values and names that any payload may become, however small it is.
const FREE_NODES: usize = 1 << 16;
/// Values and names for each byte of the payload. An absent optional field is written in one byte and becomes two; twice
/// that leaves room for what is written in no byte at all: nulls, and records of such. A count of billions of them costs a
/// writer ten bytes.
const NODES_PER_BYTE: usize = 4;
/// 384 MiB of nodes. A payload of usual size meets the relative bound long before.
const MAX_NODES: usize = 1 << 25;
/// The same for text: names of absent optional fields are the most that a byte usually becomes.
const FREE_TEXT: usize = 1 << 20;
const TEXT_PER_BYTE: usize = 64;

pub(super) fn to_json(plans: &Plans, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut reader = Reader {
        plans,
        rest: bytes,
        out: Vec::with_capacity(bytes.len() * 2 + 64),
        depth: 0,
        nodes: 0,
        max_nodes: (bytes.len().saturating_mul(NODES_PER_BYTE))
            .saturating_add(FREE_NODES)
            .min(MAX_NODES),
        max_text: bytes
            .len()
            .saturating_mul(TEXT_PER_BYTE)
            .saturating_add(FREE_TEXT),
        size: bytes.len(),
    };
    match reader.value(plans.root()) {
        Ok(()) if reader.rest.is_empty() => Ok(reader.out),
        Ok(()) => Err(format!(
            "{} bytes are left over behind the value",
            reader.rest.len()
        )),
        Err(misread) => {
            let offset = bytes.len() - reader.rest.len();
            Err(format!(
                "{} at byte {offset}, at {}",
                misread.reason,
                misread.trail.place()
            ))
        }
    }
}

struct Misread {
    reason: String,
    trail: Trail,
}

impl Misread {
    fn under(mut self, step: impl FnOnce() -> TrailStep) -> Misread {
        self.trail.0.push(step());
        self
    }
}

fn misread<T>(reason: impl Into<String>) -> Result<T, Misread> {
    Err(Misread {
        reason: reason.into(),
        trail: Trail::default(),
    })
}

struct Reader<'a> {
    plans: &'a Plans,
    rest: &'a [u8],
    out: Vec<u8>,
    depth: usize,
    nodes: usize,
    max_nodes: usize,
    max_text: usize,
    /// Bytes of the whole payload.
    size: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, id: PlanId) -> Result<(), Misread> {
        self.count_node()?;
        let plans = self.plans;
        match plans.get(id) {
            Plan::Null => self.write(b"null"),
            Plan::Boolean => match self.take(1)? {
                [0] => self.write(b"false"),
                [1] => self.write(b"true"),
                _ => return misread("a boolean that is neither 0 nor 1"),
            },
            Plan::Int => self
                .int()
                .map(|number| self.write(number.to_string().as_bytes()))?,
            Plan::Long => self
                .long()
                .map(|number| self.write(number.to_string().as_bytes()))?,
            Plan::Float => {
                let number = f32::from_le_bytes(self.array()?);
                self.float(number.is_finite(), number.into(), |out| {
                    serde_json::to_writer(out, &number)
                });
            }
            Plan::Double => {
                let number = f64::from_le_bytes(self.array()?);
                self.float(number.is_finite(), number, |out| {
                    serde_json::to_writer(out, &number)
                });
            }
            Plan::Bytes => {
                let bytes = self.sized()?;
                self.base64(bytes);
            }
            Plan::Fixed(size) => {
                let bytes = self.take(*size)?;
                self.base64(bytes);
            }
            Plan::String => {
                let text = self.text()?;
                self.string(text);
            }
            Plan::Enum(symbols) => {
                let place = self.long()?;
                let symbol = usize::try_from(place)
                    .ok()
                    .and_then(|place| symbols.get(place));
                match symbol {
                    Some(symbol) => self.string(symbol),
                    None => {
                        return misread(format!("symbol {place} of an enum of {}", symbols.len()));
                    }
                }
            }
            Plan::Array(_) | Plan::Map(_) | Plan::Union(_) | Plan::Record(_) => self.nested(id)?,
            _ => self.logical(id)?,
        }
        Ok(())
    }

    fn logical(&mut self, id: PlanId) -> Result<(), Misread> {
        let plans = self.plans;
        match plans.get(id) {
            Plan::Decimal { scale, fixed, .. } => {
                let bytes = match fixed {
                    Some(size) => self.take(*size)?,
                    None => self.sized()?,
                };
                self.decimal(bytes, i64::from(*scale))
            }
            Plan::BigDecimal => {
                let mut outer = self.sized()?;
                std::mem::swap(&mut self.rest, &mut outer);
                let inner = self.sized().and_then(|digits| Ok((digits, self.long()?)));
                std::mem::swap(&mut self.rest, &mut outer);
                let (digits, scale) = inner?;
                self.decimal(digits, scale)
            }
            Plan::UuidText => {
                let text = self.text()?;
                self.string(text);
                Ok(())
            }
            Plan::UuidBytes { sized } => {
                let bytes = if *sized {
                    self.sized()?
                } else {
                    self.take(16)?
                };
                match bytes.try_into() {
                    Ok(bytes) => {
                        self.string(&logical::uuid_text(bytes));
                        Ok(())
                    }
                    Err(_) => misread(format!("a UUID of {} bytes", bytes.len())),
                }
            }
            Plan::Date => {
                let days = self.int()?;
                self.string(&time::date_text(days));
                Ok(())
            }
            Plan::TimeMillis => {
                let count = self.int()?;
                self.time_of_day(count.into(), TimeUnit::Milliseconds)
            }
            Plan::TimeMicros => {
                let count = self.long()?;
                self.time_of_day(count, TimeUnit::Microseconds)
            }
            Plan::Timestamp(unit) => {
                let count = self.long()?;
                self.string(&time::timestamp_text(count, *unit));
                Ok(())
            }
            Plan::LocalTimestamp(unit) => {
                let count = self.long()?;
                self.string(&time::local_timestamp_text(count, *unit));
                Ok(())
            }
            Plan::Duration => {
                let [months, days, milliseconds] = [self.array()?, self.array()?, self.array()?];
                let text = format!(
                    "{{\"months\":{},\"days\":{},\"milliseconds\":{}}}",
                    u32::from_le_bytes(months),
                    u32::from_le_bytes(days),
                    u32::from_le_bytes(milliseconds),
                );
                self.write(text.as_bytes());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What holds other values. The depth is bounded: a recursive type nests as deep as the bytes say.
    fn nested(&mut self, id: PlanId) -> Result<(), Misread> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return misread(format!("values nested more than {MAX_DEPTH} deep"));
        }
        let plans = self.plans;
        match plans.get(id) {
            Plan::Array(element) => {
                self.write(b"[");
                self.blocks(|reader, place| {
                    reader
                        .value(*element)
                        .map_err(|error| error.under(|| TrailStep::Index(place)))
                })?;
                self.write(b"]");
            }
            Plan::Map(value) => {
                self.write(b"{");
                self.blocks(|reader, _| {
                    reader.count_node()?;
                    let key = reader.text()?;
                    reader.string(key);
                    reader.write(b":");
                    let member = || TrailStep::Member(key.to_owned());
                    reader.value(*value).map_err(|error| error.under(member))
                })?;
                self.write(b"}");
            }
            Plan::Union(branches) => {
                let place = self.long()?;
                let branch = usize::try_from(place)
                    .ok()
                    .and_then(|place| branches.get(place));
                match branch {
                    Some(branch) => self.value(*branch)?,
                    None => {
                        return misread(format!("branch {place} of a union of {}", branches.len()));
                    }
                }
            }
            Plan::Record(fields) => {
                self.write(b"{");
                for (place, field) in fields.iter().enumerate() {
                    if place > 0 {
                        self.write(b",");
                    }
                    self.count_node()?;
                    self.string(&field.name);
                    self.write(b":");
                    let member = || TrailStep::Member(field.name.to_string());
                    self.value(field.plan)
                        .map_err(|error| error.under(member))?;
                }
                self.write(b"}");
            }
            _ => {}
        }
        self.depth -= 1;
        Ok(())
    }

    /// What a message becomes in memory is bounded by its size: that size is what counts as bytes in flight.
    fn count_node(&mut self) -> Result<(), Misread> {
        self.nodes += 1;
        if self.nodes > self.max_nodes {
            return misread(format!(
                "{} bytes become more than {} values and names",
                self.size, self.max_nodes
            ));
        }
        if self.out.len() > self.max_text {
            return misread(format!(
                "{} bytes become more than {} bytes of JSON",
                self.size, self.max_text
            ));
        }
        Ok(())
    }

    /// Arrays and maps come in blocks: a count and so many elements, until a count of 0. A negative count is followed by
    /// the block's size in bytes.
    fn blocks(
        &mut self,
        mut element: impl FnMut(&mut Self, usize) -> Result<(), Misread>,
    ) -> Result<(), Misread> {
        let mut place = 0;
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                if place > 0 {
                    self.write(b",");
                }
                element(self, place)?;
                place += 1;
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

    fn write(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn string(&mut self, text: &str) {
        // Writing to a vector does not fail.
        let _ = serde_json::to_writer(&mut self.out, text);
    }

    fn base64(&mut self, bytes: &[u8]) {
        let text = STANDARD.encode(bytes);
        self.write(b"\"");
        self.write(text.as_bytes());
        self.write(b"\"");
    }

    /// What is no number in JSON is written as the word that databases and Avro's own JSON take.
    fn float(
        &mut self,
        finite: bool,
        number: f64,
        write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
    ) {
        match (finite, number.is_nan()) {
            (true, _) => {
                let _ = write(&mut self.out);
            }
            (false, true) => self.string("NaN"),
            (false, false) if number > 0.0 => self.string("Infinity"),
            (false, false) => self.string("-Infinity"),
        }
    }

    fn decimal(&mut self, bytes: &[u8], scale: i64) -> Result<(), Misread> {
        match logical::decimal_text(bytes, scale) {
            Some(digits) => {
                self.write(digits.as_bytes());
                Ok(())
            }
            None => misread(format!(
                "a decimal of {} bytes with the scale {scale}",
                bytes.len()
            )),
        }
    }

    fn time_of_day(&mut self, count: i64, unit: TimeUnit) -> Result<(), Misread> {
        match time::time_text(count, unit) {
            Some(text) => {
                self.string(&text);
                Ok(())
            }
            None => misread(format!(
                "a time of day of {count} {}, which is not within a day",
                unit.name()
            )),
        }
    }
}
