#![allow(clippy::unwrap_used, clippy::panic)]

use bytes::Bytes;
use connect_api::{Kind, Value, ValueLimits};
use serde_json::{Value as Json, json};

use super::{Codec, compile};

fn decode(envelope: &str) -> Result<Value, String> {
    let codec = compile(None).unwrap();
    codec
        .decode(&Bytes::copy_from_slice(envelope.as_bytes()))
        .map_err(|rejection| rejection.message)
}

fn read(schema: &Json, payload: &str) -> Result<String, String> {
    decode(&format!("{{\"schema\":{schema},\"payload\":{payload}}}")).map(|value| value.to_json())
}

fn value(json: &str) -> Value {
    Value::parse_json(json.to_owned().into(), ValueLimits::default()).unwrap()
}

fn encode(codec: &dyn Codec, value: &Value) -> Result<String, String> {
    let mut out = Vec::new();
    codec
        .encode(value.root(), &mut out)
        .map(|()| String::from_utf8(out).unwrap())
        .map_err(|rejection| rejection.message)
}

fn write(schema: &Json, json: &str) -> Result<String, String> {
    let codec = compile(Some(&schema.to_string())).unwrap();
    let written = encode(codec.as_ref(), &value(json))?;
    let envelope = value(&written);
    Ok(envelope.root().get("payload").unwrap().to_json())
}

fn logical(kind: &str, name: &str) -> Json {
    json!({"type": kind, "name": format!("org.apache.kafka.connect.data.{name}"), "version": 1})
}

fn decimal(scale: &str) -> Json {
    json!({"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": scale}})
}

#[test]
fn payloads_are_read_as_their_schema_means_them() {
    let of = |kind: &str| json!({"type": kind});
    let optional = json!({"type": "int32", "optional": true});
    let with_default = json!({"type": "int32", "optional": true, "default": 7});
    let strings = json!({"type": "map", "keys": {"type": "string"}, "values": {"type": "int8"}});
    let numbers = json!({"type": "map", "keys": {"type": "int32"}, "values": {"type": "string"}});
    let record = json!({"type": "struct", "fields": [
        {"field": "id", "type": "int64"},
        {"field": "note", "type": "string", "optional": true},
        {"field": "kind", "type": "string", "optional": true, "default": "a"},
    ]});
    let cases = [
        (of("boolean"), "true", Ok("true")),
        (
            of("boolean"),
            "1",
            Err("at $ found an integer of 1 digit, expected a boolean"),
        ),
        (of("int8"), "-128", Ok("-128")),
        (
            of("int8"),
            "128",
            Err("at $ found an integer of 3 digits, expected an integer of 8 bits"),
        ),
        (
            of("int16"),
            "32768",
            Err("at $ found an integer of 5 digits, expected an integer of 16 bits"),
        ),
        (
            of("int32"),
            "-2147483649",
            Err("at $ found an integer of 10 digits, expected an integer of 32 bits"),
        ),
        (
            of("int32"),
            "1.5",
            Err("at $ found a number of 2 digits, expected an integer of 32 bits"),
        ),
        (
            of("int64"),
            "9223372036854775807",
            Ok("9223372036854775807"),
        ),
        (
            of("int64"),
            "9223372036854775808",
            Err("at $ found an integer of 19 digits, expected an integer of 64 bits"),
        ),
        (
            of("float"),
            "0.10000000149011612",
            Ok("0.10000000149011612"),
        ),
        (of("double"), "1E+300", Ok("1E+300")),
        (of("double"), "\"NaN\"", Ok("\"NaN\"")),
        (
            of("double"),
            "\"1\"",
            Err("at $ found a string of 1 character, expected a number (double)"),
        ),
        (of("string"), "\"é\"", Ok("\"é\"")),
        (of("bytes"), "\"/9g=\"", Ok("\"/9g=\"")),
        (
            of("bytes"),
            "\"/9g\"",
            Err("at $ found a string of 3 characters, expected base64 text (bytes)"),
        ),
        (decimal("2"), "\"BNI=\"", Ok("12.34")),
        (decimal("2"), "\"/w==\"", Ok("-0.01")),
        (decimal("0"), "\"AA==\"", Ok("0")),
        (decimal("-2"), "\"AQ==\"", Ok("100")),
        (decimal("2"), "12.340", Ok("12.340")),
        (
            decimal("2"),
            "\"\"",
            Err("at $ found a string of 0 characters, expected a decimal of scale 2"),
        ),
        (logical("int32", "Date"), "20777", Ok("\"2026-11-20\"")),
        (logical("int32", "Date"), "-1", Ok("\"1969-12-31\"")),
        (
            logical("int32", "Date"),
            "2147483647",
            Ok("\"+5881580-07-11\""),
        ),
        (logical("int32", "Time"), "86399999", Ok("\"23:59:59.999\"")),
        (
            logical("int32", "Time"),
            "86400000",
            Err("at $ found an integer of 8 digits, expected a time of day in whole milliseconds"),
        ),
        (
            logical("int64", "Timestamp"),
            "1",
            Ok("\"1970-01-01T00:00:00.001Z\""),
        ),
        (
            logical("int64", "Timestamp"),
            "-1",
            Ok("\"1969-12-31T23:59:59.999Z\""),
        ),
        (
            logical("int64", "Timestamp"),
            "253402300799999",
            Ok("\"9999-12-31T23:59:59.999Z\""),
        ),
        // A name of somebody else is no logical type.
        (
            json!({"type": "int32", "name": "io.debezium.time.Date"}),
            "1",
            Ok("1"),
        ),
        (optional.clone(), "null", Ok("null")),
        (
            of("int32"),
            "null",
            Err("at $ found null, expected an integer of 32 bits"),
        ),
        (with_default, "null", Ok("7")),
        (
            json!({"type": "array", "items": optional}),
            "[1,null]",
            Ok("[1,null]"),
        ),
        (
            json!({"type": "array", "items": of("int32")}),
            "[1,null]",
            Err("at $[1] found null, expected an integer of 32 bits"),
        ),
        (
            strings.clone(),
            "{\"a\":1,\"b\":2}",
            Ok("{\"a\":1,\"b\":2}"),
        ),
        (
            strings,
            "{\"a\":1,\"b\":200}",
            Err("at $.b found an integer of 3 digits, expected an integer of 8 bits"),
        ),
        (
            numbers.clone(),
            "[[1,\"a\"],[2,\"b\"]]",
            Ok("[[1,\"a\"],[2,\"b\"]]"),
        ),
        (
            numbers,
            "[[1]]",
            Err("at $[0] found an array of 1 element, expected an array of pairs (map)"),
        ),
        (
            record.clone(),
            "{\"id\":1}",
            Ok("{\"id\":1,\"note\":null,\"kind\":\"a\"}"),
        ),
        (
            record.clone(),
            "{\"kind\":\"b\",\"more\":[1.50],\"id\":1}",
            Ok("{\"id\":1,\"note\":null,\"kind\":\"b\",\"more\":[1.50]}"),
        ),
        (
            record.clone(),
            "{\"note\":\"x\"}",
            Err("at $.id found nothing, expected an integer of 64 bits"),
        ),
        (
            record,
            "[1]",
            Err("at $ found an array of 1 element, expected an object (struct)"),
        ),
        (
            Json::Null,
            "{\"any\":[1.0,null]}",
            Ok("{\"any\":[1.0,null]}"),
        ),
    ];
    for (schema, payload, expected) in cases {
        let found = read(&schema, payload);
        let found = found.as_ref().map(String::as_str).map_err(String::as_str);
        assert_eq!(found, expected, "{schema} {payload}");
    }
}

