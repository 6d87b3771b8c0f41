//! Conditions: what they mean, what they say when they cannot be evaluated, and what is refused beforehand.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{Header, JsonLimits, Key, Origin, Predicate, Record, Value};

fn value(text: &str) -> Value {
    Value::parse_json(
        Bytes::copy_from_slice(text.as_bytes()),
        JsonLimits::default(),
    )
    .unwrap_or_else(|error| panic!("{text}: {error}"))
}

const SALE: &str = r#"{
    "id": "9f1c", "total": 100.5, "count": 100, "big": 18446744073709551615, "huge": 1e400, "none": null, "paid": true,
    "store": {"id": 7, "country": "DE", "tags": ["a", "b"]}, "odd name": 1, "empty": {}, "text": "12",
    "items": [{"sku": "x", "quantity": 1}, {"sku": "y", "quantity": 5, "parts": [{"n": 1}, {"n": 2}]}],
    "at": "2026-11-20T20:35:19.042Z", "seconds": 1795206919, "milliseconds": 1795206919042, "ttl": "1h30m",
    "until": "9999-12-31T23:59:59.999999999Z", "times": ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00+14:00"],
    "numbers": [1, 2, 3.0], "nested": [[1], [2, {"k": "v"}]], "copy": [[1], [2, {"k": "v"}]], "-": {"a.b": 3}
}"#;

