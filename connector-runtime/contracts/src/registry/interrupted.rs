//! Referenced schemas that were fetched before an outage interrupted the loading of a schema.
//!
//! A schema may refer to a thousand others. With a registry that responds only sometimes, each attempt continues where the last
//! one was interrupted.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::source::{Referenced, ReferencedSchema};

/// Bytes of all schemas together. A single one has at most half of it.
const MOST_BYTES: usize = 32 << 20;

/// By the id of the referring schema.
#[derive(Default)]
pub(super) struct Interrupted(Mutex<HashMap<u32, Referenced>>);

impl Interrupted {
    /// Takes what was fetched for a schema that is loaded again.
    pub(super) fn take(&self, id: u32) -> Referenced {
        self.0.lock().remove(&id).unwrap_or_default()
    }

    /// Keeps what was fetched until the next attempt. Drops that of other schemas if the total is too large.
    pub(super) fn keep(&self, id: u32, fetched: Referenced) {
        let mut all = self.0.lock();
        let others: usize = all.values().map(bytes_of).sum();
        if others + bytes_of(&fetched) > MOST_BYTES {
            all.clear();
        }
        all.insert(id, fetched);
    }
}

fn bytes_of(schemas: &Referenced) -> usize {
    schemas.values().map(ReferencedSchema::bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let fetched = |bytes: usize| {
            let text = "x".repeat(bytes);
            let references = Vec::new();
            let schema = ReferencedSchema { text, references };
            Referenced::from([(("a".to_owned(), 1), schema)])
        };
        let interrupted = Interrupted::default();
        for id in 0..10 {
            interrupted.keep(id, fetched(MOST_BYTES / 3));
            let kept: usize = interrupted.0.lock().values().map(bytes_of).sum();
            assert!(kept <= MOST_BYTES, "{kept}");
        }
        assert_eq!(interrupted.take(9).len(), 1, "the latest is there");
        assert!(interrupted.take(9).is_empty(), "taken once");
    }
}
