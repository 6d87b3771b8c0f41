//! The read-only view.

use std::path::Path;

use connect_api::{Contract, PathStep, Presence};

use super::Folder;

fn steps(path: &str) -> Vec<Option<PathStep>> {
    path.split('.')
        .filter(|step| !step.is_empty())
        .map(|step| match step.parse() {
            Ok(index) => Some(PathStep::Index(index)),
            Err(_) if step == "*" => None,
            Err(_) => Some(PathStep::Name(step.into())),
        })
        .collect()
}

#[test]
fn the_view_claims_only_what_is_certain() {
    let folder = Folder::new(&[
        ("schemas/money.json", r#"{"type":["number","null"]}"#),
        (
            "schemas/sale.json",
            r##"{
  "type": "object",
  "required": ["id", "store", "items"],
  "additionalProperties": false,
  "properties": {
    "id": { "type": "string" },
    "total": { "$ref": "money.json" },
    "store": { "allOf": [{ "$ref": "#/$defs/store" }] },
    "items": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/item" } },
    "choice": { "anyOf": [{ "type": "object" }, { "type": "string" }] },
    "free": { "type": "object", "additionalProperties": { "type": "string" } },
    "self": { "$ref": "#" },
    "kind": { "enum": ["a", 1] }
  },
  "$defs": {
    "store": { "type": "object", "required": ["code"], "properties": { "code": { "type": "integer" } } },
    "item": { "type": "object", "required": ["sku"], "properties": { "sku": { "type": "string" } } }
  }
}"##,
        ),
    ]);
    let contract = folder.compile("schemas/sale.json").expect("a valid schema");
    use Presence::{Always, Never, Sometimes, Unknown};
    let cases: [(&str, Presence, &[&str]); 16] = [
        ("", Always, &["object"]),
        ("id", Always, &["string"]),
        ("total", Sometimes, &["number", "null"]),
        ("colour", Never, &[]),
        ("store.code", Always, &["integer"]),
        ("store.name", Unknown, &[]),
        ("items", Always, &["array"]),
        ("items.*.sku", Always, &["string"]),
        ("items.0.sku", Always, &["string"]),
        ("items.1.sku", Sometimes, &["string"]),
        ("choice", Sometimes, &[]),
        ("choice.a", Unknown, &[]),
        ("free.any", Sometimes, &["string"]),
        ("self.self.id", Sometimes, &["string"]),
        ("id.deeper", Unknown, &[]),
        ("kind", Sometimes, &["integer", "string"]),
    ];
    for (path, presence, types) in cases {
        let field = contract.field(&steps(path));
        assert_eq!(
            (field.presence, field.types),
            (presence, types.iter().map(|t| t.to_string()).collect()),
            "{path}"
        );
    }
    let place = contract.field(&steps("total")).place.expect("a place");
    assert!(
        place.file.ends_with(Path::new("schemas/money.json")) || place.line == 7,
        "{place:?}"
    );
    let never = contract.field(&steps("colour")).place.expect("a place");
    assert_eq!((never.line, never.column), (4, 27));
}

#[test]
fn a_keyword_counts_in_the_drafts_that_have_it() {
    use Presence::{Always, Never, Sometimes, Unknown};
    let body = r##""type":"object","required":["body"],"properties":{"body":{"$ref":"#/definitions/Body","additionalProperties":false,"required":["x"]},
        "closed":{"unevaluatedProperties":false},"list":{"type":"array","minItems":1,"prefixItems":[{"type":"string"}]},
        "pair":{"type":"array","minItems":1,"items":[{"type":"string"}]},"fixed":{"const":"a"},
        "anchor":{"$ref":"#somewhere","unevaluatedProperties":false}},
        "definitions":{"Body":{"type":"object","properties":{"a":{"type":"string"}}},"Anchor":{"ID":"#somewhere"}}"##;
    let modern = body
        .replace(
            r#""items":[{"type":"string"}]"#,
            r#""items":{"type":"string"}"#,
        )
        .replace("\"ID\":\"#", "\"$anchor\":\"");
    let drafts = [
        (
            "http://json-schema.org/draft-04/schema#",
            body.replace("\"ID\"", "\"id\""),
        ),
        (
            "http://json-schema.org/draft-06/schema#",
            body.replace("\"ID\"", "\"$id\""),
        ),
        (
            "http://json-schema.org/draft-07/schema#",
            body.replace("\"ID\"", "\"$id\""),
        ),
        (
            "https://json-schema.org/draft/2019-09/schema",
            body.replace("\"ID\":\"#", "\"$anchor\":\""),
        ),
        ("https://json-schema.org/draft/2020-12/schema", modern),
    ];
    // Of each path, in each draft: what the view says of its presence.
    let cases: [(&str, [Presence; 5]); 5] = [
        ("body.a", [Sometimes, Sometimes, Sometimes, Never, Never]),
        ("body.b", [Unknown, Unknown, Unknown, Never, Never]),
        ("body.x", [Unknown, Unknown, Unknown, Never, Never]),
        ("closed.a", [Unknown, Unknown, Unknown, Never, Never]),
        ("anchor.a", [Unknown, Unknown, Unknown, Unknown, Unknown]),
    ];
    let types: [(&str, [&[&str]; 5]); 3] = [
        ("list.0", [&[], &[], &[], &[], &["string"]]),
        (
            "pair.0",
            [
                &["string"],
                &["string"],
                &["string"],
                &["string"],
                &["string"],
            ],
        ),
        (
            "fixed",
            [&[], &["string"], &["string"], &["string"], &["string"]],
        ),
    ];
    for (index, (draft, body)) in drafts.iter().enumerate() {
        let schema = format!(r#"{{"$schema":"{draft}",{body}}}"#);
        let contract = super::compile(&schema);
        for (path, presence) in &cases {
            assert_eq!(
                contract.field(&steps(path)).presence,
                presence[index],
                "{path} in {draft}"
            );
        }
        for (path, types) in &types {
            assert_eq!(
                contract.field(&steps(path)).types,
                types[index],
                "{path} in {draft}"
            );
        }
        assert_eq!(contract.field(&steps("body")).presence, Always);
        // The validator agrees.
        let valid = contract
            .validate(super::value(r#"{"body":{"a":"x"}}"#).root())
            .is_ok();
        assert_eq!(valid, index < 3, "{draft}");
    }
}
