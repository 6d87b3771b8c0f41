//! The decoder: bytes to a validated value.

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{Cause, Failure, Side, Value};

use crate::config::{Format, FormatConfig, RegistryVersion, topic_subject};
use crate::fault::{DecodeError, ValueFault};
use crate::formats::Codec;
use crate::registry::{CachedSchema, LoadedSchema, Registry, SchemaNeeded, Wanted, unframe};
use crate::schema::JsonSchemaContract;

/// Decodes the keys or the values of a connector's topics and validates them. Cheap to clone.
#[derive(Clone)]
pub struct Decoder {
    side: Side,
    format: Format,
    /// The contract of a schema file.
    schema: Option<Arc<JsonSchemaContract>>,
    codecs: Codecs,
}

#[derive(Clone)]
enum Codecs {
    /// One codec for all messages.
    Plain(Arc<dyn Codec>),
    /// Each message names its schema, and so its codec.
    Registered(Registered),
}

#[derive(Clone)]
struct Registered {
    registry: Arc<Registry>,
    subject: Option<String>,
    /// Values must be valid against this version, too.
    version: Option<RegistryVersion>,
}

impl Decoder {
    pub(crate) fn new(
        side: Side,
        config: &FormatConfig,
        schema: Option<Arc<JsonSchemaContract>>,
        registry: Option<Arc<Registry>>,
    ) -> Result<Decoder, Cause> {
        let codecs = match registry {
            Some(registry) => {
                let named = config.registry.clone().unwrap_or_default();
                Codecs::Registered(Registered {
                    registry,
                    subject: named.subject,
                    version: named.version,
                })
            }
            None => Codecs::Plain(config.format.plain_codec(None)?),
        };
        Ok(Decoder {
            side,
            format: config.format,
            schema,
            codecs,
        })
    }

    /// Decodes and validates one payload. No I/O and no waiting: a schema that is not cached is requested by
    /// [`DecodeError::SchemaNeeded`].
    pub fn decode(&self, topic: &str, payload: &Bytes) -> Result<Value, DecodeError> {
        let value = match &self.codecs {
            Codecs::Plain(codec) => codec.decode(payload)?,
            Codecs::Registered(registered) => self.decode_registered(registered, topic, payload)?,
        };
        if let Some(schema) = &self.schema {
            schema.validate(value.root())?;
        }
        Ok(value)
    }

    /// Fetches the schema that a decode needs. `Retry` is an outage of the registry: no record is at fault. An id that the
    /// registry does not know, or whose schema does not compile, is remembered: the next decode rejects the message, because its
    /// producer chose the id. `Fatal` concerns a schema that the configuration names.
    pub async fn fetch(&self, needed: &SchemaNeeded) -> Result<(), Failure> {
        match &self.codecs {
            Codecs::Registered(registered) => registered.registry.fetch(needed).await,
            Codecs::Plain(_) => Ok(()),
        }
    }

    fn decode_registered(
        &self,
        registered: &Registered,
        topic: &str,
        payload: &Bytes,
    ) -> Result<Value, DecodeError> {
        let (id, body) =
            unframe(payload).map_err(|message| ValueFault::decode_of(payload, message))?;
        let contract = match registered.registry.by_id(id) {
            CachedSchema::Known(contract) => contract,
            CachedSchema::Missing => {
                return Err(DecodeError::SchemaNeeded(SchemaNeeded(Wanted::Id(id))));
            }
            CachedSchema::Unusable(unusable) => {
                return Err(ValueFault {
                    contract: unusable.schema,
                    ..ValueFault::decode(unusable.message)
                }
                .into());
            }
        };
        let codec = contract
            .codec(self.format.entry())
            .ok_or_else(|| self.other_format(&contract))?;
        let value = codec.decode(&body)?;
        if let Some(version) = registered.version {
            self.check_version(registered, topic, version, &value)?;
        }
        Ok(value)
    }

    /// Validates against the version that the configuration names, in addition to the one that the message names.
    fn check_version(
        &self,
        registered: &Registered,
        topic: &str,
        version: RegistryVersion,
        value: &Value,
    ) -> Result<(), DecodeError> {
        let subject = topic_subject(self.side, &registered.subject, topic);
        let Some(contract) = registered.registry.by_version(&subject, version) else {
            return Err(DecodeError::SchemaNeeded(SchemaNeeded(Wanted::Version {
                subject,
                version,
                format: self.format,
            })));
        };
        let codec = contract
            .codec(self.format.entry())
            .ok_or_else(|| self.other_format(&contract))?;
        Ok(codec.validate(value.root())?)
    }

    fn other_format(&self, contract: &LoadedSchema) -> ValueFault {
        ValueFault {
            contract: Some(contract.name.clone()),
            ..ValueFault::decode(format!(
                "the message was written with {}, a schema of type {}, but `format` is \"{}\"",
                contract.name,
                contract.type_name(),
                self.format.name(),
            ))
        }
    }
}

#[cfg(test)]
mod tests;
