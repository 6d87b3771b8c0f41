//! Written times, epoch numbers and their rounding.

use super::super::calendar::{DateText, TimeText, TimestampText};
use super::*;

fn instant(content: &str) -> Option<String> {
    timestamp(
        ColumnInput::Text(content),
        &Reading::default(),
        Decimals::default(),
    )
    .ok()
    .map(|microseconds| TimestampText(microseconds).to_string())
}

#[test]
fn written_times() {
    let cases = [
        (
            "2026-11-20T20:35:19.042Z",
            Some("2026-11-20 20:35:19.042000+00"),
        ),
        (
            "2026-11-20t20:35:19z",
            Some("2026-11-20 20:35:19.000000+00"),
        ),
        (
            "2026-11-20 20:35:19+02:00",
            Some("2026-11-20 18:35:19.000000+00"),
        ),
        (
            "2026-11-20 20:35:19 -0530",
            Some("2026-11-21 02:05:19.000000+00"),
        ),
        (
            "2026-11-20T20:35:19+02",
            Some("2026-11-20 18:35:19.000000+00"),
        ),
        ("2026-11-20T20:35", Some("2026-11-20 20:35:00.000000+00")),
        (
            "2026-11-20T20:35:19.123456",
            Some("2026-11-20 20:35:19.123456+00"),
        ),
        (
            "2026-11-20T20:35:19.1234565Z",
            Some("2026-11-20 20:35:19.123456+00"),
        ),
        (
            "2026-11-20T20:35:19.1234575Z",
            Some("2026-11-20 20:35:19.123458+00"),
        ),
        (
            "2026-11-20T20:35:19.12345650001Z",
            Some("2026-11-20 20:35:19.123457+00"),
        ),
        ("2016-12-31T23:59:60.5Z", None),
        (
            "2016-12-31T23:58:60.5Z",
            Some("2016-12-31 23:59:00.500000+00"),
        ),
        ("2026-11-20T20:35:19,5Z", None),
        ("2026-11-20T20:35:19+16:00", None),
        ("\u{a0}2026-11-20T20:35:19Z", None),
        ("+infinity", None),
        ("1763670919042", None),
        (
            "2026-12-31T23:59:59.9999999Z",
            Some("2027-01-01 00:00:00.000000+00"),
        ),
        (
            "2016-12-31T23:59:60Z",
            Some("2017-01-01 00:00:00.000000+00"),
        ),
        ("2024-02-29", Some("2024-02-29 00:00:00.000000+00")),
        (
            "1969-12-31T23:59:59.5Z",
            Some("1969-12-31 23:59:59.500000+00"),
        ),
        (
            "0001-01-01T00:00:00Z",
            Some("0001-01-01 00:00:00.000000+00"),
        ),
        (
            "9999-12-31T23:59:59Z",
            Some("9999-12-31 23:59:59.000000+00"),
        ),
        ("infinity", Some("infinity")),
        ("-infinity", Some("-infinity")),
        ("2023-02-29", None),
        ("2026-13-01", None),
        ("2026-00-01", None),
        ("2026-11-20T25:00:00Z", None),
        ("2026-11-20T20:60:00Z", None),
        ("2026-11-20T20:35:19.Z", None),
        ("2026-11-20T20:35:19+2", None),
        ("2026-11-20T20:35:19Zx", None),
        ("20261120", None),
        ("yesterday", None),
        ("", None),
    ];
    for (content, expected) in cases {
        assert_eq!(instant(content).as_deref(), expected, "{content}");
    }
}

