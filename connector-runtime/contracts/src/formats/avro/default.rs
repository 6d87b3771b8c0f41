//! The defaults of a schema's fields, encoded once.
//!
//! In a schema they have JSON forms of their own (a date is a number of days, bytes are text of code points), so they are
//! encoded by these rules and not by those for records. A default that does not fit its type is no default: for reading it
//! does not matter, and a writer whose value lacks the field says so.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::MAX_DEPTH;
use super::plan::{Plan, PlanId, Plans};
use super::wire::{write_long, write_sized};

/// Fills `Field::default` of all records. `defaults` are by record and index of the field.
pub(super) fn encode_all(plans: &mut Plans, defaults: &HashMap<(PlanId, usize), Json>) {
    // Inner records have the larger ids. They come first: an outer default may leave their fields to their own defaults.
    for id in (0..plans.len()).rev() {
        let Plan::Record(fields) = plans.get(id) else {
            continue;
        };
        let encoded = fields.iter().enumerate().filter_map(|(index, field)| {
            let default = defaults.get(&(id, index))?;
            let mut bytes = Vec::new();
            encode(plans, field.plan, default, 0, &mut bytes)?;
            Some((index, bytes))
        });
        for (index, bytes) in encoded.collect::<Vec<(usize, Vec<u8>)>>() {
            plans.set_default(id, index, bytes.into());
        }
    }
}

/// `None` if the default does not fit; `out` holds a part of it then.
fn encode(
    plans: &Plans,
    id: PlanId,
    default: &Json,
    depth: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match plans.get(id) {
        Plan::Null => default.as_null()?,
        Plan::Boolean => out.push(default.as_bool()?.into()),
        Plan::Int | Plan::Date | Plan::TimeMillis => {
            write_long(out, i32::try_from(default.as_i64()?).ok()?.into());
        }
        Plan::Long | Plan::TimeMicros | Plan::Timestamp(_) | Plan::LocalTimestamp(_) => {
            write_long(out, default.as_i64()?);
        }
        Plan::Float => out.extend_from_slice(&(default.as_f64()? as f32).to_le_bytes()),
        Plan::Double => out.extend_from_slice(&default.as_f64()?.to_le_bytes()),
        Plan::String | Plan::UuidText => write_sized(out, default.as_str()?.as_bytes()),
        Plan::Enum(symbols) => {
            let symbol = default.as_str()?;
            let index = symbols.iter().position(|known| known == symbol)?;
            write_long(out, index as i64);
        }
        Plan::Bytes
        | Plan::Decimal { fixed: None, .. }
        | Plan::BigDecimal
        | Plan::UuidBytes { sized: true } => write_sized(out, &bytes_of(default)?),
        Plan::Fixed(size)
        | Plan::Decimal {
            fixed: Some(size), ..
        } => fixed(default, *size, out)?,
        Plan::UuidBytes { sized: false } => fixed(default, 16, out)?,
        Plan::Duration => fixed(default, 12, out)?,
        Plan::Array(element) => {
            let elements = default.as_array()?;
            if !elements.is_empty() {
                write_long(out, elements.len() as i64);
            }
            for inner in elements {
                encode(plans, *element, inner, depth + 1, out)?;
            }
            write_long(out, 0);
        }
        Plan::Map(member) => {
            let members = default.as_object()?;
            if !members.is_empty() {
                write_long(out, members.len() as i64);
            }
            for (name, inner) in members {
                write_sized(out, name.as_bytes());
                encode(plans, *member, inner, depth + 1, out)?;
            }
            write_long(out, 0);
        }
        Plan::Union(branches) => {
            // A default is of the union's first type, says Avro up to 1.11; of the first that fits, says 1.12.
            let fits = |branch: &PlanId| has_form_of(plans.get(*branch), default);
            let index = branches.iter().position(fits)?;
            write_long(out, index as i64);
            encode(plans, *branches.get(index)?, default, depth + 1, out)?;
        }
        Plan::Record(fields) => {
            let members = default.as_object()?;
            for field in fields {
                match (members.get(&*field.name), &field.default) {
                    (Some(inner), _) => encode(plans, field.plan, inner, depth + 1, out)?,
                    (None, Some(encoded)) => out.extend_from_slice(encoded),
                    (None, None) => return None,
                }
            }
        }
    }
    Some(())
}

/// By the outside only: trying the inside of every branch of nested unions could take for ever.
fn has_form_of(plan: &Plan, default: &Json) -> bool {
    match plan {
        Plan::Null => default.is_null(),
        Plan::Boolean => default.is_boolean(),
        Plan::Int | Plan::Date | Plan::TimeMillis => default
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        Plan::Long | Plan::TimeMicros | Plan::Timestamp(_) | Plan::LocalTimestamp(_) => {
            default.is_i64()
        }
        Plan::Float | Plan::Double => default.is_number(),
        Plan::Array(_) => default.is_array(),
        Plan::Map(_) => default.is_object(),
        Plan::Record(fields) => default.as_object().is_some_and(|members| {
            let mut names = members.keys();
            names.all(|name| fields.iter().any(|field| &*field.name == name))
        }),
        Plan::Union(_) => false,
        Plan::Enum(symbols) => default
            .as_str()
            .is_some_and(|symbol| symbols.iter().any(|known| known == symbol)),
        Plan::Fixed(size)
        | Plan::Decimal {
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
