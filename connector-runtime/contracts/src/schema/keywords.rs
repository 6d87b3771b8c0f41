//! What the value of a schema's keyword holds: schemas, schemas by names of the user's, or data.

/// See the module's documentation.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Content {
    /// A schema, a list of schemas, or a plain value.
    Schemas,
    /// Schemas by names that are not keywords, even where they are spelled alike.
    NamedSchemas,
    /// JSON that is no schema, whatever it looks like.
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
