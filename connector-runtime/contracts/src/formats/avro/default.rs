//! The defaults of a schema's fields, encoded when it is compiled.
//!
//! Their JSON forms differ from those of values (a date is a number of days, bytes are text of code points). A default that does
//! not fit its type is ignored: reading does not need it, and writing a value without the field reports it as missing.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::MAX_DEPTH;
use super::schema::{AvroSchema, AvroType, AvroTypeId};
use super::wire::{write_long, write_sized};

/// Fills `RecordField::default` of all records. `defaults` are by record and index of the field.
pub(super) fn encode_all(schema: &mut AvroSchema, defaults: &HashMap<(AvroTypeId, usize), Json>) {
    // In descending order, so that inner records, which have larger ids, come first: an outer default may omit their fields.
    for id in (0..schema.len()).rev() {
        let AvroType::Record(fields) = schema.get(id) else {
            continue;
        };
        let encoded = fields.iter().enumerate().filter_map(|(index, field)| {
            let default = defaults.get(&(id, index))?;
            let mut bytes = Vec::new();
            encode(schema, field.type_id, default, 0, &mut bytes)?;
            Some((index, bytes))
        });
        for (index, bytes) in encoded.collect::<Vec<(usize, Vec<u8>)>>() {
            schema.set_default(id, index, bytes.into());
        }
    }
}

/// `None` if the default does not fit; `out` then contains a part of it.
fn encode(
    schema: &AvroSchema,
    id: AvroTypeId,
    default: &Json,
    depth: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match schema.get(id) {
        AvroType::Null => default.as_null()?,
        AvroType::Boolean => out.push(default.as_bool()?.into()),
        AvroType::Int | AvroType::Date | AvroType::TimeMillis => {
            write_long(out, i32::try_from(default.as_i64()?).ok()?.into());
        }
        AvroType::Long
        | AvroType::TimeMicros
        | AvroType::Timestamp(_)
        | AvroType::LocalTimestamp(_) => {
            write_long(out, default.as_i64()?);
        }
        AvroType::Float => out.extend_from_slice(&(default.as_f64()? as f32).to_le_bytes()),
        AvroType::Double => out.extend_from_slice(&default.as_f64()?.to_le_bytes()),
        AvroType::String | AvroType::UuidText => write_sized(out, default.as_str()?.as_bytes()),
        AvroType::Enum(symbols) => {
            let symbol = default.as_str()?;
            let index = symbols.iter().position(|known| known == symbol)?;
            write_long(out, index as i64);
        }
        AvroType::Bytes
        | AvroType::Decimal { fixed: None, .. }
        | AvroType::BigDecimal
        | AvroType::UuidBytes { sized: true } => write_sized(out, &bytes_of(default)?),
        AvroType::Fixed(size)
        | AvroType::Decimal {
            fixed: Some(size), ..
        } => fixed(default, *size, out)?,
        AvroType::UuidBytes { sized: false } => fixed(default, 16, out)?,
        AvroType::Duration => fixed(default, 12, out)?,
        AvroType::Array(element) => {
            let elements = default.as_array()?;
            if !elements.is_empty() {
                write_long(out, elements.len() as i64);
            }
            for inner in elements {
                encode(schema, *element, inner, depth + 1, out)?;
            }
            write_long(out, 0);
        }
        AvroType::Map(member) => {
            let members = default.as_object()?;
            if !members.is_empty() {
                write_long(out, members.len() as i64);
            }
            for (name, inner) in members {
                write_sized(out, name.as_bytes());
                encode(schema, *member, inner, depth + 1, out)?;
            }
            write_long(out, 0);
        }
        AvroType::Union(branches) => {
            // A default is of the union's first type, says Avro up to 1.11; of the first that fits, says 1.12.
            let fits = |branch: &AvroTypeId| has_form_of(schema.get(*branch), default);
            let index = branches.iter().position(fits)?;
            write_long(out, index as i64);
            encode(schema, *branches.get(index)?, default, depth + 1, out)?;
        }
        AvroType::Record(fields) => {
            let members = default.as_object()?;
            for field in fields {
                match (members.get(&*field.name), &field.default) {
                    (Some(inner), _) => encode(schema, field.type_id, inner, depth + 1, out)?,
                    (None, Some(encoded)) => out.extend_from_slice(encoded),
                    (None, None) => return None,
                }
            }
        }
    }
    Some(())
}

/// By the outside only: trying the inside of every branch of nested unions could take for ever.
fn has_form_of(avro_type: &AvroType, default: &Json) -> bool {
    match avro_type {
        AvroType::Null => default.is_null(),
        AvroType::Boolean => default.is_boolean(),
        AvroType::Int | AvroType::Date | AvroType::TimeMillis => default
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        AvroType::Long
        | AvroType::TimeMicros
        | AvroType::Timestamp(_)
        | AvroType::LocalTimestamp(_) => default.is_i64(),
        AvroType::Float | AvroType::Double => default.is_number(),
        AvroType::Array(_) => default.is_array(),
        AvroType::Map(_) => default.is_object(),
        AvroType::Record(fields) => default.as_object().is_some_and(|members| {
            let mut names = members.keys();
            names.all(|name| fields.iter().any(|field| &*field.name == name))
        }),
        AvroType::Union(_) => false,
        AvroType::Enum(symbols) => default
            .as_str()
            .is_some_and(|symbol| symbols.iter().any(|known| known == symbol)),
        AvroType::Fixed(size)
        | AvroType::Decimal {
            fixed: Some(size), ..
        } => bytes_of(default).is_some_and(|bytes| bytes.len() == *size),
        _ => default.is_string(),
    }
}

fn fixed(default: &Json, size: usize, out: &mut Vec<u8>) -> Option<()> {
    let bytes = bytes_of(default).filter(|bytes| bytes.len() == size)?;
    out.extend_from_slice(&bytes);
    Some(())
}

/// One byte a character, up to U+00FF.
fn bytes_of(default: &Json) -> Option<Vec<u8>> {
    let characters = default.as_str()?.chars();
    characters
        .map(|character| u8::try_from(u32::from(character)).ok())
        .collect()
}
