//! The message indexes before a message.

use super::*;

const SCHEMA: &str = r#"syntax = "proto3"; package p;
message A { int32 a = 1; message AA { int32 aa = 1; } message AB { int32 ab = 1; message ABA { int32 aba = 1; } } }
message B { int32 b = 1; message BA { int32 ba = 1; } }"#;

fn read_at(codec: &dyn Codec, payload: &str) -> Result<String, String> {
    let value = codec.decode(&Bytes::from(hex(payload)));
    value
        .map(|value| value.to_json())
        .map_err(|rejection| rejection.message)
}

#[test]
fn indexes_lead_to_a_message() {
    let codec = codec_of(&source(SCHEMA, &[]));
    for (name, payload, expected) in [
        ("the first, short", "00 0807", r#"{"a":7}"#),
        ("the first, long", "0200 0807", r#"{"a":7}"#),
        ("the second", "0202 0807", r#"{"b":7}"#),
        ("[1, 0]", "04 02 00 0807", r#"{"ba":7}"#),
        ("[0, 1, 0]", "06 00 02 00 0807", r#"{"aba":7}"#),
    ] {
        assert_eq!(read_at(&*codec, payload).as_deref(), Ok(expected), "{name}");
    }
}

#[test]
fn hostile_indexes_are_rejections() {
    let codec = codec_of(&source(SCHEMA, &[]));
    for (name, payload, part) in [
        ("nothing", "", "the bytes end"),
        ("a negative count", "01 00", "-1 message indexes"),
        (
            "the smallest count",
            "ffffffffffffffffff01",
            "message indexes",
        ),
        (
            "the largest count",
            "feffffffffffffffff01 00 00 00",
            "0 messages in p.A.AA",
        ),
        ("a count without indexes", "08 00", "the bytes end"),
        (
            "no such message",
            "02 04",
            "message index 2 is not one of the 2 messages in the schema",
        ),
        ("a negative index", "02 01", "message index -1"),
        (
            "a huge index",
            "02 feffffffffffffffff01",
            "message index 9223372036854775807",
        ),
        (
            "deeper than the file",
            "08 00 02 00 00",
            "0 messages in p.A.AB.ABA",
        ),
        (
            "numbers without zigzag, as old serializers wrote them",
            "02 01 00 0807",
            "message index -1",
        ),
        (
            "a count that never ends",
            "ffffffffffffffffffff01",
            "more than 64 bits",
        ),
    ] {
        let reason = read_at(&*codec, payload).unwrap_err();
        assert!(reason.contains(part), "{name}: {reason}");
    }
}

/// `map<…>` adds a message to a descriptor, and only some serializers count it.
#[test]
fn an_index_that_serializers_count_differently_is_refused() {
    let before = r#"syntax = "proto3"; package p;
    message M { map<string, int32> m = 1; message X { int32 x = 1; } message Y { int32 y = 1; } message Z { int32 z = 1; } }"#;
    let codec = codec_of(&source(before, &[]));
    let reason = read_at(&*codec, "04 00 02 0807").unwrap_err();
    assert!(
        reason.contains("p.M.Y as Java counts and p.M.X as Python"),
        "{reason}"
    );
    for (name, payload, expected) in [
        ("only Java has a first", "04 00 00 0807", r#"{"x":7}"#),
        ("only Python has a fourth", "04 00 06 0807", r#"{"z":7}"#),
    ] {
        assert_eq!(read_at(&*codec, payload).as_deref(), Ok(expected), "{name}");
    }
    let behind = r#"syntax = "proto3"; package p;
    message M { message X { int32 x = 1; } message Y { int32 y = 1; } map<string, int32> m = 1; }"#;
    let codec = codec_of(&source(behind, &[]));
    assert_eq!(
        read_at(&*codec, "04 00 02 0807").as_deref(),
        Ok(r#"{"y":7}"#)
    );
}

/// A registry that was given a descriptor writes it as such text, and there everybody counts the entry.
#[test]
fn an_entry_that_is_written_out_counts() {
    let text = r#"syntax = "proto3"; package p;
    message M { repeated .p.M.TEntry t = 1; message TEntry { option map_entry = true; string key = 1; int32 value = 2; }
    message X { int32 x = 1; } message Y { int32 y = 1; } }"#;
    let codec = codec_of(&source(text, &[]));
    assert_eq!(
        read_at(&*codec, "04 00 02 0807").as_deref(),
        Ok(r#"{"x":7}"#)
    );
    assert_eq!(
        read_at(&*codec, "00 0a05 0a0161 1003").as_deref(),
        Ok(r#"{"t":{"a":3}}"#)
    );
}
