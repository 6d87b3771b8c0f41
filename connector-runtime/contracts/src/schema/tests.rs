#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod compiling;
mod hostile;
mod numbers;
mod shapes;
mod view;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use connect_api::{JsonLimits, Value};

use super::tape::{Tape, TapeNode};
use super::{JsonSchemaContract, SchemaProblem};
use crate::fault::ValueFault;

/// A folder of schemas that is gone after the test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn compile(&self, name: &str) -> Result<JsonSchemaContract, SchemaProblem> {
        JsonSchemaContract::of_file(&self.path(name))
    }

    /// The problem as `file:line:column: message`, the temporary folder left out.
    fn problem(&self, name: &str) -> String {
        let problem = self.compile(name).expect_err("a problem");
        let folder = self.path("").display().to_string();
        problem.to_string().replace(&folder, "")
    }
}

pub(super) fn compile(schema: &str) -> JsonSchemaContract {
    Folder::new(&[("schema.json", schema)])
        .compile("schema.json")
        .expect("a valid schema")
}

fn value(json: &str) -> Value {
    Value::parse_json(json.as_bytes().to_vec().into(), JsonLimits::default()).expect("JSON")
}

fn rejection(schema: &str, json: &str) -> Option<ValueFault> {
    compile(schema).validate(value(json).root()).err()
}

fn check(schema: &str, json: &str, expected: &str) {
    let message = rejection(schema, json).map_or("valid".to_owned(), |rejection| rejection.message);
    assert_eq!(message, expected, "{schema} on {json}");
}

#[test]
fn the_tape_keeps_the_validator_s_contract() {
    let document = jsonschema::json::conformance::document();
    let value = Value::from(&document);
    jsonschema::json::conformance::assert_conformance::<Tape>(&TapeNode::Value(value.root()));
    let parsed = self::value(&document.to_string());
    jsonschema::json::conformance::assert_conformance::<Tape>(&TapeNode::Value(parsed.root()));
}

#[test]
fn messages_name_the_place_what_was_found_and_what_was_expected() {
    let sale = r##"{"type":"object","required":["id","total"],"additionalProperties":false,"properties":{
        "id":{"type":"string","pattern":"^[A-Z]{2}[0-9]+$","maxLength":8},
        "total":{"type":"number","exclusiveMinimum":0,"multipleOf":0.01},
        "currency":{"enum":["EUR","USD"]},
        "at":{"type":"string","format":"date-time"},
        "items":{"type":"array","minItems":1,"maxItems":3,"items":{"$ref":"#/$defs/item"}},
        "odd name":{"type":["string","null"]}},
        "$defs":{"item":{"type":"object","required":["quantity"],"properties":{"quantity":{"type":"integer","minimum":1}}}}}"##;
    let cases = [
        (r#"{"id":"AB1","total":1.25}"#, "valid"),
        (
            r#"{"id":"AB1","total":1e2,"items":[{"quantity":1.0}]}"#,
            "valid",
        ),
        (
            r#"{"id":"AB1","total":1,"items":[{"quantity":1},{"quantity":1},{"quantity":-1}]}"#,
            "at $.items[2].quantity found an integer of 1 digit, expected an integer ≥ 1 (minimum)",
        ),
        (
            r#"{"id":"AB1"}"#,
            "at $.total found nothing, expected a number (required)",
        ),
        (
            r#"{"id":"AB1","total":1,"items":[{}]}"#,
            "at $.items[0].quantity found nothing, expected an integer (required)",
        ),
        (
            r#"{"id":7,"total":1}"#,
            "at $.id found an integer of 1 digit, expected a string (type)",
        ),
        (
            r#"{"id":"AB1","total":"1"}"#,
            "at $.total found a string of 1 character, expected a number (type)",
        ),
        (
            r#"{"id":"AB1","total":1,"odd name":true}"#,
            "at $['odd name'] found a boolean, expected null or a string (type)",
        ),
        (
            r#"{"id":"ab1","total":1}"#,
            "at $.id found a string of 3 characters, expected text that matches ^[A-Z]{2}[0-9]+$ (pattern)",
        ),
        (
            r#"{"id":"AB1234567","total":1}"#,
            "at $.id found a string of 9 characters, expected at most 8 characters (maxLength)",
        ),
        (
            r#"{"id":"AB1","total":0}"#,
            "at $.total found an integer of 1 digit, expected a number > 0 (exclusiveMinimum)",
        ),
        (
            r#"{"id":"AB1","total":0.125}"#,
            "at $.total found a number of 4 digits, expected a multiple of 0.01 (multipleOf)",
        ),
        (
            r#"{"id":"AB1","total":1,"currency":"CHF"}"#,
            "at $.currency found a string of 3 characters, expected one of \"EUR\", \"USD\" (enum)",
        ),
        (
            r#"{"id":"AB1","total":1,"at":"yesterday"}"#,
            "at $.at found a string of 9 characters, expected text of the format date-time (format)",
        ),
        (
            r#"{"id":"AB1","total":1,"items":[]}"#,
            "at $.items found an array of 0 elements, expected at least 1 element (minItems)",
        ),
        (
            r#"{"id":"AB1","total":1,"colour":"red"}"#,
            "at $.colour found a string of 3 characters, expected no such member (additionalProperties)",
        ),
        (
            "[1]",
            "at $ found an array of 1 element, expected an object (type)",
        ),
        (
            "{\"id\":\"\\u001b[m\\u202eevil\",\"total\":1}",
            "at $.id found a string of 8 characters, expected text that matches ^[A-Z]{2}[0-9]+$ (pattern)",
        ),
    ];
    for (json, expected) in cases {
        check(sale, json, expected);
    }
}

