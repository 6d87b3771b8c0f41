#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use connect_api::{JsonLimits, Value};

use super::super::JsonSchemaContract;
use super::super::tests::compile;

fn value(json: &str) -> Value {
    Value::parse_json(json.to_owned().into(), JsonLimits::default()).unwrap()
}

/// `accepted` are accepted quickly, `others` are not; the validator accepts all of `accepted`, which `validate` asserts.
fn check(schema: &str, accepted: &[&str], others: &[&str]) {
    let compiled: JsonSchemaContract = compile(schema);
    let acceptance = compiled.acceptance.as_ref().expect(schema);
    for json in accepted {
        assert!(
            acceptance.with_one(|one| one.accepts(value(json).root())),
            "{schema}: {json}"
        );
        assert!(
            compiled.validate(value(json).root()).is_ok(),
            "{schema}: {json}"
        );
    }
    for json in others {
        assert!(
            !acceptance.with_one(|one| one.accepts(value(json).root())),
            "{schema}: {json}"
        );
    }
}

#[test]
fn what_is_accepted_is_valid() {
    check(
        r#"{"type":"integer"}"#,
        &["0", "-12"],
        &["1.0", "1e2", "\"1\"", "null", "1.5"],
    );
    check(
        r#"{"type":"number","minimum":0,"maximum":10.5}"#,
        &["0", "0.0", "10.49", "10.5", "9e0"],
        &["-1", "10.51", "11"],
    );
    check(
        r#"{"exclusiveMinimum":1,"exclusiveMaximum":3}"#,
        &["2", "1.0001", "2.999", "\"x\""],
        &["1", "1.0", "3", "3.0"],
    );
    check(
        r#"{"minimum":-3}"#,
        &["-3", "-2.5", "-3.0"],
        &["-3.5", "-4"],
    );
    check(
        r#"{"type":["string","null"],"minLength":2,"maxLength":3}"#,
        &["null", "\"ab\"", "\"äöü\""],
        &["\"a\"", "\"ä\"", "\"abcd\""],
    );
    check(
        r#"{"enum":["a","b"]}"#,
        &["\"a\""],
        &["\"c\"", "1", "null", "[]"],
    );
    check(r#"{"const":"a"}"#, &["\"a\""], &["\"b\""]);
    check(
        r#"{"format":"date-time"}"#,
        &[
            "\"2026-11-20T20:35:19.042Z\"",
            "\"2026-12-31t23:59:59+23:59\"",
            "1",
        ],
        &[
            "\"2026-11-31T20:35:19Z\"",
            "\"2026-11-20T24:00:00Z\"",
            "\"2026-11-20T20:35:19\"",
            "\"2026-11-20T20:35:19.Z\"",
            "\"2026-11-20 20:35:19Z\"",
            "\"2026-1a-20T20:35:19Z\"",
            "\"2026-11-00T20:35:19Z\"",
            "\"2026-11-20T20:35:60Z\"",
            "\"2026-11-20T20:35:19.04x\"",
            "\"\"",
        ],
    );
    check(
        r#"{"format":"date"}"#,
        &["\"2026-11-20\""],
        &["\"2026-02-29\"", "\"2026-11-20x\"", "\"2026-13-01\""],
    );
    check(
        r#"{"format":"uuid"}"#,
        &["\"0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6\""],
        &[
            "\"0189f7e23c4b7d5e8f90a1b2c3d4e5f6\"",
            "\"0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5fg\"",
        ],
    );
    check(r#"{"format":"int32"}"#, &["\"x\"", "1"], &[]);
    check(
        r#"{"items":{"type":"integer"},"minItems":1,"maxItems":2}"#,
        &["[1]", "[1,2]", "{}"],
        &["[]", "[1,2,3]", "[\"x\"]"],
    );
    check(
        r#"{"anyOf":[{"type":"null"},{"type":"integer"}]}"#,
        &["null", "1"],
        &["\"x\""],
    );
    check(
        r#"{"allOf":[{"minimum":1},{"maximum":2}]}"#,
        &["1", "2"],
        &["0", "3"],
    );
}

#[test]
fn members_are_found_in_any_order() {
    let closed = r#"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;
    check(
        closed,
        &[
            r#"{"a":1,"b":"x"}"#,
            r#"{"b":"x","a":1}"#,
            r#"{"a":1}"#,
            r#"{"a":1,"b":"x"}"#,
        ],
        &[
            r#"{"b":"x"}"#,
            r#"{"a":1,"c":2}"#,
            r#"{"a":"x"}"#,
            "{}",
            "[]",
        ],
    );
    let open = r#"{"properties":{"a":{"type":"integer"}},"required":["b"],"additionalProperties":{"type":"boolean"}}"#;
    check(
        open,
        &[r#"{"a":1,"b":true}"#, r#"{"c":false,"b":true}"#, "1"],
        &[r#"{"a":1,"b":2}"#, r#"{"a":1}"#, r#"{"b":true,"c":1}"#],
    );
    let only_required = r#"{"required":["a"],"additionalProperties":false}"#;
    check(only_required, &[], &[r#"{"a":1}"#, "{}"]);
}

#[test]
fn a_schema_that_says_more_is_for_the_validator() {
    for schema in [
        r##"{"$ref":"#/$defs/a","$defs":{"a":{"type":"string"}}}"##,
        r#"{"pattern":"^a"}"#,
        r#"{"multipleOf":2}"#,
        r#"{"enum":[1]}"#,
        r#"{"const":null}"#,
        r#"{"properties":{"a":{"not":{}}}}"#,
        r#"{"format":"email"}"#,
        r#"{"prefixItems":[{}],"items":{"type":"string"}}"#,
        r#"{"const":"a","enum":["b"]}"#,
        r#"{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}"#,
        r#"{"dependentRequired":{"a":["b"]}}"#,
        r#"{"uniqueItems":true}"#,
        r#"{"patternProperties":{"^a":{}}}"#,
        r#"{"minLength":1.0}"#,
    ] {
        assert!(compile(schema).acceptance.is_none(), "{schema}");
    }
}
