//! Types whose text form the server reads: which JSON values may become that text.
//!
//! The text goes through PostgreSQL's input functions, which are lenient: `xid` reads `12abc` as 12, `oid` reads -1 as
//! 4294967295, `cidr` reads the number 10 as 10.0.0.0/8. Such readings are refused before.

use std::io::Write;

use connect_api::{Kind, ValueRef};

use super::column_type::no_nested_form;
use super::{CoerceError, ColumnInput, Reading, expected, number, text, trimmed};

/// Which values a type takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A string, or a number or boolean as it is written.
    Scalar,
    /// A string: the server reads digits as something that is no number.
    String,
    /// An integer from 0 to `largest`, as a number or string: `oid`, `xid`.
    Unsigned { largest: u64 },
    /// `int2vector`: integers with blanks between them, from an array or as a string.
    Int2Vector,
    /// `oidvector`: the same.
    OidVector,
    /// `vector` and `halfvec` of pgvector: an array of numbers, whose text form is that of JSON.
    Numbers,
    /// `geometry` and `geography` of PostGIS: text, or an object in GeoJSON.
    Geometry,
}

impl Form {
    /// The form of a type of `pg_catalog`.
    pub(super) fn built_in(name: &str) -> Form {
        match name {
            "timetz" | "inet" | "cidr" | "macaddr" | "macaddr8" | "bit" | "varbit" => Form::String,
            "oid" | "xid" | "cid" => Form::Unsigned {
                largest: u64::from(u32::MAX),
            },
            "xid8" => Form::Unsigned { largest: u64::MAX },
            "int2vector" => Form::Int2Vector,
            "oidvector" => Form::OidVector,
            _ => Form::Scalar,
        }
    }

    /// The form of any other type.
    pub(super) fn of_extension(name: &str) -> Form {
        match name {
            "vector" | "halfvec" => Form::Numbers,
            "geometry" | "geography" => Form::Geometry,
            _ => Form::Scalar,
        }
    }

    pub(super) fn takes_arrays(self) -> bool {
        matches!(self, Form::Int2Vector | Form::OidVector | Form::Numbers)
    }
}

pub(super) fn write(
    form: Form,
    input: ColumnInput<'_>,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    match (form, input) {
        (Form::Unsigned { largest }, _) => {
            let number = unsigned(input, largest)?;
            // Writing to a vector does not fail.
            let _ = write!(out, "{number}");
            Ok(())
        }
        (Form::Int2Vector, ColumnInput::Nested(value)) => integers(value, out, |input| {
            number::integer::<i16>(input).map(i64::from)
        }),
        (Form::OidVector, ColumnInput::Nested(value)) => integers(value, out, |input| {
            unsigned(input, u64::from(u32::MAX)).map(|number| number as i64)
        }),
        (Form::Numbers, ColumnInput::Nested(value)) if is_array_of_numbers(value) => {
            value.write_json(out);
            Ok(())
        }
        (Form::Geometry, ColumnInput::Nested(value)) if is_geo_json(value) => {
            value.write_json(out);
            Ok(())
        }
        (_, ColumnInput::Nested(_)) => Err(no_nested_form()),
        (
            Form::String | Form::Int2Vector | Form::OidVector,
            ColumnInput::Number(_)
            | ColumnInput::Integer(_)
            | ColumnInput::Bool(_)
            | ColumnInput::Instant(_),
        ) => Err(expected("a string is expected")),
        _ => text::text(input, None, false, reading, out),
    }
}

fn unsigned(input: ColumnInput<'_>, largest: u64) -> Result<u64, CoerceError> {
    let digits = match input {
        ColumnInput::Number(digits) => digits,
        ColumnInput::Text(content) => trimmed(content),
        ColumnInput::Integer(number) => {
            return u64::try_from(number)
                .ok()
                .filter(|number| *number <= largest)
                .ok_or(expected("it is out of range"));
        }
        _ => return Err(expected("an integer is expected")),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(expected("an integer that is not negative is expected"));
    }
    digits
        .parse::<u64>()
        .ok()
        .filter(|number| *number <= largest)
        .ok_or(expected("it is out of range"))
}

fn integers(
    value: ValueRef<'_>,
    out: &mut Vec<u8>,
    integer: impl Fn(ColumnInput<'_>) -> Result<i64, CoerceError>,
) -> Result<(), CoerceError> {
    let elements = value
        .elements()
        .ok_or(expected("an array of integers is expected"))?;
    for (index, element) in elements.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        let number = integer(ColumnInput::of(element))?;
        // Writing to a vector does not fail.
        let _ = write!(out, "{number}");
    }
    Ok(())
}

fn is_array_of_numbers(value: ValueRef<'_>) -> bool {
    value.elements().is_some_and(|mut elements| {
        elements.all(|element| matches!(element.kind(), Kind::Number(_)))
    })
}

/// RFC 7946: an object whose `type` is a string, with `coordinates` or, of a collection, `geometries`.
fn is_geo_json(value: ValueRef<'_>) -> bool {
    let Some(members) = value.members() else {
        return false;
    };
    let (mut has_type, mut has_content) = (false, false);
    for (name, member) in members {
        match (name, member.kind()) {
            ("type", Kind::String(_)) => has_type = true,
            ("coordinates" | "geometries", Kind::Array(_)) => has_content = true,
            _ => {}
        }
    }
    has_type && has_content
}
