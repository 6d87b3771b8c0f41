//! Protobuf's wire format: tags, and the values after them.

use super::MAX_DEPTH;
use super::schema::{FieldKind, Scalar};
use crate::formats::binary::{ByteReader, write_varint};
use crate::trail::{Misread, misread};

/// The encoding of a value, by which a reader without a schema can skip it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireType {
    Varint,
    Fixed64,
    Sized,
    Group,
    Fixed32,
}

/// A value after its tag.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Sized(&'a [u8]),
    Group(&'a [u8]),
    Fixed32(u32),
}

const END_OF_GROUP: u32 = 4;

impl WireType {
    pub(super) fn of(kind: FieldKind) -> WireType {
        match kind {
            FieldKind::Scalar(scalar) => match scalar {
                Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64 => WireType::Fixed64,
                Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32 => WireType::Fixed32,
                Scalar::String | Scalar::Bytes => WireType::Sized,
                Scalar::Int32
                | Scalar::Int64
                | Scalar::Uint32
                | Scalar::Uint64
                | Scalar::Sint32
                | Scalar::Sint64
                | Scalar::Bool => WireType::Varint,
            },
            FieldKind::Enum(_) => WireType::Varint,
            FieldKind::Message(_) => WireType::Sized,
            FieldKind::Group(_) => WireType::Group,
        }
    }

    /// The number in a tag.
    pub(super) fn number(self) -> u32 {
        match self {
            WireType::Varint => 0,
            WireType::Fixed64 => 1,
            WireType::Sized => 2,
            WireType::Group => 3,
            WireType::Fixed32 => 5,
        }
    }

    fn of_number(number: u32) -> Option<WireType> {
        let all = [
            WireType::Varint,
            WireType::Fixed64,
            WireType::Sized,
            WireType::Group,
            WireType::Fixed32,
        ];
        all.into_iter().find(|wire| wire.number() == number)
    }
}

impl Wire<'_> {
    pub(super) fn wire_type(self) -> WireType {
        match self {
            Wire::Varint(_) => WireType::Varint,
            Wire::Fixed64(_) => WireType::Fixed64,
            Wire::Sized(_) => WireType::Sized,
            Wire::Group(_) => WireType::Group,
            Wire::Fixed32(_) => WireType::Fixed32,
        }
    }
}

impl<'a> ByteReader<'a> {
    /// The next field's number and value.
    pub(super) fn field(&mut self) -> Result<(u32, Wire<'a>), Misread> {
        let (number, wire_type) = self.tag()?;
        match WireType::of_number(wire_type) {
            Some(wire_type) => Ok((number, self.value(number, wire_type)?)),
            None if wire_type == END_OF_GROUP => {
                misread(format!("group {number} ends without a start"))
            }
            None => misread(format!("field {number} has the wire type {wire_type}")),
        }
    }

    fn tag(&mut self) -> Result<(u32, u32), Misread> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok();
        match number.filter(|number| (1..1 << 29).contains(number)) {
            Some(number) => Ok((number, (tag & 7) as u32)),
            None => misread(format!("a field has the number {}", tag >> 3)),
        }
    }

    pub(super) fn value(&mut self, number: u32, wire_type: WireType) -> Result<Wire<'a>, Misread> {
        Ok(match wire_type {
            WireType::Varint => Wire::Varint(self.varint()?),
            WireType::Fixed64 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            WireType::Fixed32 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            WireType::Sized => {
                let size = self.varint()?;
                Wire::Sized(self.take(usize::try_from(size).unwrap_or(usize::MAX))?)
            }
            WireType::Group => Wire::Group(self.group(number)?),
        })
    }

    /// The content of a group, up to its end tag. Without recursion, because the bytes decide how deeply groups nest.
    fn group(&mut self, number: u32) -> Result<&'a [u8], Misread> {
        let start = self.rest;
        let mut open = vec![number];
        loop {
            let content = start.len() - self.rest.len();
            let (number, wire_type) = self.tag()?;
            match WireType::of_number(wire_type) {
                Some(WireType::Group) if open.len() < MAX_DEPTH => open.push(number),
                Some(WireType::Group) => {
                    return misread(format!("groups nested more than {MAX_DEPTH} deep"));
                }
                Some(wire_type) => {
                    self.value(number, wire_type)?;
                }
                None if wire_type == END_OF_GROUP && open.last() == Some(&number) => {
                    open.pop();
                    if open.is_empty() {
                        let (content, _) = start.split_at(content);
                        return Ok(content);
                    }
                }
                None => {
                    return misread(format!(
                        "field {number} with the wire type {wire_type} in a group"
                    ));
                }
            }
        }
    }
}

pub(super) fn write_tag(out: &mut Vec<u8>, number: u32, wire_type: WireType) {
    write_varint(out, u64::from(number << 3 | wire_type.number()));
}

pub(super) fn write_end_of_group(out: &mut Vec<u8>, number: u32) {
    write_varint(out, u64::from(number << 3 | END_OF_GROUP));
}
