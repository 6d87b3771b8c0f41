//! What happens to single records on every road, of sinks and sources alike: transforms, rejections and their dead letters.

pub(crate) mod dead_letter;
pub(crate) mod rejection;
pub(crate) mod rejection_log;
pub(crate) mod rejects;
pub(crate) mod stop_after;
pub(crate) mod transforms;
