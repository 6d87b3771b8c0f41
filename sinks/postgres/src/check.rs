//! What can be found wrong with a configuration without a database.

use connect_api::{CheckContext, Explanation, Finding};

use crate::config::Config;

pub(crate) const EXPLANATIONS: &[Explanation] = &[];

pub(crate) fn check(_config: &Config, _context: &CheckContext<'_>) -> Vec<Finding> {
    Vec::new()
}
