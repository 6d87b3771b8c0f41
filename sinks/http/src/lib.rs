//! Sink `http`: posts records as JSON, one request for each record or one for each batch of a partition.
//!
//! At least once. Every request has an `Idempotency-Key` that is the same whenever the same records are sent again, so
//! that a server which honours it takes each record once.

mod address;
mod answer;
mod config;
mod send;
mod sink;

pub use config::{Config, Method, Per};
pub use sink::{Http, HttpSink};
