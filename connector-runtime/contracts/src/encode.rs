//! A value to bytes.

use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use connect_api::{Failure, Kind, ValueRef};

use crate::config::{Format, RegistryVersion};
use crate::registry::{Kind as RegistryKind, RegisteredContract, Registry, frame};
use crate::rejection::{Rejection, Stage};
use crate::schema::CompiledSchema;

/// Checks and encodes the keys or the values of one topic. Cheap to clone.
#[derive(Clone)]
pub struct Encoder {
    pub(crate) format: Format,
    pub(crate) schema: Option<Arc<CompiledSchema>>,
    pub(crate) registered: Option<Registered>,
}

/// The schema of the registry to write with.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) registry: Arc<Registry>,
    pub(crate) subject: String,
    pub(crate) version: RegistryVersion,
    /// Filled by `prepare`, then read for every record.
    pub(crate) contract: Arc<OnceLock<Arc<RegisteredContract>>>,
}

impl Encoder {
    /// Looks up the schema to write with; nothing is registered. Await it once before the first `encode`.
    pub async fn prepare(&self) -> Result<(), Failure> {
        let Some(registered) = &self.registered else {
            return Ok(());
        };
        if registered.contract.get().is_some() {
            return Ok(());
        }
        let found = registered
            .registry
            .fetch_version(&registered.subject, registered.version)
            .await?;
        let fits = match &found.kind {
            RegistryKind::Json(_) => self.format == Format::Json,
            RegistryKind::Avro(_) => self.format == Format::Avro,
            RegistryKind::Other(_) => false,
        };
        if !fits {
            return Err(Failure::Fatal(connect_api::Cause::new(format!(
                "{} is a schema of type {}, and `format = \"{}\"` is set",
                found.name,
                found.kind_name(),
                self.format.word(),
            ))));
        }
        // Another task may have been faster, with the same answer.
        let _ = registered.contract.set(found);
        Ok(())
    }

    /// Checks the value against the contract and writes it.
    pub fn encode(&self, value: ValueRef<'_>) -> Result<Bytes, Rejection> {
        if let Some(schema) = &self.schema {
            schema.validate(value)?;
        }
        match (&self.registered, self.format) {
            (Some(registered), _) => encode_registered(registered, value),
            (None, Format::String) => match value.as_str() {
                Some(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
                None => Err(unencodable(value, "text")),
            },
            (None, Format::Bytes) => match value.kind() {
                Kind::Bytes(content) => Ok(Bytes::copy_from_slice(content)),
                Kind::String(text) => match STANDARD.decode(text) {
                    Ok(content) => Ok(content.into()),
                    Err(_) => Err(unencodable(value, "bytes or base64 text")),
                },
                _ => Err(unencodable(value, "bytes or base64 text")),
            },
            (None, Format::Json | Format::Avro) => {
                let mut out = Vec::with_capacity(256);
                value.write_json(&mut out);
                Ok(out.into())
            }
        }
    }
}

fn encode_registered(registered: &Registered, value: ValueRef<'_>) -> Result<Bytes, Rejection> {
    let Some(contract) = registered.contract.get() else {
        return Err(Rejection::decode(format!(
            "the schema of {} has not been looked up yet",
            registered.subject
        )));
    };
    match &contract.kind {
        RegistryKind::Json(schema) => {
            schema.validate(value)?;
            frame(contract.id, |out| {
                value.write_json(out);
                Ok(())
            })
        }
        RegistryKind::Avro(schema) => {
            frame(contract.id, |out| schema.encode(value, out)).map_err(|misfit| {
                let message = format!(
                    "at {} found {}, expected {}",
                    misfit.at, misfit.found, misfit.expected
                );
                Rejection {
                    stage: Stage::Contract,
                    message: crate::rejection::shown(&message, 400),
                    at: Some(misfit.at),
                    found: Some(misfit.found),
                    expected: Some(misfit.expected),
                    contract: Some(contract.name.clone()),
                }
            })
        }
        RegistryKind::Other(_) => Err(Rejection::decode(format!(
            "{} is a schema of type {}",
            contract.name,
            contract.kind_name()
        ))),
    }
}

fn unencodable(value: ValueRef<'_>, expected: &str) -> Rejection {
    Rejection {
        stage: Stage::Contract,
        message: format!(
            "at $ found a value of type {}, expected {expected}",
            value.type_name()
        ),
        at: Some("$".to_owned()),
        found: Some(value.type_name().to_owned()),
        expected: Some(expected.to_owned()),
        contract: None,
    }
}
