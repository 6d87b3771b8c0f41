//! Encodes scalar values, if the encoding keeps the value.

use std::borrow::Cow;

use connect_api::ValueRef;

use crate::exact::{bytes, float, whole};
use crate::formats::binary::{write_varint, zigzag};
use crate::formats::protobuf::schema::Scalar;

/// An encoded scalar, without its tag.
pub(super) enum EncodedScalar<'v> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Sized(Cow<'v, [u8]>),
}

impl<'v> EncodedScalar<'v> {
    /// `None` if the type cannot represent exactly this value.
    pub(super) fn of(scalar: Scalar, value: ValueRef<'v>) -> Option<EncodedScalar<'v>> {
        Some(match scalar {
            Scalar::Double => EncodedScalar::Fixed64(float::<f64>(value)?.to_bits()),
            Scalar::Float => EncodedScalar::Fixed32(float::<f32>(value)?.to_bits()),
            Scalar::Int32 => EncodedScalar::Varint(i64::from(whole::<i32>(value)?) as u64),
            Scalar::Int64 => EncodedScalar::Varint(whole::<i64>(value)? as u64),
            Scalar::Uint32 => EncodedScalar::Varint(whole::<u32>(value)?.into()),
            Scalar::Uint64 => EncodedScalar::Varint(whole(value)?),
            Scalar::Sint32 => EncodedScalar::Varint(zigzag(whole::<i32>(value)?.into())),
            Scalar::Sint64 => EncodedScalar::Varint(zigzag(whole(value)?)),
            Scalar::Fixed32 => EncodedScalar::Fixed32(whole(value)?),
            Scalar::Fixed64 => EncodedScalar::Fixed64(whole(value)?),
            Scalar::Sfixed32 => EncodedScalar::Fixed32(whole::<i32>(value)? as u32),
            Scalar::Sfixed64 => EncodedScalar::Fixed64(whole::<i64>(value)? as u64),
            Scalar::Bool => EncodedScalar::Varint(value.as_bool()?.into()),
            Scalar::String => EncodedScalar::Sized(value.as_str()?.as_bytes().into()),
            Scalar::Bytes => EncodedScalar::Sized(match value.as_bytes() {
                Some(content) => content.into(),
                None => bytes(value)?.into(),
            }),
        })
    }

    /// Encodes the name of a map's member as its key. A number must be in the notation that decoding produces.
    pub(super) fn of_key(scalar: Scalar, name: &'v str) -> Option<EncodedScalar<'v>> {
        fn number<N: std::str::FromStr + ToString>(name: &str) -> Option<N> {
            let number: N = name.parse().ok()?;
            (number.to_string() == name).then_some(number)
        }
        Some(match scalar {
            Scalar::String => EncodedScalar::Sized(name.as_bytes().into()),
            Scalar::Bool => EncodedScalar::Varint(number::<bool>(name)?.into()),
            Scalar::Int32 => EncodedScalar::Varint(i64::from(number::<i32>(name)?) as u64),
            Scalar::Int64 => EncodedScalar::Varint(number::<i64>(name)? as u64),
            Scalar::Uint32 => EncodedScalar::Varint(number::<u32>(name)?.into()),
            Scalar::Uint64 => EncodedScalar::Varint(number(name)?),
            Scalar::Sint32 => EncodedScalar::Varint(zigzag(number::<i32>(name)?.into())),
            Scalar::Sint64 => EncodedScalar::Varint(zigzag(number(name)?)),
            Scalar::Fixed32 => EncodedScalar::Fixed32(number(name)?),
            Scalar::Fixed64 => EncodedScalar::Fixed64(number(name)?),
            Scalar::Sfixed32 => EncodedScalar::Fixed32(number::<i32>(name)? as u32),
            Scalar::Sfixed64 => EncodedScalar::Fixed64(number::<i64>(name)? as u64),
            Scalar::Double | Scalar::Float | Scalar::Bytes => return None,
        })
    }

    /// Whether it is the default of a field without presence. -0.0 is not.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            EncodedScalar::Varint(bits) | EncodedScalar::Fixed64(bits) => *bits == 0,
            EncodedScalar::Fixed32(bits) => *bits == 0,
            EncodedScalar::Sized(content) => content.is_empty(),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            EncodedScalar::Varint(number) => write_varint(out, *number),
            EncodedScalar::Fixed32(bits) => out.extend_from_slice(&bits.to_le_bytes()),
            EncodedScalar::Fixed64(bits) => out.extend_from_slice(&bits.to_le_bytes()),
            EncodedScalar::Sized(content) => {
                write_varint(out, content.len() as u64);
                out.extend_from_slice(content);
            }
        }
    }
}
