//! Selects the branch of a union that a value is written as.
//!
//! Only the upper levels of a value are compared, without trial encoding: a value nested in unions of similar records would be
//! tried an exponential number of times.

use connect_api::ValueRef;

use super::primitive::{EncodedPrimitive, is_exact_float};
use crate::formats::avro::schema::{AvroSchema, AvroType, AvroTypeId};

/// The index of the branch. A branch that keeps the value unchanged precedes one that converts it: 0.1 is a double rather than a
/// float, and text is a string rather than the bytes whose base64 it could be.
pub(super) fn branch_for(
    schema: &AvroSchema,
    branches: &[AvroTypeId],
    value: ValueRef<'_>,
) -> Option<usize> {
    let keeps = |branch: &AvroTypeId| {
        let avro_type = schema.get(*branch);
        keeps_as_it_is(avro_type, value) && fits(schema, avro_type, value)
    };
    let fits = |branch: &AvroTypeId| fits(schema, schema.get(*branch), value);
    branches
        .iter()
        .position(keeps)
        .or_else(|| branches.iter().position(fits))
}

/// Whether a value that fits is not converted.
fn keeps_as_it_is(avro_type: &AvroType, value: ValueRef<'_>) -> bool {
    match avro_type {
        AvroType::Float => is_exact_float(value),
        AvroType::Bytes | AvroType::Fixed(_) => value.as_str().is_none(),
        AvroType::Decimal { .. } | AvroType::BigDecimal => value.as_number().is_some(),
        AvroType::Timestamp(_) => value.as_str().is_some(),
        _ => true,
    }
}

fn fits(schema: &AvroSchema, avro_type: &AvroType, value: ValueRef<'_>) -> bool {
    match avro_type {
        AvroType::Record(fields) => value.members().is_some_and(|mut members| {
            let needed = fields.iter().filter(|field| field.default.is_none());
            let mut missing = needed.filter(|field| value.get(&field.name).is_none());
            missing.all(|field| matches!(schema.get(field.type_id), AvroType::Union(_)))
                && members.all(|(name, member)| {
                    let mut fields = fields.iter();
                    fields.any(|field| {
                        &*field.name == name && fits_outside(schema, field.type_id, member)
                    })
                })
        }),
        _ => fits_type_outside(avro_type, value),
    }
}

/// Whether a record's member fits, without regard to its own members and elements.
fn fits_outside(schema: &AvroSchema, id: AvroTypeId, value: ValueRef<'_>) -> bool {
    match schema.get(id) {
        AvroType::Union(branches) => branches
            .iter()
            .any(|branch| fits_type_outside(schema.get(*branch), value)),
        avro_type => fits_type_outside(avro_type, value),
    }
}

fn fits_type_outside(avro_type: &AvroType, value: ValueRef<'_>) -> bool {
    match avro_type {
        AvroType::Array(_) => value.elements().is_some(),
        AvroType::Map(_) | AvroType::Record(_) => value.members().is_some(),
        AvroType::Duration => {
            let is_part = |name: &str| matches!(name, "months" | "days" | "milliseconds");
            value.members().is_some_and(|mut members| {
                members.len() == 3 && members.all(|(name, _)| is_part(name))
            })
        }
        // A union in a union, which Avro forbids, is read but not written.
        AvroType::Union(_) => false,
        avro_type => EncodedPrimitive::of(avro_type, value).is_some(),
    }
}
