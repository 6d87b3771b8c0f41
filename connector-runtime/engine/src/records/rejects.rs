//! What becomes of rejected records: their dead letters are delivered together, before progress passes any of them.
//!
//! Shared by the lanes of a task: one dead letter topic, one count of bad records. A source judges by the same rules, and
//! sends its letters in the transaction of its positions.

use connect_api::Failure;

use crate::backoff::Backoff;
use crate::control::TaskEnd;
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::records::dead_letter::{DeadLetters, Letter};
use crate::records::stop_after::Breaker;
use crate::status::BatchEnd;
use crate::waiting::Waiting;
use connect_config::ErrorsConfig;

pub(crate) struct Rejects {
    errors: ErrorsConfig,
    /// `None`: rejected records are discarded on purpose or stop the connector, or a source sends their letters.
    dead_letters: Option<DeadLetters>,
    /// `None`: no number of rejects stops the connector.
    breaker: Option<Breaker>,
    /// Rejected records of which a dead letter was sent, or which were discarded.
    settled: u64,
}

/// What is to become of rejected records.
#[derive(Default)]
pub(crate) struct Judged {
    pub(crate) letters: Vec<Letter>,
    pub(crate) discarded: Vec<Letter>,
    /// The batch ends before this one.
    pub(crate) stop_before: Option<Letter>,
}

impl Rejects {
    pub(crate) fn new(errors: ErrorsConfig, dead_letters: Option<DeadLetters>) -> Rejects {
        Rejects {
            breaker: Breaker::new(errors.stop_after),
            errors,
            dead_letters,
            settled: 0,
        }
    }

    /// One more source record is looked at.
    pub(crate) fn see(&mut self) {
        if let Some(breaker) = &mut self.breaker {
            breaker.see();
        }
    }

    /// The record that was seen last is filtered.
    pub(crate) fn filter_last(&mut self) {
        if let Some(breaker) = &mut self.breaker {
            breaker.filter_last();
        }
    }

    /// So many rejected records were settled by the caller: their letters were sent, or they were discarded.
    pub(crate) fn settled(&mut self, records: u64) {
        self.settled += records;
    }

    /// What the policy must know of all rejects, if these are rejected as well: each by how many records were seen after
    /// it.
    pub(crate) fn attempts(&self, seen_after: &[u64]) -> Attempts {
        let breaker = self.breaker.as_ref();
        Attempts {
            rejected: breaker.map_or(0, |breaker| breaker.most_with(seen_after)),
            settled: self.settled,
            ..Attempts::default()
        }
    }

    /// Counts rejects, each by how many records were seen after it.
    pub(crate) fn count(&mut self, seen_after: &[u64]) {
        if let Some(breaker) = &mut self.breaker {
            seen_after.iter().for_each(|after| breaker.reject(*after));
        }
    }

    /// Adds a record that was rejected before it was written, and after which so many were seen. `Err`: the connector
    /// stops.
    pub(crate) fn judge(
        &mut self,
        letter: Letter,
        seen_after: u64,
        judged: &mut Judged,
    ) -> Result<(), TaskEnd> {
        let attempts = Attempts {
            records: 1,
            ..self.attempts(&[seen_after])
        };
        let failure = letter.rejection.failure();
        match decide(Stage::Prepare, &failure, &self.errors, &attempts) {
            Directive::DeadLetter => judged.letters.push(letter),
            Directive::Discard => judged.discarded.push(letter),
            Directive::StopBefore => {
                judged.stop_before = Some(letter);
                return Ok(());
            }
            Directive::End(end) => return Err(end),
            other => unreachable!("a record that preparing rejects is settled, so not {other:?}"),
        }
        self.count(&[seen_after]);
        Ok(())
    }

    /// Leaves the records out on purpose.
    pub(crate) fn discard(
        &mut self,
        waiting: &Waiting,
        letters: &[Letter],
        settled: &mut Settle<'_>,
    ) {
        log_rejected(waiting, letters);
        let end = BatchEnd {
            filtered: 1,
            ..BatchEnd::default()
        };
        letters.iter().for_each(|letter| settled(letter.index, end));
        self.settled += letters.len() as u64;
    }

    /// Delivers letters, waiting out outages of the dead letter topic: progress never passes an undelivered letter. Each
    /// is counted once it is delivered, and what is delivered is not sent again.
    pub(crate) async fn dead_letter(
        &mut self,
        waiting: &Waiting,
        mut letters: Vec<Letter>,
        settled: &mut Settle<'_>,
    ) -> Result<(), TaskEnd> {
        log_rejected(waiting, &letters);
        let end = BatchEnd {
            dead_lettered: 1,
            ..BatchEnd::default()
        };
        let mut backoff = Backoff::new();
        while !letters.is_empty() {
            let dead_letters = self
                .dead_letters
                .as_mut()
                .expect("the dead letter topic is opened before the first record");
            let delivered = dead_letters.deliver(&letters).await;
            let before = letters.len();
            let mut acknowledged = delivered.acknowledged.into_iter();
            letters.retain(|letter| {
                let is_acknowledged = acknowledged.next() == Some(true);
                if is_acknowledged {
                    settled(letter.index, end);
                }
                !is_acknowledged
            });
            self.settled += (before - letters.len()) as u64;
            let Some(failure) = delivered.failure else {
                waiting.over();
                continue;
            };
            self.retry(waiting, &failure, letters.len(), &mut backoff)
                .await?;
        }
        Ok(())
    }

    async fn retry(
        &mut self,
        waiting: &Waiting,
        failure: &Failure,
        records: usize,
        backoff: &mut Backoff,
    ) -> Result<(), TaskEnd> {
        let attempts = Attempts {
            next_delay: backoff.next_delay(),
            records,
            ..Attempts::default()
        };
        match decide(Stage::DeadLetters, failure, &self.errors, &attempts) {
            Directive::RetryIn(delay) => {
                backoff.grow();
                waiting.retry("batch_retried", failure, delay).await
            }
            Directive::End(end) => Err(end),
            other => unreachable!("a letter has no letter, so not {other:?}"),
        }
    }
}

/// Is called for each source record of the batch, by index, once it has come to an end.
pub(crate) type Settle<'a> = dyn FnMut(usize, BatchEnd) + Send + 'a;

pub(crate) fn log_rejected(waiting: &Waiting, letters: &[Letter]) {
    for letter in letters {
        waiting.meters.rejected(&letter.rejection);
        let log = &waiting.meters.rejection_log;
        log.log(&waiting.connector, waiting.task, letter);
    }
}
