//! Bytes and schemas from strangers: no panic, and nothing grows beyond its bounds.

use crate::formats::binary::write_varint;
use std::time::{Duration, Instant};

use super::golden::{MESSAGES, each};
use super::*;

/// A generator of the same bytes in each run (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

#[test]
fn random_bytes_never_panic_and_stay_in_bounds() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (_, source) in super::golden::schemas() {
        let codec = codec_of(&source);
        for _ in 0..3_000 {
            let length = random.below(300);
            let mut payload: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            if let Some(first) = payload.first_mut() {
                *first = 0;
            }
            if let Ok(value) = codec.decode(&Bytes::from(payload)) {
                assert!(value.memory_bytes() < 8 << 20);
            }
        }
    }
}

#[test]
fn golden_messages_with_altered_bytes_never_panic() {
    let mut random = Random(1);
    each(&[MESSAGES], |_, codec, golden| {
        for _ in 0..200 {
            let mut payload = golden.payload.to_vec();
            for _ in 0..=random.below(4) {
                let index = random.below(payload.len());
                payload[index] = random.next() as u8;
            }
            if let Ok(value) = codec.decode(&Bytes::from(payload)) {
                let mut out = Vec::new();
                let _ = codec.encode(value.root(), &mut out);
            }
        }
    });
}

#[test]
fn what_is_read_can_be_written_and_read_again() {
    let mut random = Random(7);
    let codec = message(
        "int32 a = 1; optional string b = 2; repeated sint64 c = 3; map<int32, Leaf> d = 4; M e = 5;
         oneof o { float f = 6; Leaf g = 7; } google.protobuf.Value h = 8; Color i = 9; bytes j = 10;",
    );
    let mut read = 0;
    for _ in 0..50_000 {
        let length = random.below(24);
        let mut payload = vec![0];
        for _ in 0..length {
            // Tags of the fields and small numbers, so that some of it is a message.
            payload.push((random.next() % 84) as u8);
        }
        let Ok(value) = codec.decode(&Bytes::from(payload)) else {
            continue;
        };
        read += 1;
        let mut out = Vec::new();
        codec.encode(value.root(), &mut out).unwrap();
        let again = codec.decode(&Bytes::from(out)).unwrap();
        assert_eq!(again.to_json(), value.to_json());
    }
    assert!(read > 1_000, "only {read} of the payloads were messages");
}

/// A map's key may be anything, and a message about it is one line.
#[test]
fn a_rejection_is_one_short_line_whatever_the_payload_holds() {
    let key = format!("\u{1b}[2J\n{}", "x".repeat(10_000));
    let mut entry = vec![0x0a];
    write_varint(&mut entry, key.len() as u64);
    entry.extend(key.as_bytes());
    entry.extend([0x12, 1, 0xff]);
    let mut payload = vec![0, 0x0a];
    write_varint(&mut payload, entry.len() as u64);
    payload.extend(entry);
    let rejection = message("map<string, string> f = 1;").decode(&payload.into());
    let reason = rejection.unwrap_err().message;
    assert!(reason.contains("not UTF-8 at $.f"), "{reason}");
    assert!(
        reason.chars().count() < 500 && !reason.contains(char::is_control),
        "{reason}"
    );
}

/// A few bytes must not become gigabytes: a message of 500 fields costs two bytes in a list.
#[test]
fn a_payload_becomes_no_more_than_its_size_allows() {
    let fields: String = (1..=500)
        .map(|n| format!("string field_{n} = {n};"))
        .collect();
    let text =
        format!("syntax = \"proto3\"; message M {{ repeated W w = 1; }} message W {{ {fields} }}");
    let codec = codec_of(&source(&text, &[]));
    let payload = [vec![0], [0x0a, 0x00].repeat(250_000)].concat();
    let rejection = codec.decode(&Bytes::from(payload)).unwrap_err();
    assert!(
        rejection.message.contains("it becomes more than"),
        "{rejection}"
    );
    let usual = [vec![0], [0x0a, 0x00].repeat(100)].concat();
    assert!(codec.decode(&Bytes::from(usual)).is_ok());
}

#[test]
fn messages_and_groups_nest_as_deep_as_protobuf_allows() {
    let deep = |depth: usize| {
        let mut payload = Vec::new();
        for _ in 0..depth {
            let mut length = Vec::new();
            write_varint(&mut length, payload.len() as u64);
            payload = [vec![0x0a], length, payload].concat();
        }
        [vec![0], payload].concat()
    };
    let codec = message("M f = 1;");
    assert!(codec.decode(&deep(99).into()).is_ok());
    let rejection = codec.decode(&deep(100).into()).unwrap_err();
    assert!(
        rejection.message.contains("nested more than 100 deep"),
        "{rejection}"
    );
    assert!(codec.decode(&deep(20_000).into()).is_err());
    let groups = [vec![0], vec![0x13; 500_000]].concat();
    let rejection = codec.decode(&groups.into()).unwrap_err();
    assert!(
        rejection
            .message
            .contains("groups nested more than 100 deep"),
        "{rejection}"
    );
    let json = message("google.protobuf.Value f = 1;");
    let mut nested = Vec::new();
    for _ in 0..5_000 {
        let mut length = Vec::new();
        write_varint(&mut length, nested.len() as u64);
        nested = [vec![0x32], length, nested].concat();
    }
    assert!(
        json.decode(&[vec![0, 0x0a, 0x7f], nested].concat().into())
            .is_err()
    );
}

#[test]
fn hostile_schemas_end_soon() {
    let started = Instant::now();
    let megabyte = |part: &str| part.repeat((1 << 20) / part.len());
    let deep_name = format!("{}M", "a.".repeat(250));
    let fields: String = (0..50_000)
        .map(|n| format!("{deep_name} f{n}={};", n + 1))
        .collect();
    let nested: String = (0..30)
        .map(|n| format!("message aaaaaaaaaaaaaa{n} {{"))
        .collect();
    let options = format!("option (a) = {};", megabyte("{ a "));
    let diamonds: Vec<(String, String)> = (0..60)
        .map(|n| {
            let next = n / 2 * 2 + 2;
            let text = format!(
                "import public \"{next}.proto\"; import public \"{}.proto\";",
                next + 1
            );
            (format!("{n}.proto"), text)
        })
        .collect();
    let diamonds: Vec<(&str, &str)> = diamonds
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    for text in [
        megabyte("message M {"),
        megabyte("message "),
        megabyte("{"),
        megabyte("}"),
        megabyte("/*"),
        megabyte("// a\n"),
        megabyte("\""),
        megabyte("a."),
        megabyte(";"),
        options,
        format!("message M {{ {fields} }}"),
        format!("{nested} {fields} {}", "}".repeat(30)),
        format!(
            "message M {{ optional int32 a = 1 [(x) = {}]; }}",
            megabyte("{[")
        ),
        format!("message M {{ map<{}> a = 1; }}", megabyte("map<")),
        r#"syntax = "proto3"; import "0.proto"; message M { X x = 1; }"#.to_owned(),
    ] {
        let begun = Instant::now();
        let _ = compile(&source(&text, &diamonds));
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(30), "{took:?}: {}", &text[..40]);
    }
    assert!(started.elapsed() < Duration::from_secs(120));
}
