//! `random_user`: made-up people, fetched from randomuser.me's API every so often and shaped as flat records.
//!
//! What comes from outside is not trusted: one host, no redirects, public addresses only, a limit on time and size, and
//! nothing is believed before it has the expected form.

mod address;
mod config;
mod fetch;
mod generate;
mod nationality;
mod schedule;
mod shape;
mod source;

pub use config::{Offline, RandomUserConfig};
pub use nationality::Nationality;
pub use source::{RandomUser, RandomUserSource};
