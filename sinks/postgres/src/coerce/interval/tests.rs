//! Durations, strings, and what a shortened interval would drop.

use super::*;
use bytes::Bytes;
use connect_api::{JsonLimits, Value};

fn written(json: &str, least: Unit) -> Result<String, String> {
    let value = Value::parse_json(Bytes::from(json.to_owned()), JsonLimits::default()).unwrap();
    let mut out = Vec::new();
    interval(
        ColumnInput::of(value.root()),
        IntervalPrecision { least },
        &Reading::default(),
        &mut out,
    )
    .map(|()| String::from_utf8(out).unwrap())
    .map_err(|mismatch| mismatch.to_string())
}

#[test]
fn values() {
    let cases = [
        (
            r#"{"months":1,"days":2,"milliseconds":3500}"#,
            Ok("P1M2DT3.500000S"),
        ),
        (
            r#"{"milliseconds":-1,"days":-2,"months":0}"#,
            Ok("P0M-2DT-0.001000S"),
        ),
        (
            r#"{"months":4294967295,"days":0,"milliseconds":0}"#,
            Err("out of range"),
        ),
        (r#"{"months":1,"days":2}"#, Err("exactly months, days")),
        (
            r#"{"months":1,"days":2,"milliseconds":3,"hours":1}"#,
            Err("exactly months, days"),
        ),
        (
            r#"{"months":"1","days":2,"milliseconds":3}"#,
            Err("exactly months, days"),
        ),
        (
            r#"{"months":1.5,"days":2,"milliseconds":3}"#,
            Err("has a fraction"),
        ),
        (
            r#"{"months":null,"days":2,"milliseconds":3}"#,
            Err("exactly months, days"),
        ),
        (r#"{"hours":2}"#, Err("exactly months, days")),
        ("{}", Err("exactly months, days")),
        ("[1]", Err("no form in this type")),
        ("[]", Err("no form in this type")),
        (r#""{\"months\":1}""#, Err("brackets, braces or quotes")),
        (r#""1 day 02:00""#, Ok("1 day 02:00")),
        ("90", Ok("90")),
        ("true", Err("an interval such as")),
    ];
    for (json, expected) in cases {
        match (written(json, Unit::Second), expected) {
            (Ok(found), Ok(right)) => assert_eq!(found, right, "{json}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{json}: {found}"),
            found => unreachable!("{json}: {found:?}"),
        }
    }
}

#[test]
fn what_a_shortened_interval_would_drop() {
    let cases = [
        ("1 mon", Unit::Month, true),
        ("P1M", Unit::Month, true),
        ("P1Y1M", Unit::Month, true),
        ("1 mon 3 days", Unit::Month, false),
        ("P1MT1S", Unit::Month, false),
        ("1 year", Unit::Year, true),
        ("24 mons", Unit::Year, true),
        ("13 mons", Unit::Year, false),
        ("-1 mons +2 days", Unit::Day, true),
        ("2 days 00:00:00", Unit::Day, true),
        ("2 days 10:00", Unit::Day, false),
        ("10:00", Unit::Hour, true),
        ("-10:30", Unit::Hour, false),
        ("10:30:00", Unit::Minute, true),
        ("PT90M", Unit::Minute, true),
        ("PT60S", Unit::Minute, true),
        ("10:30:00.5", Unit::Minute, false),
        ("1.5 mons", Unit::Month, false),
        ("1 year ago", Unit::Year, false),
        ("90", Unit::Minute, false),
        ("P", Unit::Minute, false),
        ("P1DT", Unit::Minute, false),
        ("10:-5", Unit::Minute, false),
        ("", Unit::Minute, false),
    ];
    for (content, least, is_kept) in cases {
        let json = format!("\"{content}\"");
        assert_eq!(written(&json, least).is_ok(), is_kept, "{content}");
    }
    assert!(written("90", Unit::Minute).is_err());
    let duration = r#"{"months":0,"days":2,"milliseconds":3500}"#;
    assert!(written(duration, Unit::Day).is_err());
}

#[test]
fn modifiers() {
    // From pg_attribute: interval, interval(3), year, month, year to month, day to minute, second(2).
    let cases = [
        (-1, Unit::Second),
        (2_147_418_115, Unit::Second),
        (327_679, Unit::Year),
        (196_607, Unit::Month),
        (458_751, Unit::Month),
        (201_916_415, Unit::Minute),
        (268_435_458, Unit::Second),
    ];
    for (modifier, least) in cases {
        assert_eq!(
            IntervalPrecision::of_modifier(modifier),
            IntervalPrecision { least },
            "{modifier}"
        );
    }
}
