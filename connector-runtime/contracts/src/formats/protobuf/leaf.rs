//! What a value without inner values is written as, if that keeps it.

use std::borrow::Cow;

use connect_api::ValueRef;

use super::plan::Scalar;
use super::wire::{write_varint, zigzag};
use crate::exact::{bytes, float, whole};

/// A value behind its tag.
pub(super) enum Leaf<'v> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Sized(Cow<'v, [u8]>),
}

impl<'v> Leaf<'v> {
    /// `None` where the type cannot hold exactly this value.
    pub(super) fn of(scalar: Scalar, value: ValueRef<'v>) -> Option<Leaf<'v>> {
        Some(match scalar {
            Scalar::Double => Leaf::Fixed64(float::<f64>(value)?.to_bits()),
            Scalar::Float => Leaf::Fixed32(float::<f32>(value)?.to_bits()),
            Scalar::Int32 => Leaf::Varint(i64::from(whole::<i32>(value)?) as u64),
            Scalar::Int64 => Leaf::Varint(whole::<i64>(value)? as u64),
            Scalar::Uint32 => Leaf::Varint(whole::<u32>(value)?.into()),
            Scalar::Uint64 => Leaf::Varint(whole(value)?),
            Scalar::Sint32 => Leaf::Varint(zigzag(whole::<i32>(value)?.into())),
            Scalar::Sint64 => Leaf::Varint(zigzag(whole(value)?)),
            Scalar::Fixed32 => Leaf::Fixed32(whole(value)?),
            Scalar::Fixed64 => Leaf::Fixed64(whole(value)?),
            Scalar::Sfixed32 => Leaf::Fixed32(whole::<i32>(value)? as u32),
            Scalar::Sfixed64 => Leaf::Fixed64(whole::<i64>(value)? as u64),
            Scalar::Bool => Leaf::Varint(value.as_bool()?.into()),
            Scalar::String => Leaf::Sized(value.as_str()?.as_bytes().into()),
            Scalar::Bytes => Leaf::Sized(match value.as_bytes() {
                Some(content) => content.into(),
                None => bytes(value)?.into(),
            }),
        })
    }

    /// The name of a map's member as its key. A number must have the digits that it is read with.
    pub(super) fn of_key(scalar: Scalar, name: &'v str) -> Option<Leaf<'v>> {
        fn number<N: std::str::FromStr + ToString>(name: &str) -> Option<N> {
            let number: N = name.parse().ok()?;
            (number.to_string() == name).then_some(number)
        }
        Some(match scalar {
            Scalar::String => Leaf::Sized(name.as_bytes().into()),
            Scalar::Bool => Leaf::Varint(number::<bool>(name)?.into()),
            Scalar::Int32 => Leaf::Varint(i64::from(number::<i32>(name)?) as u64),
            Scalar::Int64 => Leaf::Varint(number::<i64>(name)? as u64),
            Scalar::Uint32 => Leaf::Varint(number::<u32>(name)?.into()),
            Scalar::Uint64 => Leaf::Varint(number(name)?),
            Scalar::Sint32 => Leaf::Varint(zigzag(number::<i32>(name)?.into())),
            Scalar::Sint64 => Leaf::Varint(zigzag(number(name)?)),
            Scalar::Fixed32 => Leaf::Fixed32(number(name)?),
            Scalar::Fixed64 => Leaf::Fixed64(number(name)?),
            Scalar::Sfixed32 => Leaf::Fixed32(number::<i32>(name)? as u32),
            Scalar::Sfixed64 => Leaf::Fixed64(number::<i64>(name)? as u64),
            Scalar::Double | Scalar::Float | Scalar::Bytes => return None,
        })
    }

    /// Whether it is what a field without presence means that is not written. -0.0 is not.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Leaf::Varint(bits) | Leaf::Fixed64(bits) => *bits == 0,
            Leaf::Fixed32(bits) => *bits == 0,
            Leaf::Sized(content) => content.is_empty(),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Leaf::Varint(number) => write_varint(out, *number),
            Leaf::Fixed32(bits) => out.extend_from_slice(&bits.to_le_bytes()),
            Leaf::Fixed64(bits) => out.extend_from_slice(&bits.to_le_bytes()),
            Leaf::Sized(content) => {
                write_varint(out, content.len() as u64);
                out.extend_from_slice(content);
            }
        }
    }
}
