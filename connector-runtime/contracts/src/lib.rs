//! Formats and contracts: bytes to [`connect_api::Value`] and back, checked.
//!
//! `connect run` decodes with this and `connect check` compiles with it, so that what is accepted in CI is what is
//! enforced (P12). A contract is a JSON Schema in a file, or a JSON Schema or Avro schema in a schema registry.

mod compiling;
mod config;
mod contracts;
mod decimal;
mod decode;
mod encode;
mod exact;
mod fault;
mod formats;
mod looks_like;
mod place;
mod registry;
mod schema;
mod time;
mod trail;

pub use config::{
    Format, FormatConfig, RegistryConfig, RegistrySubject, RegistryVersion, SubjectStrategy,
    TombstonePolicy, Usage,
};
/// The part of a record that a decoder or encoder is for.
pub use connect_api::Side;
pub use contracts::Contracts;
pub use decode::Decoder;
pub use encode::Encoder;
pub use fault::{DecodeError, FaultStage, ValueFault};
pub use registry::SchemaNeeded;
pub use schema::{JsonSchemaContract, SchemaProblem, type_of};
