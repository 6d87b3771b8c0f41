//! The API of `connect` plugins: traits, values, records, paths, units, findings.
//!
//! A plugin depends on no other crate of `connect`. This one contains no Kafka client and no I/O.

pub mod calendar;
mod check;
mod failure;
mod finding;
mod found;
mod leaf;
mod leaf_formats;
pub mod pointer;
mod predicate;
mod progress;
mod record;
mod reference;
mod registry;
mod sink;
mod source;
mod start_at;
mod template;
pub mod text;
pub mod time;
mod tls_error;
pub mod topic;
mod transform;
mod units;
mod value;

pub use async_trait::async_trait;
pub use check::{CheckContext, Contract, ContractField, ContractPlace, Presence};
pub use failure::{Cause, Dependency, Failure, RejectedRecord, Result};
pub use finding::{Explanation, Finding, Severity};
pub use found::Found;
/// The time of [`StartAt`].
pub use jiff::Timestamp;
pub use leaf::{Leaf, LeafFormat};
pub use leaf_formats::LEAF_FORMATS;
pub use predicate::Predicate;
pub use progress::{
    CommitToken, Guarantee, OtherProgress, Position, Progress, ProgressHome, ProgressStore,
    TopicPartition,
};
pub use record::{Batch, Header, Key, Origin, Record, Side};
pub use reference::{Element, Metadata, Reference, Resolved};
pub use registry::{
    PluginAbout, PluginEntry, PluginKind, Plugins, SinkFactory, SourceFactory, TransformFactory,
    schema_of,
};
pub use sink::{
    ContractCompiler, Counter, Encode, EncoderFactory, Outgoing, Publisher, PublisherFactory, Sink,
    SinkContext, SinkPlugin, Written,
};
pub use source::{Polled, Positions, Source, SourceContext, SourcePlugin, SourceRecord};
pub use start_at::StartAt;
pub use template::Template;
pub use tls_error::tls_error;
pub use transform::{Step, Transform, TransformPlugin};
pub use units::{Duration, FilePath, Pattern, SchemaFile, Secret, Size};
/// The limits of JSON text are those of values.
pub use value::ValueLimits as JsonLimits;
pub use value::{
    BuildError, ByShape, EditError, Elements, ElementsPath, Field, FieldPath, Fields, JsonError,
    JsonReader, Kind, MemberValues, Members, Number, PathRoot, PathStep, Rename, Scalars, Value,
    ValueBuilder, ValueLimits, ValueRef,
};
