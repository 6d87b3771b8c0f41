//! What a failed write means for its batch, where that depends on what happened before.

use std::time::Instant;

use connect_api::{Cause, Duration, Failure, Progress};

use crate::failure::WriteError;
use crate::identifier::quote;
use crate::mapping::Plan;
use crate::progress::ProgressTable;
use crate::sqlstate::Meaning;
use crate::target::Write;

/// What was tolerated of a batch so far.
pub(crate) struct Patience {
    missing_parent: Duration,
    /// The batch that failed for lack of time or memory: the second time it is too much.
    exhausted: Option<Vec<Progress>>,
    parents: Option<MissingParents>,
}

/// A batch that waits for rows that foreign keys name.
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
        }
    }

    /// A batch was written.
    pub(crate) fn written(&mut self) {
        self.exhausted = None;
    }

    /// The engine's word for a failure that the batch may be to blame for; `None` for all others.
    pub(crate) fn judge(&mut self, error: &WriteError, progress: &[Progress]) -> Option<Failure> {
        let cause = error.cause();
        Some(match error.meaning()? {
            Meaning::Refused => Failure::RefusedSomewhere(cause),
            Meaning::MissingParent => self.wait_for_parent(cause, progress),
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

    /// A parent may arrive late, on another topic. The wait is for the batch as it was first written: its halves, on the
    /// way to the culprit, do not wait again.
    fn wait_for_parent(&mut self, cause: Cause, progress: &[Progress]) -> Failure {
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
            "the row that the foreign key names may still come; after {limit} (`missing_parent`) the record is refused"
        )))
        }
    }
}

/// Whether `inner` is a part of `outer`, as a half of a batch is.
fn covers(outer: &[Progress], inner: &[Progress]) -> bool {
    inner.iter().all(|part| {
        outer.iter().any(|whole| {
            whole.partition == part.partition
                && whole.expected <= part.expected
                && part.next <= whole.next
        })
    })
}

/// The SQL that lets this role do its work.
pub(crate) fn grants(role: &str, plan: &Plan, progress: Option<&ProgressTable>) -> String {
    let role = quote(role);
    let mut grants: Vec<String> = plan
        .targets
        .iter()
        .map(|target| {
            let privileges = match target.write {
                Write::Copy | Write::Insert => "INSERT",
                Write::Upsert => "SELECT, INSERT, UPDATE, DELETE",
                Write::Update => "SELECT, UPDATE, DELETE",
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
