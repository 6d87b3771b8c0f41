//! The loop of a source that this process owns: polls into a pending transaction, and commits it when it is due.

use std::time::Duration;

use connect_api::{Failure, Outgoing, Polled, Source};
use connect_config::ErrorsConfig;
use connect_kafka::{TransactionError, TransactionalProducer};
use tokio::time::Instant;

use super::messages::{Maker, PendingTransaction};
use super::owner::Owner;
use super::positions;
use crate::backlog::Backlog;
use crate::backoff::Backoff;
use crate::control::TaskEnd;
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::publisher::{failure_of, make_room};
use crate::records::dead_letter::Letter;
use crate::records::rejects::{Judged, Rejects, log_rejected};
use crate::waiting::Waiting;

/// At most one transaction in this time.
const TRANSACTION_INTERVAL: Duration = Duration::from_millis(100);
/// The most polled records of one transaction.
const TRANSACTION_RECORDS: usize = 5_000;

/// Why an owner stops running the source.
#[derive(Debug)]
pub(super) enum Over {
    End(TaskEnd),
    /// Another process owns it, or may own it: wait for the group again.
    Lost,
}

impl From<TaskEnd> for Over {
    fn from(end: TaskEnd) -> Over {
        Over::End(end)
    }
}

/// An owned, open source.
pub(super) struct Running<'a, P> {
    pub(super) errors: &'a ErrorsConfig,
    /// Name, meters and stop of the task as well.
    pub(super) waiting: Waiting,
    /// With `--embedded`: the lag of the topic's readers.
    pub(super) backlog: Option<&'a Backlog>,
    pub(super) owner: &'a mut Owner,
    pub(super) maker: &'a mut Maker,
    pub(super) rejects: Rejects,
    pub(super) producer: P,
}

/// Commits messages in one transaction. A trait so that the loop can be tested without a broker.
pub(super) trait Transactions: Send {
    fn commit(
        &mut self,
        messages: Vec<Outgoing>,
    ) -> impl Future<Output = Result<(), TransactionError>> + Send;
}

impl Transactions for TransactionalProducer {
    async fn commit(&mut self, messages: Vec<Outgoing>) -> Result<(), TransactionError> {
        self.run(messages, None).await
    }
}

