//! Tests on a real PostgreSQL, whose superuser URL is in `CONNECT_TEST_POSTGRES`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod changes;
mod commit;
mod conformance;
mod conformance_of_progress;
mod entries;
mod failures;
mod foreign_keys;
mod frozen;
mod isolation;
mod model;
mod names;
mod progress;
mod progress_table;
mod refusals;
mod rows;
mod sizes;
mod support;
mod tls;
mod types;
mod values;
mod writing;
