//! Formats and contracts: decodes bytes to [`connect_api::Value`] and encodes values, and validates both against a contract.
//!
//! `connect run` and `connect check` share this crate, so that what CI accepts is what runs (P12). A contract is a JSON Schema in
//! a file, or a schema in a schema registry (JSON Schema, Avro, Protobuf).

mod compiling;
mod config;
mod contracts;
mod decimal;
mod decode;
mod encode;
mod exact;
mod fault;
mod formats;
mod instance_path;
mod looks_like;
mod registry;
mod schema;
mod time;
mod trail;

pub use config::{
    Format, FormatConfig, RegistryConfig, RegistrySubject, RegistryVersion, SubjectStrategy,
    TombstonePolicy, Usage,
};
/// The side of a record that a decoder or encoder works on.
pub use connect_api::Side;
pub use contracts::Contracts;
pub use decode::Decoder;
pub use encode::Encoder;
pub use fault::{DecodeError, FaultStage, ValueFault};
pub use registry::SchemaNeeded;
pub use schema::{JsonSchemaContract, SchemaProblem, type_of};
