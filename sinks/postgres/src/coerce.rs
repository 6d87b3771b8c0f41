//! From a value in a record to a column's bytes, driven by the column's type.
//!
//! Every value is written as its length (four bytes, -1 for NULL) and PostgreSQL's binary form of the type. COPY BINARY
//! and the arrays of UNNEST both consist of such fields, so one encoding serves both. Types whose binary form is not
//! written here travel as text and are cast by the statement.
//!
//! One rule for all types: what PostgreSQL would cut, round or reinterpret in silence is refused here. The exceptions are
//! the roundings that a column declares: fractions of seconds, to microseconds or to the `n` of `timestamp(n)`.

mod array;
mod binary;
mod calendar;
mod catalog_type;
mod column_type;
mod debezium;
mod decimal;
mod epoch;
mod interval;
mod json;
mod money;
mod number;
mod options;
mod server_read;
mod short_number;
mod text;
mod time;
mod unscaled;
mod usual_time;

use connect_api::{Found, Kind, Resolved, ValueRef};

use crate::config::{NaiveTime, NullCharacter, TimeUnit};

#[cfg(test)]
pub(crate) use catalog_type::testing;
pub(crate) use catalog_type::{DeclaredType, Server};
pub(crate) use column_type::ColumnType;

/// How a column wants its values read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// What an epoch number counts; without it only timestamps take one, in milliseconds.
    pub(crate) unit: Option<TimeUnit>,
    /// Strings are unscaled decimals in base64, with this scale.
    pub(crate) unscaled: Option<unscaled::Scale>,
    /// Strings hold JSON text.
    pub(crate) parse: bool,
    pub(crate) naive_time: NaiveTime,
    pub(crate) null_character: NullCharacter,
}

/// What was found where a column's value was expected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ColumnInput<'a> {
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
pub(crate) type CoerceError = std::borrow::Cow<'static, str>;

impl<'a> ColumnInput<'a> {
    #[inline]
    pub(crate) fn of(value: ValueRef<'a>) -> ColumnInput<'a> {
        match value.kind() {
            Kind::Null => ColumnInput::Null,
            Kind::Bool(boolean) => ColumnInput::Bool(boolean),
            Kind::Number(number) => ColumnInput::Number(number.as_str()),
            Kind::String(content) => ColumnInput::Text(content),
            Kind::Bytes(content) => ColumnInput::Bytes(content),
            Kind::Array(_) | Kind::Object(_) => ColumnInput::Nested(value),
        }
    }

    /// `None` is a missing field.
    pub(crate) fn resolved(resolved: Resolved<'a>) -> Option<ColumnInput<'a>> {
        Some(match resolved {
            Resolved::Missing => return None,
            Resolved::Value(value) => ColumnInput::of(value),
            Resolved::Text(content) => ColumnInput::Text(content),
            Resolved::Integer(number) => ColumnInput::Integer(number),
            Resolved::Timestamp(milliseconds) => ColumnInput::Instant(milliseconds),
        })
    }

    pub(crate) fn found(&self) -> Found {
        match self {
            ColumnInput::Null => Found::new("null"),
            ColumnInput::Bool(is_true) => Found::boolean(*is_true),
            ColumnInput::Number(digits) => Found::number(digits),
            ColumnInput::Text(content) => Found::string(content),
            ColumnInput::Bytes(content) => Found::bytes(content),
            ColumnInput::Integer(number) => Found::number(&number.to_string()),
            ColumnInput::Instant(milliseconds) => {
                Found::new("a time").with_value(&connect_api::time::format_ms(*milliseconds))
            }
            ColumnInput::Nested(value) => Found::from(*value),
        }
    }
}

/// Appends one field: its length and its bytes.
pub(crate) fn field(
    out: &mut Vec<u8>,
    content: impl FnOnce(&mut Vec<u8>) -> Result<(), CoerceError>,
) -> Result<(), CoerceError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    content(out)?;
    let length = i32::try_from(out.len() - start - 4)
        .map_err(|_| CoerceError::from("it has more than 2 GiB"))?;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Appends NULL.
pub(crate) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

/// Bytes of the widest type of a fixed width, `uuid`.
const WIDEST: usize = 16;

fn fixed<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    // Put together first: then the vector looks for room once.
    let mut field = [0; 4 + WIDEST];
    let field = field
        .get_mut(..4 + N)
        .expect("no type of a fixed width is wider than the widest");
    let (length, content) = field.split_at_mut(4);
    length.copy_from_slice(&(N as i32).to_be_bytes());
    content.copy_from_slice(&bytes);
    out.extend_from_slice(field);
}

fn expected(what: &'static str) -> CoerceError {
    CoerceError::from(what)
}

/// Without the blanks that PostgreSQL skips around a value. Others, such as U+00A0, are characters like any.
fn trimmed(content: &str) -> &str {
    content.trim_matches(|c| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r'))
}
