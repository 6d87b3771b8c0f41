//! The encoder: a validated value to bytes.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use connect_api::{Cause, Encode, Failure, Side, ValueRef};

use crate::config::{Format, FormatConfig, RegistryVersion};
use crate::fault::ValueFault;
use crate::formats::Codec;
use crate::registry::{LoadedSchema, Posted, Registry, fits, frame};
use crate::schema::JsonSchemaContract;

/// Validates and encodes the keys or the values of one topic. Cheap to clone.
#[derive(Clone)]
pub struct Encoder {
    schema: Option<Arc<JsonSchemaContract>>,
    codec: CodecChoice,
}

#[derive(Clone)]
enum CodecChoice {
    Plain(Arc<dyn Codec>),
    Registered(Arc<Registered>),
}

/// The schema of the registry to write with.
struct Registered {
    registry: Arc<Registry>,
    format: Format,
    subject: String,
    schema: WriteSchema,
    /// Set by `prepare`, then read for every record.
    loaded: OnceLock<Arc<LoadedSchema>>,
}

enum WriteSchema {
    /// A version of the subject.
    Version(RegistryVersion),
    /// The schema of a file.
    File {
        name: String,
        text: String,
        codec: Arc<dyn Codec>,
        register: bool,
    },
}

impl Encoder {
    pub(crate) fn new(
        side: Side,
        config: &FormatConfig,
        topic: &str,
        schema: Option<Arc<JsonSchemaContract>>,
        registry: Option<Arc<Registry>>,
    ) -> Result<Encoder, Cause> {
        let codec = match registry {
            Some(registry) => {
                let registered = Registered::new(side, config, topic, registry)?;
                CodecChoice::Registered(Arc::new(registered))
            }
            None => {
                let text = config.write_schema_text()?;
                CodecChoice::Plain(config.format.plain_codec(text.as_deref())?)
            }
        };
        Ok(Encoder { schema, codec })
    }

    /// Looks up the schema to write with, or registers it if the configuration says so. Await it once before the first
    /// `encode`.
    pub async fn prepare(&self) -> Result<(), Failure> {
        match &self.codec {
            CodecChoice::Plain(_) => Ok(()),
            CodecChoice::Registered(registered) => registered.prepare().await,
        }
    }

    /// Validates the value against the contract and encodes it.
    pub fn encode(&self, value: ValueRef<'_>) -> Result<Bytes, ValueFault> {
        if let Some(schema) = &self.schema {
            schema.validate(value)?;
        }
        match &self.codec {
            CodecChoice::Plain(codec) => {
                let mut out = Vec::with_capacity(256);
                codec.encode(value, &mut out)?;
                Ok(out.into())
            }
            CodecChoice::Registered(registered) => registered.encode(value),
        }
    }
}

impl Encode for Encoder {
    fn encode(&self, value: ValueRef<'_>) -> Result<Bytes, Cause> {
        Encoder::encode(self, value).map_err(Cause::from)
    }
}

impl Registered {
    fn new(
        side: Side,
        config: &FormatConfig,
        topic: &str,
        registry: Arc<Registry>,
    ) -> Result<Registered, Cause> {
        let named = config.registry.clone().unwrap_or_default();
        let text = config.write_schema_text()?;
        let record = match &text {
            Some(text) if named.needs_record_name() => Some(config.format.record_name(text)?),
            _ => None,
        };
        let schema = match text {
            None => WriteSchema::Version(named.version.unwrap_or(RegistryVersion::Latest)),
            Some(text) => {
                let name = config.write_schema_name();
                WriteSchema::File {
                    codec: config.format.codec_of_file(&name, &text)?,
                    name,
                    text,
                    register: named.auto_register,
                }
            }
        };
        Ok(Registered {
            registry,
            format: config.format,
            subject: named.subject_of(side, topic, record.as_deref()),
            schema,
            loaded: OnceLock::new(),
        })
    }

    async fn prepare(&self) -> Result<(), Failure> {
        if self.loaded.get().is_some() {
            return Ok(());
        }
        let loaded = match &self.schema {
            WriteSchema::Version(version) => {
                let found = self.registry.fetch_version(&self.subject, *version).await?;
                fits(&found, self.format)?;
                found
            }
            WriteSchema::File {
                name,
                text,
                codec,
                register,
            } => {
                let posted = Posted {
                    schema: text,
                    schema_type: self.format.schema_type(),
                };
                let id = self
                    .registry
                    .id_of(&self.subject, &posted, *register)
                    .await?;
                let name = format!("{name} (schema id {id})");
                let codec = Arc::clone(codec);
                Arc::new(LoadedSchema::new(id, name, self.format.entry(), codec))
            }
        };
        // Another task may have set the same schema first.
        let _ = self.loaded.set(loaded);
        Ok(())
    }

    fn encode(&self, value: ValueRef<'_>) -> Result<Bytes, ValueFault> {
        let loaded = self
            .loaded
            .get()
            .expect("an encoder is prepared before it encodes");
        let codec = loaded
            .codec(self.format.entry())
            .expect("preparing chose a schema of the format");
        frame(loaded.id, |out| codec.encode(value, out))
    }
}
