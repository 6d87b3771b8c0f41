//! What values are written as, and which are refused.

use super::*;

#[test]
fn values_are_written_as_their_fields() {
    for (fields, value, expected) in [
        ("int32 f = 1;", r#"{"f":-1}"#, "08ffffffffffffffffff01"),
        ("int32 f = 1;", r#"{"f":1e2}"#, "0864"),
        ("int32 f = 1;", r#"{"f":0}"#, ""),
        ("int32 f = 1;", "{}", ""),
        ("optional int32 f = 1;", r#"{"f":0}"#, "0800"),
        ("optional int32 f = 1;", r#"{"f":null}"#, ""),
        (
            "uint64 f = 1;",
            r#"{"f":18446744073709551615}"#,
            "08ffffffffffffffffff01",
        ),
        ("sint32 f = 1;", r#"{"f":-2}"#, "0803"),
        ("sfixed32 f = 1;", r#"{"f":-1}"#, "0dffffffff"),
        ("float f = 1;", r#"{"f":0.1}"#, "0dcdcccc3d"),
        ("double f = 1;", r#"{"f":-0.0}"#, "090000000000000080"),
        ("double f = 1;", r#"{"f":"NaN"}"#, "09000000000000f87f"),
        ("bytes f = 1;", r#"{"f":"/wA="}"#, "0a02ff00"),
        ("Color f = 1;", r#"{"f":"RED"}"#, "0801"),
        ("Color f = 1;", r#"{"f":7}"#, "0807"),
        ("repeated int32 f = 1;", r#"{"f":[1,0]}"#, "0a020100"),
        ("repeated int32 f = 1;", r#"{"f":[]}"#, ""),
        ("repeated string f = 1;", r#"{"f":["","a"]}"#, "0a000a0161"),
        (
            "repeated int32 f = 1 [packed = false];",
            r#"{"f":[1,0]}"#,
            "08010800",
        ),
        (
            "map<sint32, Leaf> f = 1;",
            r#"{"f":{"-1":{}}}"#,
            "0a0408011200",
        ),
        ("Leaf f = 1;", r#"{"f":{}}"#, "0a00"),
        (
            "oneof o { int32 a = 1; string b = 2; }",
            r#"{"a":0,"b":null}"#,
            "0800",
        ),
        ("int32 b = 2; int32 a = 1;", r#"{"b":2,"a":1}"#, "08011002"),
        ("google.protobuf.Int32Value f = 1;", r#"{"f":0}"#, "0a00"),
        ("google.protobuf.Int32Value f = 1;", r#"{"f":null}"#, ""),
        (
            "google.protobuf.Timestamp f = 1;",
            r#"{"f":"1970-01-01T01:00:01.5+01:00"}"#,
            "0a0808011080cab5ee01",
        ),
        (
            "google.protobuf.Timestamp f = 1;",
            r#"{"f":1500}"#,
            "0a0808011080cab5ee01",
        ),
        (
            "google.protobuf.Duration f = 1;",
            r#"{"f":"-0.000000001s"}"#,
            "0a0b10ffffffffffffffffff01",
        ),
        (
            "google.type.Date f = 1;",
            r#"{"f":"2026-11-20"}"#,
            "0a0708ea0f100b1814",
        ),
        (
            "google.type.TimeOfDay f = 1;",
            r#"{"f":"20:15:00"}"#,
            "0a040814100f",
        ),
        (
            "confluent.type.Decimal f = 1;",
            r#"{"f":-2.01}"#,
            "0a080a02ff3710031802",
        ),
        (
            "google.protobuf.Value f = 1;",
            r#"{"f":[null]}"#,
            "0a0632040a020800",
        ),
        (
            "google.protobuf.Struct f = 1;",
            r#"{"f":{"a":true}}"#,
            "0a090a070a016112022001",
        ),
    ] {
        let expected = expected.replace(' ', "");
        assert_eq!(
            write(&*message(fields), value),
            Ok(expected),
            "{fields} {value}"
        );
    }
}

#[test]
fn what_an_encoding_would_alter_is_refused() {
    for (name, fields, value, part) in [
        (
            "an unknown member",
            "int32 f = 1;",
            r#"{"f":1,"g":2}"#,
            "at $.g found an integer of 1 digit, expected no such member",
        ),
        (
            "in a message",
            "Leaf f = 1;",
            r#"{"f":{"nome":"a"}}"#,
            "at $.f.nome",
        ),
        (
            "lowerCamel",
            "int32 a_b = 1;",
            r#"{"aB":1}"#,
            "no such member",
        ),
        (
            "too large",
            "int32 f = 1;",
            r#"{"f":2147483648}"#,
            "an integer of 32 bits",
        ),
        ("negative", "uint32 f = 1;", r#"{"f":-1}"#, "unsigned"),
        (
            "a fraction",
            "int64 f = 1;",
            r#"{"f":1.5}"#,
            "an integer of 64 bits",
        ),
        (
            "65 bits",
            "uint64 f = 1;",
            r#"{"f":18446744073709551616}"#,
            "unsigned integer of 64 bits",
        ),
        (
            "between two floats",
            "float f = 1;",
            r#"{"f":16777217}"#,
            "a number that a float keeps",
        ),
        (
            "between two doubles",
            "double f = 1;",
            r#"{"f":9007199254740993}"#,
            "a double keeps",
        ),
        (
            "in JSON's double",
            "google.protobuf.Value f = 1;",
            r#"{"f":9007199254740993}"#,
            "a double keeps",
        ),
        (
            "above all doubles",
            "double f = 1;",
            r#"{"f":1e400}"#,
            "a double keeps",
        ),
        (
            "text as a number",
            "int32 f = 1;",
            r#"{"f":"1"}"#,
            "an integer",
        ),
        (
            "a number as text",
            "string f = 1;",
            r#"{"f":1}"#,
            "a string",
        ),
        ("no base64", "bytes f = 1;", r#"{"f":"?"}"#, "base64"),
        (
            "an unknown name",
            "Color f = 1;",
            r#"{"f":"GREEN"}"#,
            "one of NONE, RED (enum)",
        ),
        (
            "null without presence",
            "int32 f = 1;",
            r#"{"f":null}"#,
            "only an `optional` field without a default",
        ),
        (
            "null for a list",
            "repeated int32 f = 1;",
            r#"{"f":null}"#,
            "an array",
        ),
        (
            "null in a list",
            "repeated int32 f = 1;",
            r#"{"f":[null]}"#,
            "at $.f[0]",
        ),
        (
            "null in a map",
            "map<string, Leaf> f = 1;",
            r#"{"f":{"a":null}}"#,
            "at $.f.a",
        ),
        ("no list", "repeated int32 f = 1;", r#"{"f":1}"#, "an array"),
        (
            "a key that is no number",
            "map<int32, int32> f = 1;",
            r#"{"f":{"x":1}}"#,
            "a name that is an integer",
        ),
        (
            "a key with other digits",
            "map<int32, int32> f = 1;",
            r#"{"f":{"07":1}}"#,
            "a name that is an integer",
        ),
        (
            "a key out of range",
            "map<uint32, int32> f = 1;",
            r#"{"f":{"4294967296":1}}"#,
            "a name that is",
        ),
        (
            "a key that is no boolean",
            "map<bool, int32> f = 1;",
            r#"{"f":{"1":1}}"#,
            "a name that is a boolean",
        ),
        (
            "two of a oneof",
            "oneof o { int32 a = 1; string b = 2; }",
            r#"{"a":0,"b":""}"#,
            "null, because a of the same oneof is set",
        ),
        ("no object", "int32 f = 1;", "[1]", "an object (p.M)"),
        (
            "no time",
            "google.protobuf.Timestamp f = 1;",
            r#"{"f":"2026-11-20"}"#,
            "a time of the years",
        ),
        (
            "before the year 1",
            "google.protobuf.Timestamp f = 1;",
            r#"{"f":"0000-12-31T00:00:00Z"}"#,
            "the years 1",
        ),
        (
            "picoseconds",
            "google.protobuf.Timestamp f = 1;",
            r#"{"f":"2026-11-20T00:00:00.0000000001Z"}"#,
            "a time",
        ),
        (
            "no duration",
            "google.protobuf.Duration f = 1;",
            r#"{"f":"1"}"#,
            "1.5s",
        ),
        (
            "digits without end",
            "confluent.type.Decimal f = 1;",
            r#"{"f":1e-1001}"#,
            "a number",
        ),
    ] {
        let reason = write(&*message(fields), value).expect_err(name);
        assert!(reason.contains(part), "{name}: {reason}");
    }
}

#[test]
fn a_required_field_must_be_there_and_a_default_is_not_null() {
    let text = r#"syntax = "proto2"; message M { required int32 id = 1; optional int32 with = 2 [default = 5]; }"#;
    let codec = codec_of(&source(text, &[]));
    for value in ["{}", r#"{"id":null}"#] {
        let reason = write(&*codec, value).unwrap_err();
        assert!(reason.contains("at $.id"), "{value}: {reason}");
    }
    // Not to be set would be read as 5.
    let reason = write(&*codec, r#"{"id":0,"with":null}"#).unwrap_err();
    assert!(reason.contains("at $.with found null"), "{reason}");
    assert_eq!(write(&*codec, r#"{"id":0}"#).as_deref(), Ok("0800"));
    assert_eq!(
        write(&*codec, r#"{"id":0,"with":5}"#).as_deref(),
        Ok("08001005")
    );
}

/// Kafka's null would delete what a key names; a value that is null is no message.
#[test]
fn null_is_no_message() {
    let reason = write(&*message("int32 f = 1;"), "null").unwrap_err();
    assert!(reason.contains("an object (p.M)"), "{reason}");
}

#[test]
fn values_nest_as_deep_as_protobuf_reads_them() {
    let codec = message("M f = 1;");
    let nested = |depth: usize| format!("{}{{}}{}", r#"{"f":"#.repeat(depth), "}".repeat(depth));
    let written = write(&*codec, &nested(99)).unwrap();
    let value = read(&*codec, &written).unwrap();
    assert_eq!(value.matches(r#"{"f":"#).count(), 100);
    let reason = write(&*codec, &nested(100)).unwrap_err();
    assert!(reason.contains("nested at most 100 deep"), "{reason}");
}