#[test]
fn a_rejection_carries_its_parts() {
    let rejection = rejection(
        r#"{"properties":{"a":{"items":{"maximum":5}}}}"#,
        r#"{"a":[1,2,9]}"#,
    )
    .expect("rejected");
    assert_eq!(rejection.at.as_deref(), Some("$.a[2]"));
    assert_eq!(rejection.found.as_deref(), Some("an integer of 1 digit"));
    assert_eq!(rejection.value.as_deref(), Some("9"));
    assert_eq!(
        rejection.expected.as_deref(),
        Some("a number ≤ 5 (maximum)")
    );
    assert!(
        rejection
            .contract
            .expect("a contract")
            .ends_with("schema.json")
    );
}

#[test]
fn a_branch_that_was_meant_is_named() {
    let schema =
        r#"{"oneOf":[{"type":"string"},{"type":"object","properties":{"n":{"type":"integer"}}}]}"#;
    check(
        schema,
        r#"{"n":"x"}"#,
        "at $.n found a string of 1 character, expected an integer (type)",
    );
    check(
        schema,
        "7",
        "at $ found an integer of 1 digit, expected one of 2 schemas to fit (oneOf)",
    );
}

#[test]
fn a_message_is_one_short_line() {
    let long = format!(
        "\"{}\n{}\"",
        "x".repeat(50).replace('\n', ""),
        "y".repeat(100_000)
    )
    .replace('\n', "\\n");
    let message = rejection(r#"{"type":"string","maxLength":3}"#, &long)
        .expect("rejected")
        .message;
    assert!(
        message.chars().count() < 150 && !message.contains('\n'),
        "{message}"
    );
}

#[test]
fn numbers_keep_their_digits() {
    let integer = r#"{"type":"integer"}"#;
    let cases = [
        ("1", true),
        ("1.0", true),
        ("1.5", false),
        ("1.5e1", true),
        ("1.55e1", false),
        ("-0.0", true),
        ("12345678901234567890123", true),
        ("12345678901234567890123.5", false),
        ("100e-2", true),
        ("101e-2", false),
        ("1e400", true),
        ("1e-400", false),
        ("0e-400", true),
        ("1e99999999999999999999", true),
        ("1e-99999999999999999999", false),
    ];
    for (number, expected) in cases {
        assert_eq!(rejection(integer, number).is_none(), expected, "{number}");
    }
    let beyond = r#"{"type":"integer","maximum":9007199254740993}"#;
    assert!(rejection(beyond, "9007199254740993").is_none());
    assert!(rejection(beyond, "9007199254740994").is_some());
    assert!(rejection(r#"{"maximum":5}"#, "1e999").is_some());
    assert!(rejection(r#"{"const":1}"#, "1.0").is_none());
    assert!(rejection(r#"{"enum":[{"a":[1,2]}]}"#, r#"{"a":[1.0,2]}"#).is_none());
    assert!(rejection(r#"{"enum":[{"a":[1,2]}]}"#, r#"{"a":[1,2,3]}"#).is_some());
    assert!(rejection(r#"{"uniqueItems":true}"#, "[1,1.0]").is_some());
}

#[test]
fn drafts_differ_where_they_should() {
    let draft4 = r#"{"$schema":"http://json-schema.org/draft-04/schema#","type":"integer"}"#;
    assert!(rejection(draft4, "1.0").is_some());
    let draft7 = r#"{"$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"string"}],"additionalItems":false}"#;
    assert!(rejection(draft7, r#"["a"]"#).is_none());
    assert!(rejection(draft7, r#"["a","b"]"#).is_some());
    let draft2020 = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[{"type":"string"}],"items":false,"unevaluatedProperties":false,"properties":{"a":true}}"#;
    assert!(rejection(draft2020, r#"["a","b"]"#).is_some());
    assert!(rejection(draft2020, r#"{"b":1}"#).is_some());
    assert!(rejection(r#"{"propertyNames":{"pattern":"^[a-z]+$"}}"#, r#"{"A":1}"#).is_some());
}

#[test]
fn hostile_patterns_and_values_take_no_time() {
    let started = Instant::now();
    let schema = compile(r#"{"type":"string","pattern":"^(a+)+$"}"#);
    let text = format!("\"{}!\"", "a".repeat(200_000));
    assert!(schema.validate(value(&text).root()).is_err());
    // Nested as deep as the parser allows, in a schema that contains itself twice over.
    let tree = compile(
        r##"{"anyOf":[{"type":"object","properties":{"a":{"$ref":"#"}}},{"type":"object","additionalProperties":{"$ref":"#"}},{"const":1}]}"##,
    );
    let deep = format!("{}2{}", r#"{"a":"#.repeat(120), "}".repeat(120));
    let rejection = tree.validate(value(&deep).root()).expect_err("not valid");
    assert!(
        rejection.message.contains("too many possibilities"),
        "{rejection}"
    );
    let shallow = value(r#"{"a":{"a":2}}"#);
    let rejection = tree.validate(shallow.root()).expect_err("not valid");
    assert_eq!(
        rejection.message,
        "at $.a.a found an integer of 1 digit, expected one of 3 schemas to fit (anyOf)"
    );
    let wide = compile(r#"{"anyOf":[{"items":{"type":"string"}},{"items":{"type":"null"}}]}"#);
    let numbers = format!("[{}1]", "1,".repeat(500_000));
    assert!(wide.validate(value(&numbers).root()).is_err());
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}
