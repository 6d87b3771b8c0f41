//! Editing a `Value`: the edited nodes afterwards, and that the rest is untouched.

#![allow(clippy::unwrap_used, clippy::panic)]

use bytes::Bytes;
use connect_api::{EditError, FieldPath, Fields, JsonLimits, Rename, Value};

fn value(text: &str) -> Value {
    Value::parse_json(
        Bytes::copy_from_slice(text.as_bytes()),
        JsonLimits::default(),
    )
    .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn path(text: &str) -> FieldPath {
    FieldPath::parse(text).unwrap()
}

/// The printed text must be that, and parse to an equal value: a tape with wrong counts does not.
#[track_caller]
fn check(edited: &Value, expected: &str) {
    assert_eq!(edited.to_json(), expected);
    assert_eq!(*edited, value(expected));
    assert_eq!(edited.root().to_value(), value(expected));
}

#[test]
fn insert_puts_a_member_last_and_replaces_it_in_place() {
    for (start, place, new, expected) in [
        ("{}", "$.a", "1", r#"{"a":1}"#),
        (r#"{"a":1}"#, "$.b", "2", r#"{"a":1,"b":2}"#),
        (
            r#"{"a":1,"b":2,"c":3}"#,
            "$.b",
            "9",
            r#"{"a":1,"b":9,"c":3}"#,
        ),
        (
            r#"{"a":[1,{"x":1}],"b":2}"#,
            "$.a",
            "null",
            r#"{"a":null,"b":2}"#,
        ),
        (
            r#"{"a":null,"b":2}"#,
            "$.a",
            r#"{"x":[1,2,{"y":"z"}]}"#,
            r#"{"a":{"x":[1,2,{"y":"z"}]},"b":2}"#,
        ),
        (
            r#"{"a":{"b":{"c":1}},"d":4}"#,
            "$.a.b.e",
            "[]",
            r#"{"a":{"b":{"c":1,"e":[]}},"d":4}"#,
        ),
        ("{}", "$.a.b.c", "1", r#"{"a":{"b":{"c":1}}}"#),
        (
            r#"{"z":[0]}"#,
            "$.a.b.c",
            r#"{"x":[1,2]}"#,
            r#"{"z":[0],"a":{"b":{"c":{"x":[1,2]}}}}"#,
        ),
        (
            r#"{"a":{}}"#,
            "$.a['b.c'].d",
            "1",
            r#"{"a":{"b.c":{"d":1}}}"#,
        ),
        ("[1,2,3]", "$[1]", r#"{"a":[]}"#, r#"[1,{"a":[]},3]"#),
        ("[1,2,3]", "$[-1]", "9", "[1,2,9]"),
        (
            r#"{"a":[{"b":1},{"b":2}],"c":0}"#,
            "$.a[1].c",
            r#""x""#,
            r#"{"a":[{"b":1},{"b":2,"c":"x"}],"c":0}"#,
        ),
        (
            r#"[[[{"a":1}]],0]"#,
            "$[0][0][0].a",
            "[[[]]]",
            r#"[[[{"a":[[[]]]}]],0]"#,
        ),
        ("1", "$", r#"{"a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1}"#, "$", "[]", "[]"),
        (r#"{"":1}"#, "$['']", "2", r#"{"":2}"#),
        (r#"{"a":"\n"}"#, "$.b", r#""\t""#, r#"{"a":"\n","b":"\t"}"#),
        ("{}", r#"$['"\\']"#, "1", r#"{"\"\\":1}"#),
    ] {
        let mut edited = value(start);
        edited.insert(&path(place), value(new)).unwrap();
        check(&edited, expected);
    }
}

#[test]
fn insert_says_why_it_cannot_and_changes_nothing() {
    for (start, place, expected) in [
        (
            r#"{"a":1}"#,
            "$.a.b",
            "number found where an object was expected",
        ),
        (
            r#"{"a":"x"}"#,
            "$.a.b.c",
            "string found where an object was expected",
        ),
        (
            r#"{"a":null}"#,
            "$.a.b",
            "null found where an object was expected",
        ),
        (
            r#"{"a":[1]}"#,
            "$.a.b",
            "array found where an object was expected",
        ),
        ("[1]", "$[1]", "no such array element"),
        ("[1]", "$[-2]", "no such array element"),
        ("{}", "$[0]", "no such array element"),
        ("{}", "$.a[0]", "no such array element"),
        ("{}", "$.a.b[0].c", "no such array element"),
        (r#"{"a":[]}"#, "$.a[0].b", "no such array element"),
    ] {
        let mut edited = value(start);
        let error = edited.insert(&path(place), value("[0]")).unwrap_err();
        assert!(
            error.message.contains(expected) && error.message.contains(place),
            "{start} {place}: {error}"
        );
        check(&edited, start);
    }
}

#[test]
fn remove_takes_a_member_or_an_element_and_nothing_else() {
    for (start, place, expected) in [
        (r#"{"a":1,"b":2,"c":3}"#, "$.a", Some(r#"{"b":2,"c":3}"#)),
        (
            r#"{"a":1,"b":[2,{"x":0}],"c":3}"#,
            "$.b",
            Some(r#"{"a":1,"c":3}"#),
        ),
        (r#"{"a":1}"#, "$.a", Some("{}")),
        (
            r#"{"a":{"b":{"c":[1,2]}},"d":1}"#,
            "$.a.b.c",
            Some(r#"{"a":{"b":{}},"d":1}"#),
        ),
        (r#"{"a":{"b":1},"d":1}"#, "$.a", Some(r#"{"d":1}"#)),
        ("[1,2,3]", "$[0]", Some("[2,3]")),
        ("[1,[2,[3]],4]", "$[1]", Some("[1,4]")),
        ("[1,2,3]", "$[-1]", Some("[1,2]")),
        (
            r#"[{"a":[0,{"b":1}]},2]"#,
            "$[0].a[1].b",
            Some(r#"[{"a":[0,{}]},2]"#),
        ),
        (r#"{"a":1}"#, "$.b", None),
        (r#"{"a":1}"#, "$.a.b", None),
        ("[1]", "$[1]", None),
        ("[1]", "$.a", None),
        (r#"{"0":1}"#, "$[0]", None),
        (r#"{"a":1}"#, "$", None),
    ] {
        let mut edited = value(start);
        assert_eq!(
            edited.remove(&path(place)),
            expected.is_some(),
            "{start} {place}"
        );
        check(&edited, expected.unwrap_or(start));
    }
}

#[test]
fn renames_happen_at_once_and_keep_positions() {
    for (start, renames, expected) in [
        (
            r#"{"a":1,"b":2}"#,
            vec![("$.a", "z")],
            Ok(r#"{"z":1,"b":2}"#),
        ),
        (
            r#"{"a":{"b":[1]},"c":2}"#,
            vec![("$.a.b", "ü \"")],
            Ok(r#"{"a":{"ü \"":[1]},"c":2}"#),
        ),
        (
            r#"{"a":{"x":1},"b":2}"#,
            vec![("$.a", "")],
            Ok(r#"{"":{"x":1},"b":2}"#),
        ),
        (r#"[{"a":1}]"#, vec![("$[0].a", "b")], Ok(r#"[{"b":1}]"#)),
        (
            r#"{"a":1,"b":2}"#,
            vec![("$.a", "b"), ("$.b", "a")],
            Ok(r#"{"b":1,"a":2}"#),
        ),
        (
            r#"{"a":{"x":1},"b":2}"#,
            vec![("$.a", "b"), ("$.a.x", "y"), ("$.b", "c")],
            Ok(r#"{"b":{"y":1},"c":2}"#),
        ),
        (r#"{"a":1}"#, vec![("$.a", "a")], Ok(r#"{"a":1}"#)),
        // What is missing is passed over, and everything has no name.
        (r#"{"a":1}"#, vec![("$.b", "c")], Ok(r#"{"a":1}"#)),
        (r#"{"a":1}"#, vec![("$.a.b", "c")], Ok(r#"{"a":1}"#)),
        (r#"{"a":1}"#, vec![("$", "c")], Ok(r#"{"a":1}"#)),
        // Nothing is renamed if one cannot be.
        (
            r#"{"a":1,"b":2}"#,
            vec![("$.a", "b")],
            Err("$.a cannot be renamed to `b`: there is such a field already"),
        ),
        (
            r#"{"a":1,"b":2,"c":3}"#,
            vec![("$.c", "d"), ("$.a", "b"), ("$.b", "c"), ("$.d", "e")],
            Ok(r#"{"b":1,"c":2,"d":3}"#),
        ),
        (
            r#"{"a":1,"b":2,"c":3}"#,
            vec![("$.b", "x"), ("$.a", "c")],
            Err("$.a cannot be renamed to `c`: there is such a field already"),
        ),
        (
            r#"{"a":1,"b":2}"#,
            vec![("$.a", "c"), ("$.b", "c")],
            Err("$.b cannot be renamed to `c`: $.a gets this name too"),
        ),
        (
            r#"[{"a":1}]"#,
            vec![("$[0].a", "b"), ("$[-1].a", "c")],
            Err("$[-1].a cannot be renamed to `c`: $[0].a is the same field"),
        ),
        (
            "[1]",
            vec![("$[0]", "c")],
            Err("$[0] cannot be renamed to `c`: it is an element of an array"),
        ),
    ] {
        let renames: Vec<Rename> = renames
            .into_iter()
            .map(|(text, name)| Rename {
                path: path(text),
                name: name.to_owned(),
            })
            .collect();
        let mut edited = value(start);
        match (edited.rename(&renames), expected) {
            (Ok(()), Ok(expected)) => check(&edited, expected),
            (Err(error), Err(expected)) => {
                assert_eq!(error.message, expected, "{start}");
                check(&edited, start);
            }
            (outcome, _) => panic!("{start} {renames:?}: {outcome:?}"),
        }
    }
}

#[test]
fn subtrees_of_other_values_bring_their_text() {
    let source = value(r#"{"plain":["x",1.50],"escaped":{"k\n":"\u0041\t"}}"#);
    let mut target = value(r#"{"own":"\"","list":[1]}"#);
    for (name, place) in [("plain", "$.p"), ("escaped", "$.list[0]")] {
        let subtree = source.root().get(name).unwrap().to_value();
        target.insert(&path(place), subtree).unwrap();
    }
    // From its own buffer, and one that was edited before.
    let again = target.root().get("list").unwrap().to_value();
    target.insert(&path("$.own"), again).unwrap();
    target
        .insert(&path("$.made"), Value::string("tail"))
        .unwrap();
    target
        .insert(&path("$.number"), Value::number("1e400").unwrap())
        .unwrap();
    drop(source);
    check(
        &target,
        r#"{"own":[{"k\n":"A\t"}],"list":[{"k\n":"A\t"}],"p":["x",1.50],"made":"tail","number":1e400}"#,
    );
}

#[test]
fn values_are_made_from_scratch() {
    let mut made = Value::empty_object();
    made.insert(&path("$.s"), Value::string("é\n")).unwrap();
    made.insert(&path("$.i"), Value::integer(i64::MIN)).unwrap();
    made.insert(&path("$.b"), Value::boolean(true)).unwrap();
    made.insert(&path("$.n"), Value::null()).unwrap();
    made.insert(&path("$.o.deep"), Value::empty_object())
        .unwrap();
    made.insert(&path("$.k"), Value::string_in("text".into()))
        .unwrap();
    made.insert(&path("$.e"), Value::string_in("".into()))
        .unwrap();
    check(
        &made,
        r#"{"s":"é\n","i":-9223372036854775808,"b":true,"n":null,"o":{"deep":{}},"k":"text","e":""}"#,
    );
    let serialized = Value::from_serialize(&(1, "x", [Some(0.5), None])).unwrap();
    check(&serialized, r#"[1,"x",[0.5,null]]"#);
}

/// A key that is text costs no allocation of its own, and is a value like any other.
#[test]
fn a_string_that_is_its_buffer_is_read_and_replaced() {
    let mut key = Value::string_in("till-7".into());
    assert_eq!(key.memory_bytes(), 0);
    check(&key, r#""till-7""#);
    check(&key.root().to_value(), r#""till-7""#);
    assert!(key.insert(&path("$.a"), Value::null()).is_err());
    assert!(!key.remove(&path("$")));
    key.insert(&path("$"), Value::string_in("till-8".into()))
        .unwrap();
    check(&key, r#""till-8""#);
}

/// A thousand edits in a row against the same edits on `serde_json`.
#[test]
fn many_edits_agree_with_serde_json() {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    const NEW: [&str; 5] = ["1", r#""x\n""#, "{}", r#"{"a":{"b":[1]}}"#, "[[],{}]"];
    let mut state = 7_u64;
    let mut next = |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let mut ours = Value::empty_object();
    let mut theirs = serde_json::json!({});
    for step in 0..1_000 {
        let names: Vec<&str> = (0..=next(3))
            .filter_map(|_| NAMES.get(next(4)).copied())
            .collect();
        let place = path(&format!("$.{}", names.join(".")));
        let (last, parents) = names.split_last().unwrap();
        let mut parent = Some(&mut theirs);
        if next(3) == 0 {
            for name in parents {
                parent = parent.and_then(|here| here.get_mut(name));
            }
            let removed = parent
                .and_then(serde_json::Value::as_object_mut)
                .and_then(|object| object.remove(*last))
                .is_some();
            assert_eq!(ours.remove(&place), removed, "step {step}: {place}");
        } else {
            let new = NEW.get(next(5)).unwrap();
            let before = theirs.clone();
            let mut here = Some(&mut theirs);
            for name in parents {
                here = here
                    .and_then(serde_json::Value::as_object_mut)
                    .map(|object| object.entry(*name).or_insert_with(|| serde_json::json!({})));
            }
            let inserted = here
                .and_then(serde_json::Value::as_object_mut)
                .map(|object| object.insert((*last).to_owned(), serde_json::from_str(new).unwrap()))
                .is_some();
            assert_eq!(
                ours.insert(&place, value(new)).is_ok(),
                inserted,
                "step {step}: {place}"
            );
            if !inserted {
                theirs = before;
            }
        }
        assert_eq!(ours.root().to_serde_json(), theirs, "step {step}: {place}");
        assert_eq!(ours, value(&theirs.to_string()), "step {step}: {place}");
    }
}

#[test]
fn every_element_is_changed_or_removed_in_one_pass() {
    let start = r#"{"l":[{"a":[1],"b":2},{"b":3},{"a":"\n"}],"z":{"y":0}}"#;
    let fields = Fields::parse("$.l[*].a").unwrap();
    let mut edited = value(start);
    let longer = |_: &dyn Fn() -> String, _: connect_api::ValueRef<'_>| {
        Ok::<_, EditError>(Some(value(r#"{"x":["new",{}]}"#)))
    };
    edited.replace_each(&fields, longer).unwrap();
    check(
        &edited,
        r#"{"l":[{"a":{"x":["new",{}]},"b":2},{"b":3},{"a":{"x":["new",{}]}}],"z":{"y":0}}"#,
    );
    edited.remove_each(&fields).unwrap();
    check(&edited, r#"{"l":[{"b":2},{"b":3},{}],"z":{"y":0}}"#);
    edited
        .remove_each(&Fields::parse("$.l[*]").unwrap())
        .unwrap();
    check(&edited, r#"{"l":[],"z":{"y":0}}"#);
    edited.remove_each(&Fields::parse("$").unwrap()).unwrap();
    check(&edited, r#"{"l":[],"z":{"y":0}}"#);
}

/// Nothing changes where one element is at fault, and what many elements cost is not what each costs times the rest.
#[test]
fn a_fault_changes_nothing_and_many_elements_are_cheap() {
    let fields = Fields::parse("$[*].a").unwrap();
    let start = r#"[{"a":1},2]"#;
    let mut edited = value(start);
    assert!(edited.remove_each(&fields).is_err());
    check(&edited, start);
    let elements = 200_000;
    let mut many = value(&format!("[{}]", vec![r#"{"a":1}"#; elements].join(",")));
    many.remove_each(&fields).unwrap();
    let left = many.root().elements().unwrap();
    assert_eq!(
        left.filter(|element| element.to_json() == "{}").count(),
        elements
    );
}
