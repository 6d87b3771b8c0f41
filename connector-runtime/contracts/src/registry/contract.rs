//! A schema of the registry, compiled with everything that it refers to.

use std::sync::Arc;

use connect_api::Cause;
use schema_registry_converter::schema_registry_common::{
    RegisteredReference, RegisteredSchema, SchemaType,
};

use super::cache::Unusable;
use super::client::{Client, LookupError};
use super::source::{ReferencedSchema, SchemaReference, SchemaSource};
use crate::config::RegistryVersion;
use crate::formats::{self, Codec, Entry};

/// More schemas than this do not belong together.
const MOST_REFERENCES: usize = 1_000;

/// A compiled schema of the registry.
pub(crate) struct RegisteredContract {
    pub(crate) id: u32,
    /// How messages call it, such as `sales-value version 3 (schema id 7)`.
    pub(crate) name: String,
    schema: Schema,
}

enum Schema {
    Compiled {
        format: &'static Entry,
        codec: Arc<dyn Codec>,
    },
    /// Of a type that no format here has. The registry's word for it.
    Foreign(String),
}

/// Why a schema that the registry has cannot be used.
pub(crate) enum LoadError {
    /// The registry could not be asked for what the schema refers to.
    Outage(Cause),
    /// It, or a schema that it refers to, does not compile here.
    Unusable(Unusable),
}

impl RegisteredContract {
    pub(crate) fn new(
        id: u32,
        name: String,
        format: &'static Entry,
        codec: Arc<dyn Codec>,
    ) -> RegisteredContract {
        RegisteredContract {
            id,
            name,
            schema: Schema::Compiled { format, codec },
        }
    }

    /// Fetches what `schema` refers to and compiles all of it.
    pub(crate) async fn load(
        client: &Client,
        schema: RegisteredSchema,
    ) -> Result<RegisteredContract, LoadError> {
        let id = schema.id;
        let name = match (&schema.subject, schema.version) {
            (Some(subject), Some(version)) => {
                format!("{subject} version {version} (schema id {id})")
            }
            _ => format!("schema id {id}"),
        };
        let word = type_word(&schema.schema_type);
        let format = formats::of_schema_type(&word);
        let Some((format, registered)) =
            format.and_then(|format| Some((format, format.registered.as_ref()?)))
        else {
            return Ok(RegisteredContract {
                id,
                name,
                schema: Schema::Foreign(word),
            });
        };
        let source = source_of(client, schema, &name).await?;
        match (registered.compile)(&source) {
            Ok(codec) => Ok(RegisteredContract::new(id, name, format, codec)),
            Err(reason) => Err(unusable(&name, &reason)),
        }
    }

    /// The codec, if the schema is one of `format`.
    pub(crate) fn codec(&self, format: &'static Entry) -> Option<&Arc<dyn Codec>> {
        match &self.schema {
            Schema::Compiled {
                format: found,
                codec,
            } if found.name == format.name => Some(codec),
            Schema::Compiled { .. } | Schema::Foreign(_) => None,
        }
    }

    /// How messages call the type of schema.
    pub(crate) fn type_name(&self) -> &str {
        match &self.schema {
            Schema::Compiled { format, .. } => format
                .registered
                .as_ref()
                .map_or(format.name, |registered| registered.schema_name),
            Schema::Foreign(word) => word,
        }
    }
}

/// The registry's word for a type of schema.
fn type_word(schema_type: &SchemaType) -> String {
    match schema_type {
        SchemaType::Avro => "AVRO".to_owned(),
        SchemaType::Json => "JSON".to_owned(),
        SchemaType::Protobuf => "PROTOBUF".to_owned(),
        SchemaType::Other(word) => word.clone(),
        other => format!("{other:?}"),
    }
}

/// The schema and everything that it refers to.
async fn source_of(
    client: &Client,
    schema: RegisteredSchema,
    name: &str,
) -> Result<SchemaSource, LoadError> {
    let uri = format!("registry:/ids/{}", schema.id);
    let mut source = SchemaSource::alone(name.to_owned(), uri, schema.schema);
    source.references = references_of(schema.references);
    let mut open = source.references.clone();
    while let Some(reference) = open.pop() {
        if source.has(&reference) {
            continue;
        }
        if source.referenced_count() == MOST_REFERENCES {
            let reason = format!("it refers to more than {MOST_REFERENCES} other schemas");
            return Err(unusable(name, &reason));
        }
        let found = referenced(client, &reference, name).await?;
        open.extend(found.references.iter().cloned());
        source.add(&reference, found);
    }
    tracing::debug!(
        schema = name,
        references = source.referenced_count(),
        "schema fetched"
    );
    Ok(source)
}

async fn referenced(
    client: &Client,
    reference: &SchemaReference,
    of: &str,
) -> Result<ReferencedSchema, LoadError> {
    let version = RegistryVersion::Number(reference.version);
    match client.by_version(&reference.subject, version).await {
        Ok(found) => Ok(ReferencedSchema {
            text: found.schema,
            references: references_of(found.references),
        }),
        Err(LookupError::Outage(cause)) => Err(LoadError::Outage(cause)),
        Err(LookupError::Unknown(reason)) => Err(unusable(
            of,
            &format!("it refers to {reference}, which the registry does not have: {reason}"),
        )),
    }
}

fn references_of(references: Vec<RegisteredReference>) -> Vec<SchemaReference> {
    let references = references.into_iter();
    references
        .map(|reference| SchemaReference {
            name: reference.name,
            subject: reference.subject,
            version: reference.version,
        })
        .collect()
}

fn unusable(name: &str, reason: &str) -> LoadError {
    let message = format!("the schema {name} does not compile here: {reason}");
    LoadError::Unusable(Unusable {
        message: crate::rejection::shown(&message, 400),
        schema: Some(name.to_owned()),
    })
}
