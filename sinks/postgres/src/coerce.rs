//! From a place in a record to a column's bytes, driven by the column's type.
//!
//! Every value is written as its length (four bytes, -1 for NULL) and PostgreSQL's binary form of the type. COPY BINARY
//! and the arrays of UNNEST both consist of such fields, so one encoding serves both. Types whose binary form is not
//! written here travel as text and are cast by the statement.

mod array;
mod calendar;
mod decimal;
mod number;
mod text;
mod time;

use connect_api::{Kind, Resolved, ValueRef};

use crate::config::{NaiveTime, NullCharacter, TimeUnit};

pub(crate) use number::Precision;

/// The type of a column, as far as it decides about bytes. Domains are their base types.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ColumnType {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric(Option<Precision>),
    /// `text`, and `varchar(n)` with its length in characters.
    Text {
        longest: Option<usize>,
    },
    /// `char(n)`: blanks at its end do not count.
    Char {
        longest: Option<usize>,
    },
    Uuid,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Json,
    Jsonb,
    Bytea,
    Enum {
        labels: Vec<String>,
    },
    Array {
        element: Box<ColumnType>,
        element_oid: u32,
    },
    /// Any other type: its text form, cast by the server.
    Other,
}

/// How a column wants its values read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) unit: TimeUnit,
    pub(crate) naive_time: NaiveTime,
    pub(crate) null_character: NullCharacter,
}

