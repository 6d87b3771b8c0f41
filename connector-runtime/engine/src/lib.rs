//! The engine: loads connectors, runs them, and decides what follows from each failure. It names no plugin.

mod backlog;
mod cluster;
pub mod config;
mod control;
pub mod offsets;
mod pipeline;
mod publisher;
mod source;
mod status;
mod supervisor;

pub use cluster::client_settings;
pub use status::{ConnectorStatus, Counters, HISTOGRAM_BOUNDS, Histogram, Reason, State};
pub use supervisor::{Engine, EngineOptions, Summary};
