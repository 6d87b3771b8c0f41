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
        "at $.id found \"abcd\", expected at most 3 characters (maxLength)"
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
