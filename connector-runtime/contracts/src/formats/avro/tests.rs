#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod golden;
mod logical;
mod schemas;
mod size;
mod writing;

use apache_avro::types::Value as Avro;
use apache_avro::{Decimal, Schema};
use connect_api::{JsonLimits, Value};

use super::AvroSchema;

fn value(json: &str) -> Value {
    Value::parse_json(json.as_bytes().to_vec().into(), JsonLimits::default()).expect("JSON")
}

fn decode(schema: &str, bytes: &[u8]) -> Result<String, String> {
    let schema = AvroSchema::parse(schema, &[]).expect("a schema");
    schema
        .decode(&bytes.to_vec().into())
        .map(|value| value.to_json())
}

fn encode(schema: &str, json: &str) -> Result<Vec<u8>, String> {
    let schema = AvroSchema::parse(schema, &[]).expect("a schema");
    let mut out = Vec::new();
    match schema.encode(value(json).root(), &mut out) {
        Ok(()) => Ok(out),
        Err(rejection) => Err(rejection.message),
    }
}

/// Written by us and read by us; with what `json` becomes on the way.
fn round_trip(schema: &str, json: &str, expected: &str) {
    let bytes = encode(schema, json).unwrap_or_else(|error| panic!("{schema} {json}: {error}"));
    assert_eq!(
        decode(schema, &bytes).as_deref(),
        Ok(expected),
        "{schema} {json}"
    );
}

const SALE: &str = r#"{"type":"record","name":"Sale","namespace":"shop","fields":[
    {"name":"id","type":"string"},
    {"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":30,"scale":4}},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["CASH","CARD"]}},
    {"name":"note","type":["null","string"],"default":null},
    {"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
        {"name":"sku","type":"string"},{"name":"quantity","type":"int"}]}}},
    {"name":"tags","type":{"type":"map","values":"long"}},
    {"name":"first","type":["null","Item"],"default":null},
    {"name":"again","type":"Kind","default":"CASH"}]}"#;

#[test]
fn what_apache_avro_writes_is_read() {
    let schema = Schema::parse_str(SALE).unwrap();
    let item = |sku: &str, quantity| {
        Avro::Record(vec![
            ("sku".into(), Avro::String(sku.into())),
            ("quantity".into(), Avro::Int(quantity)),
        ])
    };
    let sale = Avro::Record(vec![
        ("id".into(), Avro::String("S\"1".into())),
        (
            "total".into(),
            Avro::Decimal(Decimal::from((-1_234_567i64).to_be_bytes())),
        ),
        ("at".into(), Avro::TimestampMillis(1_795_206_919_042)),
        ("kind".into(), Avro::Enum(1, "CARD".into())),
        (
            "note".into(),
            Avro::Union(1, Box::new(Avro::String("é".into()))),
        ),
        (
            "items".into(),
            Avro::Array(vec![item("a", 1), item("b", -2)]),
        ),
        (
            "tags".into(),
            Avro::Map([("x".to_owned(), Avro::Long(i64::MIN))].into()),
        ),
        ("first".into(), Avro::Union(1, Box::new(item("c", 3)))),
        ("again".into(), Avro::Enum(0, "CASH".into())),
    ]);
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&schema)
        .build()
        .unwrap();
    let bytes = writer.write_value_to_vec(sale).unwrap();
    assert_eq!(
        decode(SALE, &bytes).unwrap(),
        concat!(
            r#"{"id":"S\"1","total":-123.4567,"at":"2026-11-20T20:35:19.042Z","kind":"CARD","note":"é","#,
            r#""items":[{"sku":"a","quantity":1},{"sku":"b","quantity":-2}],"tags":{"x":-9223372036854775808},"#,
            r#""first":{"sku":"c","quantity":3},"again":"CASH"}"#
        )
    );
}

#[test]
fn what_we_write_apache_avro_reads() {
    let json = r#"{"id":"S1","total":12345678901234567890123.4567,"at":"2026-11-20T20:35:19.042Z","kind":"CARD",
        "items":[{"sku":"a","quantity":1}],"tags":{"x":1,"y":2},"first":null}"#;
    let bytes = encode(SALE, json).unwrap();
    let schema = Schema::parse_str(SALE).unwrap();
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema)
        .build()
        .unwrap();
    let read = reader.read_value(&mut bytes.as_slice()).unwrap();
    let Avro::Record(fields) = read else {
        panic!("a record")
    };
    assert_eq!(fields[2].1, Avro::TimestampMillis(1_795_206_919_042));
    assert_eq!(fields[3].1, Avro::Enum(1, "CARD".into()));
    assert_eq!(fields[8].1, Avro::Enum(0, "CASH".into()));
    assert!(
        decode(SALE, &bytes)
            .unwrap()
            .contains(r#""total":12345678901234567890123.4567,"#)
    );
}

