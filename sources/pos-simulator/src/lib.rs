//! `pos_simulator`: sales of a chain of stores, for trying out, tests and load.
//!
//! Sale number *n* is a function of *n*, the seed, and the keys that describe the chain and its clock. Neither `rate`
//! nor `count` nor a restart nor the size of a poll changes a byte of it, so that two runs can be compared record by
//! record.

mod clock;
mod config;
mod dice;
mod pace;
mod sale;
mod shop;
mod source;

pub use config::{PosSimulatorConfig, StartTime};
pub use source::{PosSimulator, PosSimulatorSource};
