//! The promises, tested on real servers. One test binary, one module per promise or seed system.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic
)]

mod accepting;
mod bad_records;
mod compacted;
mod configuration;
mod connector_isolation;
mod embedded;
mod failed_connectors;
mod harness;
mod hidden_values;
mod http_status;
mod in_flight;
mod lanes;
mod offsets;
mod outages;
mod payments;
mod protobuf;
mod registry;
mod sales;
mod secrets;
mod several_processes;
mod shipped;
mod slow_writes;
mod start_positions;
mod stdout;
mod stopping;
mod table_swap;
mod tls;
mod users;

/// A distribution for tests: `connect` with plugins that are slow, hang, loop and panic on demand.
const FAULTY: &str = env!("CARGO_BIN_EXE_connect-faulty");
