//! The harness of the end-to-end tests: real servers, the real binary as a process that can be killed, and a checker
//! that compares ids in with ids out.
//!
//! The tests are in `tests/e2e`, one module per promise or seed system. `dev/test` sets the addresses of the servers
//! in the environment; without them every test fails and says so instead of being skipped.

// A harness that cannot continue must stop the test with the location of the failure. It reads addresses from the
// environment, and its load sets its pace on its own threads.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic
)]

pub mod checker;
pub mod database;
#[cfg(test)]
mod events;
mod eventually;
pub mod faults;
pub mod folder;
pub mod http;
pub mod kafka;
pub mod load;
pub mod process;
pub mod proxy;
pub mod registry;
#[cfg(test)]
mod repository;
pub mod servers;
pub mod sink_lines;
#[cfg(test)]
mod threat_model;
pub mod tls;

pub use eventually::eventually;
