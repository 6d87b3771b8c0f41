//! Arrays: PostgreSQL's binary form for COPY, and the literal `{…}` for UNNEST, which would flatten an array of arrays.

use connect_api::ValueRef;

use super::{CoerceError, ColumnInput, ColumnType, Reading, expected, null};

/// PostgreSQL's own limit.
const MOST_DIMENSIONS: usize = 6;

/// The lengths of a JSON array's dimensions. An array that is one value of the element's type is no dimension.
fn dimensions(element: &ColumnType, value: ValueRef<'_>) -> Result<Vec<usize>, CoerceError> {
    let mut lengths = Vec::new();
    let mut next = Some(value);
    while let Some(elements) = next.and_then(ValueRef::elements) {
        if lengths.len() == MOST_DIMENSIONS {
            return Err(expected("more than 6 dimensions"));
        }
        lengths.push(elements.len());
        next = if element.takes_arrays() {
            None
        } else {
            elements.clone().next()
        };
    }
    if lengths.is_empty() {
        return Err(expected("an array is expected"));
    }
    // `[]` and `[[]]` are the empty array, which has no dimension.
    if lengths.contains(&0) {
        lengths.clear();
    }
    Ok(lengths)
}

fn nested(input: ColumnInput<'_>) -> Result<ValueRef<'_>, CoerceError> {
    match input {
        ColumnInput::Nested(value) => Ok(value),
        _ => Err(expected("an array is expected")),
    }
}

pub(super) fn write_binary(
    element: &ColumnType,
    element_oid: u32,
    input: ColumnInput<'_>,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    let value = nested(input)?;
    let lengths = dimensions(element, value)?;
    out.extend_from_slice(&(lengths.len() as i32).to_be_bytes());
    out.extend_from_slice(&1_i32.to_be_bytes()); // there may be NULLs
    out.extend_from_slice(&element_oid.to_be_bytes());
    for length in &lengths {
        let length = i32::try_from(*length).map_err(|_| expected("too many elements"))?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&1_i32.to_be_bytes()); // indexes start at 1
    }
    each_element(value, &lengths, &mut |place| {
        if place.is_null() {
            null(out);
            Ok(())
        } else {
            element.write_binary(ColumnInput::of(place), reading, out)
        }
    })
}

/// Calls `write` for every element of the innermost dimension.
fn each_element(
    value: ValueRef<'_>,
    lengths: &[usize],
    write: &mut impl FnMut(ValueRef<'_>) -> Result<(), CoerceError>,
) -> Result<(), CoerceError> {
    let Some((length, inner)) = lengths.split_first() else {
        return Ok(());
    };
    for element in elements(value, *length)? {
        if inner.is_empty() {
            write(element)?
        } else {
            each_element(element, inner, write)?
        }
    }
    Ok(())
}

/// The elements of an array that is to have so many: PostgreSQL's arrays are rectangular.
fn elements(
    value: ValueRef<'_>,
    length: usize,
) -> Result<impl Iterator<Item = ValueRef<'_>>, CoerceError> {
    value
        .elements()
        .filter(|elements| elements.len() == length)
        .ok_or(expected("its inner arrays differ in length"))
}

/// `{"a",NULL,{…}}`, or with another delimiter.
pub(super) fn write_literal(
    element: &ColumnType,
    delimiter: u8,
    input: ColumnInput<'_>,
    reading: &Reading,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    let value = nested(input)?;
    let lengths = dimensions(element, value)?;
    if lengths.is_empty() {
        out.extend_from_slice(b"{}");
        return Ok(());
    }
    let mut literal = Literal {
        element,
        delimiter,
        reading,
        scratch: Vec::new(),
    };
    literal.write(value, &lengths, out)
}

/// An array's text form at work.
struct Literal<'a> {
    element: &'a ColumnType,
    delimiter: u8,
    reading: &'a Reading,
    scratch: Vec<u8>,
}

