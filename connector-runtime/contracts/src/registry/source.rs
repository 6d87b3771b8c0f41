//! The source of a schema: its text with the texts of everything that it refers to.

use std::collections::HashMap;

use serde::Deserialize;

/// The source of a schema in the registry, or of a `write_schema` file.
pub(crate) struct SchemaSource {
    /// Its name in messages, such as `sales-value version 3 (schema id 7)`.
    pub(crate) name: String,
    /// The base URI of relative references.
    pub(crate) uri: String,
    pub(crate) text: String,
    pub(crate) references: Vec<SchemaReference>,
    referenced: Referenced,
}

type SubjectVersion = (String, u32);

/// Schemas that others refer to.
pub(crate) type Referenced = HashMap<SubjectVersion, ReferencedSchema>;

/// A reference from one schema to another.
#[derive(Clone, Deserialize)]
pub(crate) struct SchemaReference {
    /// As the referring schema writes it: a URI, a type or a file.
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) version: u32,
}

impl SchemaReference {
    pub(crate) fn key(&self) -> SubjectVersion {
        (self.subject.clone(), self.version)
    }
}

impl std::fmt::Display for SchemaReference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} version {}", self.subject, self.version)
    }
}

/// A schema that another refers to.
pub(crate) struct ReferencedSchema {
    pub(crate) text: String,
    pub(crate) references: Vec<SchemaReference>,
}

impl ReferencedSchema {
    /// Its approximate size in memory.
    pub(crate) fn bytes(&self) -> usize {
        let of = |reference: &SchemaReference| reference.name.len() + reference.subject.len();
        self.text.len() + self.references.iter().map(of).sum::<usize>()
    }
}

impl SchemaSource {
    /// A schema that refers to no other.
    pub(crate) fn alone(name: String, uri: String, text: String) -> SchemaSource {
        SchemaSource {
            name,
            uri,
            text,
            references: Vec::new(),
            referenced: HashMap::new(),
        }
    }

    pub(crate) fn has(&self, reference: &SchemaReference) -> bool {
        self.referenced.contains_key(&reference.key())
    }

    pub(crate) fn add(&mut self, reference: &SchemaReference, schema: ReferencedSchema) {
        self.referenced.insert(reference.key(), schema);
    }

    pub(crate) fn into_referenced(self) -> Referenced {
        self.referenced
    }

    pub(crate) fn referenced_count(&self) -> usize {
        self.referenced.len()
    }

    /// The target of a reference of this schema or of one that it refers to.
    pub(crate) fn referenced(&self, reference: &SchemaReference) -> &ReferencedSchema {
        self.referenced
            .get(&reference.key())
            .expect("a source is complete before it is compiled")
    }

    /// The texts of all schemas that this one refers to, directly or not.
    pub(crate) fn all_referenced(&self) -> impl Iterator<Item = &String> {
        self.referenced.values().map(|schema| &schema.text)
    }
}
