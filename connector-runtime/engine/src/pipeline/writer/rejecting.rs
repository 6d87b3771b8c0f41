//! What becomes of rejected records: their dead letters are delivered together, before progress passes any of them.

use connect_api::Failure;

use super::{Ended, Writer};
use crate::backoff::Backoff;
use crate::control::TaskEnd;
use crate::pipeline::breaker::Breaker;
use crate::pipeline::dead_letter::Letter;
use crate::pipeline::isolate::{Isolation, Write};
use crate::pipeline::reject::Rejection;
use crate::pipeline::{Outcome, Prepared};
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::status::BatchEnd;

impl Writer {
    /// Settles what preparing rejected, before anything is written. `Some`: the bad record before which the batch ends.
    pub(super) async fn settle_rejected(
        &mut self,
        prepared: &Prepared,
        isolation: &mut Isolation<'_>,
    ) -> Result<Option<String>, Ended> {
        let mut letters = Vec::new();
        let mut discarded = Vec::new();
        for (index, source) in prepared.sources.iter().enumerate() {
            if let Some(breaker) = &mut self.breaker {
                breaker.see();
            }
            let rejection = match &source.outcome {
                Outcome::Rejected(rejection) if isolation.is_open(index) => rejection,
                _ => continue,
            };
            let letter = Letter {
                index,
                origin: source.origin.clone(),
                rejection: (**rejection).clone(),
            };
            let attempts = Attempts {
                records: 1,
                rejected_lately: self.rejected_lately() + 1,
                ..Attempts::default()
            };
            match decide(
                Stage::Prepare,
                &rejection.failure(),
                &self.errors,
                &attempts,
            ) {
                Directive::DeadLetter => letters.push(letter),
                Directive::Discard => discarded.push(letter),
                Directive::StopBefore => return Ok(self.stop_before(isolation, Some(&letter))),
                Directive::Fail(cause) => return Err(TaskEnd::Failed(cause.to_string()).into()),
                other => {
                    unreachable!("a record that preparing rejects is settled, so not {other:?}")
                }
            }
            self.count_rejected(1);
        }
        self.log_and_discard(isolation, &discarded);
        self.log_and_dead_letter(isolation, letters).await?;
        Ok(None)
    }

    /// The source records that a failed write blames and that are still ours, in order.
    pub(super) fn rejected_by(
        &self,
        prepared: &Prepared,
        isolation: &Isolation<'_>,
        write: &Write<'_>,
        failure: &Failure,
    ) -> Vec<Letter> {
        let mut blamed: Vec<_> = match failure {
            Failure::Refused(refusals) => {
                assert!(
                    !refusals.is_empty(),
                    "the sink {} refuses a batch and names no record",
                    self.sink_kind
                );
                let source_of = |record: usize| write.source_of.get(record).copied();
                let blame = |refusal: &connect_api::Refusal| {
                    let source = source_of(refusal.record);
                    let source = source.expect("a sink refuses only records of the batch");
                    (source, refusal.cause.clone())
                };
                refusals.iter().map(blame).collect()
            }
            // Nobody else is left.
            Failure::RefusedSomewhere(cause) => match write.sources().as_slice() {
                [only] => vec![(*only, cause.clone())],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        blamed.sort_by_key(|(index, _)| *index);
        blamed.dedup_by_key(|(index, _)| *index);
        blamed.retain(|(index, _)| isolation.is_open(*index));
        let letter = |(index, cause)| Letter {
            index,
            origin: prepared.origin(index).clone(),
            rejection: Rejection::of_sink(self.sink_kind, &cause),
        };
        blamed.into_iter().map(letter).collect()
    }

    /// Delivers the letters of records that the sink refused.
    pub(super) async fn dead_letter(
        &mut self,
        isolation: &mut Isolation<'_>,
        letters: Vec<Letter>,
    ) -> Result<(), Ended> {
        self.count_rejected(letters.len());
        self.log_and_dead_letter(isolation, letters).await
    }

    pub(super) fn discard(&mut self, isolation: &mut Isolation<'_>, letters: &[Letter]) {
        self.count_rejected(letters.len());
        self.log_and_discard(isolation, letters);
    }

    /// The batch ends before the record; returns how a person is told.
    pub(super) fn stop_before(
        &mut self,
        isolation: &mut Isolation<'_>,
        bad: Option<&Letter>,
    ) -> Option<String> {
        let bad = bad?;
        self.give_back(isolation.cut_before(bad.index));
        Some(bad.rejection.explain(&self.waiting.connector, &bad.origin))
    }

    pub(super) fn rejected_lately(&self) -> usize {
        self.breaker.as_ref().map_or(0, Breaker::lately)
    }

    fn count_rejected(&mut self, records: usize) {
        if let Some(breaker) = &mut self.breaker {
            (0..records).for_each(|_| breaker.reject());
        }
    }

    fn log_and_discard(&self, isolation: &mut Isolation<'_>, letters: &[Letter]) {
        self.log_rejected(letters);
        for letter in letters {
            isolation.settle(letter.index);
        }
        self.meters.ended(BatchEnd {
            filtered: letters.len() as u64,
            ..BatchEnd::default()
        });
    }

    /// Delivers letters, waiting out outages of the dead letter topic: progress never passes an undelivered letter. Each
    /// is counted once it is delivered, and what is delivered is not sent again.
    async fn log_and_dead_letter(
        &mut self,
        isolation: &mut Isolation<'_>,
        mut letters: Vec<Letter>,
    ) -> Result<(), Ended> {
        self.log_rejected(&letters);
        let mut backoff = Backoff::new();
        while !letters.is_empty() {
            let dead_letters = self
                .dead_letters
                .as_mut()
                .expect("the dead letter topic is opened before the first record");
            let delivered = dead_letters.deliver(&letters).await;
            let mut acknowledged = delivered.acknowledged.into_iter();
            let before = letters.len();
            letters.retain(|letter| {
                let is_acknowledged = acknowledged.next() == Some(true);
                if is_acknowledged {
                    isolation.settle(letter.index);
                }
                !is_acknowledged
            });
            self.meters.ended(BatchEnd {
                dead_lettered: (before - letters.len()) as u64,
                ..BatchEnd::default()
            });
            let Some(failure) = delivered.failure else {
                self.waiting.over();
                continue;
            };
            let attempts = Attempts {
                next_delay: backoff.next_delay(),
                records: letters.len(),
                ..Attempts::default()
            };
            match decide(Stage::DeadLetters, &failure, &self.errors, &attempts) {
                Directive::RetryIn(delay) => {
                    self.wait_out(&failure, delay, &mut backoff).await?;
                }
                Directive::Fail(cause) => return Err(TaskEnd::Failed(cause.to_string()).into()),
                other => unreachable!("a letter has no letter, so not {other:?}"),
            }
        }
        Ok(())
    }

    fn log_rejected(&self, letters: &[Letter]) {
        for Letter {
            origin, rejection, ..
        } in letters
        {
            tracing::warn!(
                event = "record_rejected",
                connector = %self.waiting.connector,
                task = self.waiting.task,
                topic = %origin.topic,
                partition = origin.partition,
                offset = origin.offset,
                stage = rejection.stage.as_str(),
                by = %rejection.by,
                reason = %rejection.message,
            );
        }
    }
}