#[test]
fn a_scale_that_no_decimal_has_is_refused() {
    for scale in ["-2147483648", "2147483647", "1001", "-1001", "x", ""] {
        let reason = read(&decimal(scale), "\"AQ==\"").expect_err(scale);
        assert!(reason.contains("parameters.scale"), "{reason}");
    }
}

#[test]
fn bytes_become_bytes() {
    let photo = decode("{\"schema\":{\"type\":\"bytes\"},\"payload\":\"/9g=\"}").unwrap();
    assert!(matches!(photo.root().kind(), Kind::Bytes([0xff, 0xd8])));
}

#[test]
fn what_is_no_envelope_says_so() {
    for (envelope, expected) in [
        ("{\"id\":1}", "not an envelope"),
        (
            "{\"schema\":{\"type\":\"int8\"},\"payload\":1,\"more\":1}",
            "not an envelope",
        ),
        ("7", "not an envelope"),
        ("{", "not JSON"),
        (
            "{\"schema\":{},\"payload\":1}",
            "the envelope's schema cannot be used: a schema needs a `type`",
        ),
        (
            "{\"schema\":{\"type\":\"int\"},\"payload\":1}",
            "the envelope's schema cannot be used: the type `int` is none",
        ),
        (
            "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"field\":\"a\",\"type\":\"array\"}]},\"payload\":{}}",
            "the envelope's schema cannot be used: field `a`: a schema of type array needs `items`",
        ),
    ] {
        let message = decode(envelope).unwrap_err();
        assert!(message.starts_with(expected), "{envelope}: {message}");
    }
}