#[test]
fn epoch_numbers() {
    use TimeUnit::{Days, Microseconds, Milliseconds, Nanoseconds, Seconds};
    let cases = [
        (
            "1763670919",
            Some(Seconds),
            Some("2025-11-20 20:35:19.000000+00"),
        ),
        ("1763670919042", None, Some("2025-11-20 20:35:19.042000+00")),
        (
            "1763670919042",
            Some(Milliseconds),
            Some("2025-11-20 20:35:19.042000+00"),
        ),
        (
            "1763670919042001",
            Some(Microseconds),
            Some("2025-11-20 20:35:19.042001+00"),
        ),
        (
            "1763670919042001999",
            Some(Nanoseconds),
            Some("2025-11-20 20:35:19.042002+00"),
        ),
        (
            "1763670919.042",
            Some(Seconds),
            Some("2025-11-20 20:35:19.042000+00"),
        ),
        ("20412", Some(Days), Some("2025-11-20 00:00:00.000000+00")),
        ("0", Some(Seconds), Some("1970-01-01 00:00:00.000000+00")),
        (
            "-1",
            Some(Milliseconds),
            Some("1969-12-31 23:59:59.999000+00"),
        ),
        // A fraction without a unit is mostly of seconds, and would be read as milliseconds.
        ("1763670919.042", None, None),
        ("1763670919042001", Some(Seconds), None),
        ("1.5", Some(Days), None),
    ];
    for (digits, unit, expected) in cases {
        let reading = Reading {
            unit,
            ..Reading::default()
        };
        let found = |input| {
            let found = timestamp(input, &reading, Decimals::default()).ok();
            found.map(|microseconds| TimestampText(microseconds).to_string())
        };
        assert_eq!(
            found(ColumnInput::Number(digits)).as_deref(),
            expected,
            "{digits}"
        );
        // Digits in a string are a number where the column says what they count.
        let of_text = if unit.is_some() { expected } else { None };
        assert_eq!(
            found(ColumnInput::Text(digits)).as_deref(),
            of_text,
            "{digits}"
        );
    }
}

#[test]
fn infinity_as_debezium_writes_it() {
    use TimeUnit::{Days, Microseconds, Milliseconds, Nanoseconds, Seconds};
    let timestamps = [
        ("9223372036825200000", Microseconds, Some("infinity")),
        ("-9223372036832400000", Microseconds, Some("-infinity")),
        ("9223372036854775807", Microseconds, Some("infinity")),
        ("-9223372036854775808", Microseconds, Some("-infinity")),
        ("9223372036825200", Milliseconds, Some("infinity")),
        ("-9223372036832400", Milliseconds, Some("-infinity")),
        ("9223372036825200000", Milliseconds, Some("infinity")),
        ("-9223372036832400000", Milliseconds, Some("-infinity")),
        ("9223372036854775807", Nanoseconds, Some("infinity")),
        ("-9223372036854775808", Nanoseconds, Some("-infinity")),
        // What is next to them is out of range.
        ("-9223372036832399999", Microseconds, None),
        ("9223372036854775807", Milliseconds, None),
        ("9223372036825200000", Seconds, None),
    ];
    for (digits, unit, expected) in timestamps {
        let reading = Reading {
            unit: Some(unit),
            ..Reading::default()
        };
        for input in [ColumnInput::Number(digits), ColumnInput::Text(digits)] {
            let found = timestamp(input, &reading, Decimals(Some(0))).ok();
            let found = found.map(|microseconds| TimestampText(microseconds).to_string());
            assert_eq!(found.as_deref(), expected, "{digits} {unit:?}");
            let of_date = date(input, &reading).ok();
            let of_date = of_date.map(|days| DateText(days).to_string());
            assert_eq!(of_date.as_deref(), expected, "{digits} {unit:?} as a date");
        }
    }
    let dates = [
        ("-2147472692", Some("infinity")),
        ("2146033979", Some("infinity")),
        ("-2147472691", Some("-infinity")),
        ("-2147472690", None),
        ("-2147472693", None),
        // Since 2000 it would be the server's own number for infinity.
        ("2147494604", None),
        ("-2147472691.5", None),
        ("-9223372036854775808", None),
    ];
    let reading = Reading {
        unit: Some(Days),
        ..Reading::default()
    };
    for (digits, expected) in dates {
        let found = date(ColumnInput::Number(digits), &reading).ok();
        let found = found.map(|days| DateText(days).to_string());
        assert_eq!(found.as_deref(), expected, "{digits}");
    }
}

