//! Paths, references and slices: what they lead to, and what is refused.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{
    Element, ElementsPath, Field, FieldPath, Header, JsonLimits, Key, Origin, PathStep, Record,
    Reference, Resolved, Value,
};

fn value(text: &str) -> Value {
    Value::parse_json(
        Bytes::copy_from_slice(text.as_bytes()),
        JsonLimits::default(),
    )
    .unwrap_or_else(|error| panic!("{text}: {error}"))
}

const DOCUMENT: &str = r#"{
    "a": {"b": 1, "c.d": 2, "": 3, "ü☃": 4, "it's": 5, "say \"x\"": 6, "back\\slash": 7, "new\nline": 8, "0": 9},
    "a.b": "dotted", "$": "dollar", "@": "at", "*": "star", "items": [{"sku": "x"}, {"sku": "y"}, [10, 20]],
    "_under9": "under", "-": "dash", "length": "length"
}"#;

#[test]
fn paths_lead_to_one_place() {
    let document = value(DOCUMENT);
    for (path, expected) in [
        ("$.a.b", Some("1")),
        ("$['a']['b']", Some("1")),
        (r#"$["a"]["b"]"#, Some("1")),
        ("$['a.b']", Some(r#""dotted""#)),
        ("$.a['c.d']", Some("2")),
        ("$['a']['']", Some("3")),
        ("$.a.ü☃", Some("4")),
        (r"$.a['\u00fc\u2603']", Some("4")),
        (r"$.a['it\'s']", Some("5")),
        (r#"$.a["it's"]"#, Some("5")),
        (r#"$.a['say "x"']"#, Some("6")),
        (r#"$.a["say \"x\""]"#, Some("6")),
        (r"$.a['back\\slash']", Some("7")),
        (r"$.a['new\nline']", Some("8")),
        ("$.a['0']", Some("9")),
        ("$.a[0]", None),
        ("$['$']", Some(r#""dollar""#)),
        ("$['@']", Some(r#""at""#)),
        ("$['*']", Some(r#""star""#)),
        ("$['-']", Some(r#""dash""#)),
        ("$._under9", Some(r#""under""#)),
        ("$.length", Some(r#""length""#)),
        ("$.items[0].sku", Some(r#""x""#)),
        ("$.items[1]['sku']", Some(r#""y""#)),
        ("$.items[-1][-2]", Some("10")),
        ("$.items[-3].sku", Some(r#""x""#)),
        ("$.items[-4]", None),
        ("$.items[3]", None),
        ("$.items['0']", None),
        ("$.items.sku", None),
        ("$.items.length", None),
        ("$ .a [ 'b' ]", Some("1")),
        ("$['a.b' ]", Some(r#""dotted""#)),
        ("$.missing", None),
        ("$.a.b.c", None),
        ("$.A", None),
    ] {
        let parsed = FieldPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let found = parsed.follow(document.root()).map(|place| place.to_json());
        assert_eq!(found.as_deref(), expected, "{path}");
        assert_eq!(parsed.to_string(), path);
    }
    let whole = FieldPath::parse("$").unwrap();
    assert_eq!(whole.follow(document.root()), Some(document.root()));
    assert!(whole.steps().is_empty());
}

#[test]
fn what_is_no_singular_path_is_refused_with_a_reason() {
    for (path, expected) in [
        ("", "is not a path"),
        ("a.b", "starts with `$`"),
        ("/a/b", "starts with `$`"),
        (" $.a", "starts with `$`"),
        ("$.a ", "RFC 9535"),
        ("$.", "RFC 9535"),
        ("$a", "RFC 9535"),
        ("@a", "RFC 9535"),
        ("$..", "RFC 9535"),
        ("$.a.", "RFC 9535"),
        ("$.a b", "RFC 9535"),
        ("$.a\tb.c", "RFC 9535"),
        ("$.a['x'] b", "RFC 9535"),
        ("$.a-b", "RFC 9535"),
        ("$.1a", "RFC 9535"),
        ("$[a]", "RFC 9535"),
        ("$['a", "RFC 9535"),
        ("$['a']]", "RFC 9535"),
        ("$[01]", "RFC 9535"),
        ("$[-0]", "RFC 9535"),
        ("$[1.0]", "RFC 9535"),
        ("$[99999999999999999999]", "RFC 9535"),
        (r"$['\x']", "RFC 9535"),
        (r"$['\ud83e']", "RFC 9535"),
        ("$$", "RFC 9535"),
        ("$.*", "several places"),
        ("$[*]", "several places"),
        ("$.items[*].sku", "several places"),
        ("$..sku", "several places"),
        ("$.items[0,1]", "several places"),
        ("$['a','b']", "several places"),
        ("$.items[0:1]", "several places"),
        ("$.items[:]", "several places"),
        ("$.items[?@.sku=='x']", "several places"),
    ] {
        match FieldPath::parse(path) {
            Ok(parsed) => panic!("`{path}` is taken as {:?}", parsed.steps()),
            Err(error) => {
                assert!(error.contains(expected), "`{path}`: {error}");
                assert!(error.contains(&format!("`{path}`")), "`{path}`: {error}");
                assert!(!error.contains('\n'), "{error}");
            }
        }
    }
}

#[test]
fn a_member_path_reads_back_whatever_the_name_is() {
    let names = [
        "a",
        "a.b",
        "a b",
        "",
        "0",
        "9a",
        "ü",
        "it's",
        "say \"x\"",
        "\\",
        "\\'",
        "\n",
        "\t\r\u{8}\u{c}",
        "\u{1}",
        "\u{7f}",
        "$",
        "@",
        "*",
        "[0]",
        "']",
        "🦀",
        "_x",
    ];
    for name in names {
        let path = FieldPath::of_member(name);
        let read =
            FieldPath::parse(&path.to_string()).unwrap_or_else(|error| panic!("{name:?}: {error}"));
        assert_eq!(read.steps(), [PathStep::Name(name.into())], "{path}");
    }
    assert_eq!(FieldPath::of_member("store_id").to_string(), "$.store_id");
}

#[test]
fn element_paths_lead_to_many_places() {
    let document = value(r#"{"n":[0,1,2,3,4],"o":{"x":[{"y":1},{"y":2}],"z":[{"y":3}]},"e":[]}"#);
    for (path, expected) in [
        ("$.n[*]", "0 1 2 3 4"),
        ("$.n", "[0,1,2,3,4]"),
        ("$.n[1]", "1"),
        ("$.o.x[*]", r#"{"y":1} {"y":2}"#),
        ("$.o.x[*].y", "1 2"),
        ("$.o.*[*].y", "1 2 3"),
        ("$.o[*][0].y", "1 3"),
        ("$.e[*]", ""),
        ("$.missing[*]", ""),
        ("$.n[*].y", ""),
        ("$.n[1:3]", "1 2"),
        ("$.n[:2]", "0 1"),
        ("$.n[3:]", "3 4"),
        ("$.n[-2:]", "3 4"),
        ("$.n[:-3]", "0 1"),
        ("$.n[::2]", "0 2 4"),
        ("$.n[1::2]", "1 3"),
        ("$.n[::-1]", "4 3 2 1 0"),
        ("$.n[3:0:-2]", "3 1"),
        ("$.n[-1:-4:-1]", "4 3 2"),
        ("$.n[::0]", ""),
        ("$.n[9:]", ""),
        ("$.n[-99:99]", "0 1 2 3 4"),
        ("$.n[99:-99:-1]", "4 3 2 1 0"),
        ("$.n[3:1]", ""),
        ("$.n[1:3:-1]", ""),
        ("$.e[::-1]", ""),
        ("$.o[0:1]", ""),
        ("$.n[9007199254740991:]", ""),
        ("$.n[::-9007199254740991]", "4"),
    ] {
        let parsed = ElementsPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let found: Vec<String> = parsed
            .follow(document.root())
            .into_iter()
            .map(|place| place.to_json())
            .collect();
        assert_eq!(found.join(" "), expected, "{path}");
    }
    for path in [
        "@.a[*]",
        "$..y",
        "$.n[0,1]",
        "$.n[?@>1]",
        "n[*]",
        "$.n[*",
        "$.n[::1.5]",
        "",
    ] {
        assert!(ElementsPath::parse(path).is_err(), "{path}");
    }
    assert_eq!(
        ElementsPath::parse("$.a[*][1].b[0:2]").unwrap().described(),
        [
            Some(PathStep::Name("a".into())),
            None,
            Some(PathStep::Index(1)),
            Some(PathStep::Name("b".into())),
            None
        ]
    );
}

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
            timestamp_ms: Some(1_700_000_000_123),
            headers: vec![
                header("trace", Some(b"first")),
                header("trace", Some(b"last")),
                header("gone", Some(b"x")),
                header("gone", None),
                header("raw", Some(b"\xff")),
                header("a.b c", Some(b"odd")),
            ],
            ..Origin::default()
        }),
        key: Key::Decoded(value(r#"{"id":7,"a.b":{"c":[1,2]}}"#)),
        value: Some(value(r#"{"total":1.50}"#)),
        ordinal: 5,
        routed_topic: None,
    }
}

#[test]
fn references_resolve() {
    let record = record();
    let element = value(r#"{"sku":"x"}"#);
    let at = Element {
        value: element.root(),
        index: 2,
    };
    let check = |text: &str, expected: Resolved<'_>| {
        let reference = Reference::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(reference.to_string(), text);
        let resolved = reference.resolve(&record, Some(at), 99);
        assert_eq!(resolved, Ok(expected), "{text}");
    };
    check("$.total", Resolved::Value(value("1.50").root()));
    check("$.missing", Resolved::Missing);
    check("@.sku", Resolved::Value(value(r#""x""#).root()));
    check("@", Resolved::Value(element.root()));
    check("@.total", Resolved::Missing);
    check("#topic", Resolved::Text("sales"));
    check("#partition", Resolved::Integer(3));
    check("#offset", Resolved::Integer(42));
    check("#ordinal", Resolved::Integer(5));
    check("#index", Resolved::Integer(2));
    check("#timestamp", Resolved::Timestamp(1_700_000_000_123));
    check("#now", Resolved::Timestamp(99));
    check("#key.id", Resolved::Value(value("7").root()));
    check("#key['a.b'].c[-1]", Resolved::Value(value("2").root()));
    check("#key.missing", Resolved::Missing);
    check("#header.trace", Resolved::Text("last"));
    check("#header.gone", Resolved::Missing);
    check("#header.never", Resolved::Missing);
    check("#header.a.b c", Resolved::Text("odd"));
    assert_eq!(
        Reference::parse("#header.raw")
            .unwrap()
            .resolve(&record, None, 0),
        Err("header raw is not UTF-8".into())
    );
}

#[test]
fn references_to_what_a_record_lacks_are_missing_or_say_why() {
    let mut record = record();
    record.value = None;
    record.key = Key::Absent;
    Arc::make_mut(&mut record.origin).timestamp_ms = None;
    for text in [
        "$",
        "$.total",
        "@.sku",
        "#index",
        "#key",
        "#key.id",
        "#timestamp",
    ] {
        let resolved = Reference::parse(text).unwrap().resolve(&record, None, 0);
        assert_eq!(resolved, Ok(Resolved::Missing), "{text}");
    }
    record.key = Key::Undecodable("not JSON".into());
    for text in ["#key", "#key.id"] {
        let reference = Reference::parse(text).unwrap();
        assert!(reference.reads_key());
        assert_eq!(reference.resolve(&record, None, 0), Err("not JSON".into()));
    }
}

#[test]
fn unknown_references_are_refused() {
    for (text, expected) in [
        ("#tpic", "metadata are #topic"),
        ("#", "metadata are #topic"),
        ("#keys", "metadata are #topic"),
        ("#key.", "RFC 9535"),
        ("#key[*]", "several places"),
        ("#header", "metadata are #topic"),
        ("#header.", "metadata are #topic"),
        ("#Topic", "metadata are #topic"),
        ("#topic ", "metadata are #topic"),
        ("topic", "metadata starts with `#`"),
        ("$.items[*]", "several places"),
        ("", "is not a path"),
    ] {
        let error = Reference::parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    for (text, needs_element) in [
        ("@.a", true),
        ("#index", true),
        ("$.a", false),
        ("#offset", false),
    ] {
        assert_eq!(
            Reference::parse(text).unwrap().needs_element(),
            needs_element,
            "{text}"
        );
    }
}

#[test]
fn a_field_is_a_name_or_a_path() {
    for (text, path, member) in [
        ("total", "$.total", Some("total")),
        ("odd name", "$['odd name']", Some("odd name")),
        ("ünï", "$['ünï']", Some("ünï")),
        ("it's", r"$['it\'s']", Some("it's")),
        ("0", "$['0']", Some("0")),
        ("$.store.id", "$.store.id", None),
        ("$['a.b']", "$['a.b']", Some("a.b")),
        ("$.items[0]", "$.items[0]", None),
        ("$", "$", None),
    ] {
        let field = Field::parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(field.to_string(), path);
        assert_eq!(field.member_name(), member, "{text}");
    }
    for (text, expected) in [
        ("", "a field has a name"),
        ("store.id", "a path starts with `$`, as in `$.store.id`"),
        (
            "store.id",
            "a member with that very name is `$['store.id']`",
        ),
        ("items[0]", "is not the name of a field"),
        ("#topic", "is not the name of a field"),
        ("@.sku", "is not the name of a field"),
        ("$.items[*]", "several places"),
        ("$.", "RFC 9535"),
    ] {
        let error = Field::parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
