//! Schemas of a schema registry (Confluent's API and wire format): client, cache and framing.

mod cache;
mod client;
mod interrupted;
mod loaded_schema;
mod source;
#[cfg(test)]
mod tests;
mod unusable;
mod wire;

pub(crate) use cache::{CachedSchema, Registry, fits};
pub(crate) use client::Posted;
pub(crate) use loaded_schema::LoadedSchema;
#[cfg(test)]
pub(crate) use source::ReferencedSchema;
pub(crate) use source::{SchemaReference, SchemaSource};
pub(crate) use wire::{frame, unframe};

use crate::config::{Format, RegistryVersion};

/// A schema that is not cached yet. Pass it to `Decoder::fetch`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SchemaNeeded(pub(crate) Wanted);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    Id(u32),
    Version {
        subject: String,
        version: RegistryVersion,
        /// The format whose schema it must be.
        format: Format,
    },
}

impl std::fmt::Display for SchemaNeeded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Wanted::Id(id) => write!(formatter, "schema id {id}"),
            Wanted::Version {
                subject, version, ..
            } => {
                write!(formatter, "subject {subject} version {version}")
            }
        }
    }
}
