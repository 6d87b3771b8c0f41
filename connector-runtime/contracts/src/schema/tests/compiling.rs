//! What is wrong with a schema, and where references may lead.

use super::{Folder, value};

#[test]
fn a_broken_schema_is_named_with_its_place() {
    let cases = [
        (
            "{\n  \"type\": \"objekt\"\n}",
            "schema.json:2:11: `type` cannot be \"objekt\"",
        ),
        (
            "{\n  \"properties\": {\n    \"a\": { \"minimum\": \"1\" }\n  }\n}",
            "schema.json:3:23: `minimum` is \"1\", and it must be a number",
        ),
        (
            "{\n  \"type\": \"object\",\n}",
            "schema.json:3:1: this is not JSON: ",
        ),
        (
            "{\"a\":1,\"a\":2}",
            "schema.json:1:14: this is not JSON: key \"a\" twice in one object",
        ),
        (
            "[1]",
            "schema.json:1:1: a JSON Schema is an object, and this is an array",
        ),
        (
            "{\n  \"properties\": {\n    \"a\": { \"pattern\": \"(?=x)y\" }\n  }\n}",
            "schema.json:3:23: this regular expression is not taken: \"(?=x)y\"",
        ),
        (
            "{\"properties\":{\"a\":{\"$ref\":\"#/$defs/none\"}}}",
            "schema.json:1:28: this `$ref` leads nowhere: Pointer '/$defs/none' does not exist",
        ),
        (
            "{\n  \"$schema\": \"https://example.com/draft-99\"\n}",
            "schema.json:2:14: this `$schema` is not known",
        ),
        (
            "\"text\"",
            "schema.json:1:1: a JSON Schema is an object, and this is a string",
        ),
    ];
    for (text, expected) in cases {
        let problem = Folder::new(&[("schema.json", text)]).problem("schema.json");
        assert!(problem.starts_with(expected), "{problem}\n  for {text}");
    }
    let referenced = Folder::new(&[
        ("schema.json", r#"{"$ref":"other.json"}"#),
        ("other.json", "{\n  \"type\": \"objekt\"\n}"),
    ]);
    let problem = referenced.problem("schema.json");
    assert!(problem.starts_with("other.json:2:11: "), "{problem}");
    let missing = Folder::new(&[]).problem("none.json");
    assert_eq!(missing, "none.json:1:1: there is no such file");
}

#[test]
fn a_reference_stays_inside_the_folder_of_schemas() {
    let folder = Folder::new(&[
        ("outside.json", r#"{"type":"string"}"#),
        (
            "schemas/common/id.json",
            r#"{"type":"string","maxLength":3}"#,
        ),
        (
            "schemas/sale/ok.json",
            r#"{"properties":{"id":{"$ref":"../common/id.json"}}}"#,
        ),
        (
            "schemas/sale/escape.json",
            r#"{"$ref":"../../outside.json"}"#,
        ),
        (
            "schemas/sale/absolute.json",
            r#"{"$ref":"file:///etc/passwd"}"#,
        ),
        (
            "schemas/sale/encoded.json",
            r#"{"$ref":"%2e%2e/%2e%2e/outside.json"}"#,
        ),
        (
            "schemas/sale/network.json",
            r#"{"$ref":"http://127.0.0.1:1/schema.json"}"#,
        ),
        ("schemas/sale/missing.json", "{\n \"$ref\": \"none.json\"}"),
        ("schemas/sale/uses_broken.json", r#"{"$ref":"broken.json"}"#),
        ("schemas/sale/broken.json", "{\n\"type\": }"),
        (
            "schemas/sale/by_id.json",
            r#"{"$id":"https://example.com/sale.json","$ref":"id.json"}"#,
        ),
        (
            "schemas/sale/named.json",
            r#"{"$id":"https://example.com/id.json","type":"string"}"#,
        ),
    ]);
    let accepted = folder.compile("schemas/sale/ok.json").expect("inside");
    assert!(accepted.validate(value(r#"{"id":"abc"}"#).root()).is_ok());
    let rejection = accepted
        .validate(value(r#"{"id":"abcd"}"#).root())
        .expect_err("too long");
    assert_eq!(
        rejection.message,
        "at $.id found a string of 4 characters, expected at most 3 characters (maxLength)"
    );
    let named = folder
        .compile("schemas/sale/by_id.json")
        .expect("found by its $id");
    assert!(named.validate(value("1").root()).is_err());
    for outside in ["escape", "absolute", "encoded"] {
        let problem = folder.problem(&format!("schemas/sale/{outside}.json"));
        assert!(
            problem.starts_with(&format!(
                "schemas/sale/{outside}.json:1:9: `$ref` to file://"
            )) && problem.contains("it leads out of"),
            "{problem}"
        );
    }
    let problem = folder.problem("schemas/sale/network.json");
    assert!(
        problem.contains("schemas are not fetched from the network"),
        "{problem}"
    );
    let problem = folder.problem("schemas/sale/missing.json");
    assert!(
        problem.starts_with("schemas/sale/missing.json:2:10:")
            && problem.contains("there is no file"),
        "{problem}"
    );
    let problem = folder.problem("schemas/sale/uses_broken.json");
    assert!(
        problem.starts_with("schemas/sale/broken.json:2:9: this is not JSON"),
        "{problem}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out() {
    let folder = Folder::new(&[
        ("secret.json", r#"{"type":"string"}"#),
        ("schemas/sale.json", r#"{"$ref":"link.json"}"#),
    ]);
    std::os::unix::fs::symlink(folder.path("secret.json"), folder.path("schemas/link.json"))
        .unwrap();
    let problem = folder.problem("schemas/sale.json");
    assert!(problem.contains("it leads out of"), "{problem}");
}

#[test]
fn a_schema_of_another_draft_is_answered_in_plain_words() {
    let cases = [
        (
            r#"{"$schema":"http://json-schema.org/draft-03/schema#","type":"any"}"#,
            "this draft of JSON Schema is too old: draft 4 is the first that is read",
            "`divisibleBy` becomes `multipleOf`",
        ),
        (
            r#"{"properties":{"a":{"required":true}}}"#,
            "`required` is true, and it must be an array",
            "this is the form of draft 3",
        ),
        (
            r#"{"type":"any"}"#,
            "`type` cannot be \"any\"",
            "this is the form of draft 3",
        ),
        (
            r#"{"minimum":0,"exclusiveMinimum":true}"#,
            "`exclusiveMinimum` is true, and it must be a number",
            "this is the form of draft 4",
        ),
        (
            r#"{"items":[{"type":"string"}]}"#,
            "",
            "write `prefixItems`",
        ),
        (
            r#"{"$schema":"urn:mine"}"#,
            "this `$schema` is not known",
            "draft/2020-12",
        ),
    ];
    for (schema, message, help) in cases {
        let folder = Folder::new(&[
            ("schema.json", schema),
            ("outer.json", r#"{"$ref":"schema.json"}"#),
        ]);
        let problem = folder.compile("schema.json").expect_err(schema);
        assert!(problem.message.starts_with(message), "{problem}");
        assert!(
            problem.help.as_deref().unwrap_or_default().contains(help),
            "{problem:?}"
        );
        // A library's words would be of its build.
        let outer = folder.compile("outer.json").expect_err(schema);
        assert!(!outer.message.contains("feature"), "{outer}");
    }
    let draft4 = r#"{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://example.com/a","minimum":0,"exclusiveMinimum":true}"#;
    assert!(
        Folder::new(&[("schema.json", draft4)])
            .compile("schema.json")
            .is_ok()
    );
}

#[test]
fn a_format_that_checks_nothing_is_remarked() {
    let schema = r##"{
  "properties": {
    "at": { "format": "datetime" },
    "format": { "type": "string", "format": "date-time" },
    "list": { "type": "array", "items": [{ "format": "Email" }, { "format": "idn-email" }] },
    "data": { "const": { "format": "none" }, "default": { "format": "none" } },
    "count": { "type": "integer", "format": "int64" }
  },
  "$schema": "http://json-schema.org/draft-07/schema#"
}"##;
    let compiled = Folder::new(&[("schema.json", schema)])
        .compile("schema.json")
        .expect("a schema");
    let remarks: Vec<String> = compiled
        .remarks()
        .iter()
        .map(|remark| format!("{}:{}: {}", remark.line, remark.column, remark.message))
        .collect();
    assert_eq!(
        remarks,
        [
            "3:23: `format` \"datetime\" is not known, so nothing is checked by it",
            "5:54: `format` \"Email\" is not known, so nothing is checked by it",
        ]
    );
}

#[test]
fn international_formats_are_checked() {
    for draft in [
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        for (format, text, valid) in [
            ("idn-email", "2962", false),
            ("idn-email", "실례@실례.테스트", true),
            ("idn-hostname", "-> $1.00 <--", false),
            ("idn-hostname", "실례.테스트", true),
        ] {
            let schema = format!(r#"{{"$schema":"{draft}","format":"{format}"}}"#);
            let compiled = super::compile(&schema);
            let found = compiled
                .validate(value(&format!("\"{text}\"")).root())
                .is_ok();
            assert_eq!(found, valid, "{format} {text} in {draft}");
        }
    }
}
