//! The promises, on real servers. One test binary, one module per promise or seed system.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic
)]

mod accepting;
mod bad_records;
mod beginnings;
mod changing_tables;
mod compacted;
mod configuration;
mod embedded;
mod harness;
mod in_flight;
mod lanes;
mod neighbours;
mod observing;
mod offsets;
mod outages;
mod payments;
mod protobuf;
mod registry;
mod sales;
mod secrets;
mod sharing;
mod shipped;
mod slow_writes;
mod stdout;
mod stopping;
mod tls;
mod trying_again;
mod users;
mod values;

/// A distribution of our own: `connect` with plugins that are slow, hang, loop and panic when a test says so.
const FAULTY: &str = env!("CARGO_BIN_EXE_connect-faulty");
