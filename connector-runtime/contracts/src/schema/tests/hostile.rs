//! Schemas that are made to cost more than they are worth.

use serde_json::{Value as Json, json};

use super::*;

/// `count` definitions, each made of the reference to the next; the last is `true`.
fn chain(count: usize, link: impl Fn(&str) -> Json) -> String {
    let mut definitions = serde_json::Map::new();
    for index in 0..count {
        definitions.insert(
            format!("a{index}"),
            link(&format!("#/$defs/a{}", index + 1)),
        );
    }
    definitions.insert(format!("a{count}"), json!(true));
    json!({"$ref": "#/$defs/a0", "$defs": definitions}).to_string()
}

/// Compiles and drops on a stack as threads have it, and in time.
fn outcome(schema: &str) -> Result<JsonSchemaContract, String> {
    let start = Instant::now();
    let folder = Folder::new(&[("schema.json", schema)]);
    let compiled = folder.compile("schema.json");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    compiled.map_err(|problem| problem.message)
}

#[test]
fn a_schema_that_costs_without_bound_is_refused_before_it_is_compiled() {
    let twice = |keyword: &str, next: Json| json!({keyword: [next, next]});
    let many_times = "applies schemas more than 100000 times to one value";
    // (what, the schema, how it is refused)
    let cases = [
        (
            "a chain of 20,000",
            chain(19_999, |next| json!({"$ref": next})),
            "its references lead through more than 10000 schemas",
        ),
        (
            "a chain of 70",
            chain(70, |next| json!({"$ref": next})),
            "it applies 72 schemas inside each other to one value, and 64 at most",
        ),
        (
            "more references than are followed",
            chain(20_000, |next| json!({"$ref": next})),
            "it has 20001 references, and 20000 at most",
        ),
        (
            "a chain of members",
            chain(19_999, |next| json!({"properties": {"a": {"$ref": next}}})),
            "its references lead through more than 10000 schemas",
        ),
        ("40 doublings", chain(40, |next| twice("allOf", json!({"$ref": next}))), many_times),
        ("of anyOf", chain(40, |next| twice("anyOf", json!({"$ref": next}))), many_times),
        (
            "of members",
            chain(40, |next| twice("allOf", json!({"properties": {"a": {"$ref": next}}}))),
            many_times,
        ),
        (
            "of members by different keywords",
            chain(40, |next| json!({"patternProperties": {"": {"$ref": next}, "^a": {"$ref": next}}})),
            many_times,
        ),
        (
            "of what is left over",
            chain(24, |next| json!({"allOf": [{"$ref": next}], "unevaluatedProperties": false})),
            many_times,
        ),
        (
            "below a schema that contains itself",
            json!({"$ref": "#/$defs/root", "$defs": {
                "root": {"properties": {"next": {"$ref": "#/$defs/root"}, "a": {"$ref": "#/$defs/a0"}}},
                "a0": {"allOf": [{"$ref": "#/$defs/a1"}, {"$ref": "#/$defs/a1"}]}}})
            .to_string()
            .replace("\"a0\":", &format!("{},\"a0\":", definitions(40))),
            many_times,
        ),
        ("by anchors", anchors(40), many_times),
        ("by embedded ids", ids(40), many_times),
        ("too long", format!("{{\"title\": \"{}\"}}", "x".repeat(8 << 20)), "8 MiB at most are read"),
    ];
    for (what, schema, expected) in cases {
        let refused = outcome(&schema).err().unwrap_or_default();
        assert!(refused.contains(expected), "{what}: {refused}");
    }
}

/// The definitions `a1` to `a{count}`, each applying the next twice.
fn definitions(count: usize) -> String {
    let definition = |index: usize| {
        let next = json!({"$ref": format!("#/$defs/a{}", index + 1)});
        format!("\"a{index}\": {}", json!({"allOf": [next, next]}))
    };
    let definitions: Vec<String> = (1..count).map(definition).collect();
    format!("{},\"a{count}\": true", definitions.join(","))
}

fn anchors(count: usize) -> String {
    let definitions: Vec<Json> = (0..=count)
        .map(|index| {
            let next = json!({"$ref": format!("#n{}", (index + 1).min(count))});
            if index == count {
                json!({"$anchor": format!("n{index}")})
            } else {
                json!({"$anchor": format!("n{index}"), "allOf": [next, next]})
            }
        })
        .collect();
    json!({"$ref": "#n0", "prefixItems": definitions}).to_string()
}

fn ids(count: usize) -> String {
    let definitions: Vec<Json> = (0..count)
        .map(|index| {
            let next = json!({"$ref": format!("{}.json", index + 1)});
            json!({"$id": format!("{index}.json"), "allOf": [next, next]})
        })
        .chain([json!({"$id": format!("{count}.json")})])
        .collect();
    json!({"$id": "http://example.com/root.json", "$ref": "0.json", "prefixItems": definitions})
        .to_string()
}

#[test]
fn what_is_just_within_the_bounds_is_compiled_and_checked_on_a_usual_stack() {
    // 128 levels of a value, with as many schemas inside each other at each as are followed.
    let mut definitions = serde_json::Map::new();
    for index in 0..30 {
        let next = format!("#/$defs/a{}", index + 1);
        definitions.insert(format!("a{index}"), json!({"allOf": [{"$ref": next}]}));
    }
    let level = json!({"type": ["array", "object"], "items": {"$ref": "#"}});
    definitions.insert("a30".to_owned(), level);
    let levels = json!({"$ref": "#/$defs/a0", "$defs": definitions}).to_string();
    let member =
        |next: &str| json!({"type": ["array", "object"], "properties": {"a": {"$ref": next}}});
    let doubled = |next: &str| json!({"type": ["array", "object"], "allOf": [{"$ref": next}, {"$ref": next}]});
    let itself = json!({"type": ["array", "object"], "allOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]});
    let either = json!({"type": ["array", "object"], "anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]});
    let then_fails = json!({"allOf": [{"items": {"$ref": "#/$defs/a"}}, {"items": {"$ref": "#/$defs/a"}}, {"type": "object"}],
        "$defs": {"a": {"allOf": [{"items": {"$ref": "#/$defs/a"}}, {"items": {"$ref": "#/$defs/a"}}]}}});
    let cases = [
        ("levels", levels),
        ("a chain", chain(4_900, member)),
        ("12 doublings", chain(12, doubled)),
        ("a schema that contains itself twice", itself.to_string()),
        ("or either", either.to_string()),
        ("and fails in the end", then_fails.to_string()),
    ];
    let deep = |inside: &str| format!("{}{inside}{}", "[".repeat(127), "]".repeat(127));
    for (what, schema) in cases {
        let compiled = outcome(&schema).unwrap_or_else(|problem| panic!("{what}: {problem}"));
        for text in [
            deep("[]"),
            deep("1"),
            "1".to_owned(),
            "{\"a\": {\"a\": 1}}".to_owned(),
        ] {
            let start = Instant::now();
            let refused = compiled.validate(value(&text).root()).err();
            let took = start.elapsed();
            assert!(took < Duration::from_secs(5), "{what}: {took:?}");
            assert!(refused.is_some() || text != "1", "{what}: {text}");
        }
    }
}
