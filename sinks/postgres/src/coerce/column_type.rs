//! The types of columns: which binary or text form a value gets.

use super::{
    CoerceError, ColumnInput, Reading, array, binary, calendar, expected, field, fixed, interval,
    json, money, null, number, server_read, text, time, unscaled,
};

/// The type of a column, as far as it decides about bytes. Domains are their base types.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ColumnType {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric(number::Numeric),
    Money(money::Money),
    /// `text`, and `varchar(n)` with its length in characters.
    Text {
        longest: Option<usize>,
    },
    /// `char(n)`: blanks at its end do not count.
    Char {
        longest: Option<usize>,
    },
    /// `name`: at most 63 bytes.
    Name,
    /// `"char"`: one byte.
    SingleByte,
    Uuid,
    Date,
    Time(time::Decimals),
    Timestamp(time::Decimals),
    TimestampTz(time::Decimals),
    Interval(interval::IntervalPrecision),
    Json,
    Jsonb,
    Bytea,
    Enum {
        labels: Vec<String>,
    },
    Array {
        element: Box<ColumnType>,
        element_oid: u32,
        /// What separates elements in the text form: a comma, for `box` a semicolon.
        delimiter: u8,
    },
    /// Any other type: its text form, cast by the server.
    Other(server_read::Form),
}

impl ColumnType {
    /// Appends the value as a binary field. After an error `out` holds a part of it: the caller cuts it off.
    pub(crate) fn write_binary(
        &self,
        input: ColumnInput<'_>,
        reading: &Reading,
        out: &mut Vec<u8>,
    ) -> Result<(), CoerceError> {
        if let ColumnInput::Null = input {
            null(out);
            return Ok(());
        }
        if reading.unscaled.is_some()
            && let Some(digits) = unscaled::digits(input, reading)?
        {
            return self.write_binary(ColumnInput::Number(&digits), reading, out);
        }
        match self {
            ColumnType::Text { longest: None } if let ColumnInput::Text(content) = input => {
                return text::field(content, reading, out);
            }
            ColumnType::Bool => fixed(out, [u8::from(text::boolean(input)?)]),
            ColumnType::Int2 => fixed(out, number::integer::<i16>(input)?.to_be_bytes()),
            ColumnType::Int4 => fixed(out, number::integer::<i32>(input)?.to_be_bytes()),
            ColumnType::Int8 => fixed(out, number::integer::<i64>(input)?.to_be_bytes()),
            ColumnType::Float4 => fixed(out, number::float4(input)?.to_be_bytes()),
            ColumnType::Float8 => fixed(out, number::float8(input)?.to_be_bytes()),
            ColumnType::Money(money) => fixed(out, money.amount(input)?.to_be_bytes()),
            ColumnType::SingleByte => fixed(out, [text::single_byte(input)?]),
            ColumnType::Uuid => fixed(out, binary::uuid(input)?),
            ColumnType::Date => fixed(out, time::date(input, reading)?.to_be_bytes()),
            ColumnType::Time(decimals) => {
                fixed(
                    out,
                    time::time_of_day(input, reading, *decimals)?.to_be_bytes(),
                );
            }
            ColumnType::Timestamp(decimals) | ColumnType::TimestampTz(decimals) => {
                fixed(
                    out,
                    time::timestamp(input, reading, *decimals)?.to_be_bytes(),
                );
            }
            _ => return field(out, |out| self.write_sized(input, reading, out)),
        }
        Ok(())
    }

    /// The binary forms whose length depends on the value, without the length in front.
    fn write_sized(
        &self,
        input: ColumnInput<'_>,
        reading: &Reading,
        out: &mut Vec<u8>,
    ) -> Result<(), CoerceError> {
        match self {
            ColumnType::Numeric(numeric) => number::numeric(input, *numeric, out),
            ColumnType::Jsonb => {
                out.push(1); // version of the format
                json::json(input, reading, out)
            }
            ColumnType::Bytea => binary::bytes(input, out),
            ColumnType::Array {
                element,
                element_oid,
                ..
            } => array::write_binary(element, *element_oid, input, reading, out),
            _ => self.write_plain_text(input, reading, out),
        }
    }

    /// Appends the value as a field of text, which the statement casts.
    pub(crate) fn write_text(
        &self,
        input: ColumnInput<'_>,
        reading: &Reading,
        out: &mut Vec<u8>,
    ) -> Result<(), CoerceError> {
        if let ColumnInput::Null = input {
            null(out);
            return Ok(());
        }
        field(out, |out| self.write_plain_text(input, reading, out))
    }

