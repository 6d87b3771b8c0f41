//! Logical types at their edges, and random bytes.

use super::{decode, encode};

const DATE: &str = r#"{"type":"int","logicalType":"date"}"#;

fn long(logical: &str) -> String {
    format!(r#"{{"type":"long","logicalType":"{logical}"}}"#)
}

/// Zigzag, as Avro writes it.
fn zigzag(number: i64) -> Vec<u8> {
    let mut out = Vec::new();
    super::super::wire::write_long(&mut out, number);
    out
}

#[test]
fn every_date_and_time_is_read_and_written_back() {
    let cases = [
        (DATE.to_owned(), 0, "1970-01-01"),
        (DATE.to_owned(), -1, "1969-12-31"),
        (DATE.to_owned(), 2_932_896, "9999-12-31"),
        (DATE.to_owned(), 2_932_897, "+10000-01-01"),
        (DATE.to_owned(), 7_304_485, "+21969-01-01"),
        (DATE.to_owned(), -719_163, "0000-12-31"),
        (DATE.to_owned(), i64::from(i32::MAX), "+5881580-07-11"),
        (DATE.to_owned(), i64::from(i32::MIN), "-5877641-06-23"),
        (
            long("timestamp-millis"),
            253_402_300_799_999,
            "9999-12-31T23:59:59.999Z",
        ),
        (
            long("timestamp-micros"),
            253_402_300_799_999_999,
            "9999-12-31T23:59:59.999999Z",
        ),
        (
            long("timestamp-micros"),
            -62_135_596_800_000_001,
            "0000-12-31T23:59:59.999999Z",
        ),
        (
            long("timestamp-millis"),
            253_402_300_800_000,
            "+10000-01-01T00:00:00.000Z",
        ),
        (
            long("timestamp-millis"),
            i64::MAX,
            "+292278994-08-17T07:12:55.807Z",
        ),
        (
            long("timestamp-millis"),
            i64::MIN,
            "-292275055-05-16T16:47:04.192Z",
        ),
        (
            long("timestamp-nanos"),
            i64::MAX,
            "2262-04-11T23:47:16.854775807Z",
        ),
        (
            long("timestamp-nanos"),
            i64::MIN,
            "1677-09-21T00:12:43.145224192Z",
        ),
        (
            long("local-timestamp-micros"),
            253_402_300_799_999_999,
            "9999-12-31T23:59:59.999999",
        ),
        (
            long("local-timestamp-micros"),
            i64::MIN,
            "-290308-12-21T19:59:05.224192",
        ),
        (long("time-micros"), 86_399_999_999, "23:59:59.999999"),
    ];
    for (schema, count, text) in cases {
        let json = format!("\"{text}\"");
        assert_eq!(
            decode(&schema, &zigzag(count)),
            Ok(json.clone()),
            "{schema} {count}"
        );
        assert_eq!(encode(&schema, &json), Ok(zigzag(count)), "{schema} {text}");
    }
}

#[test]
fn times_of_day_end_with_the_day() {
    for (schema, count) in [
        (long("time-micros"), 86_400_000_000),
        (long("time-micros"), -1),
        (long("time-micros"), i64::MAX),
        (
            r#"{"type":"int","logicalType":"time-millis"}"#.to_owned(),
            86_400_000,
        ),
    ] {
        let reason = decode(&schema, &zigzag(count)).expect_err("no time of day");
        assert!(reason.contains("not within a day"), "{reason}");
    }
}

#[test]
fn big_decimals_take_any_scale() {
    let big = r#"{"type":"bytes","logicalType":"big-decimal"}"#;
    let written = |digits: &[u8], scale: i64| {
        let mut inner = Vec::new();
        super::super::wire::write_sized(&mut inner, digits);
        super::super::wire::write_long(&mut inner, scale);
        let mut out = Vec::new();
        super::super::wire::write_sized(&mut out, &inner);
        out
    };
    let cases: [(&[u8], i64, Result<&str, &str>); 8] = [
        (&[1], -2, Ok("100")),
        (&[0xff], -1, Ok("-10")),
        (&[0], -3, Ok("0")),
        (&[1], 2, Ok("0.01")),
        (&[], 0, Ok("0")),
        (
            &[1],
            -1_000,
            Err("a decimal of 1 bytes with the scale -1000"),
        ),
        (&[1], i64::MIN, Err("a decimal of 1 bytes")),
        (&[1], i64::MAX, Err("a decimal of 1 bytes")),
    ];
    for (digits, scale, expected) in cases {
        match (decode(big, &written(digits, scale)), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{scale}"),
            (Err(found), Err(expected)) => assert!(found.starts_with(expected), "{found}"),
            (found, expected) => panic!("{scale}: {found:?}, expected {expected:?}"),
        }
    }
}

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn no_bytes_of_any_logical_type_panic() {
    let mut schemas: Vec<String> = [
        "timestamp-millis",
        "timestamp-micros",
        "timestamp-nanos",
        "local-timestamp-millis",
        "local-timestamp-micros",
        "local-timestamp-nanos",
        "time-micros",
    ]
    .map(long)
    .into();
    schemas.extend([DATE, r#"{"type":"int","logicalType":"time-millis"}"#,
        r#"{"type":"bytes","logicalType":"decimal","precision":30,"scale":9}"#,
        r#"{"type":"fixed","name":"D","size":9,"logicalType":"decimal","precision":20,"scale":20}"#,
        r#"{"type":"bytes","logicalType":"big-decimal"}"#, r#"{"type":"bytes","logicalType":"uuid"}"#,
        r#"{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}"#, r#"{"type":"string","logicalType":"uuid"}"#,
        r#"{"type":"fixed","name":"P","size":12,"logicalType":"duration"}"#].map(str::to_owned));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for schema in &schemas {
        let compiled = super::AvroSchema::parse(schema, &[]).expect("a schema");
        for _ in 0..400 {
            let length = random.next() % 20;
            let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            // Numbers of every magnitude, which random bytes seldom are.
            let number = random.next() as i64 >> (random.next() % 64);
            for payload in [bytes, zigzag(number), zigzag(number as i32 as i64)] {
                if let Ok(value) = compiled.decode(&payload.clone().into()) {
                    let mut again = Vec::new();
                    compiled
                        .encode(value.root(), &mut again)
                        .unwrap_or_else(|rejection| {
                            // Only what a strict writer would not have written: too many digits, text that is no UUID.
                            assert!(
                                schema.contains("decimal") || schema.contains("uuid"),
                                "{schema} {payload:?}: {rejection:?}"
                            );
                        });
                }
            }
        }
    }
}
