//! Decodes protobuf's binary encoding directly into the value builder.
//!
//! `DynamicMessage` of `prost-reflect` in between would hold the payload a second time, in nodes that no limit counts. The fields
//! of a message may come in any order, in pieces and repeatedly. So their occurrences are collected first, in a few bytes each,
//! and then built in the order of the .proto file.

mod scalar;
mod special_message;

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use connect_api::{Value, ValueBuilder, ValueLimits};

use super::MAX_DEPTH;
use super::schema::{
    Absent, Cardinality, DefaultValue, EnumId, FieldKind, Message, MessageField, MessageForm,
    MessageId, ProtobufSchema, Scalar,
};
use super::wire::{Wire, WireType};
use crate::formats::binary::ByteReader;
use crate::trail::{Misread, TrailStep, misread};
use scalar::{bits, content, int32, key_text, signed, text, uint32};

/// Nodes that any payload may become: an empty message has all its fields.
const FREE_NODES: usize = 1 << 17;
/// Nodes for each byte of the payload. An empty message in a list takes two bytes, and becomes two nodes per field.
const NODES_PER_BYTE: usize = 8;
const FREE_TEXT: usize = 1 << 20;
const TEXT_PER_BYTE: usize = 64;

fn limits(payload: usize) -> ValueLimits {
    let most = ValueLimits::of_payload(usize::MAX);
    let bound = |factor: usize, free: usize| payload.saturating_mul(factor).saturating_add(free);
    ValueLimits {
        nodes: bound(NODES_PER_BYTE, FREE_NODES).min(most.nodes),
        bytes: bound(TEXT_PER_BYTE, FREE_TEXT).min(most.bytes),
        ..most
    }
}

/// `message` is a part of `payload`.
pub(super) fn to_value(
    schema: &ProtobufSchema,
    id: MessageId,
    payload: &Bytes,
    message: &[u8],
) -> Result<Value, String> {
    let mut reader = Reader {
        schema,
        out: ValueBuilder::of_payload(payload.clone(), limits(payload.len())),
        depth: 0,
        found: Vec::new(),
    };
    match reader.message(id, &[message]) {
        Ok(()) => Ok(reader.out.finish()),
        Err(error) => Err(format!("{} at {}", error.reason, error.trail.path())),
    }
}

/// One occurrence of a field.
#[derive(Clone, Copy)]
struct Occurrence<'a> {
    /// Index among the message's fields.
    field: usize,
    wire: Wire<'a>,
}

/// The field index of an occurrence that another member of its oneof has replaced. No message has so many fields.
const REPLACED: usize = usize::MAX;

struct Reader<'a> {
    schema: &'a ProtobufSchema,
    out: ValueBuilder,
    depth: usize,
    /// The occurrences in the current message, after those of the messages that contain it.
    found: Vec<Occurrence<'a>>,
}

