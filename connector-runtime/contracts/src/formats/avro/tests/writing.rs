//! What an encoding would alter is refused, and a union takes the branch that keeps the value.

use super::{decode, encode};

#[test]
fn what_would_be_altered_is_refused() {
    let timestamp = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
    let local = r#"{"type":"long","logicalType":"local-timestamp-millis"}"#;
    let date = r#"{"type":"int","logicalType":"date"}"#;
    let time = r#"{"type":"int","logicalType":"time-millis"}"#;
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#;
    let fixed =
        r#"{"type":"fixed","name":"D","size":2,"logicalType":"decimal","precision":4,"scale":2}"#;
    let duration = r#"{"type":"fixed","name":"P","size":12,"logicalType":"duration"}"#;
    let cases = [
        (r#""int""#, "2147483648"),
        (r#""int""#, "1.5"),
        (r#""long""#, "9223372036854775808"),
        (r#""long""#, "1e-1"),
        (r#""long""#, "\"1\""),
        (r#""double""#, "1e-400"),
        (r#""double""#, "3e-324"),
        (r#""double""#, "1e309"),
        (r#""double""#, "9007199254740993"),
        (r#""double""#, "12345678901234567890"),
        (r#""double""#, "0.12345678901234567890"),
        (r#""double""#, "\"0.1\""),
        (r#""float""#, "1e-46"),
        (r#""float""#, "1e39"),
        (r#""float""#, "16777217"),
        (r#""float""#, "3.14159265358979"),
        (local, "\"2026-11-20T20:35:19.042+02:00\""),
        (local, "\"2026-11-20T20:35:19.042Z\""),
        (local, "\"2026-11-20T20:35:60\""),
        (local, "\"2026-11-20T20:35:19.0001\""),
        (timestamp, "\"2016-12-31T23:59:60Z\""),
        (timestamp, "\"2026-11-20T20:35:19\""),
        (timestamp, "\"2026-11-20\""),
        (timestamp, "\"2026-11-20T20:35:19.0001Z\""),
        (timestamp, "\"2026-02-29T00:00:00Z\""),
        (timestamp, "\"2026-11-20T24:00:00Z\""),
        (timestamp, "\"2026-11-20T20:35:19Z[Europe/Berlin]\""),
        (timestamp, "\"+999999999-01-01T00:00:00Z\""),
        (timestamp, "1.5"),
        (date, "\"2026-11-20T12:00:00\""),
        (date, "\"26-11-20\""),
        (date, "\"+5881580-07-12\""),
        (date, "5"),
        (time, "\"2026-11-20T20:15:00\""),
        (time, "\"20:15:00.0001\""),
        (time, "\"20:15:60\""),
        (time, "\"20:15:00Z\""),
        (decimal, "0.005"),
        (decimal, "100"),
        (decimal, "\"1,5\""),
        (fixed, "100"),
        (
            duration,
            r#"{"months":1,"days":2,"milliseconds":3,"years":4}"#,
        ),
        (duration, r#"{"months":1,"days":2,"milliseconds":-3}"#),
        (r#""bytes""#, "\"AP8\""),
        (r#"{"type":"fixed","name":"F","size":2}"#, "\"AP8A\""),
        (
            r#"{"type":"string","logicalType":"uuid"}"#,
            "\"6ba7b8109dad11d180b400c04fd430c8\"",
        ),
    ];
    for (schema, json) in cases {
        assert!(
            encode(schema, json).is_err(),
            "{json} is written as {schema}"
        );
    }
    assert_eq!(
        encode(r#""float""#, "16777217"),
        Err("at $ found an integer of 8 digits, expected a number that a float keeps".to_owned())
    );
}

#[test]
fn what_a_float_keeps_is_written() {
    let cases = [
        (r#""double""#, "0.1", "0.1"),
        (r#""double""#, "0.10000000000000001", "0.1"),
        (r#""double""#, "0.1000000000000000055511151231257827", "0.1"),
        (r#""double""#, "9007199254740992", "9007199254740992.0"),
        (r#""double""#, "5e-324", "5e-324"),
        (r#""double""#, "4.9e-324", "5e-324"),
        (r#""double""#, "0e-400", "0.0"),
        (r#""double""#, "-0", "-0.0"),
        (r#""float""#, "0.1", "0.1"),
        (r#""float""#, "16777216", "16777216.0"),
        (r#""float""#, "3.1415927", "3.1415927"),
        (r#""float""#, "3.1415927410125732", "3.1415927"),
        (r#""float""#, "1e-45", "1e-45"),
    ];
    for (schema, json, expected) in cases {
        let bytes = encode(schema, json).unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!(decode(schema, &bytes).as_deref(), Ok(expected), "{json}");
    }
}

#[test]
fn a_union_takes_the_branch_that_keeps_the_value() {
    let numbers = r#"["null","int","long","float","double"]"#;
    let record = |name: &str, kind: &str| {
        format!(r#"{{"type":"record","name":"{name}","fields":[{{"name":"a","type":{kind}}}]}}"#)
    };
    let records = format!(
        "[{},{}]",
        record("R1", "\"int\""),
        record("R2", "\"string\"")
    );
    let cases: [(&str, &str, Option<u8>); 20] = [
        (numbers, "null", Some(0)),
        (numbers, "5", Some(1)),
        (numbers, "3000000000", Some(2)),
        (numbers, "0.5", Some(3)),
        (numbers, "0.1", Some(4)),
        (numbers, "16777217.0", Some(1)),
        (numbers, "1e300", Some(4)),
        (numbers, "12345678901234567890", None),
        (numbers, "0.12345678901234567890", None),
        (r#"["float","null"]"#, "0.1", Some(0)),
        (r#"["bytes","string"]"#, "\"AP8=\"", Some(1)),
        (r#"["bytes","null"]"#, "\"AP8=\"", Some(0)),
        (
            r#"["string",{"type":"enum","name":"E","symbols":["A"]}]"#,
            "\"A\"",
            Some(0),
        ),
        (
            r#"[{"type":"long","logicalType":"timestamp-millis"},"long"]"#,
            "5",
            Some(1),
        ),
        (
            r#"[{"type":"bytes","logicalType":"decimal","precision":4,"scale":2},"string"]"#,
            "\"7\"",
            Some(1),
        ),
        (
            r#"["double",{"type":"bytes","logicalType":"decimal","precision":40,"scale":0}]"#,
            "12345678901234567890",
            Some(1),
        ),
        (
            r#"[{"type":"map","values":"int"},{"type":"fixed","name":"P","size":12,"logicalType":"duration"}]"#,
            r#"{"months":1,"days":2,"milliseconds":3}"#,
            Some(0),
        ),
        (
            r#"[{"type":"fixed","name":"P","size":12,"logicalType":"duration"},{"type":"map","values":"int"}]"#,
            r#"{"a":1}"#,
            Some(1),
        ),
        (&records, r#"{"a":1}"#, Some(0)),
        (&records, r#"{"a":"x"}"#, Some(1)),
    ];
    for (schema, json, branch) in cases {
        let written = encode(schema, json).ok();
        let found = written.as_ref().and_then(|bytes| bytes.first());
        assert_eq!(found.map(|zigzag| zigzag / 2), branch, "{json} in {schema}");
    }
}

#[test]
fn a_missing_field_is_written_as_its_default() {
    let with = |kind: &str, default: &str| {
        format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":{kind},"default":{default}}}]}}"#
        )
    };
    let cases = [
        (r#""int""#, "7", Ok("7")),
        (
            r#"{"type":"int","logicalType":"date"}"#,
            "1",
            Ok("\"1970-01-02\""),
        ),
        (
            r#"{"type":"long","logicalType":"timestamp-micros"}"#,
            "1000",
            Ok("\"1970-01-01T00:00:00.001000Z\""),
        ),
        (r#""bytes""#, "\"\\u0000\\u00ff\"", Ok("\"AP8=\"")),
        (
            r#"{"type":"fixed","name":"F","size":1}"#,
            "\"\\u00ff\"",
            Ok("\"/w==\""),
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#,
            "\"\\u0001\"",
            Ok("0.01"),
        ),
        (r#"["null","int"]"#, "null", Ok("null")),
        (r#"["int","null"]"#, "7", Ok("7")),
        (r#"["int","null"]"#, "null", Ok("null")),
        (
            r#"{"type":"enum","name":"E","symbols":["A","B"]}"#,
            "\"B\"",
            Ok("\"B\""),
        ),
        (r#"{"type":"array","items":"long"}"#, "[1,2]", Ok("[1,2]")),
        (
            r#"{"type":"map","values":"boolean"}"#,
            "{\"x\":true}",
            Ok("{\"x\":true}"),
        ),
        (
            r#"{"type":"record","name":"I","fields":[{"name":"b","type":"bytes","default":"\u00ff"}]}"#,
            "{}",
            Ok("{\"b\":\"/w==\"}"),
        ),
        (
            r#""int""#,
            "\"seven\"",
            Err("at $.a found nothing, expected an integer of 32 bits"),
        ),
        (
            r#"{"type":"fixed","name":"F","size":2}"#,
            "\"\\u00ff\"",
            Err("at $.a found nothing, expected 2 bytes or base64 text of them (fixed)"),
        ),
        (r#"["null","R"]"#, "{}", Err("at $.a found nothing")),
    ];
    for (kind, default, expected) in cases {
        let schema = with(kind, default);
        match (encode(&schema, "{}"), expected) {
            (Ok(bytes), Ok(expected)) => {
                assert_eq!(
                    decode(&schema, &bytes),
                    Ok(format!("{{\"a\":{expected}}}")),
                    "{schema}"
                );
            }
            (Ok(_), Err("at $.a found nothing")) => {}
            (found, expected) => assert_eq!(found.err().as_deref(), expected.err(), "{schema}"),
        }
    }
}

#[test]
fn bytes_are_read_and_written_as_bytes() {
    use connect_api::{Kind, Value};
    let fixed = r#"{"type":"fixed","name":"F","size":2}"#;
    let cases: [(&str, &[u8]); 3] = [
        (r#""bytes""#, &[4, 0, 0xff]),
        (fixed, &[0, 0xff]),
        (r#"["string","bytes"]"#, &[2, 4, 0, 0xff]),
    ];
    for (schema, payload) in cases {
        let compiled = super::AvroSchema::parse(schema, &[]).expect("a schema");
        let value = compiled.decode(&payload.to_vec().into()).expect("bytes");
        assert!(
            matches!(value.root().kind(), Kind::Bytes([0, 0xff])),
            "{schema}"
        );
        let mut written = Vec::new();
        compiled.encode(value.root(), &mut written).expect("bytes");
        assert_eq!(written, payload, "{schema}");
    }
    let text = super::AvroSchema::parse(r#""string""#, &[]).expect("a schema");
    let bytes = Value::bytes(vec![0, 0xff].into());
    let rejection = text
        .encode(bytes.root(), &mut Vec::new())
        .expect_err("no text");
    assert_eq!(rejection.message, "at $ found 2 bytes, expected a string");
}
