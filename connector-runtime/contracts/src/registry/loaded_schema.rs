//! A schema of the registry, loaded and compiled with everything that it refers to.

use std::sync::Arc;

use connect_api::Cause;

use super::client::{Client, LookupError, RegisteredSchema};
use super::interrupted::Interrupted;
use super::source::{ReferencedSchema, SchemaReference, SchemaSource};
use super::unusable::Unusable;
use crate::compiling;
use crate::config::RegistryVersion;
use crate::formats::{self, Codec, FormatEntry};
use connect_api::text::cut;

/// Referenced schemas, directly or not.
const MOST_REFERENCES: usize = 1_000;
/// Bytes of a schema and of everything that it refers to.
const LONGEST_SOURCE: usize = 16 << 20;

/// A compiled schema of the registry.
pub(crate) struct LoadedSchema {
    pub(crate) id: u32,
    /// Its name in messages, such as `sales-value version 3 (schema id 7)`.
    pub(crate) name: String,
    schema: Schema,
}

enum Schema {
    Compiled {
        format: &'static FormatEntry,
        codec: Arc<dyn Codec>,
    },
    /// Of a type that no format supports. The registry's name for the type.
    Foreign(String),
}

/// Why a schema of the registry cannot be used.
pub(crate) enum LoadError {
    /// A schema that it refers to could not be fetched.
    Outage(Cause),
    /// It does not compile, or a schema that it refers to is missing or too large.
    Unusable(Unusable),
}

impl LoadedSchema {
    pub(crate) fn new(
        id: u32,
        name: String,
        format: &'static FormatEntry,
        codec: Arc<dyn Codec>,
    ) -> LoadedSchema {
        LoadedSchema {
            id,
            name,
            schema: Schema::Compiled { format, codec },
        }
    }

    /// Fetches everything that `schema` refers to, and compiles it.
    pub(super) async fn load(
        client: &Client,
        interrupted: &Interrupted,
        id: u32,
        schema: RegisteredSchema,
    ) -> Result<LoadedSchema, LoadError> {
        let name = match (&schema.subject, schema.version) {
            (Some(subject), Some(version)) => {
                format!("{subject} version {version} (schema id {id})")
            }
            _ => format!("schema id {id}"),
        };
        let word = schema.schema_type.as_deref().unwrap_or("AVRO");
        let format = formats::of_schema_type(word);
        let Some((format, registered)) =
            format.and_then(|format| Some((format, format.registered.as_ref()?)))
        else {
            return Ok(LoadedSchema {
                id,
                name,
                schema: Schema::Foreign(cut(word, 60)),
            });
        };
        let source = source_of(client, interrupted, id, schema, &name).await?;
        let compile = registered.compile;
        let compiled = compiling::on_own_thread_async(move || compile(&source)).await;
        match compiled.flatten() {
            Ok(codec) => Ok(LoadedSchema::new(id, name, format, codec)),
            Err(reason) => Err(unusable(&name, &reason)),
        }
    }

    /// The codec, if the schema has this format.
    pub(crate) fn codec(&self, format: &'static FormatEntry) -> Option<&Arc<dyn Codec>> {
        match &self.schema {
            Schema::Compiled {
                format: found,
                codec,
            } if found.name == format.name => Some(codec),
            Schema::Compiled { .. } | Schema::Foreign(_) => None,
        }
    }

    /// The type of schema in messages.
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

/// The schema and everything that it refers to.
async fn source_of(
    client: &Client,
    interrupted: &Interrupted,
    id: u32,
    schema: RegisteredSchema,
    name: &str,
) -> Result<SchemaSource, LoadError> {
    let uri = format!("registry:/ids/{id}");
    let mut source = SchemaSource::alone(name.to_owned(), uri, schema.schema);
    source.references = schema.references.unwrap_or_default();
    let mut length = source.text.len();
    let mut open = source.references.clone();
    let mut kept = interrupted.take(id);
    while let Some(reference) = open.pop() {
        if source.has(&reference) {
            continue;
        }
        if source.referenced_count() == MOST_REFERENCES {
            let reason = format!("it refers to more than {MOST_REFERENCES} other schemas");
            return Err(unusable(name, &reason));
        }
        let found = match kept.remove(&reference.key()) {
            Some(found) => found,
            None => match referenced(client, &reference, name).await {
                Ok(found) => found,
                Err(error) => {
                    if let LoadError::Outage(_) = error {
                        kept.extend(source.into_referenced());
                        interrupted.keep(id, kept);
                    }
                    return Err(error);
                }
            },
        };
        length += found.text.len();
        if length > LONGEST_SOURCE {
            let most = LONGEST_SOURCE >> 20;
            let reason = format!("together with its references it is larger than {most} MiB");
            return Err(unusable(name, &reason));
        }
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
            references: found.references.unwrap_or_default(),
        }),
        Err(LookupError::Outage(cause)) => Err(LoadError::Outage(cause)),
        Err(LookupError::Unknown(reason)) => Err(unusable(
            of,
            &format!("it refers to {reference}, which the registry does not have: {reason}"),
        )),
        Err(LookupError::TooLong(reason)) => {
            Err(unusable(of, &format!("it refers to {reference}: {reason}")))
        }
    }
}

fn unusable(name: &str, reason: &str) -> LoadError {
    let message = format!("the schema {name} does not compile: {reason}");
    LoadError::Unusable(Unusable {
        message: cut(&message, 400),
        schema: Some(name.to_owned()),
    })
}