#[test]
fn every_type_there_and_back() {
    let cases = [
        (r#""null""#, "null", "null"),
        (r#""boolean""#, "true", "true"),
        (r#""int""#, "-2147483648", "-2147483648"),
        (r#""long""#, "9223372036854775807", "9223372036854775807"),
        (r#""long""#, "1.0", "1"),
        (r#""float""#, "0.1", "0.1"),
        (r#""double""#, "1e300", "1e300"),
        (r#""double""#, "\"NaN\"", "\"NaN\""),
        (r#""double""#, "\"-Infinity\"", "\"-Infinity\""),
        (r#""bytes""#, "\"AP8=\"", "\"AP8=\""),
        (
            r#"{"type":"fixed","name":"F","size":2}"#,
            "\"AP8=\"",
            "\"AP8=\"",
        ),
        (r#"["null","long","string"]"#, "\"x\"", "\"x\""),
        (r#"["null","long","string"]"#, "5", "5"),
        (r#"{"type":"array","items":"int"}"#, "[]", "[]"),
        (r#"{"type":"map","values":"int"}"#, "{}", "{}"),
        (
            r#"{"type":"int","logicalType":"date"}"#,
            "\"1969-12-31\"",
            "\"1969-12-31\"",
        ),
        (
            r#"{"type":"int","logicalType":"date"}"#,
            "\"2026-11-20\"",
            "\"2026-11-20\"",
        ),
        (
            r#"{"type":"int","logicalType":"time-millis"}"#,
            "\"20:15:00.5\"",
            "\"20:15:00.500\"",
        ),
        (
            r#"{"type":"long","logicalType":"time-micros"}"#,
            "\"20:15:00.000001\"",
            "\"20:15:00.000001\"",
        ),
        (
            r#"{"type":"long","logicalType":"timestamp-micros"}"#,
            "\"2026-11-20T21:35:19.042001+01:00\"",
            "\"2026-11-20T20:35:19.042001Z\"",
        ),
        (
            r#"{"type":"long","logicalType":"timestamp-micros"}"#,
            "1000",
            "\"1970-01-01T00:00:01.000000Z\"",
        ),
        (
            r#"{"type":"long","logicalType":"local-timestamp-millis"}"#,
            "\"1969-11-20T20:35:19.042\"",
            "\"1969-11-20T20:35:19.042\"",
        ),
        (
            r#"{"type":"string","logicalType":"uuid"}"#,
            "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"",
            "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"",
        ),
        (
            r#"{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}"#,
            "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"",
            "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"",
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#,
            "-0.05",
            "-0.05",
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#,
            "1.2e1",
            "12.00",
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":0}"#,
            "\"7\"",
            "7",
        ),
        (
            r#"{"type":"fixed","name":"D","size":8,"logicalType":"decimal","precision":18,"scale":2}"#,
            "-1.50",
            "-1.50",
        ),
        (
            r#"{"type":"fixed","name":"P","size":12,"logicalType":"duration"}"#,
            r#"{"months":1,"days":2,"milliseconds":3}"#,
            r#"{"months":1,"days":2,"milliseconds":3}"#,
        ),
        (
            r#"{"type":"bytes","logicalType":"big-decimal"}"#,
            "-123.450",
            "-123.45",
        ),
    ];
    for (schema, json, expected) in cases {
        round_trip(schema, json, expected);
    }
}

#[test]
fn types_of_other_schemas_are_found() {
    let address = r#"{"type":"record","name":"Address","namespace":"common","fields":[{"name":"city","type":"City"}]}"#;
    let city = r#"{"type":"record","name":"City","namespace":"common","fields":[{"name":"name","type":"string"}]}"#;
    let person = r#"{"type":"record","name":"Person","namespace":"shop","fields":[
        {"name":"home","type":"common.Address"},{"name":"work","type":["null","common.Address"]}]}"#;
    let schema = AvroSchema::parse(person, &[address.to_owned(), city.to_owned()]).unwrap();
    let json = r#"{"home":{"city":{"name":"Bonn"}},"work":{"city":{"name":"Köln"}}}"#;
    let mut out = Vec::new();
    schema.encode(value(json).root(), &mut out).unwrap();
    assert_eq!(schema.decode(&out.into()).unwrap().to_json(), json);
    assert!(AvroSchema::parse(person, &[]).is_err());
}

#[test]
fn bytes_that_do_not_fit_are_named_with_their_place() {
    let array = r#"{"type":"array","items":"int"}"#;
    let cases: [(&str, &[u8], &str); 12] = [
        (
            r#""long""#,
            &[],
            "the bytes end: 1 are needed and 0 are left at byte 0, at $",
        ),
        (
            r#""long""#,
            &[0x80; 11],
            "a number of more than 64 bits at byte 10, at $",
        ),
        (
            r#""int""#,
            &[0xff, 0xff, 0xff, 0xff, 0x7f],
            "an int of more than 32 bits at byte 5, at $",
        ),
        (
            r#""string""#,
            &[0x08, b'a'],
            "the bytes end: 4 are needed and 1 are left at byte 1, at $",
        ),
        (r#""string""#, &[0x01], "a length of -1 at byte 1, at $"),
        (
            r#""string""#,
            &[0x02, 0xff],
            "text that is not UTF-8 at byte 2, at $",
        ),
        (
            r#""boolean""#,
            &[2],
            "a boolean that is neither 0 nor 1 at byte 1, at $",
        ),
        (
            r#"["null","int"]"#,
            &[6],
            "branch 3 of a union of 2 at byte 1, at $",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A"]}"#,
            &[2],
            "symbol 1 of an enum of 1 at byte 1, at $",
        ),
        (r#""null""#, &[0], "1 bytes are left after the value"),
        (
            array,
            &[4, 2, 0x80],
            "the bytes end: 1 are needed and 0 are left at byte 3, at $[1]",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"map","values":"boolean"}}]}"#,
            &[2, 2, b'k', 7],
            "a boolean that is neither 0 nor 1 at byte 4, at $.a.k",
        ),
    ];
    for (schema, bytes, expected) in cases {
        assert_eq!(decode(schema, bytes), Err(expected.to_owned()), "{schema}");
    }
}

#[test]
fn hostile_bytes_neither_crash_nor_fill_the_memory() {
    let list = r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#;
    assert!(
        decode(list, &vec![2; 5_000_000])
            .unwrap_err()
            .contains("nested more than 100 deep")
    );
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#;
    let mut huge = vec![0x80, 0x89, 0x7a];
    huge.resize(1_000_003, 0x7f);
    assert!(
        decode(decimal, &huge)
            .unwrap_err()
            .contains("a decimal of 1000000 bytes")
    );
}

#[test]
fn values_that_do_not_fit_are_named_with_their_place() {
    let sale = |part: &str| {
        format!(r#"{{"id":"S1","total":1,"at":0,"kind":"CASH","items":[],"tags":{{}}{part}}}"#)
    };
    let cases = [
        (
            sale(r#","colour":"red""#),
            "at $.colour found a string of 3 characters, expected no such field",
        ),
        (
            sale("").replace(
                "[]",
                r#"[{"sku":"a","quantity":1},{"sku":"b","quantity":1.5}]"#,
            ),
            "at $.items[1].quantity found a number of 2 digits, expected an integer of 32 bits",
        ),
        (
            sale("").replace("\"CASH\"", "\"GOLD\""),
            "at $.kind found a string of 4 characters, expected one of CASH, CARD (enum)",
        ),
        (
            sale("").replace("\"total\":1", "\"total\":1.23456"),
            "at $.total found a number of 6 digits, expected a decimal of at most 30 digits, 4 of them after the point",
        ),
        (
            sale("").replace("\"at\":0", "\"at\":\"2026-11-20T20:15:00.0001Z\""),
            "at $.at found a string of 25 characters, expected a time in whole milliseconds such as 2026-11-20T20:15:00Z",
        ),
        (
            sale("").replace("\"id\":\"S1\",", ""),
            "at $.id found nothing, expected a string",
        ),
        (
            sale(r#","note":5"#),
            "at $.note found an integer of 1 digit, expected null or a string",
        ),
        (
            sale(r#","first":{"sku":"a"}"#),
            "at $.first found an object of 1 member, expected null or an object",
        ),
    ];
    for (json, expected) in cases {
        assert_eq!(encode(SALE, &json), Err(expected.to_owned()), "{json}");
    }
}
