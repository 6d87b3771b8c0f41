//! What each lane takes of a batch: the `when` of its `[[sinks]]` entry, asked of every record.

use std::collections::BTreeMap;

use connect_api::{Predicate, Record};

use super::rejection::{Rejection, Stage};
use super::{Outcome, Source};

/// What one lane takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// By index of the record in its batch.
    taken: Vec<bool>,
    /// By index of the source record: its condition has no answer, so this lane takes nothing of it.
    pub(crate) rejected: BTreeMap<usize, Rejection>,
}

impl Selection {
    pub(crate) fn takes(&self, record: usize) -> bool {
        let taken = self.taken.get(record).copied();
        taken.expect("every record of the batch was asked about")
    }

    /// Asks the condition of every record.
    pub(crate) fn of(when: &Predicate, sources: &[Source], records: &[Record]) -> Selection {
        let mut selection = Selection {
            taken: vec![false; records.len()],
            rejected: BTreeMap::new(),
        };
        for (index, source) in sources.iter().enumerate() {
            let Outcome::Records(made) = &source.outcome else {
                continue;
            };
            for record in made.clone() {
                let asked = records
                    .get(record)
                    .expect("what a source record became is there");
                match when.matches(asked) {
                    Ok(is_taken) => {
                        let slot = selection.taken.get_mut(record);
                        *slot.expect("every record has a slot") = is_taken;
                    }
                    Err(reason) => {
                        let rejection = Rejection::plain(
                            Stage::Transformation,
                            "sinks.when",
                            "PredicateError",
                            reason,
                        );
                        selection.rejected.insert(index, rejection);
                        break;
                    }
                }
            }
        }
        selection
    }
}
