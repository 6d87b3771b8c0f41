//! Values that are built from events: the tape is that of parsed JSON, bytes stay bytes, limits hold.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use connect_api::{BuildError, FieldPath, JsonLimits, Kind, Value, ValueBuilder, ValueLimits};
use serde::Serialize;

fn parse(text: &str) -> Value {
    Value::parse_json(
        Bytes::copy_from_slice(text.as_bytes()),
        JsonLimits::default(),
    )
    .unwrap()
}

fn built(events: impl FnOnce(&mut ValueBuilder) -> Result<(), BuildError>) -> Value {
    try_build(ValueLimits::default(), events).unwrap()
}

fn try_build(
    limits: ValueLimits,
    events: impl FnOnce(&mut ValueBuilder) -> Result<(), BuildError>,
) -> Result<Value, BuildError> {
    let mut builder = ValueBuilder::new(limits);
    events(&mut builder)?;
    Ok(builder.finish())
}

#[test]
fn what_is_built_is_what_its_json_text_parses_to() {
    type Events = fn(&mut ValueBuilder) -> Result<(), BuildError>;
    let cases: [(&str, Events); 18] = [
        ("null", |b| b.null()),
        ("true", |b| b.boolean(true)),
        (r#""""#, |b| b.string("")),
        (r#""é\n\u0000""#, |b| b.string("é\n\0")),
        ("12345678901234567890.10", |b| {
            b.number("12345678901234567890.10")
        }),
        ("-1E+5", |b| b.number("-1E+5")),
        ("-9223372036854775808", |b| b.integer(i64::MIN)),
        ("18446744073709551615", |b| b.unsigned(u64::MAX)),
        ("0.1", |b| b.float(0.1)),
        ("-0.0", |b| b.double(-0.0)),
        ("1e300", |b| b.double(1e300)),
        ("5e-324", |b| b.double(5e-324)),
        (r#"["NaN","Infinity","-Infinity"]"#, |b| {
            b.begin_array()?;
            b.double(f64::NAN)?;
            b.float(f32::INFINITY)?;
            b.double(f64::NEG_INFINITY)?;
            b.end()
        }),
        ("[]", |b| b.begin_array().and_then(|()| b.end())),
        ("{}", |b| b.begin_object().and_then(|()| b.end())),
        (r#"{"":[[],{"a":{}}],"b":""}"#, |b| {
            b.begin_object()?;
            b.key("")?;
            b.begin_array()?;
            b.begin_array()?;
            b.end()?;
            b.begin_object()?;
            b.key("a")?;
            b.begin_object()?;
            b.end()?;
            b.end()?;
            b.end()?;
            b.key("b")?;
            b.string("")?;
            b.end()
        }),
        (r#"[{"ab":"red","ba":1},{"ba":"red","ab":2}]"#, |b| {
            b.begin_array()?;
            b.begin_object()?;
            b.key("ab")?;
            b.symbol("red")?;
            b.key("ba")?;
            b.integer(1)?;
            b.end()?;
            b.begin_object()?;
            b.key("ba")?;
            b.symbol("red")?;
            b.key("ab")?;
            b.integer(2)?;
            b.end()?;
            b.end()
        }),
        (r#"{"x":[1.50,"\n",{"y":null}]}"#, |b| {
            b.copy(parse(r#"{"x":[1.50,"\n",{"y":null}]}"#).root())
        }),
    ];
    for (json, events) in cases {
        let value = built(events);
        assert_eq!(value, parse(json), "{json}");
        assert_eq!(value.to_json(), parse(json).to_json(), "{json}");
        // Clones, parts and edits read the same storage.
        assert_eq!(value.clone().root().to_value(), value, "{json}");
        let mut edited = Value::empty_object();
        edited
            .insert(&FieldPath::parse("$.a").unwrap(), value.clone())
            .unwrap();
        assert_eq!(edited.root().get("a").unwrap(), value.root(), "{json}");
    }
}

/// Random documents, event by event.
#[test]
fn random_documents_are_copied_exactly() {
    let mut state = 11_u64;
    let mut next = move |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    fn document(next: &mut impl FnMut(usize) -> usize, depth: usize) -> serde_json::Value {
        use serde_json::{Value as Json, json};
        match next(if depth > 3 { 5 } else { 8 }) {
            0 => Json::Null,
            1 => json!(next(2) == 1),
            2 => json!(next(1 << 30) as i64 - 500),
            3 => json!(next(1 << 30) as f64 / 7.0),
            4 => Json::String("aé\n\0\u{1f600}".repeat(next(3))),
            5 => (0..next(6)).map(|_| document(next, depth + 1)).collect(),
            _ => (0..next(40))
                .map(|_| (format!("k{}", next(500)), document(next, depth + 2)))
                .collect(),
        }
    }
    for step in 0..200 {
        let json = document(&mut next, 0);
        let made = Value::from(&json);
        let parsed = parse(&json.to_string());
        assert_eq!(made, parsed, "step {step}");
        assert_eq!(Value::from_serialize(&json).unwrap(), parsed, "step {step}");
        let mut sharing = ValueBuilder::sharing(&parsed, ValueLimits::default());
        sharing.copy(parsed.root()).unwrap();
        assert_eq!(sharing.finish(), parsed, "step {step}");
    }
}