impl<'a> Reader<'a> {
    /// Reads `parts` as if they were concatenated, which merges a message that occurs repeatedly.
    fn message(&mut self, id: MessageId, parts: &[&'a [u8]]) -> Result<(), Misread> {
        self.deeper()?;
        let message = self.schema.message(id);
        let from = self.scan(message, parts)?;
        self.build(message, from)?;
        self.found.truncate(from);
        self.depth -= 1;
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), Misread> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return misread(format!("messages nested more than {MAX_DEPTH} deep"));
        }
        Ok(())
    }

    fn build(&mut self, message: &'a Message, from: usize) -> Result<(), Misread> {
        match message.form {
            MessageForm::Object => {
                self.out.begin_object()?;
                let mut next = from;
                for (index, field) in message.fields.iter().enumerate() {
                    let range = self.occurrences(next, index);
                    next = range.end;
                    self.out.key(&field.name)?;
                    let step = || TrailStep::Member(field.name.to_string());
                    self.field(field, range)
                        .map_err(|error| error.under(step))?;
                }
                self.out.end()?;
                Ok(())
            }
            MessageForm::Wrapper | MessageForm::Struct | MessageForm::ListValue => {
                self.field(message.field(0), from..self.found.len())
            }
            MessageForm::Value => match self.found.get(from).map(|found| found.field) {
                // The first member of its oneof is null.
                None | Some(0) => Ok(self.out.null()?),
                Some(kind) => self.field(message.field(kind), self.occurrences(from, kind)),
            },
            MessageForm::Timestamp
            | MessageForm::Duration
            | MessageForm::Date
            | MessageForm::TimeOfDay => self.time(message, from),
            MessageForm::Decimal => self.decimal(message, from),
        }
    }

    /// Collects the occurrences of a message's fields, ordered by field and then by position. Returns the index of the first.
    fn scan(&mut self, message: &'a Message, parts: &[&'a [u8]]) -> Result<usize, Misread> {
        let from = self.found.len();
        for part in parts {
            let mut input = ByteReader::new(part);
            while !input.is_empty() {
                let (number, wire) = input.field()?;
                let Some(index) = message.index_of(number) else {
                    continue;
                };
                let field = message.field(index);
                if !is_written_as(field, wire.wire_type()) {
                    // Skipping it like an unknown field would lose a value: it was written with another schema.
                    return misread(format!(
                        "field {number} ({}) has the wire type {}, and its type has {}",
                        field.name,
                        wire.wire_type().number(),
                        WireType::of(field.kind).number(),
                    ));
                }
                self.found.push(Occurrence { field: index, wire });
            }
        }
        let found = self.found.get_mut(from..).unwrap_or_default();
        if message.oneofs > 0 {
            settle_oneofs(message, found);
        }
        if !found.is_sorted_by_key(|found| found.field) {
            found.sort_by_key(|found| found.field);
        }
        Ok(from)
    }

    /// The range of a field's occurrences, which starts where that of the previous field ends.
    fn occurrences(&self, from: usize, field: usize) -> Range<usize> {
        let found = self.found.get(from..).unwrap_or_default();
        let count = found.iter().take_while(|found| found.field == field);
        from..from + count.count()
    }

    fn wire(&self, index: usize) -> Wire<'a> {
        let found = self.found.get(index);
        found.expect("occurrences are indexes of `found`").wire
    }

    fn field(&mut self, field: &'a MessageField, range: Range<usize>) -> Result<(), Misread> {
        match &field.cardinality {
            Cardinality::Singular(absent) if range.is_empty() => self.absent(field.kind, absent),
            Cardinality::Singular(_) => match field.kind {
                FieldKind::Message(id) | FieldKind::Group(id) => self.merged(id, range),
                kind => self.value(kind, self.wire(range.end - 1)),
            },
            Cardinality::Repeated { .. } => self.repeated(field.kind, range),
            Cardinality::Map => match field.kind {
                FieldKind::Message(entry) => self.map(self.schema.message(entry), range),
                kind => unreachable!("the resolver makes {kind:?} no map"),
            },
        }
    }

    fn absent(&mut self, kind: FieldKind, absent: &'a Absent) -> Result<(), Misread> {
        match absent {
            Absent::Null => Ok(self.out.null()?),
            Absent::Required => misread("a required field is missing"),
            Absent::Default(DefaultValue::Bytes(bytes)) => self.value(kind, Wire::Sized(bytes)),
            Absent::Default(DefaultValue::Bits(bits)) => {
                let wire = match WireType::of(kind) {
                    WireType::Fixed64 => Wire::Fixed64(*bits),
                    WireType::Fixed32 => Wire::Fixed32(*bits as u32),
                    _ => Wire::Varint(*bits),
                };
                self.value(kind, wire)
            }
        }
    }

    fn merged(&mut self, id: MessageId, range: Range<usize>) -> Result<(), Misread> {
        if range.len() == 1 {
            return self.message(id, &[content(self.wire(range.start))]);
        }
        let parts: Vec<&[u8]> = range.map(|index| content(self.wire(index))).collect();
        self.message(id, &parts)
    }

    fn repeated(&mut self, kind: FieldKind, range: Range<usize>) -> Result<(), Misread> {
        self.out.begin_array()?;
        let mut index = 0;
        for occurrence in range {
            let mut under = |read: Result<(), Misread>| {
                let read = read.map_err(|error| error.under(|| TrailStep::Index(index)));
                index += 1;
                read
            };
            match (self.wire(occurrence), WireType::of(kind)) {
                (
                    Wire::Sized(packed),
                    element @ (WireType::Varint | WireType::Fixed64 | WireType::Fixed32),
                ) => {
                    let mut input = ByteReader::new(packed);
                    while !input.is_empty() {
                        let wire = input.value(0, element);
                        under(wire.and_then(|wire| self.value(kind, wire)))?;
                    }
                }
                (wire, _) => under(self.value(kind, wire))?,
            }
        }
        Ok(self.out.end()?)
    }

    /// An entry is a message, and replaces an earlier entry with the same key.
    fn map(&mut self, entry: &'a Message, range: Range<usize>) -> Result<(), Misread> {
        self.deeper()?;
        let (key, value) = (entry.field(0), entry.field(1));
        let mut last = HashMap::new();
        let mut keys = Vec::with_capacity(range.len());
        for index in range.clone() {
            let key = key_text(key, self.key_of(entry, content(self.wire(index)))?)?;
            last.insert(key.clone(), index);
            keys.push(key);
        }
        self.out.begin_object()?;
        for (index, key) in range.zip(keys) {
            if last.get(&key) != Some(&index) {
                continue;
            }
            let under = |error: Misread| error.under(|| TrailStep::Member(key.clone()));
            self.out.key(&key)?;
            let entry_bytes = content(self.wire(index));
            let from = self.scan(entry, &[entry_bytes]).map_err(under)?;
            let keys = self.occurrences(from, 0);
            let values = keys.end..self.found.len();
            let read = match value.kind {
                // An empty message, not null as an ordinary field would be.
                FieldKind::Message(id) if values.is_empty() => self.message(id, &[]),
                _ => self.field(value, values),
            };
            read.map_err(under)?;
            self.found.truncate(from);
        }
        self.depth -= 1;
        Ok(self.out.end()?)
    }

    /// The key of a map's entry, if present.
    fn key_of(&self, entry: &Message, bytes: &'a [u8]) -> Result<Option<Wire<'a>>, Misread> {
        let mut input = ByteReader::new(bytes);
        let mut key = None;
        while !input.is_empty() {
            let (number, wire) = input.field()?;
            let field = entry.field(0);
            if number == field.number {
                if !is_written_as(field, wire.wire_type()) {
                    return misread("a key of another type");
                }
                key = Some(wire);
            }
        }
        Ok(key)
    }

    fn value(&mut self, kind: FieldKind, wire: Wire<'a>) -> Result<(), Misread> {
        match kind {
            FieldKind::Scalar(scalar) => self.scalar(scalar, wire),
            FieldKind::Enum(id) => self.symbol(id, int32(wire)?),
            FieldKind::Message(id) | FieldKind::Group(id) => self.message(id, &[content(wire)]),
        }
    }

    /// A value without a name is its number.
    fn symbol(&mut self, id: EnumId, number: i32) -> Result<(), Misread> {
        match self.schema.enumeration(id).name_of(number) {
            Some(name) => Ok(self.out.symbol(name)?),
            None => Ok(self.out.integer(number.into())?),
        }
    }

    fn scalar(&mut self, scalar: Scalar, wire: Wire<'a>) -> Result<(), Misread> {
        match scalar {
            Scalar::String => self.out.string(text(wire)?)?,
            Scalar::Bytes => self.out.bytes(content(wire))?,
            Scalar::Bool => self.out.boolean(bits(wire) != 0)?,
            Scalar::Double => self.out.double(f64::from_bits(bits(wire)))?,
            Scalar::Float => self.out.float(f32::from_bits(bits(wire) as u32))?,
            Scalar::Uint64 | Scalar::Fixed64 | Scalar::Fixed32 => self.out.unsigned(bits(wire))?,
            Scalar::Uint32 => self.out.unsigned(uint32(wire)?.into())?,
            _ => self.out.integer(signed(scalar, wire)?)?,
        }
        Ok(())
    }
}

/// Marks the occurrences that a later member of their oneof replaces. A repeated message is merged only with occurrences after
/// the last other member.
fn settle_oneofs(message: &Message, found: &mut [Occurrence<'_>]) {
    let mut winners: Vec<Option<usize>> = vec![None; message.oneofs];
    let mut is_settled = vec![false; message.oneofs];
    for found in found.iter_mut().rev() {
        let Some(oneof) = message.field(found.field).oneof else {
            continue;
        };
        let (Some(winner), Some(settled)) = (winners.get_mut(oneof), is_settled.get_mut(oneof))
        else {
            continue;
        };
        let winner = *winner.get_or_insert(found.field);
        *settled |= winner != found.field;
        if *settled {
            found.field = REPLACED;
        }
    }
}

/// Whether the wire type fits the field. A repeated field may be packed or not, independently of the schema.
fn is_written_as(field: &MessageField, wire: WireType) -> bool {
    let own = WireType::of(field.kind);
    let is_packed = matches!(field.cardinality, Cardinality::Repeated { .. })
        && wire == WireType::Sized
        && !matches!(own, WireType::Sized | WireType::Group);
    own == wire || is_packed
}
