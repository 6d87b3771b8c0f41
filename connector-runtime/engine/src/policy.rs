//! The error policy: the only place that decides what follows from an error.
//!
//! Pure: no clock, no I/O, no randomness. A caller passes where the failure happened and what was tried before, and follows the
//! directive; it never examines the kind of a failure itself. So P4 (an outage never dead-letters and never skips; a record's
//! own fault never blocks the others) is read off one table.

use std::time::Duration;

use connect_api::{Cause, Failure};

use crate::control::TaskEnd;
use connect_config::{ErrorsConfig, StopAfter, Tolerance};

/// More superseded batches within a minute are not a hand-over: two groups share the progress.
const MOST_SUPERSEDED: usize = 5;

/// What the task was doing when the failure happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Clients, topics and plugins are opened, before the first record.
    Open,
    /// The sink or Kafka is asked for the positions where partitions resume.
    Resume,
    /// A schema that a message names is requested from the registry.
    FetchSchema,
    /// A record is decoded, checked and transformed.
    Prepare,
    /// The sink writes a batch.
    Write,
    /// The sink makes durable what it accepted.
    Flush,
    /// Dead letters are delivered.
    DeadLetters,
    /// A source is polled.
    Poll,
    /// What a source polled is committed to Kafka together with its positions.
    Publish,
}

/// What was tried before, and what else could be tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// The delay before the next attempt.
    pub(crate) next_delay: Duration,
    /// The number of input records of the call, which can be written separately.
    pub(crate) records: usize,
    /// The number of rejected input records that `stop_after` counts, including those of this failure.
    pub(crate) rejected: usize,
    /// The number of records dead-lettered or discarded since the task started.
    pub(crate) settled: u64,
    /// How many batches before this one were superseded within a minute.
    pub(crate) superseded_lately: usize,
}

/// What the caller does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Directive {
    /// Wait, then make the same call again.
    RetryIn(Duration),
    /// Write each half of the batch separately.
    Halve,
    /// Deliver dead letters of the rejected records, then continue without them.
    DeadLetter,
    /// Continue without the rejected records and keep nothing of them.
    Discard,
    /// Write what lies before the first rejected record, then fail there: nothing is skipped.
    StopBefore,
    /// The records belong to another owner: give them back and ask again where to resume.
    GiveBack,
    /// The task ends.
    End(TaskEnd),
}

/// Decides what follows from a failure.
pub(crate) fn decide(
    stage: Stage,
    failure: &Failure,
    errors: &ErrorsConfig,
    attempts: &Attempts,
) -> Directive {
    use Failure::{Fatal, Refused, RefusedSomewhere, Retry, Superseded, TooMuch};
    match (stage, failure) {
        (_, Retry(_)) => Directive::RetryIn(attempts.next_delay),

        (Stage::Prepare | Stage::Write, Refused(_)) => reject(failure, errors, attempts),
        (Stage::Prepare, RefusedSomewhere(_)) => reject(failure, errors, attempts),
        (Stage::Write, RefusedSomewhere(cause)) => match attempts.records {
            0 => failed(&refused_nothing(cause)),
            1 => reject(failure, errors, attempts),
            _ => Directive::Halve,
        },
        // No record is at fault, so one alone is tried again and never dead-lettered.
        (Stage::Write, TooMuch(_)) if attempts.records > 1 => Directive::Halve,
        (_, TooMuch(_)) => Directive::RetryIn(attempts.next_delay),

        (Stage::Write | Stage::Flush, Superseded(cause))
            if attempts.superseded_lately + 1 >= MOST_SUPERSEDED =>
        {
            failed(&shared_progress(cause))
        }
        (Stage::Write | Stage::Flush | Stage::Publish, Superseded(_)) => Directive::GiveBack,
        // There are no records yet that could be given back.
        (_, Superseded(_)) => Directive::RetryIn(attempts.next_delay),

        // No record of the connector is at fault, or the dead letter topic refuses its letter: continuing would lose it.
        (
            Stage::Open
            | Stage::Resume
            | Stage::FetchSchema
            | Stage::Flush
            | Stage::DeadLetters
            | Stage::Poll
            | Stage::Publish,
            Refused(_) | RefusedSomewhere(_),
        )
        | (_, Fatal(_)) => Directive::End(TaskEnd::Unready(failure.cause())),
    }
}

/// Decides by `[errors]` alone what happens to records that can never be written.
fn reject(failure: &Failure, errors: &ErrorsConfig, attempts: &Attempts) -> Directive {
    match (errors.tolerance, errors.stop_after) {
        (Tolerance::None, _) => Directive::StopBefore,
        (Tolerance::All, StopAfter::AllOfFirst(first)) if attempts.rejected >= first as usize => {
            failed(&all_rejected(first, failure, errors, attempts))
        }
        (Tolerance::All, StopAfter::Rejects { rejects, in_last })
            if attempts.rejected >= rejects as usize =>
        {
            failed(&too_many_rejected(rejects, in_last, failure))
        }
        (Tolerance::All, _) if errors.dead_letter_topic.is_some() => Directive::DeadLetter,
        (Tolerance::All, _) => Directive::Discard,
    }
}

fn failed(cause: &Cause) -> Directive {
    Directive::End(TaskEnd::Failed(cause.to_string()))
}

fn refused_nothing(cause: &Cause) -> Cause {
    Cause::new(format!("the sink refused a batch without records: {cause}"))
}

fn shared_progress(cause: &Cause) -> Cause {
    Cause::new(format!(
        "two groups share this progress: {cause}. Is a connector of this name running against another cluster or with another group? Give one of them another name"
    ))
}

fn all_rejected(
    first: u32,
    failure: &Failure,
    errors: &ErrorsConfig,
    attempts: &Attempts,
) -> Cause {
    let last = last_reason(failure);
    let settled = match (attempts.settled, &errors.dead_letter_topic) {
        (0, Some(_)) => "No dead letter was sent".to_owned(),
        (0, None) => "No record was discarded".to_owned(),
        (sent, Some(_)) => format!("Dead letters sent before: {sent}"),
        (discarded, None) => format!("Records discarded before: {discarded}"),
    };
    Cause::new(format!(
        "all of the first {first} records were rejected (errors.stop_after; filtered records do not count); the last one: {last}. {settled}; no other record is skipped: correct the cause, then start the connector again, or write stop_after = \"never\" in [errors] if such records are meant to be rejected"
    ))
}

fn too_many_rejected(rejects: u32, in_last: u32, failure: &Failure) -> Cause {
    let last = last_reason(failure);
    Cause::new(format!(
        "too many bad records (errors.stop_after: {rejects} rejects in the last {in_last} records); the last one: {last}. No dead letter was sent for it and nothing is skipped: correct the cause, then start the connector again"
    ))
}

fn last_reason(failure: &Failure) -> Cause {
    let last = match failure {
        Failure::Refused(refusals) => refusals.last().map(|refusal| refusal.cause.clone()),
        _ => None,
    };
    last.unwrap_or_else(|| failure.cause())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
