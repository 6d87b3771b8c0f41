//! A payload by its schema.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connect_api::{Kind, ValueBuilder, ValueRef};

use super::schema::{EnvelopeField, Schema, SchemaKind, Width};
use super::{Problem, decimal, time};

/// Appends what `payload` means to `out`. `None` is a missing field.
pub(super) fn value(
    schema: &Schema,
    payload: Option<ValueRef<'_>>,
    out: &mut ValueBuilder,
) -> Result<(), Problem> {
    let Some(payload) = payload.filter(|payload| !payload.is_null()) else {
        return match &schema.default {
            // JsonConverter puts defaults in place of nulls too.
            Some(default) => present(schema, default.root(), out),
            None if schema.optional => Ok(out.null()?),
            None => Err(Problem::of(payload, schema.expected())),
        };
    };
    present(schema, payload, out)
}

fn present(schema: &Schema, payload: ValueRef<'_>, out: &mut ValueBuilder) -> Result<(), Problem> {
    let misfit = || Problem::of(Some(payload), schema.expected());
    match &schema.kind {
        SchemaKind::Boolean => out.boolean(payload.as_bool().ok_or_else(misfit)?)?,
        SchemaKind::Integer(width) => out.integer(integer(payload, *width).ok_or_else(misfit)?)?,
        SchemaKind::Float | SchemaKind::Double => return float(schema, payload, out),
        SchemaKind::String => out.string(payload.as_str().ok_or_else(misfit)?)?,
        SchemaKind::Bytes => out.bytes(&base64(payload).ok_or_else(misfit)?)?,
        SchemaKind::Decimal { scale } => match payload.kind() {
            Kind::Number(number) => out.number(number.as_str())?,
            _ => {
                let bytes = base64(payload).ok_or_else(misfit)?;
                out.number(&decimal::digits(&bytes, *scale).ok_or_else(misfit)?)?;
            }
        },
        SchemaKind::Date => {
            let days = integer(payload, Width::Bits32).ok_or_else(misfit)?;
            out.string(&time::date_text(days))?;
        }
        SchemaKind::Time => {
            let text = integer(payload, Width::Bits32).and_then(time::time_text);
            out.string(&text.ok_or_else(misfit)?)?;
        }
        SchemaKind::Timestamp => {
            let milliseconds = integer(payload, Width::Bits64).ok_or_else(misfit)?;
            out.string(&time::timestamp_text(milliseconds))?;
        }
        SchemaKind::Array(items) => {
            out.begin_array()?;
            for (index, element) in payload.elements().ok_or_else(misfit)?.enumerate() {
                value(items, Some(element), out).map_err(|problem| problem.in_element(index))?;
            }
            out.end()?;
        }
        SchemaKind::Map(keys, values) if keys.is_string() => {
            out.begin_object()?;
            for (name, member) in payload.members().ok_or_else(misfit)? {
                out.key(name)?;
                value(values, Some(member), out).map_err(|problem| problem.in_member(name))?;
            }
            out.end()?;
        }
        SchemaKind::Map(keys, values) => return pairs(schema, keys, values, payload, out),
        SchemaKind::Struct(fields) => return object(schema, fields, payload, out),
    }
    Ok(())
}

fn object(
    schema: &Schema,
    fields: &[EnvelopeField],
    payload: ValueRef<'_>,
    out: &mut ValueBuilder,
) -> Result<(), Problem> {
    let members = payload
        .members()
        .ok_or_else(|| Problem::of(Some(payload), schema.expected()))?;
    out.begin_object()?;
    let mut described = 0;
    for field in fields {
        let member = members.get(&field.name);
        described += usize::from(member.is_some());
        out.key(&field.name)?;
        value(&field.schema, member, out).map_err(|problem| problem.in_member(&field.name))?;
    }
    // What the schema does not describe is kept as it is: dropping it would lose it without a word.
    if described < members.len() {
        for (name, member) in members {
            if !fields.iter().any(|field| field.name == name) {
                out.key(name)?;
                out.copy(member)?;
            }
        }
    }
    Ok(out.end()?)
}

fn pairs(
    schema: &Schema,
    keys: &Schema,
    values: &Schema,
    payload: ValueRef<'_>,
    out: &mut ValueBuilder,
) -> Result<(), Problem> {
    let misfit = |found| Problem::of(Some(found), schema.expected());
    out.begin_array()?;
    for (index, pair) in payload
        .elements()
        .ok_or_else(|| misfit(payload))?
        .enumerate()
    {
        let (Some(2), Some(key), Some(member)) = (
            pair.elements().map(|elements| elements.len()),
            pair.at(0),
            pair.at(1),
        ) else {
            return Err(misfit(pair).in_element(index));
        };
        out.begin_array()?;
        value(keys, Some(key), out).map_err(|problem| problem.in_element(0).in_element(index))?;
        value(values, Some(member), out)
            .map_err(|problem| problem.in_element(1).in_element(index))?;
        out.end()?;
    }
    Ok(out.end()?)
}

fn integer(payload: ValueRef<'_>, width: Width) -> Option<i64> {
    let number = payload.as_number()?.as_i64()?;
    width.holds(number).then_some(number)
}

/// Numbers keep their digits. Java's NaN and infinities are words.
fn float(schema: &Schema, payload: ValueRef<'_>, out: &mut ValueBuilder) -> Result<(), Problem> {
    match payload.kind() {
        Kind::Number(number) => Ok(out.number(number.as_str())?),
        Kind::String(word @ ("NaN" | "Infinity" | "-Infinity")) => Ok(out.symbol(word)?),
        _ => Err(Problem::of(Some(payload), schema.expected())),
    }
}

fn base64(payload: ValueRef<'_>) -> Option<Vec<u8>> {
    STANDARD.decode(payload.as_str()?).ok()
}
