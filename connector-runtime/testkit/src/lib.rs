//! Everything that authors of plugins need to test them: records, fakes of the engine, faults, and conformance suites
//! that check the promises of the traits in a few lines.
//!
//! It is for tests only: a failing check panics with the broken promise.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

pub mod conformance;
mod context;
mod faults;
mod memory;
mod publisher;
mod records;
mod rolling_files;
mod source;
pub mod transforms;

pub use context::{FnContracts, NoFormats, context, context_with};
pub use faults::{Fault, Faults, Faulty};
pub use memory::{Memory, MemorySink};
pub use publisher::{Publishers, Transaction};
pub use records::{TOPIC, batch, partition, progress_only, record, record_in, tombstone, value};
pub use rolling_files::{RollingFiles, RollingFilesConfig, RollingFilesSink};
pub use source::CountingSource;
