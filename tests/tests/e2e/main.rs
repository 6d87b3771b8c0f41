//! The promises, on real servers. One test binary, one module per promise or seed system.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod bad_records;
mod beginnings;
mod configuration;
mod harness;
mod outages;
mod payments;
mod sharing;
mod stdout;
mod stopping;
