//! Decides the failure of a batch where that depends on earlier attempts: waits for parents, retries, halving.

use std::time::Instant;

use connect_api::{Batch, Cause, Duration, Failure, Progress};

use crate::failure::WriteError;
use crate::identifier::quote;
use crate::mapping::Plan;
use crate::progress::ProgressTable;
use crate::sqlstate::Meaning;
use crate::target::WriteMethod;

/// Attempts of a batch with a function that asks for a retry.
const TRIES: u32 = 5;

/// The state of earlier attempts.
pub(crate) struct Patience {
    missing_parent: Duration,
    /// The batch that exceeded time or memory: the second time it is too large.
    exhausted: Option<Vec<Progress>>,
    parents: Option<MissingParents>,
    repeated: Option<Repeated>,
    /// The batch whose refused records the search could not identify.
    halved: Option<Vec<Progress>>,
}

/// A batch in which a function repeatedly asks for a retry.
struct Repeated {
    progress: Vec<Progress>,
    tries: u32,
}

/// A batch that waits for rows that its foreign keys reference.
struct MissingParents {
    progress: Vec<Progress>,
    since: Instant,
}

impl Patience {
    pub(crate) fn new(missing_parent: Duration) -> Patience {
        Patience {
            missing_parent,
            exhausted: None,
            parents: None,
            repeated: None,
            halved: None,
        }
    }

    /// A batch was written.
    pub(crate) fn written(&mut self) {
        self.exhausted = None;
    }

    /// Whether the batch is retried for now, before a record is rejected for the error.
    pub(crate) fn waits_for(&self, error: &WriteError, progress: &[Progress]) -> bool {
        match error.meaning() {
            Some(Meaning::MissingParent) => {
                let limit = self.missing_parent.get();
                let waiting = self.parents.as_ref();
                let waiting = waiting.filter(|waiting| covers(&waiting.progress, progress));
                let waited = waiting.map_or(Default::default(), |waiting| waiting.since.elapsed());
                waited < limit
            }
            Some(Meaning::RefusedIfRepeated) => self.tries_of(progress) + 1 < TRIES,
            _ => false,
        }
    }

    /// The engine halves this batch, because a search cannot identify the records at fault.
    pub(crate) fn halve(&mut self, progress: &[Progress]) {
        self.halved = Some(progress.to_vec());
    }

    /// Whether this is a part of a batch that is halved.
    pub(crate) fn is_halved(&self, progress: &[Progress]) -> bool {
        let halved = self.halved.as_ref();
        halved.is_some_and(|halved| covers(halved, progress))
    }

    /// The failure of an error for which the batch may be at fault; `None` for other errors.
    pub(crate) fn judge(&mut self, error: &WriteError, batch: &Batch<'_>) -> Option<Failure> {
        let cause = error.cause();
        let progress = batch.progress.as_slice();
        Some(match error.meaning()? {
            Meaning::Refused => Failure::RefusedSomewhere(cause),
            Meaning::RefusedIfRepeated => self.try_again(cause, progress),
            Meaning::MissingParent => {
                let help = if error.is_still_referenced() {
                    "the rows that reference this one may still be deleted"
                } else {
                    "the row that the foreign key references may still arrive"
                };
                self.wait_for_parent(cause, help, progress)
            }
            Meaning::CatalogChanged if error.evidence()?.may_be_of_a_row() => {
                Failure::RefusedSomewhere(refusal_cause(error))
            }
            Meaning::TooMuchIfRepeated if self.exhausted.as_deref() == Some(progress) => {
                Failure::TooMuch(cause)
            }
            Meaning::TooMuchIfRepeated => {
                self.exhausted = Some(progress.to_vec());
                Failure::Retry(cause)
            }
            _ => return None,
        })
    }

    /// A parent may arrive late, on another topic. The wait counts from the first attempt of the whole batch; its halves do not wait
    /// again.
    fn wait_for_parent(&mut self, cause: Cause, help: &str, progress: &[Progress]) -> Failure {
        let waiting = match self.parents.take() {
            Some(waiting) if covers(&waiting.progress, progress) => waiting,
            _ => MissingParents {
                progress: progress.to_vec(),
                since: Instant::now(),
            },
        };
        let limit = self.missing_parent;
        let is_over = waiting.since.elapsed() >= limit.get();
        self.parents = Some(waiting);
        if is_over {
            Failure::RefusedSomewhere(cause)
        } else {
            Failure::Retry(cause.with_help(format!(
                "{help}; after {limit} (`missing_parent`) the record is rejected"
            )))
        }
    }

    /// Retries the batch as the function asks, before a record is rejected.
    fn try_again(&mut self, cause: Cause, progress: &[Progress]) -> Failure {
        let tries = self.tries_of(progress) + 1;
        if tries >= TRIES {
            return Failure::RefusedSomewhere(cause);
        }
        // The rest of a batch inherits the attempts of the whole.
        let before = self.repeated.take().map(|before| before.progress);
        let before = before.filter(|before| covers(before, progress));
        self.repeated = Some(Repeated {
            progress: before.unwrap_or_else(|| progress.to_vec()),
            tries,
        });
        let function = cause
            .help
            .clone()
            .map_or(String::new(), |help| format!("{help}; "));
        let help = format!("{function}after {TRIES} attempts the record is rejected");
        Failure::Retry(cause.with_help(help))
    }

    /// The failed attempts of this batch, or of the batch that it is a part of.
    fn tries_of(&self, progress: &[Progress]) -> u32 {
        let before = self.repeated.as_ref();
        let before = before.filter(|before| covers(&before.progress, progress));
        before.map_or(0, |before| before.tries)
    }
}

/// The cause of rejecting a record that the database refuses.
pub(crate) fn refusal_cause(error: &WriteError) -> Cause {
    let cause = error.cause();
    if error.meaning() == Some(Meaning::CatalogChanged) {
        // The catalog was read again and fits the statement, so help about our tables does not apply.
        return Cause {
            help: None,
            ..cause
        };
    }
    cause
}

/// Whether `inner` is a part of `outer`, such as a half of a batch.
fn covers(outer: &[Progress], inner: &[Progress]) -> bool {
    inner.iter().all(|part| {
        outer.iter().any(|whole| {
            whole.partition == part.partition
                && whole.expected <= part.expected
                && part.next <= whole.next
        })
    })
}

/// The GRANT statements that this role needs.
pub(crate) fn grants(role: &str, plan: &Plan, progress: Option<&ProgressTable>) -> String {
    let role = quote(role);
    let mut grants: Vec<String> = plan
        .targets
        .iter()
        .map(|target| {
            let privileges = match target.write {
                WriteMethod::Copy | WriteMethod::Insert => "INSERT",
                WriteMethod::Upsert => "SELECT, INSERT, UPDATE, DELETE",
                WriteMethod::Update => "SELECT, UPDATE, DELETE",
            };
            format!(
                "GRANT {privileges} ON {} TO {role}",
                target.table.name.quoted()
            )
        })
        .collect();
    if let Some(progress) = progress {
        grants.push(format!(
            "GRANT SELECT, INSERT, UPDATE ON {} TO {role}",
            progress.table().quoted()
        ));
    }
    grants.dedup();
    format!("as an owner of the tables: {}", grants.join("; "))
}
