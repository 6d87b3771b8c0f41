//! Reports unknown formats.
//!
//! By the standard an unknown `format` accepts every text, so a misspelt one would go unnoticed.

use connect_api::pointer;
use jsonschema::Draft;
use serde_json::Value as Json;

use super::document::{Document, SchemaProblem};
use super::keywords::{Content, content_of};

/// OpenAPI's formats for storage and display. They are descriptive and not meant to be checked.
const DESCRIPTIONS: [&str; 8] = [
    "int32", "int64", "float", "double", "decimal", "byte", "binary", "password",
];

/// A remark for each unknown `format` of the document.
pub(super) fn unknown_formats(
    document: &Document,
    draft: Draft,
    is_known: &dyn Fn(Draft, &str) -> bool,
) -> Vec<SchemaProblem> {
    let draft = draft.detect(&document.value);
    let mut remarks = Vec::new();
    each_format(&document.value, String::new(), &mut |pointer, format| {
        if is_known(draft, format) || DESCRIPTIONS.contains(&format) {
            return;
        }
        let shown = connect_api::text::cut(format, 60);
        let message = format!("`format` \"{shown}\" is not known, so nothing is checked by it");
        let mut remark = document.problem(pointer, message);
        remark.help = Some(
            "formats are date-time, date, time, duration, email, hostname, ipv4, ipv6, uri, uri-reference, uuid, regex, json-pointer and others of the standard; a `pattern` checks what they do not"
                .to_owned(),
        );
        remarks.push(remark);
    });
    remarks
}

fn each_format(schema: &Json, at: String, visit: &mut dyn FnMut(&str, &str)) {
    match schema {
        Json::Object(members) => {
            for (name, member) in members {
                let inner = pointer::member(&at, name);
                match (content_of(name), member) {
                    (_, Json::String(format)) if name == "format" => visit(&inner, format),
                    (Content::Schemas, member) => each_format(member, inner, visit),
                    (Content::NamedSchemas, Json::Object(schemas)) => {
                        for (name, schema) in schemas {
                            each_format(schema, pointer::member(&inner, name), visit);
                        }
                    }
                    (Content::NamedSchemas | Content::Data, _) => {}
                }
            }
        }
        Json::Array(schemas) => {
            for (index, schema) in schemas.iter().enumerate() {
                each_format(schema, format!("{at}/{index}"), visit);
            }
        }
        _ => {}
    }
}