fn record() -> Record {
    let header = |name: &str, value: Option<&'static [u8]>| Header {
        name: name.into(),
        value: value.map(Bytes::from_static),
    };
    Record {
        origin: Arc::new(Origin {
            topic: "sales".into(),
            partition: 3,
            offset: 42,
            timestamp_ms: Some(1_700_000_000_000),
            headers: vec![
                header("trace", Some(b"first")),
                header("trace", Some(b"last")),
                header("gone", None),
                header("raw", Some(b"\xff")),
            ],
            ..Origin::default()
        }),
        key: Key::Decoded(value(r#"{"id":"k1"}"#)),
        value: Some(value(SALE)),
        ordinal: 0,
        routed_topic: None,
    }
}

fn evaluate(text: &str, record: &Record) -> Result<bool, String> {
    Predicate::parse(text)
        .unwrap_or_else(|error| panic!("{error}"))
        .matches(record)
}

#[test]
fn conditions_that_hold() {
    let record = record();
    for text in [
        // Numbers compare by amount, whatever they are written as.
        "value.total > 100",
        "value.total > 100.0",
        "value.total < 101",
        "value.count >= 100.0",
        "value.count == 100",
        "value.count == 100.0",
        "100 == value.count",
        "value.count in [99, 100]",
        "value.total != value.count",
        "value.big > 0",
        "value.big == 18446744073709551615u",
        "value.huge > 1e300",
        "value.numbers[2] == 3",
        "double(value.count) * 1.19 > 118.0",
        "value.count % 7 == 2",
        "-value.count < 0",
        // Text.
        "value.id == '9f1c'",
        "value.store.country in ['DE', 'FR']",
        "value.id.startsWith('9f') && value.id.endsWith('c') && value.id.contains('f1')",
        "value.id.matches('^[0-9a-f]+$')",
        "matches(value.id, '^9')",
        "value.id.matches(value.store.country) == false",
        "size(value.id) == 4 && value.id.size() == 4",
        "int(value.text) == 12 && string(value.count) == '100'",
        "value.id + '!' == '9f1c!'",
        "value.id < 'a'",
        // Null, booleans, types.
        "value.paid",
        "!(!value.paid)",
        "value.none == null",
        "value.total != null",
        "type(value.count) == int && type(value.total) == double && type(value.store) == map",
        "type(value.none) == null_type",
        "value.paid ? value.count == 100 : value.missing == 1",
        // Fields that may be missing.
        "has(value.total)",
        "!has(value.missing)",
        "!has(value.store.missing)",
        "has(value.none)",
        "has(value.store) && has(value.store.id)",
        "!has(value.missing) || value.missing > 1",
        "'total' in value",
        "!('missing' in value)",
        "value['odd name'] == 1",
        "value['-']['a.b'] == 3",
        "value['store'].id == 7",
        // Objects and arrays.
        "size(value.items) == 2 && value.items.size() == 2",
        "value.items[1].quantity == 5",
        "value.items.all(item, item.quantity > 0)",
        "value.items.exists(item, item.sku == 'y')",
        "value.items.exists_one(item, item.quantity == 1)",
        "value.items.filter(item, item.quantity > 1).size() == 1",
        "value.items.map(item, item.sku) == ['x', 'y']",
        "['x', 'y'] == value.items.map(item, item.sku)",
        "value.items.exists(item, has(item.parts) && item.parts.exists(part, part.n == 2))",
        "value.store.all(name, name != 'x')",
        "value.store.exists(name, name == 'tags')",
        "size(value.store) == 3",
        "value.empty == {}",
        "{} == value.empty",
        "value.store.tags == ['a', 'b']",
        "['a', 'b'] == value.store.tags",
        "['b', 'a'] != value.store.tags",
        "value.nested == value.copy",
        "value.nested == [[1], [2, {'k': 'v'}]]",
        "[[1], [2, {'k': 'v'}]] == value.nested",
        "{'id': 7, 'country': 'DE', 'tags': ['a', 'b']} == value.store",
        "value.store == {'id': 7.0, 'country': 'DE', 'tags': ['a', 'b']}",
        "value.store != {'id': 7}",
        "[value.nested] == [value.copy]",
        "{'a': value.nested} == {'a': value.copy}",
        "'a' in value.store.tags",
        "!('c' in value.store.tags)",
        "[1] in value.nested",
        "{'sku': 'x', 'quantity': 1} in value.items",
        "value.items[0] in value.items",
        "value.items[0] in [{'sku': 'x', 'quantity': 1}]",
        "value.nested[0] in [[1], [2]]",
        "value.numbers + [4] == [1, 2, 3, 4]",
        "[0] + value.numbers == [0, 1, 2, 3]",
        "value.store != value.items",
        // Metadata.
        "topic == 'sales' && partition == 3 && offset == 42",
        "timestamp == 1700000000000",
        "key.id == 'k1'",
        "headers.trace == 'last'",
        "headers['trace'] == 'last'",
        "!has(headers.gone) && !has(headers.never)",
        "size(headers) == 2",
        "type(headers.raw) == bytes",
        "headers.all(name, name in ['trace', 'raw'])",
        // Times.
        "timestamp(value.at) > timestamp('2026-01-01T00:00:00Z')",
        "timestamp(value.at) == timestamp('2026-11-20T20:35:19.042Z')",
        "timestamp(value.at) == timestamp('2026-11-20T21:35:19.042+01:00')",
        "timestamp(value.at) != timestamp('2026-11-20T20:35:19Z')",
        "timestamp('2026-11-20t20:35:19.042-00:00') <= timestamp(value.at)",
        "timestamp(value.seconds) == timestamp('2026-11-20T20:35:19Z')",
        "timestamp(value.seconds, 's') == timestamp('2026-11-20T20:35:19Z')",
        "timestamp(value.milliseconds, 'ms') == timestamp(value.at)",
        "timestamp(value.milliseconds * 1000, 'us') == timestamp(value.at)",
        "timestamp(value.milliseconds * 1000000, 'ns') == timestamp(value.at)",
        "timestamp(timestamp) == timestamp('2023-11-14T22:13:20Z')",
        "timestamp(-1) < timestamp(0)",
        "timestamp(value.until) > timestamp(value.at)",
        "timestamp(value.until) == timestamp('9999-12-31T23:59:59.999999999Z')",
        "timestamp('0001-01-01T00:00:00Z') == timestamp(-62135596800)",
        "timestamp(value.at) - timestamp(value.seconds) == duration('42ms')",
        "timestamp(value.at) - duration('1d') > timestamp('2026-11-19T00:00:00Z')",
        "timestamp(value.at) + duration(value.ttl) < timestamp(value.until)",
        "duration(value.ttl) + timestamp(value.at) == timestamp('2026-11-20T22:05:19.042Z')",
        "timestamp(value.seconds) - timestamp(timestamp) > duration('26280h')",
        "duration(value.ttl) == duration('90m') && duration('90m') == duration('5400s')",
        "duration('1.5h') == duration('1h30m') && duration('1d') == duration('24h')",
        "duration('-1h') < duration('0') && duration('0s') == duration('0')",
        "duration('1h') + duration('30m') - duration('1m') == duration('89m')",
        "duration('1ms') == duration('1000us') && duration('1us') == duration('1000ns')",
        "duration('+1s') == duration('1s')",
        "[timestamp(0)][0] < timestamp(1) && {'a': timestamp(0)}.a < timestamp(1)",
        "value.times.all(t, timestamp(t) > timestamp(0))",
        "value.times.map(t, timestamp(t)).exists(t, t == timestamp('2026-01-01T00:00:00Z'))",
        "timestamp(value.at) in value.times.map(t, timestamp(t)) || true",
        "type(timestamp(0)) != type(duration('0'))",
        "has(value.at) ? timestamp(value.at) > timestamp(0) : false",
        // A macro's variable hides what has its name.
        "value.seconds == 1795206919 && [1795206919].all(timestamp, timestamp(timestamp) == timestamp('2026-11-20T20:35:19Z'))",
        "value.numbers.all(key, key > 0)",
        "true",
    ] {
        assert_eq!(evaluate(text, &record), Ok(true), "{text}");
        assert_eq!(
            evaluate(&format!("!({text})"), &record),
            Ok(false),
            "{text}"
        );
    }
}

#[test]
fn a_condition_is_no_more_work_than_its_budget() {
    let numbers = |count: usize, from: usize| {
        let numbers: Vec<String> = (from..from + count)
            .map(|number| number.to_string())
            .collect();
        numbers.join(",")
    };
    let with = |count: usize| {
        let (a, b) = (numbers(count, 0), numbers(count, count));
        Record {
            value: Some(value(&format!(r#"{{"a":[{a}],"b":[{b}],"o":{{"a":1}}}}"#))),
            ..record()
        }
    };
    let small = with(100);
    let large = with(3_000);
    let multiplies = [
        "value.a.exists(x, value.b.exists(y, x == y))",
        "value.a.all(x, !(x in value.b))",
        "value.a.all(x, value.b != [x])",
        "value.a.all(x, size(value.b.filter(y, y > x)) >= 0)",
        "value.a.all(x, value.o != value)",
        "value.a.map(x, x + 1).all(x, value.b.all(y, x != y || x == 3000))",
    ];
    for text in multiplies {
        let condition = Predicate::parse(text).unwrap();
        assert!(condition.matches(&small).is_ok(), "{text}");
        let reason = condition.matches(&large).unwrap_err();
        assert!(reason.contains("takes more than 500000 steps"), "{reason}");
        // The budget is of one evaluation.
        assert!(condition.matches(&small).is_ok(), "{text}");
    }
    let linear = Predicate::parse("value.a.all(x, x >= 0) && size(value.b) == 100000").unwrap();
    assert_eq!(linear.matches(&with(100_000)), Ok(true));
}

#[test]
fn messages_show_a_placeholder_and_not_what_it_stands_for() {
    let record = record();
    let text = Predicate::substituted(
        "value.missing == 'canary' || value['canary'] == 1",
        "value.missing == '${env:KEY}' || value['${env:KEY}'] == 1",
    );
    let condition = Predicate::parse(&text).unwrap();
    let reason = condition.matches(&record).unwrap_err();
    assert!(reason.contains("${env:KEY}"), "{reason}");
    assert!(!reason.contains("canary"), "{reason}");
    let text = Predicate::substituted("value['canary'] == 1", "value['${env:KEY}'] == 1");
    let reason = Predicate::parse(&text)
        .unwrap()
        .matches(&record)
        .unwrap_err();
    assert!(!reason.contains("canary"), "{reason}");
}

#[test]
fn a_condition_that_cannot_be_evaluated_says_why_and_nothing_of_the_record() {
    let record = record();
    for (text, expected) in [
        ("value.missing > 1", "`missing` is missing; `has()` tests"),
        ("value.store.missing == 'x'", "`missing` is missing"),
        ("value.missing.deeper == 1", "`missing` is missing"),
        ("value['no such'] == 1", "`no such` is missing"),
        ("value.store[value.id] == 1", "a key is missing"),
        ("headers.gone == 'x'", "`gone` is missing"),
        ("value.items[2].sku == 'x'", "index out of bounds"),
        ("value.items[-1].sku == 'x'", "index out of bounds"),
        ("value.id > 5", "`>` does not work on (string, int)"),
        ("value.none > 5", "`>` does not work on (null_type, int)"),
        (
            "value.total + 1 > 5.0",
            "does not work on values of these types",
        ),
        ("value.items.total == 1", "does not work on"),
        ("value.id.total == 1", "does not work on"),
        ("has(value.id.total)", "does not work on"),
        ("value.items['x'] == 1", "does not work on"),
        ("value[0] == 1", "does not work on"),
        ("value.id", "is string, not a boolean"),
        ("value.store", "is map, not a boolean"),
        (
            "value.total.all(x, true)",
            "double found where iterable was expected",
        ),
        ("int(value.id) == 1", "`int` does not take this text"),
        ("value.count / 0 == 1", "division by zero"),
        ("value.count * 9223372036854775807 > 1", "exceeds 64 bits"),
        (
            "value.count.startsWith('1')",
            "`startsWith` does not work on (int, string)",
        ),
        (
            "value.count.matches('1')",
            "`matches` does not work on (int, pattern)",
        ),
        (
            "value.id.matches('(' + value.id)",
            "`matches` does not take this text",
        ),
        (
            "timestamp(value.id) > timestamp(0)",
            "`timestamp`: the text is not a time with an offset from UTC, such as 2026-11-20T20:35:19Z",
        ),
        (
            "timestamp(value.milliseconds) > timestamp(0)",
            "outside the years 0001 to 9999; a number counts seconds, unless a unit is written, as in timestamp(value.at, 'ms')",
        ),
        (
            "timestamp(value.milliseconds, value.id) > timestamp(0)",
            "the unit is not one of 's', 'ms', 'us' and 'ns'",
        ),
        (
            "timestamp(value.total) > timestamp(0)",
            "`timestamp` does not work on (double); it takes text (RFC 3339), or an integer",
        ),
        ("timestamp(value.none) > timestamp(0)", "(null_type)"),
        (
            "timestamp(value.until) + duration('1ns') > timestamp(0)",
            "outside the years 0001 to 9999",
        ),
        (
            "duration(value.id) > duration('0')",
            "`duration`: the text is not a duration, such as 90s, 1h30m or 7d",
        ),
        (
            "duration(value.count) > duration('0')",
            "`duration` does not work on (int); it takes text",
        ),
        (
            "value.numbers.all(n, n < timestamp(0))",
            "`<` does not work on (double, timestamp)",
        ),
        (
            "value.none.deeper == 1",
            "null has no members, `… != null &&` tests for it",
        ),
        ("!value.count", "does not work on"),
        ("value.count && true", "does not work on"),
    ] {
        let error = evaluate(text, &record).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(error.starts_with(&format!("`{text}`")), "{error}");
        for secret in ["9f1c", "100.5", "DE"] {
            assert!(!error.contains(secret), "{text}: {error}");
        }
    }
}

#[test]
fn what_can_never_work_is_refused_beforehand() {
    for (text, expected) in [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("value.total >", "column"),
        ("value.total > 100)", "column"),
        ("value.total = 100", "write `==`"),
        ("value.a == 1 and value.b == 2", "write `&&`"),
        ("not value.paid", "write `&&`"),
        ("'open", "column"),
        (
            "total > 100",
            "`total` is not a variable; variables are value key headers",
        ),
        ("total > 100", "a field of the record is `value.total`"),
        ("$.total > 100", "column"),
        ("values.total > 100", "`values` is not a variable"),
        (
            "value.items.all(item, itm.quantity > 0)",
            "`itm` is not a variable",
        ),
        (
            "value.items.all(item, true) && item == 1",
            "`item` is not a variable",
        ),
        ("now() > 1", "`now` is not a function; functions are size"),
        ("value.id.lower() == 'x'", "`lower` is not a function"),
        ("len(value.items) > 1", "`len` is not a function"),
        ("value.?total == 1", "column"),
        ("optional.of(value.id) == 1", "`of` is not a function"),
        ("Sale{id: 1} == value", "`Sale` is not supported"),
        ("value.id.matches('(')", "is not a regular expression"),
        ("value.id.matches('(?=x)')", "is not a regular expression"),
        (
            "value.at > timestamp('2026-01-01T00:00:00Z')",
            "`>` compares a timestamp with something else; write `timestamp(…)` on both sides",
        ),
        ("value.at == timestamp(0)", "`==` compares a timestamp"),
        ("timestamp(0) != '2026-01-01'", "`!=` compares a timestamp"),
        ("timestamp > timestamp(0)", "`>` compares a timestamp"),
        (
            "value['at'] <= timestamp(0) - duration('1h')",
            "`<=` compares",
        ),
        (
            "timestamp(0) - timestamp(1) > 5",
            "`>` compares a duration with something else; write `duration(…)`",
        ),
        ("duration('1s') < timestamp(0)", "compares a timestamp"),
        ("value.ttl == duration('1h')", "compares a duration"),
        ("timestamp('2026-01-01') < timestamp(0)", "offset from UTC"),
        (
            "timestamp('2026-01-01T00:00:00') < timestamp(0)",
            "offset from UTC",
        ),
        (
            "timestamp('2026-02-30T00:00:00Z') < timestamp(0)",
            "offset from UTC",
        ),
        (
            "timestamp('2026-01-01T00:00:00+01:00[Europe/Berlin]') < timestamp(0)",
            "offset from UTC",
        ),
        ("duration('1') < duration('0')", "is not a duration"),
        ("duration('') < duration('0')", "is not a duration"),
        ("duration('1h 30m') < duration('0')", "is not a duration"),
        ("duration('1x') < duration('0')", "is not a duration"),
        ("duration('1.h') < duration('0')", "is not a duration"),
        (
            "duration('99999999d') < duration('0')",
            "longer than 9999 years",
        ),
        ("timestamp(value.at)", "not a boolean"),
        ("value.count + 1", "not a boolean"),
        ("size(value.items)", "not a boolean"),
        ("'text'", "not a boolean"),
        ("1", "not a boolean"),
        ("null", "not a boolean"),
        ("topic", "not a boolean"),
        ("int", "not a boolean"),
        ("[true]", "not a boolean"),
        ("value.paid ? 1 : 2", "not a boolean"),
        (
            "value.a.all(x, x.b.all(y, y.c.all(z, z > 0)))",
            "nested more than 2 deep",
        ),
        (
            "value.a.map(x, x.map(y, y.filter(z, z > 0))).size() > 0",
            "nested more than 2 deep",
        ),
    ] {
        let error = match Predicate::parse(text) {
            Ok(_) => panic!("`{text}` is taken"),
            Err(error) => error,
        };
        assert!(error.contains(expected), "{text}: {error}");
        assert!(
            error.starts_with(&format!("`{text}` is not a condition: ")),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
    // One after the other is not one inside the other.
    for text in [
        "value.a.all(x, x.b.all(y, y > 0)) && value.a.all(x, x.b.all(y, y > 0))",
        "value.a.map(x, x).map(x, x).map(x, x).filter(x, x > 0).size() > 0",
        "has(value.a) && has(value.b) && has(value.c)",
    ] {
        assert!(Predicate::parse(text).is_ok(), "{text}");
    }
}

/// CEL's parser is recursive: whatever is written, it must not reach the end of the stack.
#[test]
fn long_and_deep_conditions_are_no_stack_overflow() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{1:", "}"),
        ("size(", ")"),
        ("value[", "]"),
    ] {
        for depth in [32, 33, 5_000] {
            let text = format!(
                "{}value.paid{} == 1",
                open.repeat(depth),
                close.repeat(depth)
            );
            assert_eq!(
                Predicate::parse(&text).is_ok(),
                depth <= 32,
                "{open} {depth}"
            );
        }
    }
    for (repeated, last) in [
        ("!", "value.paid"),
        ("- ", "1 == 1"),
        ("value.a.", "b"),
        ("true ? true : ", "true"),
        ("true && ", "true"),
        ("true || false && ", "true"),
        ("1 + ", "1 == 2"),
        ("'a' == ", "'b'"),
        ("value.a in ", "value.b"),
        ("value", "[0][0][0]"),
    ] {
        let text = format!("{}{last}", repeated.repeat(3_900 / repeated.len()));
        if let Ok(predicate) = Predicate::parse(&text) {
            let _ = predicate.matches(&record());
        }
    }
    assert!(Predicate::parse(&format!("{}true", "true && ".repeat(1_000))).is_err());
}

#[test]
fn tombstones_and_records_without_key_or_time_are_null() {
    let mut record = record();
    record.value = None;
    record.key = Key::Absent;
    Arc::make_mut(&mut record.origin).timestamp_ms = None;
    for text in [
        "value == null",
        "key == null",
        "timestamp == null",
        "offset == 42",
    ] {
        assert_eq!(evaluate(text, &record), Ok(true), "{text}");
    }
    let message = |read: &str| {
        format!(
            "the record is a tombstone (no value), the condition reads `{read}`; write `value == null || …` (or `value != null && …`)"
        )
    };
    for (text, read) in [
        ("value.total > 1", "value.total"),
        ("has(value.total)", "value.total"),
        ("value['odd name'] == 1", "value['odd name']"),
        ("value.store.country == 'DE'", "value.store"),
        ("'total' in value", "value"),
        ("value > 1", "value"),
        ("value.items.all(item, item.quantity > 0)", "value.items"),
        ("offset == 42 && value.total > 1", "value.total"),
        ("value.total > 1 || offset == 1", "value.total"),
        ("offset == 42 ? value.total > 1 : true", "value.total"),
        (
            "[42].exists(n, n == offset && value.total > n)",
            "value.total",
        ),
        ("size(value) > 0", "value"),
        ("timestamp(value.at) > timestamp(0)", "value.at"),
    ] {
        let error = evaluate(text, &record).unwrap_err();
        assert_eq!(error, format!("`{text}`: {}", message(read)));
        let predicate = Predicate::parse(text).unwrap();
        assert_eq!(predicate.read_of_tombstone(), Some(read), "{text}");
    }
    // What is asked first, on either side, is enough; and so is what does not read the value.
    for (text, expected) in [
        ("value == null || value.total > 1", true),
        ("value.total > 1 || value == null", true),
        ("null == value || value.total > 1", true),
        ("value != null && has(value.total)", false),
        ("value.total > 1 && value != null", false),
        ("!(value == null) && value.total > 1", false),
        ("value == null ? true : value.total > 1", true),
        ("value != null ? value.total > 1 : offset == 42", true),
        ("type(value) == null_type || value.total > 1", true),
        ("offset == 42", true),
        ("value in [1, null]", true),
        ("[1].all(value, value > 0)", true),
        ("value != {}", true),
    ] {
        assert_eq!(evaluate(text, &record), Ok(expected), "{text}");
        let read = Predicate::parse(text)
            .unwrap()
            .read_of_tombstone()
            .map(str::to_owned);
        // Of `type` only its result is known when the record comes.
        let expected = text.starts_with("type").then(|| "value.total".to_owned());
        assert_eq!(read, expected, "{text}");
    }
    // Another fault is not blamed on the tombstone.
    let error = evaluate(
        "headers.gone == 'x' && (value == null || value.total > 1)",
        &record,
    );
    assert!(error.unwrap_err().contains("`gone` is missing"));
    let error = evaluate("key.id == 1 && (value == null || value.total > 1)", &record);
    assert!(error.unwrap_err().contains("null has no members"));
}

/// The analysis finds a failing read exactly where the evaluation of a tombstone fails.
#[test]
fn what_a_tombstone_does_is_known_beforehand() {
    let mut tombstone = record();
    tombstone.value = None;
    let atoms = [
        "true",
        "false",
        "value == null",
        "value != null",
        "value.a == 1",
        "has(value.a)",
        "value.a in [1]",
    ];
    let mut conditions: Vec<String> = atoms.map(str::to_owned).to_vec();
    for left in atoms {
        conditions.push(format!("!({left})"));
        for right in atoms {
            conditions.push(format!("{left} && {right}"));
            conditions.push(format!("{left} || {right}"));
            conditions.push(format!("!({left} || {right}) && {left}"));
            conditions.push(format!("({left}) ? ({right}) : ({left})"));
            conditions.push(format!("({left}) == ({right})"));
        }
    }
    for condition in conditions {
        let predicate = Predicate::parse(&condition).unwrap();
        let evaluated = predicate.matches(&tombstone);
        let read = predicate.read_of_tombstone();
        assert_eq!(
            evaluated.is_err(),
            read.is_some(),
            "{condition}: {evaluated:?}"
        );
    }
}

#[test]
fn the_key_is_asked_for_only_if_the_condition_reads_it() {
    let uses_key = |text: &str| Predicate::parse(text).unwrap().uses_key();
    assert!(uses_key("key == 'x'"));
    assert!(uses_key("value.items.exists(x, x == key.id)"));
    assert!(!uses_key("value.key == 1"));
    assert!(!uses_key("value.items.all(key, key > 0)"));
    let mut record = record();
    record.key = Key::Undecodable("not JSON at byte 0".into());
    assert_eq!(evaluate("value.paid", &record), Ok(true));
    assert_eq!(
        evaluate("key.id == 'x'", &record),
        Err("`key.id == 'x'` reads the key: not JSON at byte 0".into())
    );
}