impl<P: Transactions> Running<'_, P> {
    /// Polls into a pending transaction, and commits it when it is due.
    pub(super) async fn run(&mut self, source: &mut dyn Source) -> Result<TaskEnd, Over> {
        let mut backoff = Backoff::new();
        let mut next_transaction = Instant::now();
        let waiting = self.waiting.clone();
        loop {
            let mut pending = PendingTransaction::default();
            let mut finished = false;
            while !finished && pending.sources < TRANSACTION_RECORDS {
                let polled = tokio::select! {
                    biased;
                    () = self.waiting.stop.drain.cancelled() => break,
                    () = self.owner.lost() => return Err(Over::Lost),
                    () = tokio::time::sleep_until(next_transaction), if !pending.is_empty() => break,
                    polled = source.poll() => polled,
                };
                match polled {
                    Ok(polled) => {
                        backoff = Backoff::new();
                        waiting.over();
                        finished = polled.finished;
                        self.take(polled, &mut pending)?;
                    }
                    Err(failure) => {
                        let delay = self.retry(Stage::Poll, &failure, &backoff)?;
                        if !pending.is_empty() {
                            break;
                        }
                        backoff.grow();
                        if waiting.wait("source_waits", &failure, delay).await.is_err() {
                            break;
                        }
                    }
                }
            }
            if !pending.is_empty() {
                next_transaction = Instant::now() + TRANSACTION_INTERVAL;
                self.commit(source, pending).await?;
            }
            if finished {
                return Ok(TaskEnd::Finished);
            }
            if self.waiting.stop.is_draining() {
                return Ok(TaskEnd::Stopped);
            }
        }
    }

    /// The policy's decision about a failure without a record: the delay before the next attempt, or the end.
    fn retry(&self, stage: Stage, failure: &Failure, backoff: &Backoff) -> Result<Duration, Over> {
        let attempts = Attempts {
            next_delay: backoff.next_delay(),
            ..Attempts::default()
        };
        match decide(stage, failure, self.errors, &attempts) {
            Directive::RetryIn(delay) => Ok(delay),
            Directive::GiveBack => Err(Over::Lost),
            Directive::End(end) => Err(Over::End(end)),
            other => unreachable!("no record takes part in {stage:?}, so not {other:?}"),
        }
    }

    /// Makes messages of polled records. The policy decides about rejected ones.
    fn take(&mut self, polled: Polled, pending: &mut PendingTransaction) -> Result<(), Over> {
        self.waiting.meters.consumed(polled.records.len() as u64);
        for record in polled.records {
            pending.sources += 1;
            self.rejects.see();
            match self.maker.make(record) {
                Ok(messages) if messages.is_empty() => {
                    self.rejects.filter_last();
                    pending.end.filtered += 1;
                }
                Ok(messages) => {
                    pending.end.delivered += 1;
                    pending.messages.extend(messages);
                }
                Err(letter) => self.reject(*letter, pending)?,
            }
        }
        pending.positions.merge(polled.positions);
        Ok(())
    }

    /// Leaves the record out, with its letter in the same transaction; or ends the task without committing the pending
    /// transaction.
    fn reject(&mut self, mut letter: Letter, pending: &mut PendingTransaction) -> Result<(), Over> {
        let errors = self.errors;
        letter.rejection = letter.rejection.showing_values(errors.show_values);
        let mut judged = Judged::default();
        self.rejects.judge(letter, 0, &mut judged)?;
        if let Some(bad) = judged.stop_before {
            self.waiting.meters.rejected(&bad.rejection);
            let text = bad.rejection.explain(&self.waiting.connector, &bad.origin);
            return Err(Over::End(TaskEnd::Failed(text)));
        }
        let waiting = self.waiting.clone();
        log_rejected(&waiting, &judged.letters);
        log_rejected(&waiting, &judged.discarded);
        pending.rejected += 1;
        pending.end.filtered += judged.discarded.len() as u64;
        pending.end.dead_lettered += judged.letters.len() as u64;
        let letters = judged.letters.iter();
        let letters = letters.map(|letter| self.maker.letter(errors, letter));
        pending.messages.extend(letters);
        Ok(())
    }

    /// Commits messages and positions in one transaction, and retries as long as the cluster is not ready.
    async fn commit(
        &mut self,
        source: &mut dyn Source,
        pending: PendingTransaction,
    ) -> Result<(), Over> {
        let started = std::time::Instant::now();
        let mut messages = pending.messages;
        if let Some(backlog) = self.backlog {
            tokio::select! {
                () = make_room(backlog, &messages) => {}
                () = self.waiting.stop.drain.cancelled() => return Err(Over::End(TaskEnd::Stopped)),
            }
        }
        let rows = messages.len() as u64;
        messages.extend(positions::messages(
            &self.waiting.connector,
            &pending.positions,
        ));
        let mut backoff = Backoff::new();
        let waiting = self.waiting.clone();
        while let Err(error) = self.producer.commit(messages.clone()).await {
            let failure = failure_of(error);
            // Otherwise the next open fences this producer and reads the positions that it committed.
            let delay = self
                .retry(Stage::Publish, &failure, &backoff)
                .inspect_err(|_| tracing::warn!(event = "source_publish_failed", connector = %self.waiting.connector, %failure))?;
            backoff.grow();
            self.waiting.meters.retried(None);
            tokio::select! {
                waited = waiting.wait("source_waits", &failure, delay) => waited.map_err(Over::End)?,
                () = self.owner.lost() => return Err(Over::Lost),
            }
        }
        waiting.over();
        self.rejects.settled(pending.rejected);
        self.waiting.meters.rows.add(rows);
        self.waiting.meters.ended(pending.end);
        self.waiting
            .meters
            .batch_durable(started.elapsed().as_secs_f64(), None);
        if let Err(failure) = source.commit(&pending.positions).await {
            tracing::warn!(event = "source_commit_failed", connector = %self.waiting.connector, %failure);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
