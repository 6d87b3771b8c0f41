//! Encodes a value as the payload of a schema. A value that the schema cannot represent exactly is refused.

use std::fmt::Debug;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connect_api::{Kind, ValueRef};

use super::schema::{EnvelopeField, Schema, SchemaKind, Width};
use super::{Problem, decimal, time};

/// Appends the payload. `None` is a missing member.
pub(super) fn value(
    schema: &Schema,
    found: Option<ValueRef<'_>>,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let Some(found) = found.filter(|found| !found.is_null()) else {
        return match (&schema.default, found) {
            // A reader replaces null by the default, so a null cannot be written for a field with a default.
            (Some(default), None) => {
                default.root().write_json(out);
                Ok(())
            }
            (None, _) if schema.optional => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            _ => Err(Problem::of(found, schema.expected())),
        };
    };
    present(schema, found, out)
}

fn present(schema: &Schema, found: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    let misfit = || Problem::of(Some(found), schema.expected());
    match &schema.kind {
        SchemaKind::Boolean => {
            let boolean = found.as_bool().ok_or_else(misfit)?;
            out.extend_from_slice(if boolean { b"true" } else { b"false" });
        }
        SchemaKind::Integer(width) => {
            write_integer(integer(found, *width).ok_or_else(misfit)?, out)
        }
        SchemaKind::Float => write_float(found, shortest::<f32>, out).ok_or_else(misfit)?,
        SchemaKind::Double => write_float(found, shortest::<f64>, out).ok_or_else(misfit)?,
        SchemaKind::String => {
            found.as_str().ok_or_else(misfit)?;
            found.write_json(out);
        }
        SchemaKind::Bytes => write_base64(&bytes(found).ok_or_else(misfit)?, out),
        SchemaKind::Decimal { scale } => {
            let digits = found.as_number().ok_or_else(misfit)?.as_str();
            write_base64(&decimal::bytes(digits, *scale).ok_or_else(misfit)?, out);
        }
        SchemaKind::Date => counted(found, Width::Bits32, time::days_of, out).ok_or_else(misfit)?,
        SchemaKind::Time => {
            counted(found, Width::Bits32, time::milliseconds_of_day, out).ok_or_else(misfit)?
        }
        SchemaKind::Timestamp => {
            counted(found, Width::Bits64, time::milliseconds_since_1970, out).ok_or_else(misfit)?
        }
        SchemaKind::Array(items) => {
            out.push(b'[');
            for (index, element) in found.elements().ok_or_else(misfit)?.enumerate() {
                separate(index, out);
                value(items, Some(element), out).map_err(|problem| problem.in_element(index))?;
            }
            out.push(b']');
        }
        SchemaKind::Map(keys, values) if keys.is_string() => {
            out.push(b'{');
            for (index, (name, member)) in found.members().ok_or_else(misfit)?.enumerate() {
                separate(index, out);
                write_name(name, out);
                value(values, Some(member), out).map_err(|problem| problem.in_member(name))?;
            }
            out.push(b'}');
        }
        SchemaKind::Map(keys, values) => return pairs(schema, keys, values, found, out),
        SchemaKind::Struct(fields) => return object(schema, fields, found, out),
    }
    Ok(())
}

fn object(
    schema: &Schema,
    fields: &[EnvelopeField],
    found: ValueRef<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let members = found
        .members()
        .ok_or_else(|| Problem::of(Some(found), schema.expected()))?;
    for (name, member) in members {
        if !fields.iter().any(|field| field.name == name) {
            let expected = "no such member: the schema does not describe it";
            return Err(Problem::of(Some(member), expected).in_member(name));
        }
    }
    out.push(b'{');
    for (index, field) in fields.iter().enumerate() {
        separate(index, out);
        write_name(&field.name, out);
        value(&field.schema, members.get(&field.name), out)
            .map_err(|problem| problem.in_member(&field.name))?;
    }
    out.push(b'}');
    Ok(())
}

fn pairs(
    schema: &Schema,
    keys: &Schema,
    values: &Schema,
    found: ValueRef<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let misfit = |found| Problem::of(Some(found), schema.expected());
    out.push(b'[');
    let elements = found.elements().ok_or_else(|| misfit(found))?;
    for (index, pair) in elements.enumerate() {
        let (Some(2), Some(key), Some(member)) = (
            pair.elements().map(|elements| elements.len()),
            pair.at(0),
            pair.at(1),
        ) else {
            return Err(misfit(pair).in_element(index));
        };
        separate(index, out);
        out.push(b'[');
        value(keys, Some(key), out).map_err(|problem| problem.in_element(0).in_element(index))?;
        out.push(b',');
        value(values, Some(member), out)
            .map_err(|problem| problem.in_element(1).in_element(index))?;
        out.push(b']');
    }
    out.push(b']');
    Ok(())
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

fn write_name(name: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, name).expect("a vector takes any text");
    out.push(b':');
}

fn write_integer(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(number.to_string().as_bytes());
}

fn write_base64(content: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(STANDARD.encode(content).as_bytes());
    out.push(b'"');
}

fn integer(found: ValueRef<'_>, width: Width) -> Option<i64> {
    let number = found.as_number()?.as_i64()?;
    width.holds(number).then_some(number)
}

/// A date or time as a count. A number is the count itself.
fn counted(
    found: ValueRef<'_>,
    width: Width,
    of_text: fn(&str) -> Option<i64>,
    out: &mut Vec<u8>,
) -> Option<()> {
    let count = match found.kind() {
        Kind::String(text) => of_text(text).filter(|count| width.holds(*count))?,
        _ => integer(found, width)?,
    };
    write_integer(count, out);
    Some(())
}

/// Bytes, or base64 text from a value that came from JSON.
fn bytes(found: ValueRef<'_>) -> Option<Vec<u8>> {
    match found.kind() {
        Kind::Bytes(content) => Some(content.to_vec()),
        Kind::String(text) => STANDARD.decode(text).ok(),
        _ => None,
    }
}

fn write_float(
    found: ValueRef<'_>,
    shortest: impl FnOnce(&str) -> Option<String>,
    out: &mut Vec<u8>,
) -> Option<()> {
    match found.kind() {
        Kind::Number(number) => {
            let digits = number.as_str();
            let written = shortest(digits)?;
            decimal::are_equal(digits, &written).then(|| {
                out.extend_from_slice(digits.as_bytes());
            })
        }
        Kind::String(word @ ("NaN" | "Infinity" | "-Infinity")) => {
            write_name_only(word, out);
            Some(())
        }
        _ => None,
    }
}

fn write_name_only(word: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

/// The shortest digits of the nearest float, or `None` where that is infinite.
pub(super) fn shortest<F: FromStr + Debug + Into<f64> + Copy>(digits: &str) -> Option<String> {
    let nearest: F = digits.parse().ok()?;
    let is_finite = nearest.into().is_finite();
    is_finite.then(|| format!("{nearest:?}"))
}