/// One codec reads messages of several schemas, in any order.
#[test]
fn the_remembered_schema_is_that_of_the_message() {
    let codec = compile(None).unwrap();
    for (schema, payload, expected) in [
        (json!({"type": "int32"}), "1", "1"),
        (logical("int32", "Date"), "1", "\"1970-01-02\""),
        (json!({"type": "int32"}), "1", "1"),
    ] {
        let envelope = format!("{{\"schema\":{schema},\"payload\":{payload}}}");
        let read = codec.decode(&envelope.into()).unwrap();
        assert_eq!(read.to_json(), expected);
    }
}

#[test]
fn a_configured_schema_writes_what_it_holds_exactly() {
    let of = |kind: &str| json!({"type": kind});
    let record = json!({"type": "struct", "fields": [
        {"field": "id", "type": "int64"},
        {"field": "price", "type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}},
        {"field": "note", "type": "string", "optional": true},
        {"field": "kind", "type": "string", "default": "a"},
    ]});
    let cases = [
        (of("int8"), "127", Some("127")),
        (of("int8"), "128", None),
        (of("int64"), "1.0", None),
        (of("float"), "16777216", Some("16777216")),
        (of("float"), "16777217", None),
        (of("float"), "1e-46", None),
        (of("double"), "0.1", Some("0.1")),
        (of("double"), "0.10", Some("0.10")),
        (of("double"), "12345678901234567890", None),
        (of("double"), "1e400", None),
        (of("double"), "1e-400", None),
        (of("double"), "\"Infinity\"", Some("\"Infinity\"")),
        (of("string"), "1", None),
        (of("bytes"), "\"/9g=\"", Some("\"/9g=\"")),
        (of("bytes"), "\"x\"", None),
        (decimal("2"), "12.34", Some("\"BNI=\"")),
        (decimal("2"), "1234e-2", Some("\"BNI=\"")),
        (decimal("2"), "-0.01", Some("\"/w==\"")),
        (decimal("2"), "12.345", None),
        (decimal("-2"), "100", Some("\"AQ==\"")),
        (decimal("-2"), "101", None),
        (logical("int32", "Date"), "\"2026-11-20\"", Some("20777")),
        (logical("int32", "Date"), "20777", Some("20777")),
        (
            logical("int32", "Date"),
            "\"+5881580-07-11\"",
            Some("2147483647"),
        ),
        (
            logical("int64", "Timestamp"),
            "\"9999-12-31T23:59:59.999Z\"",
            Some("253402300799999"),
        ),
        (logical("int32", "Date"), "\"2026-11-20T10:00:00\"", None),
        (
            logical("int32", "Time"),
            "\"23:59:59.999\"",
            Some("86399999"),
        ),
        (logical("int32", "Time"), "\"23:59:59.9999\"", None),
        (logical("int32", "Time"), "\"23:59:60\"", None),
        (
            logical("int64", "Timestamp"),
            "\"1970-01-01T01:00:00.001+01:00\"",
            Some("1"),
        ),
        (
            logical("int64", "Timestamp"),
            "\"1970-01-01T00:00:00.0001Z\"",
            None,
        ),
        (
            logical("int64", "Timestamp"),
            "\"2016-12-31T23:59:60Z\"",
            None,
        ),
        (
            logical("int64", "Timestamp"),
            "\"1970-01-01T00:00:00\"",
            None,
        ),
        (
            record.clone(),
            "{\"price\":1,\"id\":1}",
            Some("{\"id\":1,\"price\":\"ZA==\",\"note\":null,\"kind\":\"a\"}"),
        ),
        // What the schema has no field for would be lost, and a null would become the default.
        (record.clone(), "{\"price\":1,\"id\":1,\"more\":2}", None),
        (record.clone(), "{\"price\":1,\"id\":1,\"kind\":null}", None),
        (record, "{\"price\":1}", None),
    ];
    for (schema, json, expected) in cases {
        let written = write(&schema, json);
        assert_eq!(
            written.as_deref().ok(),
            expected,
            "{schema} {json} {written:?}"
        );
        // What is written reads back as the same moment, number or text.
        if let Ok(payload) = written {
            read(&schema, &payload).unwrap();
        }
    }
}

#[test]
fn without_a_schema_one_is_inferred_and_nothing_is_altered() {
    let codec = compile(None).unwrap();
    let cases = [
        ("null", Some(r#"{"type":"string","optional":true}"#)),
        ("true", Some(r#"{"type":"boolean","optional":false}"#)),
        ("7", Some(r#"{"type":"int64","optional":false}"#)),
        ("7.50", Some(r#"{"type":"double","optional":false}"#)),
        ("9223372036854775808", None),
        ("12345678901234567890.5", None),
        ("1e400", None),
        (
            "[]",
            Some(r#"{"type":"array","items":{"type":"string","optional":true},"optional":false}"#),
        ),
        (
            "[null,1,2.5]",
            Some(r#"{"type":"array","items":{"type":"double","optional":true},"optional":false}"#),
        ),
        ("[9007199254740993,2.5]", None),
        ("[1,\"a\"]", None),
        (
            r#"[{"a":1},{"b":"x","a":null}]"#,
            Some(
                r#"{"type":"array","items":{"type":"struct","fields":[{"type":"int64","optional":true,"field":"a"},{"type":"string","optional":true,"field":"b"}],"optional":true},"optional":false}"#,
            ),
        ),
    ];
    for (json, expected) in cases {
        let written = encode(codec.as_ref(), &value(json));
        let Some(expected) = expected else {
            assert!(written.is_err(), "{json}: {written:?}");
            continue;
        };
        assert_eq!(
            written.unwrap(),
            format!("{{\"schema\":{expected},\"payload\":{json}}}")
        );
    }
    let bytes = Value::bytes(Bytes::from_static(&[0xff]));
    let written = encode(codec.as_ref(), &bytes).unwrap();
    assert_eq!(decode(&written).unwrap(), bytes);
}

/// What Kafka Connect's own JsonConverter wrote; `golden/README.md` says how.
#[test]
fn what_javas_converter_wrote_is_read() {
    let expected: [(&str, &str); 26] = [
        ("boolean", "true"),
        ("int8", "-128"),
        ("int16", "32767"),
        ("int32", "-2147483648"),
        ("int64", "9223372036854775807"),
        ("float", "0.1"),
        ("double", "1.0E-300"),
        ("nan", "\"NaN\""),
        ("infinity", "\"-Infinity\""),
        ("string", "\"é\\n\\\"\\u0000\""),
        ("bytes", "\"/9gA\""),
        ("decimal", "-12345678901234567890.12"),
        ("decimal negative scale", "700"),
        ("decimal numeric", "12.30"),
        ("date", "\"2026-11-20\""),
        ("date before 1970", "\"1969-12-31\""),
        ("time", "\"23:59:59.999\""),
        ("timestamp", "\"2024-11-20T21:15:19.042Z\""),
        ("timestamp before 1970", "\"1969-12-31T23:59:59.999Z\""),
        ("optional null", "null"),
        ("default of null", "7"),
        ("array", "[\"a\",null]"),
        ("map", "{\"a\":1,\"b\":2}"),
        ("map of numbers", "[[1,\"a\"],[2,\"b\"]]"),
        (
            "struct",
            "{\"id\":7,\"at\":\"2024-11-20T21:15:19.042Z\",\"on\":\"1970-01-01\",\"photo\":\"AQI=\",\"items\":[{\"sku\":\"a\",\"price\":1.50},{\"sku\":\"b\",\"price\":null}],\"kind\":\"web\",\"till\":1}",
        ),
        ("schemaless", "{\"a\":1,\"b\":[true]}"),
    ];
    let written = include_str!("golden/json_converter.tsv");
    let lines: Vec<(&str, &str)> = written
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .collect();
    assert_eq!(lines.len(), expected.len());
    for ((name, envelope), (same_name, value)) in lines.into_iter().zip(expected) {
        assert_eq!(name, same_name);
        assert_eq!(
            decode(envelope).map(|value| value.to_json()).as_deref(),
            Ok(value),
            "{name}"
        );
        // Written again by the same schema, it is what Java wrote, apart from how numbers are spelt.
        let schema = self::value(envelope)
            .root()
            .get("schema")
            .unwrap()
            .to_serde_json();
        if schema.is_null() || name == "decimal numeric" {
            continue;
        }
        let again = write(&schema, value).unwrap_or_else(|message| panic!("{name}: {message}"));
        let payload = self::value(envelope)
            .root()
            .get("payload")
            .unwrap()
            .to_json();
        assert_eq!(again, payload, "{name}");
    }
}

/// Java reads what is written here: `golden/README.md` says how it was tried. This keeps the bytes.
#[test]
fn what_is_written_is_what_java_was_given() {
    let codec = compile(None).unwrap();
    let values = [
        ("null", "null"),
        (
            "object",
            r#"{"id":7,"price":12.5,"on":true,"note":null,"tags":["a","b"],"none":[],"lines":[{"sku":"a"},{"sku":"b","count":2}]}"#,
        ),
        ("large", "9223372036854775807"),
    ];
    let given = include_str!("golden/written_here.tsv");
    let written: Vec<String> = values
        .iter()
        .map(|(name, json)| format!("{name}\t{}", encode(codec.as_ref(), &value(json)).unwrap()))
        .collect();
    assert_eq!(written, given.lines().collect::<Vec<_>>());
}