impl Literal<'_> {
    fn write(
        &mut self,
        value: ValueRef<'_>,
        lengths: &[usize],
        out: &mut Vec<u8>,
    ) -> Result<(), CoerceError> {
        let (length, inner) = lengths
            .split_first()
            .expect("a dimension is left where elements are");
        let elements = elements(value, *length)?;
        out.push(b'{');
        for (index, child) in elements.enumerate() {
            if index > 0 {
                out.push(self.delimiter);
            }
            if !inner.is_empty() {
                self.write(child, inner, out)?;
            } else if child.is_null() {
                out.extend_from_slice(b"NULL");
            } else {
                self.scratch.clear();
                let input = ColumnInput::of(child);
                self.element
                    .write_plain_text(input, self.reading, &mut self.scratch)?;
                quoted(&self.scratch, out);
            }
        }
        out.push(b'}');
        Ok(())
    }
}

fn quoted(content: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in content {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::time::Decimals;
    use super::*;
    use bytes::Bytes;
    use connect_api::{JsonLimits, Value, ValueBuilder, ValueLimits};

    fn value(json: &str) -> Value {
        Value::parse_json(Bytes::from(json.to_owned()), JsonLimits::default()).unwrap()
    }

    #[test]
    fn literals() {
        let text = ColumnType::Text { longest: None };
        let cases = [
            (
                &text,
                r#"["a","b\"\\c",null]"#,
                Ok(r#"{"a","b\"\\c",NULL}"#),
            ),
            (&text, "[]", Ok("{}")),
            (&text, "[[]]", Ok("{}")),
            (&text, r#"[["a"],["b"]]"#, Ok(r#"{{"a"},{"b"}}"#)),
            (&text, r#"[["a"],["b","c"]]"#, Err("differ in length")),
            (&text, r#"[["a"],"b"]"#, Err("differ in length")),
            (&text, r#""a""#, Err("an array is expected")),
            (&ColumnType::Int4, "[1,2.0]", Ok(r#"{"1","2"}"#)),
            (&ColumnType::Int4, r#"["x"]"#, Err("an integer is expected")),
            (
                &ColumnType::Jsonb,
                r#"[[1],{"a":"b"}]"#,
                Ok(r#"{"[1]","{\"a\":\"b\"}"}"#),
            ),
            (
                &ColumnType::TimestampTz(Decimals::default()),
                "[0]",
                Ok(r#"{"1970-01-01 00:00:00.000000+00"}"#),
            ),
        ];
        for (element, json, expected) in cases {
            let mut out = Vec::new();
            let value = value(json);
            let written = write_literal(
                element,
                b',',
                ColumnInput::of(value.root()),
                &Reading::default(),
                &mut out,
            );
            let text = String::from_utf8(out).unwrap();
            match (written, expected) {
                (Ok(()), Ok(literal)) => assert_eq!(text, literal, "{json}"),
                (Err(found), Err(part)) => assert!(found.contains(part), "{json}: {found}"),
                (found, _) => unreachable!("{json}: {found:?}, {text}"),
            }
        }
    }

    #[test]
    fn bytes_in_an_array() {
        let mut builder = ValueBuilder::new(ValueLimits::default());
        builder.begin_array().unwrap();
        builder.bytes(&[0, 255]).unwrap();
        builder.null().unwrap();
        builder.bytes(b"\"\\").unwrap();
        builder.end().unwrap();
        let value = builder.finish();
        let (input, reading) = (ColumnInput::of(value.root()), Reading::default());
        let mut literal = Vec::new();
        write_literal(&ColumnType::Bytea, b',', input, &reading, &mut literal).unwrap();
        assert_eq!(
            String::from_utf8(literal).unwrap(),
            r#"{"\\x00ff",NULL,"\\x225c"}"#
        );
        let mut binary = Vec::new();
        write_binary(&ColumnType::Bytea, 17, input, &reading, &mut binary).unwrap();
        let elements = [
            0, 0, 0, 2, 0, 255, 255, 255, 255, 255, 0, 0, 0, 2, b'"', b'\\',
        ];
        assert!(binary.ends_with(&elements), "{binary:?}");
    }
}
