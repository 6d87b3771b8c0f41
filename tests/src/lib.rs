//! What the end-to-end tests stand on: real servers, the real binary as a process that can be killed, and a checker
//! that says whether ids in are ids out.
//!
//! The tests themselves are in `tests/e2e`, one module per promise or seed system. Server addresses come from the
//! environment that `dev/test` sets; without them every test fails and says so, none is skipped.

// A harness that cannot go on must stop the test, with the place where it happened. It reads addresses from the
// environment, and its load paces itself on threads of its own.
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
#[cfg(test)]
mod threat_model;
pub mod tls;
pub mod written;

pub use eventually::eventually;
