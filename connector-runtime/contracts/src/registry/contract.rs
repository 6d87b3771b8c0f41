//! A schema of the registry, compiled with everything that it refers to.

use std::collections::HashMap;

use connect_api::Cause;
use schema_registry_converter::schema_registry_common::{RegisteredSchema, SchemaType};

use super::cache::Unusable;
use super::client::{Client, LookupError};
use crate::avro::AvroSchema;
use crate::config::RegistryVersion;
use crate::schema::{CompiledSchema, Document, Documents, id_of, resolve};

/// More schemas than this do not belong together.
const MOST_REFERENCES: usize = 1_000;

/// A compiled schema of the registry.
pub(crate) struct RegisteredContract {
    pub(crate) id: u32,
    /// How messages call it, such as `sales-value version 3 (schema id 7)`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Why a schema that the registry has cannot be used.
pub(crate) enum LoadError {
    /// The registry could not be asked for what the schema refers to.
    Outage(Cause),
    /// It, or a schema that it refers to, does not compile here.
    Unusable(Unusable),
}

pub(crate) enum Kind {
    Json(CompiledSchema),
    Avro(AvroSchema),
    /// A type that we do not read, such as Protobuf.
    Other(String),
}

impl RegisteredContract {
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
        let kind = match schema.schema_type.clone() {
            SchemaType::Json => {
                let uri = format!("registry:/ids/{id}");
                let documents = json_documents(client, &uri, schema, &name).await?;
                let compiled = CompiledSchema::of_documents(name.clone(), uri, documents)
                    .map_err(|problem| unusable(&name, &Cause::from(problem).to_string()))?;
                Kind::Json(compiled)
            }
            SchemaType::Avro => {
                let referenced = avro_references(client, &schema, &name).await?;
                let compiled = AvroSchema::parse(&schema.schema, &referenced)
                    .map_err(|reason| unusable(&name, &reason))?;
                Kind::Avro(compiled)
            }
            SchemaType::Protobuf => Kind::Other("PROTOBUF".to_owned()),
            other => Kind::Other(format!("{other:?}")),
        };
        Ok(RegisteredContract { id, name, kind })
    }

    /// How messages call the kind.
    pub(crate) fn kind_name(&self) -> &str {
        match &self.kind {
            Kind::Json(_) => "JSON Schema",
            Kind::Avro(_) => "Avro",
            Kind::Other(name) => name,
        }
    }
}

/// The schema and all that it refers to, each under the URI to which its `$ref` resolves.
async fn json_documents(
    client: &Client,
    uri: &str,
    schema: RegisteredSchema,
    of: &str,
) -> Result<Documents, LoadError> {
    let mut documents = Documents::new();
    let mut open = vec![(uri.to_owned(), schema, of.to_owned())];
    while let Some((uri, schema, name)) = open.pop() {
        let document = Document::parse(name.into(), schema.schema)
            .map_err(|problem| unusable(of, &Cause::from(problem).to_string()))?;
        let base = id_of(&uri, &document.value).unwrap_or_else(|| uri.clone());
        documents.insert(uri, document);
        if documents.len() > MOST_REFERENCES {
            return Err(too_many(of));
        }
        for reference in &schema.references {
            // A reference's name is what stands in `$ref`, relative to the schema that says it.
            let uri = resolve(&base, &reference.name).unwrap_or_else(|| reference.name.clone());
            if documents.contains_key(&uri) {
                continue;
            }
            let name = format!("{} version {}", reference.subject, reference.version);
            let found = referenced(client, &reference.subject, reference.version, of).await?;
            open.push((uri, found, name));
        }
    }
    Ok(documents)
}

/// The texts of all schemas that `schema` refers to.
async fn avro_references(
    client: &Client,
    schema: &RegisteredSchema,
    of: &str,
) -> Result<Vec<String>, LoadError> {
    let mut texts: HashMap<(String, u32), String> = HashMap::new();
    let mut open = schema.references.clone();
    while let Some(reference) = open.pop() {
        let key = (reference.subject.clone(), reference.version);
        if texts.contains_key(&key) {
            continue;
        }
        let found = referenced(client, &reference.subject, reference.version, of).await?;
        open.extend(found.references);
        texts.insert(key, found.schema);
        if texts.len() > MOST_REFERENCES {
            return Err(too_many(of));
        }
    }
    tracing::debug!(schema = of, references = texts.len(), "schema fetched");
    Ok(texts.into_values().collect())
}

async fn referenced(
    client: &Client,
    subject: &str,
    version: u32,
    of: &str,
) -> Result<RegisteredSchema, LoadError> {
    let found = client
        .by_version(subject, RegistryVersion::Number(version))
        .await;
    found.map_err(|error| match error {
        LookupError::Outage(cause) => LoadError::Outage(cause),
        LookupError::Unknown(reason) => unusable(
            of,
            &format!(
                "it refers to {subject} version {version}, which the registry does not have: {reason}"
            ),
        ),
    })
}

fn too_many(of: &str) -> LoadError {
    unusable(
        of,
        &format!("it refers to more than {MOST_REFERENCES} other schemas"),
    )
}

fn unusable(name: &str, reason: &str) -> LoadError {
    let message = format!("the schema {name} does not compile here: {reason}");
    LoadError::Unusable(Unusable {
        message: crate::rejection::shown(&message, 400),
        schema: Some(name.to_owned()),
    })
}
