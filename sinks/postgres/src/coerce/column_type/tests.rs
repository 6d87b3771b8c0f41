//! Which kinds of values each type takes, in both of its forms.

use bytes::Bytes;
use connect_api::{JsonLimits, Value};

use super::super::testing::named;
use super::*;

/// A value of each kind, by its letter.
fn inputs<'a>(object: &'a Value, array: &'a Value) -> [(char, ColumnInput<'a>); 8] {
    [
        ('b', ColumnInput::Bool(true)),
        ('n', ColumnInput::Number("1")),
        ('t', ColumnInput::Text("1")),
        ('y', ColumnInput::Bytes(&[1])),
        ('i', ColumnInput::Integer(1)),
        ('m', ColumnInput::Instant(1)),
        ('o', ColumnInput::of(object.root())),
        ('a', ColumnInput::of(array.root())),
    ]
}

#[test]
fn kinds_of_values_and_types() {
    let cases = [
        ("bool", "bnti"),
        ("int2", "ntim"),
        ("int4", "ntim"),
        ("int8", "ntim"),
        ("float4", "ntim"),
        ("float8", "ntim"),
        ("numeric", "ntim"),
        ("money", "nti"),
        ("text", "bntim"),
        ("varchar", "bntim"),
        ("bpchar", "bntim"),
        ("name", "bntim"),
        ("char", "nti"),
        ("uuid", ""),
        ("date", "m"),
        ("time", ""),
        ("timestamp", "nim"),
        ("timestamptz", "nim"),
        ("interval", "nti"),
        ("json", "bntyimoa"),
        ("jsonb", "bntyimoa"),
        ("bytea", "y"),
        ("oid", "nti"),
        ("xid", "nti"),
        ("inet", "t"),
        ("cidr", "t"),
        ("macaddr", "t"),
        ("timetz", "t"),
        ("bit", "t"),
        ("int2vector", "ta"),
        ("oidvector", "ta"),
        ("int4range", "bntim"),
        ("int4multirange", "bntim"),
        ("path", "bntim"),
        ("xml", "bntim"),
        ("tsvector", "bntim"),
        ("tsquery", "bntim"),
        ("regclass", "bntim"),
        ("jsonpath", "bntim"),
    ];
    let parse = |json: &str| {
        Value::parse_json(Bytes::from(json.to_owned()), JsonLimits::default()).unwrap()
    };
    let (object, array) = (parse(r#"{"a":1}"#), parse("[1]"));
    let (of_objects, of_arrays) = (parse(r#"[{"a":1}]"#), parse("[null,[1]]"));
    for (name, expected) in cases {
        let column_type = named(name, -1);
        let reading = Reading::default();
        let takes = |column_type: &ColumnType, input: ColumnInput<'_>| {
            let mut out = Vec::new();
            let binary = column_type.write_binary(input, &reading, &mut out).is_ok();
            let text = column_type.write_text(input, &reading, &mut out).is_ok();
            assert_eq!(binary, text, "{name}: {input:?}");
            binary
        };
        let taken: String = inputs(&object, &array)
            .into_iter()
            .filter(|(_, input)| takes(&column_type, *input))
            .map(|(letter, _)| letter)
            .collect();
        assert_eq!(taken, expected, "{name}");

        let array_type = ColumnType::Array {
            element: Box::new(column_type),
            element_oid: 0,
            delimiter: b',',
        };
        let taken: String = inputs(&object, &array)
            .into_iter()
            .filter(|(_, input)| takes(&array_type, *input))
            .map(|(letter, _)| letter)
            .collect();
        let as_element = if expected.contains('n') { "a" } else { "" };
        if expected.contains('a') && !expected.contains('n') {
            // `[1]` is an array of arrays for these: 1 is no element.
            assert_eq!(taken, "", "{name}[]");
        } else {
            assert_eq!(taken, as_element, "{name}[]");
        }
        let objects = takes(&array_type, ColumnInput::of(of_objects.root()));
        assert_eq!(objects, expected.contains('o'), "{name}[] of objects");
        let arrays = takes(&array_type, ColumnInput::of(of_arrays.root()));
        assert_eq!(arrays, expected.contains('a'), "{name}[] of arrays");
    }
}

/// The forms of types that are not built in.
#[test]
fn values_of_extensions() {
    let cases = [
        ("vector", "[1,-2.5e3]", Some("[1,-2.5e3]")),
        ("vector", "[]", Some("[]")),
        ("vector", "[[1]]", None),
        ("vector", "[\"1\"]", None),
        ("vector", "{}", None),
        ("vector", "\"[1,2]\"", Some("[1,2]")),
        (
            "geometry",
            r#"{"type":"Point","coordinates":[1,2]}"#,
            Some(r#"{"type":"Point","coordinates":[1,2]}"#),
        ),
        ("geometry", r#"{"type":"Point"}"#, None),
        ("geometry", r#"{"coordinates":[1,2]}"#, None),
        ("geometry", "[1,2]", None),
        ("geometry", "\"POINT(1 2)\"", Some("POINT(1 2)")),
        ("citext", "\"a\"", Some("a")),
        ("citext", "[\"a\"]", None),
        ("hstore", r#"{"a":"b"}"#, None),
    ];
    for (name, json, expected) in cases {
        let column_type = ColumnType::Other(server_read::Form::of_extension(name));
        let value = Value::parse_json(Bytes::from(json.to_owned()), JsonLimits::default()).unwrap();
        let mut out = Vec::new();
        let written = column_type
            .write_plain_text(ColumnInput::of(value.root()), &Reading::default(), &mut out)
            .is_ok();
        let found = written.then(|| String::from_utf8(out).unwrap());
        assert_eq!(found.as_deref(), expected, "{name} {json}");
    }
}