    /// The text form without a length in front. `input` is not null.
    pub(super) fn write_plain_text(
        &self,
        input: ColumnInput<'_>,
        reading: &Reading,
        out: &mut Vec<u8>,
    ) -> Result<(), CoerceError> {
        use std::io::Write;
        if let Some(digits) = unscaled::digits(input, reading)? {
            return self.write_plain_text(ColumnInput::Number(&digits), reading, out);
        }
        // Writing to a vector does not fail.
        let _ = match self {
            ColumnType::Bool => write!(out, "{}", text::boolean(input)?),
            ColumnType::Int2 => write!(out, "{}", number::integer::<i16>(input)?),
            ColumnType::Int4 => write!(out, "{}", number::integer::<i32>(input)?),
            ColumnType::Int8 => write!(out, "{}", number::integer::<i64>(input)?),
            ColumnType::Float4 => write!(out, "{}", number::float4(input)?),
            ColumnType::Float8 => write!(out, "{}", number::float8(input)?),
            ColumnType::Numeric(numeric) => {
                number::check_numeric(input, *numeric)?;
                return text::text(input, None, false, reading, out);
            }
            ColumnType::Money(money) => write!(out, "{}", money.text(input)?),
            ColumnType::Text { longest } => {
                return text::text(input, *longest, false, reading, out);
            }
            ColumnType::Char { longest } => return text::text(input, *longest, true, reading, out),
            ColumnType::Name => return text::name(input, reading, out),
            ColumnType::SingleByte => {
                text::single_byte_text(text::single_byte(input)?, out);
                Ok(())
            }
            ColumnType::Enum { labels } => return text::label(input, labels, out),
            ColumnType::Json | ColumnType::Jsonb => return json::json(input, reading, out),
            ColumnType::Uuid => {
                binary::uuid_text(binary::uuid(input)?, out);
                Ok(())
            }
            ColumnType::Bytea => return binary::bytes_as_hex(input, out),
            ColumnType::Date => write!(out, "{}", calendar::DateText(time::date(input, reading)?)),
            ColumnType::Time(decimals) => write!(
                out,
                "{}",
                calendar::TimeText(time::time_of_day(input, reading, *decimals)?)
            ),
            ColumnType::Timestamp(decimals) | ColumnType::TimestampTz(decimals) => write!(
                out,
                "{}",
                calendar::TimestampText(time::timestamp(input, reading, *decimals)?)
            ),
            ColumnType::Interval(precision) => {
                return interval::interval(input, *precision, reading, out);
            }
            ColumnType::Array {
                element, delimiter, ..
            } => return array::write_literal(element, *delimiter, input, reading, out),
            ColumnType::Other(form) => return server_read::write(*form, input, reading, out),
        };
        Ok(())
    }

    /// Whether the binary form of this type is written here.
    pub(crate) fn has_binary(&self) -> bool {
        match self {
            ColumnType::Other(_) | ColumnType::Interval(_) => false,
            ColumnType::Array { element, .. } => element.has_binary(),
            _ => true,
        }
    }

    /// The type that a text parameter is cast to before its own. The text form of `money` depends on the server's
    /// `lc_monetary`, that of `numeric` on nothing.
    pub(crate) fn cast_through(&self) -> Option<&'static str> {
        match self {
            ColumnType::Array { element, .. } if matches!(**element, ColumnType::Money(_)) => {
                Some("\"pg_catalog\".\"_numeric\"")
            }
            _ => None,
        }
    }

    /// Whether equal values have equal bytes, so that the last of a key can be told here. Where it does not hold
    /// (`1.0` and `1.00` are one numeric, upper and lower case one citext) the server decides.
    pub(crate) fn has_canonical_bytes(&self) -> bool {
        match self {
            // A scale makes every number have the same digits after the point.
            ColumnType::Numeric(numeric) => numeric.precision.is_some(),
            ColumnType::Float4
            | ColumnType::Float8
            | ColumnType::Interval(_)
            | ColumnType::Json
            | ColumnType::Jsonb
            | ColumnType::Array { .. }
            | ColumnType::Other(_) => false,
            _ => true,
        }
    }

    /// Whether a JSON array is one value of this type, and not a dimension of an array of it.
    pub(super) fn takes_arrays(&self) -> bool {
        match self {
            ColumnType::Json | ColumnType::Jsonb => true,
            ColumnType::Other(form) => form.takes_arrays(),
            _ => false,
        }
    }

    /// The type of the elements, or the type itself.
    pub(super) fn leaf(&self) -> &ColumnType {
        match self {
            ColumnType::Array { element, .. } => element.leaf(),
            other => other,
        }
    }
}

/// A nested value where a type has no form for one. As text it would be read as something else: PostgreSQL's interval
/// skips punctuation, and `[1,5]` is a range.
pub(super) fn no_nested_form() -> CoerceError {
    expected("an object or array has no form in this type; a json or jsonb column takes any value")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
