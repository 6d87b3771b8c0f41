//! Decodes the scalar after a tag, by the type of its field.

use crate::formats::binary::unzigzag;
use crate::formats::protobuf::schema::{FieldKind, MessageField, Scalar};
use crate::formats::protobuf::wire::Wire;
use crate::trail::{Misread, misread};

pub(super) fn content<'a>(wire: Wire<'a>) -> &'a [u8] {
    match wire {
        Wire::Sized(content) | Wire::Group(content) => content,
        Wire::Varint(_) | Wire::Fixed64(_) | Wire::Fixed32(_) => {
            unreachable!("wire types are checked before values are read")
        }
    }
}

pub(super) fn bits(wire: Wire<'_>) -> u64 {
    match wire {
        Wire::Varint(bits) | Wire::Fixed64(bits) => bits,
        Wire::Fixed32(bits) => bits.into(),
        Wire::Sized(_) | Wire::Group(_) => {
            unreachable!("wire types are checked before values are read")
        }
    }
}

pub(super) fn text<'a>(wire: Wire<'a>) -> Result<&'a str, Misread> {
    std::str::from_utf8(content(wire)).or_else(|_| misread("text that is not UTF-8"))
}

/// Refuses numbers that are too large for the type, which other decoders truncate.
pub(super) fn int32(wire: Wire<'_>) -> Result<i32, Misread> {
    let number = bits(wire) as i64;
    i32::try_from(number).or_else(|_| misread(format!("{number} in a field of 32 bits")))
}

pub(super) fn uint32(wire: Wire<'_>) -> Result<u32, Misread> {
    let number = bits(wire);
    u32::try_from(number).or_else(|_| misread(format!("{number} in a field of 32 bits")))
}

pub(super) fn signed(scalar: Scalar, wire: Wire<'_>) -> Result<i64, Misread> {
    Ok(match scalar {
        Scalar::Int32 => int32(wire)?.into(),
        Scalar::Sint32 => unzigzag(uint32(wire)?.into()),
        Scalar::Sint64 => unzigzag(bits(wire)),
        Scalar::Sfixed32 => (bits(wire) as u32 as i32).into(),
        _ => bits(wire) as i64,
    })
}

/// A map's key as a member name.
pub(super) fn key_text(field: &MessageField, key: Option<Wire<'_>>) -> Result<String, Misread> {
    let FieldKind::Scalar(scalar) = field.kind else {
        unreachable!("the resolver makes a map's key a scalar");
    };
    let zero = match scalar {
        Scalar::String => Wire::Sized(&[]),
        _ => Wire::Varint(0),
    };
    let key = key.unwrap_or(zero);
    Ok(match scalar {
        Scalar::String => text(key)?.to_owned(),
        Scalar::Bool => (bits(key) != 0).to_string(),
        Scalar::Uint32 => uint32(key)?.to_string(),
        Scalar::Uint64 | Scalar::Fixed64 | Scalar::Fixed32 => bits(key).to_string(),
        _ => signed(scalar, key)?.to_string(),
    })
}