#[test]
fn bytes_stay_bytes_and_json_has_them_in_base64() {
    let payload = Bytes::from_static(b"head\xff\xd8tail");
    let mut builder = ValueBuilder::of_payload(payload.clone(), ValueLimits::default());
    builder.begin_object().unwrap();
    for (name, content) in [
        ("part", payload.get(4..6).unwrap()),
        ("own", &[0_u8, 1, 2][..]),
        ("none", &[]),
        ("all", &payload[..]),
    ] {
        builder.key(name).unwrap();
        builder.bytes(content).unwrap();
    }
    builder.end().unwrap();
    let value = builder.finish();
    assert_eq!(
        value.to_json(),
        r#"{"part":"/9g=","own":"AAEC","none":"","all":"aGVhZP/YdGFpbA=="}"#
    );
    let part = value.root().get("part").unwrap();
    assert!(matches!(part.kind(), Kind::Bytes([0xff, 0xd8])));
    assert_eq!(part.type_name(), "bytes");
    assert_eq!(part.as_str(), None);
    // A part of the payload is not copied.
    assert_eq!(
        part.as_bytes().unwrap().as_ptr(),
        payload.slice(4..).as_ptr()
    );
    assert_ne!(part.to_value(), Value::string("/9g="));
    assert_eq!(
        part.to_value(),
        Value::bytes(Bytes::from_static(&[0xff, 0xd8]))
    );
    assert_eq!(part.to_serde_json(), serde_json::json!("/9g="));

    // They survive edits, into values with and without binary content of their own.
    for mut target in [
        parse(r#"{"x":"é"}"#),
        value.clone(),
        Value::empty_object(),
        built(|b| {
            b.begin_object()?;
            b.key("other")?;
            b.bytes(b"\x01\x02")?;
            b.end()
        }),
    ] {
        target
            .insert(&FieldPath::parse("$.new").unwrap(), value.clone())
            .unwrap();
        assert_eq!(target.root().get("new").unwrap(), value.root());
        let other = target.root().get("other");
        assert!(other.is_none_or(|other| other.as_bytes() == Some(b"\x01\x02")));
        target.remove(&FieldPath::parse("$.new.all").unwrap());
        let own = target.root().get("new").unwrap().get("own").unwrap();
        assert_eq!(own.as_bytes(), Some(&[0, 1, 2][..]));
    }
    // Whole values without an allocation for the content.
    let whole = Value::bytes(payload.clone());
    assert_eq!(whole.root().as_bytes().unwrap().as_ptr(), payload.as_ptr());
    assert_eq!(whole.root().to_value(), whole);
}

#[test]
fn limits_hold_for_every_event() {
    let limits = ValueLimits {
        depth: 2,
        digits: 5,
        members: 2,
        nodes: 8,
        bytes: 100,
        names: 40,
    };
    type Events = fn(&mut ValueBuilder) -> Result<(), BuildError>;
    let cases: [(&str, Events); 10] = [
        // Kept once, and three times 15 bytes as JSON.
        ("it becomes more than 40 bytes of names", |b| {
            b.begin_array()?;
            for _ in 0..3 {
                b.symbol("fifteen letters")?;
            }
            b.end()
        }),
        ("nested more than 2 deep", |b| {
            b.begin_array()?;
            b.begin_array()?;
            b.begin_array()
        }),
        ("number of 6 digits", |b| b.number("123456")),
        ("\"1x\" is not a number of JSON", |b| b.number("1x")),
        ("object of more than 2 members", |b| {
            b.begin_object()?;
            for name in ["a", "b", "c"] {
                b.key(name)?;
                b.null()?;
            }
            b.end()
        }),
        ("it becomes more than 8 nulls", |b| {
            b.begin_array()?;
            loop {
                b.null()?;
            }
        }),
        ("it becomes more than 8 nulls", |b| {
            b.begin_array()?;
            loop {
                b.begin_object()?;
                b.key("a")?;
                b.null()?;
                b.end()?;
            }
        }),
        ("it becomes more than 100 bytes", |b| {
            b.string(&"x".repeat(101))
        }),
        ("it becomes more than 100 bytes", |b| {
            b.begin_array()?;
            b.bytes(&[0; 60])?;
            b.string(&"x".repeat(50))
        }),
        ("key \"a\" twice in one object", |b| {
            b.begin_object()?;
            b.key("a")?;
            b.null()?;
            b.key("a")?;
            b.null()?;
            b.end()
        }),
    ];
    for (expected, events) in cases {
        let error = try_build(limits, events).unwrap_err();
        assert!(error.message.starts_with(expected), "{expected}: {error}");
    }
}

/// A record of a hundred fields of type null takes no byte of Avro and becomes 201 nodes.
#[test]
fn a_payload_cannot_become_thousands_of_times_its_size() {
    let limits = ValueLimits::of_payload(10_000);
    let mut builder = ValueBuilder::new(limits);
    builder.begin_array().unwrap();
    let names: Vec<String> = (0..100).map(|i| format!("field_with_a_name_{i}")).collect();
    let ended = (0..10_000).find_map(|_| {
        let mut record = || {
            builder.begin_object()?;
            for name in &names {
                builder.key(name)?;
                builder.null()?;
            }
            builder.end()
        };
        record().err()
    });
    let message = ended.unwrap().message;
    assert!(
        message.starts_with("it becomes more than 105536"),
        "{message}"
    );
}

#[test]
fn events_that_cannot_come_are_assertions() {
    type Events = fn(&mut ValueBuilder) -> Result<(), BuildError>;
    let cases: [(&str, Events); 7] = [
        ("a key outside an object", |b| b.key("a")),
        ("a key in an array", |b| {
            b.begin_array().and_then(|()| b.key("a"))
        }),
        ("a member without a key", |b| {
            b.begin_object().and_then(|()| b.null())
        }),
        ("a key without a value", |b| {
            b.begin_object()?;
            b.key("a")?;
            b.end()
        }),
        ("two roots", |b| b.null().and_then(|()| b.null())),
        ("an end without a beginning", |b| b.end()),
        ("a beginning without an end", |b| b.begin_array()),
    ];
    for (name, events) in cases {
        let outcome = catch_unwind(AssertUnwindSafe(|| built(events)));
        assert!(outcome.is_err(), "{name}");
    }
}

#[derive(Serialize)]
enum Variant {
    Unit,
    New(i8),
    Tuple(u8, char),
    Struct { a: Option<f32> },
}

#[derive(Serialize)]
struct Everything<'a> {
    unit: (),
    variants: Vec<Variant>,
    wide: (i128, u128, u64),
    by_number: BTreeMap<i32, bool>,
    text: &'a str,
    nested: BTreeMap<String, (f64, f64)>,
    bytes: RawBytes<'a>,
    list: Vec<u8>,
}