#[test]
fn naive_times_can_be_refused() {
    let reading = Reading {
        naive_time: NaiveTime::Reject,
        ..Reading::default()
    };
    let instant = |content| timestamp(ColumnInput::Text(content), &reading, Decimals::default());
    assert!(instant("2026-11-20T20:35:19").is_err());
    assert!(instant("2026-11-20").is_err());
    assert!(instant("2026-11-20T20:35:19Z").is_ok());
}

#[test]
fn dates() {
    use TimeUnit::{Days, Milliseconds, Seconds};
    let number = ColumnInput::Number;
    let cases = [
        (ColumnInput::Text("2000-01-01"), None, Some("2000-01-01")),
        (
            ColumnInput::Text("1999-12-31T23:00:00-05:00"),
            None,
            Some("1999-12-31"),
        ),
        (ColumnInput::Text("infinity"), None, Some("infinity")),
        (
            ColumnInput::Text("-infinity"),
            Some(Days),
            Some("-infinity"),
        ),
        (ColumnInput::Text("1999-12-32"), None, None),
        (number("-1"), None, None),
        (number("20412"), None, None),
        (ColumnInput::Integer(20_412), None, None),
        (number("20412"), Some(Days), Some("2025-11-20")),
        (number("20412.0"), Some(Days), Some("2025-11-20")),
        (ColumnInput::Text("20412"), Some(Days), Some("2025-11-20")),
        (ColumnInput::Integer(20_412), Some(Days), Some("2025-11-20")),
        (number("-1"), Some(Days), Some("1969-12-31")),
        (number("20412.5"), Some(Days), None),
        (number("2145042905"), Some(Days), Some("5874897-12-31")),
        (number("2145042906"), Some(Days), None),
        (number("2147483647"), Some(Days), None),
        (number("-2440588"), Some(Days), Some("4714-11-24 BC")),
        (number("-2440589"), Some(Days), None),
        (
            number("1763670919042"),
            Some(Milliseconds),
            Some("2025-11-20"),
        ),
        (number("-1"), Some(Milliseconds), Some("1969-12-31")),
        (number("1763670919.5"), Some(Seconds), Some("2025-11-20")),
        (
            ColumnInput::Instant(1_763_670_919_042),
            None,
            Some("2025-11-20"),
        ),
        (ColumnInput::Text("20412"), None, None),
        (ColumnInput::Bool(true), Some(Days), None),
    ];
    for (input, unit, expected) in cases {
        let reading = Reading {
            unit,
            ..Reading::default()
        };
        let found = date(input, &reading)
            .ok()
            .map(|days| DateText(days).to_string());
        assert_eq!(found.as_deref(), expected, "{input:?} {unit:?}");
    }
    assert_eq!(DateText(-730_120).to_string(), "0001-12-31 BC");
}

