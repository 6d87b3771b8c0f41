//! Bytes to a value.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use connect_api::{Failure, JsonLimits, Value};

use crate::config::{Format, FormatConfig, RegistryVersion, Side};
use crate::looks_like::instead_of_json;
use crate::registry::{Kind, Lookup, RegisteredContract, Registry, SchemaNeeded, Wanted, unframe};
use crate::rejection::{DecodeError, Rejection};
use crate::schema::CompiledSchema;

/// Decodes the keys or the values of a connector's topics and checks them. Cheap to clone.
#[derive(Clone)]
pub struct Decoder {
    side: Side,
    format: Format,
    /// The local contract.
    schema: Option<Arc<CompiledSchema>>,
    registered: Option<Registered>,
}

/// How the registry takes part.
#[derive(Clone)]
struct Registered {
    registry: Arc<Registry>,
    subject: Option<String>,
    /// Values must be valid against this version too.
    version: Option<RegistryVersion>,
}

impl Decoder {
    pub(crate) fn new(
        side: Side,
        config: &FormatConfig,
        schema: Option<Arc<CompiledSchema>>,
        registry: Option<Arc<Registry>>,
    ) -> Decoder {
        let named = config.registry.clone().unwrap_or_default();
        Decoder {
            side,
            format: config.format,
            schema,
            registered: registry.map(|registry| Registered {
                registry,
                subject: named.subject,
                version: named.version,
            }),
        }
    }

    /// Decodes and checks one payload. No I/O and no waiting: a schema that is not in the cache is asked for by
    /// [`DecodeError::SchemaNeeded`].
    pub fn decode(&self, topic: &str, payload: &Bytes) -> Result<Value, DecodeError> {
        let value = match (&self.registered, self.format) {
            (Some(registered), _) => self.decode_registered(registered, topic, payload)?,
            (None, Format::Json) => parse_json(payload.clone())?,
            (None, Format::String) => parse_text(payload)?,
            (None, Format::Bytes) => Value::bytes(payload.clone()),
            (None, Format::Avro) => {
                return Err(Rejection::decode("Avro needs a schema registry").into());
            }
        };
        if let Some(schema) = &self.schema {
            schema.validate(value.root())?;
        }
        Ok(value)
    }

    /// Fetches what a decode asked for. `Retry` is an outage of the registry: ask again later, no record is at fault.
    /// An id that the registry does not know, or whose schema does not compile here, is remembered: the next decode
    /// refuses the message, for its producer chose the id. `Fatal` concerns what the configuration names.
    pub async fn fetch(&self, needed: &SchemaNeeded) -> Result<(), Failure> {
        match &self.registered {
            Some(registered) => registered.registry.fetch(&needed.0).await,
            None => Ok(()),
        }
    }

    fn decode_registered(
        &self,
        registered: &Registered,
        topic: &str,
        payload: &Bytes,
    ) -> Result<Value, DecodeError> {
        let (id, body) = unframe(payload).map_err(Rejection::decode)?;
        let contract = match registered.registry.by_id(id) {
            Lookup::Known(contract) => contract,
            Lookup::Missing => return Err(DecodeError::SchemaNeeded(SchemaNeeded(Wanted::Id(id)))),
            Lookup::Unusable(unusable) => {
                return Err(Rejection {
                    contract: unusable.schema,
                    ..Rejection::decode(unusable.message)
                }
                .into());
            }
        };
        let value = self.decode_by(&contract, body)?;
        if let Some(version) = registered.version {
            check_version(
                registered,
                self.side.subject(&registered.subject, topic),
                version,
                &value,
            )?;
        }
        Ok(value)
    }

    fn decode_by(&self, contract: &RegisteredContract, body: Bytes) -> Result<Value, Rejection> {
        match (&contract.kind, self.format) {
            (Kind::Json(schema), Format::Json) => {
                let value = parse_json(body)?;
                schema.validate(value.root())?;
                Ok(value)
            }
            (Kind::Avro(schema), Format::Avro) => {
                schema.decode(&body).map_err(|reason| Rejection {
                    contract: Some(contract.name.clone()),
                    ..Rejection::decode(format!(
                        "the bytes do not fit {} (Avro): {reason}",
                        contract.name
                    ))
                })
            }
            _ => Err(Rejection {
                contract: Some(contract.name.clone()),
                ..Rejection::decode(format!(
                    "the message was written with {}, a schema of type {}, and `format = \"{}\"` is set",
                    contract.name,
                    contract.kind_name(),
                    self.format.word(),
                ))
            }),
        }
    }
}

/// Checks against the version that the configuration names, beside the one that the message names.
fn check_version(
    registered: &Registered,
    subject: String,
    version: RegistryVersion,
    value: &Value,
) -> Result<(), DecodeError> {
    match registered.registry.by_version(&subject, version) {
        None => Err(DecodeError::SchemaNeeded(SchemaNeeded(Wanted::Version {
            subject,
            version,
        }))),
        Some(contract) => match &contract.kind {
            Kind::Json(schema) => Ok(schema.validate(value.root())?),
            Kind::Avro(_) | Kind::Other(_) => Err(Rejection::decode(format!(
                "{} is a schema of type {}, and JSON is read",
                contract.name,
                contract.kind_name(),
            ))
            .into()),
        },
    }
}

fn parse_json(payload: Bytes) -> Result<Value, Rejection> {
    Value::parse_json(payload.clone(), JsonLimits::default()).map_err(|error| {
        let reason = crate::rejection::shown(&error.to_string(), 200);
        Rejection::decode(match instead_of_json(&payload) {
            Some(appearance) => format!("not JSON: {appearance}"),
            None => format!("not JSON: {reason}"),
        })
    })
}

fn parse_text(payload: &Bytes) -> Result<Value, Rejection> {
    ByteString::try_from(payload.clone())
        .map(Value::string_in)
        .map_err(|_| {
            let offset = std::str::from_utf8(payload)
                .err()
                .map_or(0, |error| error.valid_up_to());
            Rejection::decode(format!(
                "not UTF-8 at byte {offset}: {}; `format = \"bytes\"` takes any bytes",
                crate::looks_like::looks_like(payload)
            ))
        })
}

#[cfg(test)]
mod tests;
