//! The commands, one file each. A command returns its exit code.

pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod offsets;
pub(crate) mod plugins;
pub(crate) mod run;
pub(crate) mod schema;