#[test]
fn times_of_day() {
    use TimeUnit::{Microseconds, Milliseconds, Nanoseconds, Seconds};
    let (text, number) = (ColumnInput::Text, ColumnInput::Number);
    let cases = [
        (text("20:35:19.5"), None, Some("20:35:19.500000")),
        (text("24:00"), None, Some("24:00:00.000000")),
        (text("23:59:60"), None, Some("24:00:00.000000")),
        (text("23:59:60.5"), None, None),
        (text("20:35:19,5"), None, None),
        (text("24:00:01"), None, None),
        (text("8:00"), None, None),
        (number("72900000"), None, None),
        (
            number("72900000"),
            Some(Milliseconds),
            Some("20:15:00.000000"),
        ),
        (
            text("72900000"),
            Some(Milliseconds),
            Some("20:15:00.000000"),
        ),
        (text("72900000"), None, None),
        (number("72900.25"), Some(Seconds), Some("20:15:00.250000")),
        (
            number("72900000001"),
            Some(Microseconds),
            Some("20:15:00.000001"),
        ),
        (
            number("72900000001500"),
            Some(Nanoseconds),
            Some("20:15:00.000002"),
        ),
        (number("86400"), Some(Seconds), Some("24:00:00.000000")),
        (number("86400.000001"), Some(Seconds), None),
        (number("-1"), Some(Seconds), None),
        (ColumnInput::Bool(true), Some(Seconds), None),
    ];
    for (input, unit, expected) in cases {
        let reading = Reading {
            unit,
            ..Reading::default()
        };
        let found = time_of_day(input, &reading, Decimals::default()).ok();
        let found = found.map(|time| TimeText(time).to_string());
        assert_eq!(found.as_deref(), expected, "{input:?} {unit:?}");
    }
}

/// As PostgreSQL's AdjustTimestampForTypmod: half away from 2000-01-01.
#[test]
fn seconds_are_rounded_to_what_the_column_declares() {
    let cases = [
        (
            "2026-11-20T20:35:19.5Z",
            Some(0),
            "2026-11-20 20:35:20.000000+00",
        ),
        (
            "2026-11-20T20:35:19.499999Z",
            Some(0),
            "2026-11-20 20:35:19.000000+00",
        ),
        (
            "2026-11-20T20:35:19.0425Z",
            Some(3),
            "2026-11-20 20:35:19.043000+00",
        ),
        (
            "1999-12-31T23:59:58.5Z",
            Some(0),
            "1999-12-31 23:59:58.000000+00",
        ),
        (
            "2026-11-20T20:35:19.123456Z",
            Some(6),
            "2026-11-20 20:35:19.123456+00",
        ),
        ("infinity", Some(0), "infinity"),
    ];
    for (content, decimals, expected) in cases {
        let found = timestamp(
            ColumnInput::Text(content),
            &Reading::default(),
            Decimals(decimals),
        );
        let found = found.map(|microseconds| TimestampText(microseconds).to_string());
        assert_eq!(found.as_deref(), Ok(expected), "{content}");
    }
    let midnight = time_of_day(
        ColumnInput::Text("23:59:59.6"),
        &Reading::default(),
        Decimals(Some(0)),
    );
    assert_eq!(midnight, Ok(MICROSECONDS_A_DAY));
}

#[test]
fn times_of_the_usual_form_are_read_as_others_are() {
    let dates = [
        "2026-11-20",
        "2024-02-29",
        "0001-01-01",
        "9999-12-31",
        "1969-12-31",
    ];
    let times = [
        "T00:00:00",
        "T23:59:59",
        "T20:35:19.0",
        "T20:35:19.042",
        "T20:35:19.123456",
    ];
    let offsets = ["Z", "+00:00", "+02:00", "-05:30", "+15:59"];
    for date in dates {
        for time in times {
            for offset in offsets {
                let text = format!("{date}{time}{offset}");
                assert!(UsualTime::parse(text.as_bytes()).is_some(), "{text}");
                assert_eq!(Written::parse(&text), Written::scan(&text), "{text}");
            }
        }
    }
    for text in [
        "2026-11-20",
        "2026-11-20 20:35:19Z",
        "2026-11-20T20:35:19",
        "2026-11-20T20:35:60Z",
        "2026-11-20T24:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-20T20:35:19.1234567Z",
        "2026-11-20T20:35:19.Z",
        "2026-11-20T20:35:19+16:00",
        "2026-11-20T20:35:19+02",
        "2026-11-20T20:3x:19Z",
        "0000-01-01T00:00:00Z",
        "2026-11-20T20:35:19Zx",
        "",
    ] {
        assert!(UsualTime::parse(text.as_bytes()).is_none(), "{text}");
    }
}
