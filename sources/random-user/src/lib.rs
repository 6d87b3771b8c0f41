//! `random_user`: people from randomuser.me's API at regular intervals, as flat records.
//!
//! External data is not trusted: one host, no redirects, public addresses only, limits on time and size, and every
//! response is validated before use.

mod config;
mod fetch;
mod generate;
mod nationality;
mod schedule;
mod source;
mod user;

pub use config::{Offline, RandomUserConfig};
pub use nationality::Nationality;
pub use source::{RandomUser, RandomUserSource};
