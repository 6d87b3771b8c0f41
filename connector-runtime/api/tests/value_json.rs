//! JSON text in and out of `Value`: what is taken, what is refused, and that nothing changes on the way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use bytes::Bytes;
use connect_api::{JsonError, JsonLimits, Value};

fn parse(text: impl AsRef<[u8]>) -> Result<Value, JsonError> {
    Value::parse_json(Bytes::copy_from_slice(text.as_ref()), JsonLimits::default())
}

#[track_caller]
fn check_printed(text: &str, expected: &str) {
    match parse(text) {
        Ok(value) => assert_eq!(value.to_json(), expected, "{text}"),
        Err(error) => panic!("{text} is refused: {error}"),
    }
}

/// The message must say `expected`, and name that byte.
#[track_caller]
fn check_refused(text: impl AsRef<[u8]>, expected: &str, offset: usize) {
    let text = text.as_ref();
    let error = match parse(text) {
        Ok(value) => panic!("{} is taken as {value:?}", String::from_utf8_lossy(text)),
        Err(error) => error,
    };
    assert!(
        error.message.contains(expected) && error.offset == offset,
        "{}: `{}` at {}",
        String::from_utf8_lossy(text),
        error.message,
        error.offset
    );
}

#[test]
fn documents_are_printed_compactly_and_in_order() {
    for (text, expected) in [
        ("null", "null"),
        (" true\r\n", "true"),
        ("\t false ", "false"),
        ("0", "0"),
        (r#""""#, r#""""#),
        ("[]", "[]"),
        ("{}", "{}"),
        ("[ 1 , 2 ,\n3 ]", "[1,2,3]"),
        (r#"{ "b" : 1 , "a" : { } }"#, r#"{"b":1,"a":{}}"#),
        (r#"{"":{"":[[],[[]]]}}"#, r#"{"":{"":[[],[[]]]}}"#),
        (
            r#"[{"a":[{"b":null}]},"x",[true,[false]]]"#,
            r#"[{"a":[{"b":null}]},"x",[true,[false]]]"#,
        ),
    ] {
        check_printed(text, expected);
    }
}

#[test]
fn numbers_keep_their_digits() {
    for digits in [
        "0",
        "-0",
        "-0.0",
        "1",
        "10",
        "-1",
        "0.1",
        "0.10",
        "1.50",
        "1e5",
        "1E5",
        "1e+5",
        "1E-05",
        "-1.5e300",
        "0e0",
        "1e400",
        "-1e-400",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551616",
        "12345678901234567.89",
        "123456789012345678901234567890123456789012345678901234567890",
        "0.1234567890123456789012345678901234567890123456789",
    ] {
        check_printed(digits, digits);
        check_printed(
            &format!(" [{digits} ,{digits}]"),
            &format!("[{digits},{digits}]"),
        );
        assert_eq!(Value::number(digits).unwrap().to_json(), digits);
    }
}

#[test]
fn malformed_numbers_are_refused_wherever_they_stand() {
    let malformed = [
        "+1",
        "01",
        "-01",
        "00",
        "1.",
        "-1.",
        ".5",
        "-.5",
        "-",
        "--1",
        "1e",
        "1e+",
        "1e-",
        "1.e5",
        "1.5e",
        "0x10",
        "1_000",
        "1,5",
        "0b1",
        "1.2.3",
        "1e5.5",
        "1e1e1",
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "inf",
        "nan",
        "1f",
        "1n",
        "- 1",
        "1 2",
        "٣",
        "1\u{a0}",
        "1.٣",
    ];
    for text in malformed {
        assert!(parse(text).is_err(), "{text}");
        assert!(Value::number(text).is_none(), "{text}");
        let object = format!(r#"{{"a":{text}}}"#);
        assert!(parse(&object).is_err(), "{object}");
        if text != "1,5" {
            let array = format!("[{text}]");
            assert!(parse(&array).is_err(), "{array}");
            let second = format!("[0,{text},0]");
            assert!(parse(&second).is_err(), "{second}");
        }
    }
    for text in ["", " ", "\"1\"", "null", "[1]", "1}"] {
        assert!(Value::number(text).is_none(), "{text}");
    }
}

/// Every text of up to five characters of a number's alphabet: taken exactly if JSON's grammar takes it.
#[test]
fn short_numbers_are_taken_exactly_if_the_grammar_takes_them() {
    const ALPHABET: [char; 7] = ['0', '1', '-', '+', '.', 'e', 'E'];
    let grammar = regex_of_json_number();
    let mut texts = vec![String::new()];
    for _ in 0..5 {
        texts = texts
            .iter()
            .flat_map(|text| ALPHABET.iter().map(move |next| format!("{text}{next}")))
            .collect();
        for text in &texts {
            assert_eq!(parse(text).is_ok(), grammar.is_match(text), "{text}");
            assert_eq!(
                parse(format!("[{text}]")).is_ok(),
                grammar.is_match(text),
                "[{text}]"
            );
        }
    }
}

fn regex_of_json_number() -> connect_api::Pattern {
    connect_api::Pattern::parse(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$").unwrap()
}

#[test]
fn numbers_are_read_as_the_type_that_is_asked_for() {
    let read = |digits: &str| {
        let value = parse(digits).unwrap();
        let number = value.root().as_number().unwrap();
        (number.as_i64(), number.as_u64(), number.as_f64())
    };
    assert_eq!(read("42"), (Some(42), Some(42), 42.0));
    assert_eq!(read("-1"), (Some(-1), None, -1.0));
    // Whoever asks for an unsigned number gets none from a sign.
    assert_eq!(read("-0"), (Some(0), None, 0.0));
    assert_eq!(read("1.0"), (None, None, 1.0));
    assert_eq!(read("1e2"), (None, None, 100.0));
    assert_eq!(read("1e400"), (None, None, f64::INFINITY));
    assert_eq!(
        read("18446744073709551615"),
        (None, Some(u64::MAX), 18446744073709551615.0)
    );
    assert_eq!(read("18446744073709551616").1, None);
}

#[test]
fn strings_are_unescaped_and_escaped_again() {
    let read = |text: &str| parse(text).unwrap().root().as_str().unwrap().to_owned();
    for (text, expected) in [
        (r#""plain""#, "plain"),
        (r#""ünï ☃ 🦀""#, "ünï ☃ 🦀"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u20ac""#, "Aé€"),
        (r#""\ud83e\udd80""#, "🦀"),
        (r#""\uD83E\uDD80 and \u0000""#, "🦀 and \0"),
        (r#""a\nb""#, "a\nb"),
        (r#""\uffff""#, "\u{ffff}"),
        ("\"\u{7f}\u{2028}\"", "\u{7f}\u{2028}"),
    ] {
        assert_eq!(read(text), expected, "{text}");
        let printed = parse(text).unwrap().to_json();
        assert_eq!(read(&printed), expected, "{printed}");
    }
    check_printed(r#""\u0041\/\u001f""#, r#""A/\u001f""#);
    // A terminal obeys these, and JSON text is printed.
    check_printed(
        "\"\u{7f}\u{9b}31m°\u{2028}\"",
        "\"\\u007f\\u009b31m°\u{2028}\"",
    );
}

/// Several escaped strings, so that each must keep its own place in the value's text.
#[test]
fn escaped_keys_and_values_stand_beside_plain_ones() {
    let value = parse(r#"{"\u0061":"\u0062","c":"\n","d\t":["\\","e","\"",""]}"#).unwrap();
    assert_eq!(value.root().get("a").unwrap().as_str(), Some("b"));
    assert_eq!(value.root().get("c").unwrap().as_str(), Some("\n"));
    assert_eq!(
        value.to_json(),
        r#"{"a":"b","c":"\n","d\t":["\\","e","\"",""]}"#
    );
}

#[test]
fn broken_strings_are_refused() {
    for text in [
        r#"""#,
        r#""abc"#,
        r#""\"#,
        r#""\""#,
        r#""\x""#,
        r#""\u""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\ud83e""#,
        r#""\ud83e\n""#,
        r#""\ud83e\u0041""#,
        r#""\ud83ex""#,
        r#""\udd80""#,
        r#""\udd80\ud83e""#,
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\u{0}\"",
        "\"\u{1f}\"",
        "'single'",
    ] {
        assert!(parse(text).is_err(), "{text}");
        assert!(
            parse(format!(r#"{{"k":{text}}}"#)).is_err(),
            "{text} as a member"
        );
        assert!(parse(format!("{{{text}:1}}")).is_err(), "{text} as a key");
    }
}

#[test]
fn broken_documents_are_refused_with_a_place() {
    check_refused("", "EOF", 0);
    check_refused("  ", "EOF", 2);
    check_refused("\u{feff}{}", "expected value", 0);
    check_refused("{} x", "trailing", 3);
    check_refused("{}{}", "trailing", 2);
    check_refused("nul", "EOF", 3);
    check_refused("nulL", "expected ident", 3);
    check_refused("True", "expected value", 0);
    check_refused("[1,]", "trailing comma", 3);
    check_refused(r#"{"a":1,}"#, "trailing comma", 7);
    check_refused("[1 2]", "expected `,` or `]`", 3);
    check_refused(r#"{"a" 1}"#, "expected `:`", 5);
    check_refused("{a:1}", "key must be a string", 1);
    check_refused("{1:1}", "key must be a string", 1);
    check_refused("[", "EOF", 1);
    check_refused("{", "EOF", 1);
    check_refused(r#"{"a""#, "EOF", 4);
    check_refused("]", "expected value", 0);
    check_refused("[1}", "expected `,` or `]`", 2);
    check_refused("// x\n1", "expected value", 0);
    check_refused("1\u{b}", "trailing", 1);
    check_refused("\u{c}1", "expected value", 0);
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_a_place() {
    check_refused(b"\"abc\xff\"", "not UTF-8", 4);
    check_refused(b"\"\xc3\"", "not UTF-8", 1);
    // An overlong slash, and a surrogate in UTF-8.
    check_refused(b"\"\xc0\xaf\"", "not UTF-8", 1);
    check_refused(b"\"\xed\xa0\x80\"", "not UTF-8", 1);
    check_refused(b"\xff\xfe{\0}\0", "not UTF-8", 0);
}

#[test]
fn one_key_twice_is_refused_also_when_it_is_escaped() {
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"\u0061":1,"\u0061":1}"#,
        r#"{"":1,"":1}"#,
        r#"[{"x":{"é":1,"\u00e9":2}}]"#,
        r#"{"a":{"b":[1,{"c":2}]},"d":[],"a":0}"#,
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            error.message.contains("twice in one object"),
            "{text}: {error}"
        );
    }
    // The same name at different places is no duplicate; neither are different Unicode forms.
    for text in [
        r#"{"a":{"a":{"a":1}},"b":{"a":1}}"#,
        r#"[{"a":1},{"a":1}]"#,
        r#"{"a":"b","b":"a"}"#,
        "{\"\u{e9}\":1,\"e\u{301}\":2}",
        r#"{"A":1,"a":2}"#,
    ] {
        assert!(parse(text).is_ok(), "{text}");
    }
    // Around the size from which a set is used.
    for members in [15, 16, 31, 32, 33, 100] {
        let mut text: String = (0..members).map(|i| format!(r#""k{i}":[{i}],"#)).collect();
        assert!(parse(format!("{{{text}\"last\":0}}")).is_ok(), "{members}");
        text.push_str(r#""k3":0"#);
        assert!(parse(format!("{{{text}}}")).is_err(), "{members}");
    }
}

#[test]
fn limits_hold() {
    let limits = JsonLimits {
        depth: 3,
        digits: 5,
        members: 2,
        nodes: 6,
        ..JsonLimits::default()
    };
    let parse = |text: &str| Value::parse_json(Bytes::copy_from_slice(text.as_bytes()), limits);
    for text in [
        "[[[]]]",
        r#"{"a":{"b":{}}}"#,
        "12345",
        "[1,2,3,4]",
        r#"{"a":1,"b":2}"#,
        "[[[1]],[2]]",
    ] {
        assert!(parse(text).is_ok(), "{text}");
    }
    for (text, message) in [
        ("[[[[]]]]", "nested more than 3 deep"),
        (r#"{"a":[{"b":[]}]}"#, "nested more than 3 deep"),
        ("123456", "number of 6 digits"),
        (r#"{"a":1,"b":2,"c":3}"#, "object of more than 2 members"),
        ("[1,2,3,4,5,6]", "more than 6 values and names"),
    ] {
        assert_eq!(parse(text).unwrap_err().message, message, "{text}");
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(deep(128)).is_ok());
    assert!(parse(deep(129)).is_err());
    for text in [
        "[".repeat(1_000_000),
        r#"{"a":"#.repeat(1_000_000),
        deep(1_000_000),
    ] {
        assert!(parse(text).is_err());
    }
    assert!(parse("9".repeat(1_000)).is_ok());
    for text in [
        "9".repeat(1_001),
        "9".repeat(10_000),
        format!("0.{}", "1".repeat(2_000)),
    ] {
        assert!(parse(&text).is_err());
    }
}

#[test]
fn equality_is_that_of_json_documents() {
    let equal = |left: &str, right: &str| parse(left).unwrap() == parse(right).unwrap();
    assert!(equal(r#"{"a":1,"b":[2]}"#, r#"{ "b":[2], "a":1 }"#));
    assert!(equal(r#""\u0041""#, r#""A""#));
    assert!(!equal("[1,2]", "[2,1]"));
    assert!(!equal("[1,2]", "[1,2,3]"));
    assert!(!equal("[1,2,3]", "[1,2]"));
    assert!(!equal(r#"{"a":1}"#, r#"{"a":1,"b":1}"#));
    assert!(!equal(r#"{"a":1,"b":1}"#, r#"{"a":1}"#));
    assert!(!equal(r#"{"a":1}"#, r#"{"b":1}"#));
    assert!(!equal("null", "false"));
    assert!(!equal("1", r#""1""#));
    // Numbers are their digits.
    assert!(!equal("1", "1.0"));
    assert!(!equal("0", "-0"));
    assert!(!equal("12345678901234567890", "12345678901234567891"));
}

#[test]
fn a_subtree_becomes_a_value_of_its_own() {
    let value = parse(r#"{"a":{"b":["\n",{"c":1.50}]},"d":2}"#).unwrap();
    let subtree = value.root().get("a").unwrap().to_value();
    drop(value);
    assert_eq!(subtree.to_json(), r#"{"b":["\n",{"c":1.50}]}"#);
}

/// A small generator of its own, so that a failure is repeated by its number.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn text(&mut self) -> String {
        const CHARACTERS: [char; 14] = [
            'a', 'b', 'z', '0', '"', '\\', '/', '\n', '\u{0}', '\u{1f}', 'é', '°', '€', '🦀',
        ];
        (0..self.below(6))
            .map(|_| CHARACTERS[self.below(14) as usize])
            .collect()
    }

    fn document(&mut self, depth: u32) -> serde_json::Value {
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => serde_json::Value::Null,
            1 => (self.below(2) == 0).into(),
            2 => (self.below(u64::MAX) as i64).into(),
            3 => ((self.below(2_000_000) as f64 - 1e6) / 128.0).into(),
            4 | 5 => self.text().into(),
            6 => (0..self.below(5))
                .map(|_| self.document(depth - 1))
                .collect(),
            _ => (0..self.below(5))
                .map(|_| (self.text(), self.document(depth - 1)))
                .collect(),
        }
    }
}

#[test]
fn random_documents_agree_with_serde_json() {
    for seed in 0..3_000 {
        let mut random = Random(seed);
        let expected = random.document(5);
        for text in [
            expected.to_string(),
            serde_json::to_string_pretty(&expected).unwrap(),
        ] {
            let value = parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
            assert_eq!(value.root().to_serde_json(), expected, "seed {seed}");
            assert_eq!(value.to_json(), expected.to_string(), "seed {seed}");
            assert_eq!(Value::from(&expected), value, "seed {seed}");
            assert_eq!(parse(value.to_json()).unwrap(), value, "seed {seed}");
        }
    }
}

/// Documents with one byte changed: never a panic, and taken only if serde_json takes them too.
#[test]
fn damaged_documents_are_taken_only_if_serde_json_takes_them() {
    let mut refused = 0;
    for seed in 0..2_000 {
        let mut random = Random(seed);
        let mut bytes = random.document(4).to_string().into_bytes();
        let place = random.below(bytes.len() as u64) as usize;
        match random.below(3) {
            0 => bytes[place] = random.below(256) as u8,
            1 => bytes.truncate(place),
            _ => bytes.insert(place, b"{}[],:\"\\0-.e tn"[random.below(15) as usize]),
        }
        let theirs = serde_json::from_slice::<serde_json::Value>(&bytes);
        match parse(&bytes) {
            Ok(value) => match theirs {
                Ok(theirs) => assert_eq!(value.root().to_serde_json(), theirs, "seed {seed}"),
                // Digits that no float holds are fine with us.
                Err(error) => {
                    assert!(
                        error.to_string().contains("out of range"),
                        "seed {seed}: {error}"
                    );
                }
            },
            // serde_json takes one key twice; so it may be the more generous one.
            Err(error) => {
                refused += 1;
                assert!(
                    theirs.is_err() || error.message.contains("twice"),
                    "seed {seed}: {error}"
                );
            }
        }
    }
    assert!(refused > 500, "only {refused} documents were damaged");
}
