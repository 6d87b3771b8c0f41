//! What was fetched for schemas whose loading was interrupted by an outage. A schema may refer to a thousand others: a
//! registry that answers now and then is not asked for all of them again at each try.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::source::{Referenced, ReferencedSchema};

/// Of all schemas together. One has at most half of it.
const MOST_BYTES: usize = 32 << 20;

/// By the id of the schema that refers.
#[derive(Default)]
pub(super) struct Interrupted(Mutex<HashMap<u32, Referenced>>);

impl Interrupted {
    /// What is there for a schema that is loaded again.
    pub(super) fn take(&self, id: u32) -> Referenced {
        self.0.lock().remove(&id).unwrap_or_default()
    }

    /// Keeps what was fetched until the next try. Forgets other schemas' if it is too much together.
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