struct RawBytes<'a>(&'a [u8]);

impl Serialize for RawBytes<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[test]
fn what_serializes_becomes_what_serde_json_makes_of_it_except_bytes() {
    let everything = Everything {
        unit: (),
        variants: vec![
            Variant::Unit,
            Variant::New(-1),
            Variant::Tuple(1, 'é'),
            Variant::Struct { a: Some(0.5) },
            Variant::Struct { a: None },
        ],
        wide: (i128::MIN, u128::MAX, u64::MAX),
        by_number: [(1, true), (-2, false)].into(),
        text: "\"\\\n",
        nested: [("x".to_owned(), (1.0, 0.1))].into(),
        bytes: RawBytes(&[0xff]),
        list: vec![1, 2],
    };
    let value = Value::from_serialize(&everything).unwrap();
    assert_eq!(
        value.to_json(),
        concat!(
            r#"{"unit":null,"variants":["Unit",{"New":-1},{"Tuple":[1,"é"]},{"Struct":{"a":0.5}},{"Struct":{"a":null}}],"#,
            r#""wide":[-170141183460469231731687303715884105728,340282366920938463463374607431768211455,18446744073709551615],"#,
            r#""by_number":{"-2":false,"1":true},"text":"\"\\\n","nested":{"x":[1.0,0.1]},"bytes":"/w==","list":[1,2]}"#
        )
    );
    let bytes = value.root().get("bytes").unwrap();
    assert!(matches!(bytes.kind(), Kind::Bytes([0xff])));
    let no_text: BTreeMap<Vec<u8>, i32> = [(vec![1], 1)].into();
    let error = Value::from_serialize(&no_text).unwrap_err();
    assert_eq!(
        error.message,
        "the key of a map is of type array and not text"
    );
}
