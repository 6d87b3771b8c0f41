//! What bytes become.

use super::*;

#[test]
fn what_is_not_set_is_its_default_or_null() {
    for (fields, expected) in [
        ("int32 f = 1;", r#"{"f":0}"#),
        ("string f = 1;", r#"{"f":""}"#),
        ("double f = 1;", r#"{"f":0.0}"#),
        ("Color f = 1;", r#"{"f":"NONE"}"#),
        ("optional int32 f = 1;", r#"{"f":null}"#),
        ("Leaf f = 1;", r#"{"f":null}"#),
        ("repeated int32 f = 1;", r#"{"f":[]}"#),
        ("map<string, int32> f = 1;", r#"{"f":{}}"#),
        (
            "oneof o { int32 a = 1; Leaf b = 2; }",
            r#"{"a":null,"b":null}"#,
        ),
        ("google.protobuf.StringValue f = 1;", r#"{"f":null}"#),
        ("google.protobuf.Timestamp f = 1;", r#"{"f":null}"#),
        ("M f = 1;", r#"{"f":null}"#),
        ("", "{}"),
    ] {
        assert_eq!(
            read(&*message(fields), "").as_deref(),
            Ok(expected),
            "{fields}"
        );
    }
}

#[test]
fn scalars_keep_every_digit() {
    for (fields, bytes, expected) in [
        ("int32 f = 1;", "08 ffffffffffffffffff01", "-1"),
        (
            "int64 f = 1;",
            "08 80808080808080808001",
            "-9223372036854775808",
        ),
        (
            "uint64 f = 1;",
            "08 ffffffffffffffffff01",
            "18446744073709551615",
        ),
        ("uint32 f = 1;", "08 ffffffff0f", "4294967295"),
        ("sint32 f = 1;", "08 ffffffff0f", "-2147483648"),
        (
            "sint64 f = 1;",
            "08 ffffffffffffffffff01",
            "-9223372036854775808",
        ),
        (
            "fixed64 f = 1;",
            "09 ffffffffffffffff",
            "18446744073709551615",
        ),
        ("sfixed32 f = 1;", "0d ffffffff", "-1"),
        ("float f = 1;", "0d cdcccc3d", "0.1"),
        ("double f = 1;", "09 9a9999999999b93f", "0.1"),
        ("double f = 1;", "09 000000000000f87f", r#""NaN""#),
        ("float f = 1;", "0d 000080ff", r#""-Infinity""#),
        ("bool f = 1;", "08 05", "true"),
        ("string f = 1;", "0a 02 c3bc", r#""ü""#),
        ("bytes f = 1;", "0a 02 ff00", r#""/wA=""#),
        ("Color f = 1;", "08 01", r#""RED""#),
        ("Color f = 1;", "08 07", "7"),
        ("Color f = 1;", "08 ffffffffffffffffff01", "-1"),
        // The last one counts, however long its number is.
        ("int32 f = 1;", "08 01 08 8200", "2"),
    ] {
        let expected = format!("{{\"f\":{expected}}}");
        assert_eq!(
            read(&*message(fields), bytes),
            Ok(expected),
            "{fields} {bytes}"
        );
    }
}

#[test]
fn repeated_fields_maps_and_messages_are_put_together() {
    for (name, fields, bytes, expected) in [
        (
            "packed",
            "repeated int32 f = 1;",
            "0a 03 010203",
            r#"{"f":[1,2,3]}"#,
        ),
        (
            "not packed",
            "repeated int32 f = 1;",
            "08 01 08 02",
            r#"{"f":[1,2]}"#,
        ),
        (
            "both",
            "repeated int32 f = 1;",
            "08 01 0a 02 0203 08 04",
            r#"{"f":[1,2,3,4]}"#,
        ),
        (
            "packed, though the schema says not",
            "repeated fixed32 f = 1 [packed = false];",
            "0a 04 01000000",
            r#"{"f":[1]}"#,
        ),
        (
            "apart",
            "repeated int32 f = 1; int32 g = 2;",
            "08 01 10 09 08 02",
            r#"{"f":[1,2],"g":9}"#,
        ),
        (
            "a key twice",
            "map<string, int32> f = 1;",
            "0a05 0a0161 1001 0a05 0a0162 1002 0a05 0a0161 1003",
            r#"{"f":{"b":2,"a":3}}"#,
        ),
        (
            "no key and no value",
            "map<int32, Leaf> f = 1;",
            "0a00",
            r#"{"f":{"0":{"name":"","size":null}}}"#,
        ),
        (
            "value before key",
            "map<bool, Color> f = 1;",
            "0a04 1001 0801",
            r#"{"f":{"true":"RED"}}"#,
        ),
        (
            "a message in pieces",
            "Leaf f = 1;",
            "0a03 0a0161 0a02 1005",
            r#"{"f":{"name":"a","size":5}}"#,
        ),
        (
            "the last of a oneof",
            "oneof o { int32 a = 1; string b = 2; }",
            "0801 120178",
            r#"{"a":null,"b":"x"}"#,
        ),
        (
            "a oneof again",
            "oneof o { Leaf a = 1; string b = 2; }",
            "0a030a0161 120178 0a021005",
            r#"{"a":{"name":"","size":5},"b":null}"#,
        ),
        (
            "a oneof's message in pieces",
            "oneof o { Leaf a = 1; string b = 2; }",
            "120178 0a030a0161 0a021005",
            r#"{"a":{"name":"a","size":5},"b":null}"#,
        ),
        (
            "zero in a oneof",
            "oneof o { int32 a = 1; string b = 2; }",
            "0800",
            r#"{"a":0,"b":null}"#,
        ),
        (
            "unknown fields",
            "int32 f = 1;",
            "1001 190000000000000000 220161 2b 0801 2c 350000000008 02",
            r#"{"f":2}"#,
        ),
        (
            "order of the file",
            "int32 b = 2; int32 a = 1;",
            "0801 1002",
            r#"{"b":2,"a":1}"#,
        ),
    ] {
        assert_eq!(
            read(&*message(fields), bytes).as_deref(),
            Ok(expected),
            "{name}"
        );
    }
}

#[test]
fn well_known_messages_are_what_they_mean() {
    for (kind, bytes, expected) in [
        (
            "google.protobuf.Timestamp",
            "",
            r#""1970-01-01T00:00:00.000Z""#,
        ),
        (
            "google.protobuf.Timestamp",
            "08 80d582d806 10 01",
            r#""2026-11-20T20:16:00.000000001Z""#,
        ),
        ("google.protobuf.Duration", "08 03", r#""3s""#),
        (
            "google.protobuf.Duration",
            "08 ffffffffffffffffff01 10 80baf9f0feffffffff01",
            r#""-1.300s""#,
        ),
        ("google.protobuf.Int64Value", "", "0"),
        (
            "google.protobuf.UInt64Value",
            "08 ffffffffffffffffff01",
            "18446744073709551615",
        ),
        ("google.protobuf.BytesValue", "0a 01 ff", r#""/w==""#),
        ("google.protobuf.Value", "", "null"),
        ("google.protobuf.Value", "08 00", "null"),
        ("google.protobuf.Value", "11 000000000000f83f", "1.5"),
        ("google.protobuf.Value", "32 04 0a022001", "[true]"),
        (
            "google.protobuf.Struct",
            "0a 08 0a0161 1203 1a0162",
            r#"{"a":"b"}"#,
        ),
        (
            "google.protobuf.Any",
            "0a0161 120162",
            r#"{"type_url":"a","value":"Yg=="}"#,
        ),
        ("google.type.Date", "08ea0f 100b 1814", r#""2026-11-20""#),
        ("google.type.TimeOfDay", "0814 100f", r#""20:15:00.000""#),
        ("confluent.type.Decimal", "0a02 ff38 1802", "-2.00"),
        (
            "confluent.type.Decimal",
            "0a01 07 18feffffffffffffffff01",
            "700",
        ),
        ("confluent.type.Decimal", "", "0"),
    ] {
        let length = hex(bytes).len();
        let bytes = format!("0a{length:02x}{bytes}");
        let read = read(&*message(&format!("{kind} f = 1;")), &bytes);
        assert_eq!(read, Ok(format!("{{\"f\":{expected}}}")), "{kind} {bytes}");
    }
}

#[test]
fn what_would_be_altered_is_refused() {
    for (name, fields, bytes, part) in [
        (
            "more than 32 bits",
            "int32 f = 1;",
            "08 8080808010",
            "4294967296 in a field of 32 bits",
        ),
        (
            "a negative number in 32 bits",
            "int32 f = 1;",
            "08 ffffffff0f",
            "4294967295 in a field",
        ),
        (
            "unsigned",
            "uint32 f = 1;",
            "08 8080808010",
            "in a field of 32 bits",
        ),
        (
            "an enum",
            "Color f = 1;",
            "08 8080808010",
            "in a field of 32 bits",
        ),
        (
            "another wire type",
            "int32 f = 1;",
            "0d 01000000",
            "field 1 (f) has the wire type 5, and its type has 0",
        ),
        ("text as a number", "string f = 1;", "08 01", "wire type 0"),
        (
            "a packed string",
            "repeated int32 f = 1;",
            "0d 01000000",
            "wire type 5",
        ),
        ("not UTF-8", "string f = 1;", "0a 01 ff", "not UTF-8 at $.f"),
        (
            "in a list",
            "repeated string f = 1;",
            "0a0161 0a01ff",
            "not UTF-8 at $.f[1]",
        ),
        (
            "a map's key",
            "map<string, int32> f = 1;",
            "0a03 0a01ff",
            "not UTF-8 at $.f",
        ),
        (
            "in a map",
            "map<string, string> f = 1;",
            "0a06 0a0161 1201ff",
            "at $.f.a",
        ),
        (
            "a time too late",
            "google.protobuf.Timestamp f = 1;",
            "0a07 08 80ac8ab6de07",
            "years 1 to 9999",
        ),
        (
            "half a nanosecond",
            "google.protobuf.Timestamp f = 1;",
            "0a06 10 8094ebdc03",
            "years 1 to 9999",
        ),
        (
            "two signs",
            "google.protobuf.Duration f = 1;",
            "0a0d 0801 10ffffffffffffffffff01",
            "duration",
        ),
        (
            "a year alone",
            "google.type.Date f = 1;",
            "0a03 08ea0f",
            "google.type.Date",
        ),
        (
            "24:00",
            "google.type.TimeOfDay f = 1;",
            "0a02 0818",
            "time within a day",
        ),
        (
            "digits without end",
            "confluent.type.Decimal f = 1;",
            "0a03 18e907",
            "scale 1001",
        ),
        ("a short number", "int32 f = 1;", "08 80", "the bytes end"),
        (
            "a number without end",
            "int32 f = 1;",
            "08 ffffffffffffffffffff01",
            "more than 64 bits",
        ),
        (
            "a long string",
            "string f = 1;",
            "0a 05 61",
            "5 are needed and 1 are left",
        ),
        (
            "a length beyond everything",
            "string f = 1;",
            "0a ffffffffffffffffff01",
            "are needed",
        ),
        (
            "the field 0",
            "int32 f = 1;",
            "00 01",
            "a field has the number 0",
        ),
        (
            "a wire type that is none",
            "int32 f = 1;",
            "0e 01",
            "the wire type 6",
        ),
        (
            "a group that ends",
            "int32 f = 1;",
            "0c",
            "group 1 ends without a start",
        ),
        (
            "a group without end",
            "int32 f = 1;",
            "13 0801",
            "the bytes end",
        ),
        (
            "a group that ends as another",
            "int32 f = 1;",
            "13 1c",
            "in a group",
        ),
    ] {
        let reason = read(&*message(fields), bytes).expect_err(name);
        assert!(reason.contains(part), "{name}: {reason}");
        assert!(
            reason.contains("orders-value version 3"),
            "{name}: {reason}"
        );
    }
}

#[test]
fn proto2_has_required_fields_defaults_and_groups() {
    let text = r#"syntax = "proto2"; message M {
        required string id = 1;
        optional int32 with = 2 [default = -5];
        optional int32 without = 3;
        repeated group Line = 4 { optional string text = 1; optional int32 n = 2; }
    }"#;
    let codec = codec_of(&source(text, &[]));
    let reason = read(&*codec, "1001").unwrap_err();
    assert!(
        reason.contains("a required field is missing at $.id"),
        "{reason}"
    );
    for (bytes, expected) in [
        ("0a0161", r#"{"id":"a","with":-5,"without":null,"line":[]}"#),
        (
            "0a0161 1000",
            r#"{"id":"a","with":0,"without":null,"line":[]}"#,
        ),
        (
            "0a0161 23 0a0178 24 23 1002 24",
            r#"{"id":"a","with":-5,"without":null,"line":[{"text":"x","n":null},{"text":null,"n":2}]}"#,
        ),
    ] {
        assert_eq!(read(&*codec, bytes).as_deref(), Ok(expected), "{bytes}");
    }
}
