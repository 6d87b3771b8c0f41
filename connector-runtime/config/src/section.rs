//! A part of a file that one schema describes.

use serde_json::Value as Json;

use super::schema;

/// A part of a file that one schema describes: the table of a plugin, or the file without these tables.
pub(super) struct Section {
    /// What its keys are keys of, in messages: "a sink connector", "the postgres sink".
    pub(super) owner: String,
    /// JSON pointer of the table from the root of the file.
    pub(super) pointer: String,
    pub(super) schema: Json,
    pub(super) value: Json,
    /// Keys of the table that belong to the engine and are not in `value`.
    pub(super) engine_keys: Vec<String>,
}

impl Section {
    /// Calls `visit` with each string, its schema and its pointer from the root of the file.
    pub(super) fn visit_strings(&mut self, visit: &mut dyn FnMut(&mut Json, &Json, &str)) {
        schema::visit_strings(&mut self.value, &self.schema, &self.pointer, visit);
    }

    /// The file itself.
    pub(super) fn root(owner: &str, schema: Json, value: Json) -> Section {
        Section {
            owner: owner.to_owned(),
            pointer: String::new(),
            schema,
            value,
            engine_keys: Vec::new(),
        }
    }
}
