//! Outgoing HTTP requests of plugins: which hosts they may reach, a client that follows no redirect, bodies that are
//! bounded, and errors in words.
//!
//! A URL in a configuration file must not become a way into the network of whoever runs the process: addresses that
//! are not public are refused unless the file allows them, after each lookup of the name.

mod address;
mod client;

pub use address::{Reach, UrlHost};
pub use client::{HttpClient, RequestError};