/// What was found where a column's value was expected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    Null,
    Bool(bool),
    /// A JSON number's digits.
    Number(&'a str),
    Text(&'a str),
    /// Bytes as they are: what `bytea` stores.
    Bytes(&'a [u8]),
    Integer(i64),
    /// Milliseconds since 1970.
    Instant(i64),
    /// An array or an object.
    Nested(ValueRef<'a>),
}

/// Why a value does not fit; half a sentence without the value.
pub(crate) type Misfit = std::borrow::Cow<'static, str>;

impl<'a> Input<'a> {
    pub(crate) fn of(value: ValueRef<'a>) -> Input<'a> {
        match value.kind() {
            Kind::Null => Input::Null,
            Kind::Bool(boolean) => Input::Bool(boolean),
            Kind::Number(number) => Input::Number(number.as_str()),
            Kind::String(content) => Input::Text(content),
            Kind::Bytes(content) => Input::Bytes(content),
            Kind::Array(_) | Kind::Object(_) => Input::Nested(value),
        }
    }

    /// `None` is a missing field.
    pub(crate) fn resolved(resolved: Resolved<'a>) -> Option<Input<'a>> {
        Some(match resolved {
            Resolved::Missing => return None,
            Resolved::Value(value) => Input::of(value),
            Resolved::Text(content) => Input::Text(content),
            Resolved::Integer(number) => Input::Integer(number),
            Resolved::Timestamp(milliseconds) => Input::Instant(milliseconds),
        })
    }

    /// What was found, in words that may be logged: strings may be personal, so only their length is told.
    pub(crate) fn describe(&self) -> String {
        const LONGEST: usize = 40;
        match self {
            Input::Null => "null".into(),
            Input::Bool(boolean) => format!("boolean {boolean}"),
            Input::Number(digits) if digits.len() > LONGEST => {
                format!(
                    "number {}… ({} digits)",
                    digits.get(..LONGEST).unwrap_or(""),
                    digits.len()
                )
            }
            Input::Number(digits) => format!("number {digits}"),
            Input::Text(content) => match content.chars().count() {
                1 => "string of 1 character".into(),
                count => format!("string of {count} characters"),
            },
            Input::Bytes(content) => match content.len() {
                1 => "1 byte".into(),
                count => format!("{count} bytes"),
            },
            Input::Integer(number) => format!("number {number}"),
            Input::Instant(milliseconds) => {
                format!("time {}", connect_api::time::format_ms(*milliseconds))
            }
            Input::Nested(value) => value.type_name().into(),
        }
    }
}

/// Appends one field: its length and its bytes.
pub(crate) fn field(
    out: &mut Vec<u8>,
    content: impl FnOnce(&mut Vec<u8>) -> Result<(), Misfit>,
) -> Result<(), Misfit> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    content(out)?;
    let length =
        i32::try_from(out.len() - start - 4).map_err(|_| Misfit::from("it has more than 2 GiB"))?;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Appends NULL.
pub(crate) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

fn fixed<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    out.extend_from_slice(&(N as i32).to_be_bytes());
    out.extend_from_slice(&bytes);
}

impl ColumnType {
    /// Appends the value as a binary field. After an error `out` holds a part of it: the caller cuts it off.
    pub(crate) fn write_binary(
        &self,
        input: Input<'_>,
        reading: &Reading,
        out: &mut Vec<u8>,
    ) -> Result<(), Misfit> {
        if let Input::Null = input {
            null(out);
            return Ok(());
        }
        match self {
            ColumnType::Bool => fixed(out, [u8::from(text::boolean(input)?)]),
            ColumnType::Int2 => fixed(out, number::integer::<i16>(input)?.to_be_bytes()),
            ColumnType::Int4 => fixed(out, number::integer::<i32>(input)?.to_be_bytes()),
            ColumnType::Int8 => fixed(out, number::integer::<i64>(input)?.to_be_bytes()),
            ColumnType::Float4 => fixed(out, number::float4(input)?.to_be_bytes()),
            ColumnType::Float8 => fixed(out, number::float8(input)?.to_be_bytes()),
            ColumnType::Numeric(precision) => {
                return field(out, |out| number::numeric(input, *precision, out));
            }
            ColumnType::Text { .. }
            | ColumnType::Char { .. }
            | ColumnType::Enum { .. }
            | ColumnType::Json
            | ColumnType::Other => {
                return field(out, |out| self.write_plain_text(input, reading, out));
            }
            ColumnType::Jsonb => {
                return field(out, |out| {
                    out.push(1); // version of the format
                    text::json(input, reading, out)
                });
            }
            ColumnType::Uuid => fixed(out, text::uuid(input)?),
            ColumnType::Bytea => return field(out, |out| text::bytes(input, out)),
            ColumnType::Date => fixed(out, time::date(input, reading)?.to_be_bytes()),
            ColumnType::Time => fixed(out, time::time_of_day(input)?.to_be_bytes()),
            ColumnType::Timestamp | ColumnType::TimestampTz => {
                fixed(out, time::timestamp(input, reading)?.to_be_bytes());
            }
            ColumnType::Array {
                element,
                element_oid,
            } => {
                return field(out, |out| {
                    array::write_binary(element, *element_oid, input, reading, out)
                });
            }
        }
        Ok(())
    }

    /// Appends the value as a field of text, which the statement casts.
    pub(crate) fn write_text(
        &self,
        input: Input<'_>,
        reading: &Reading,
        out: &mut Vec<u8>,
    ) -> Result<(), Misfit> {
        match input {
            Input::Null => {
                null(out);
                Ok(())
            }
            _ => field(out, |out| self.write_plain_text(input, reading, out)),
        }
    }

    /// The text form without a length in front. `input` is not null.
    fn write_plain_text(
        &self,
        input: Input<'_>,
        reading: &Reading,
        out: &mut Vec<u8>,
    ) -> Result<(), Misfit> {
        use std::io::Write;
        // Writing to a vector does not fail.
        let _ = match self {
            ColumnType::Bool => write!(out, "{}", text::boolean(input)?),
            ColumnType::Int2 => write!(out, "{}", number::integer::<i16>(input)?),
            ColumnType::Int4 => write!(out, "{}", number::integer::<i32>(input)?),
            ColumnType::Int8 => write!(out, "{}", number::integer::<i64>(input)?),
            ColumnType::Float4 => write!(out, "{}", number::float4(input)?),
            ColumnType::Float8 => write!(out, "{}", number::float8(input)?),
            ColumnType::Numeric(precision) => {
                number::check_numeric(input, *precision)?;
                return text::text(input, None, false, reading, out);
            }
            ColumnType::Text { longest } => {
                return text::text(input, *longest, false, reading, out);
            }
            ColumnType::Char { longest } => return text::text(input, *longest, true, reading, out),
            ColumnType::Enum { labels } => return text::label(input, labels, out),
            ColumnType::Json | ColumnType::Jsonb => return text::json(input, reading, out),
            ColumnType::Uuid => {
                return {
                    text::uuid_text(text::uuid(input)?, out);
                    Ok(())
                };
            }
            ColumnType::Bytea => return text::bytes_as_hex(input, out),
            ColumnType::Date => write!(out, "{}", calendar::DateText(time::date(input, reading)?)),
            ColumnType::Time => write!(out, "{}", calendar::TimeText(time::time_of_day(input)?)),
            ColumnType::Timestamp | ColumnType::TimestampTz => {
                write!(
                    out,
                    "{}",
                    calendar::TimestampText(time::timestamp(input, reading)?)
                )
            }
            ColumnType::Array { element, .. } => {
                return array::write_literal(element, input, reading, out);
            }
            ColumnType::Other => return text::any(input, reading, out),
        };
        Ok(())
    }

    /// Whether the binary form of this type is written here.
    pub(crate) fn has_binary(&self) -> bool {
        match self {
            ColumnType::Other => false,
            ColumnType::Array { element, .. } => element.has_binary(),
            _ => true,
        }
    }

    /// Whether equal values have equal bytes, so that the last of a key can be told here. Where it does not hold
    /// (`1.0` and `1.00` are one numeric, upper and lower case one citext) the server decides.
    pub(crate) fn has_canonical_bytes(&self) -> bool {
        !matches!(
            self,
            ColumnType::Numeric(None)
                | ColumnType::Float4
                | ColumnType::Float8
                | ColumnType::Json
                | ColumnType::Jsonb
                | ColumnType::Array { .. }
                | ColumnType::Other
        )
    }
}

fn expected(what: &'static str) -> Misfit {
    Misfit::from(what)
}
