//! The content of a keyword's value: schemas, named schemas, or data.

/// The content of a keyword's value.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Content {
    /// A schema, a list of schemas, or a plain value.
    Schemas,
    /// Schemas by name. The names are not keywords, even if they are spelled alike.
    NamedSchemas,
    /// JSON that is not a schema, even if it looks like one.
    Data,
}

pub(super) fn content_of(keyword: &str) -> Content {
    match keyword {
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
        | "dependencies" => Content::NamedSchemas,
        "const" | "enum" | "default" | "examples" => Content::Data,
        _ => Content::Schemas,
    }
}
