//! The writing half of a task: dead letters, the write, the report.
//!
//! For each batch, in this order: drop what is not ours any more; deliver dead letters of what preparing rejected;
//! write, taking refused records out one by one (their letters delivered first) and waiting out outages; after each
//! durable write report the positions. So whenever progress passes a record, the record is durable, dead-lettered, or
//! left out on purpose (P1). Nothing but a stop ends the wait for an outage, and no outage ever makes a dead letter (P4).

mod rejecting;

use std::fmt::Display;
use std::time::{Duration, Instant};

use connect_api::{Failure, Sink, TopicPartition};
use connect_kafka::Generation;
use tokio::sync::mpsc;

use super::breaker::Breaker;
use super::dead_letter::DeadLetters;
use super::isolate::{Isolation, Write, Written};
use super::other_names::OtherNames;
use super::{Generations, Prepared, Report, Work};
use crate::backoff::{Backoff, Supersessions};
use crate::config::ErrorsConfig;
use crate::control::TaskEnd;
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::publisher::GroupSlot;
use crate::status::{BatchEnd, Meters};
use crate::waiting::Waiting;

/// Everything that the writing half needs beside the sink.
pub(crate) struct Writer {
    /// The sink's type, for messages.
    pub(crate) sink_kind: &'static str,
    pub(crate) errors: ErrorsConfig,
    /// `None`: rejected records are discarded on purpose (or stop the connector).
    pub(crate) dead_letters: Option<DeadLetters>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) generations: Generations,
    pub(crate) meters: Meters,
    pub(crate) group: GroupSlot,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) waiting: Waiting,
    pub(crate) other_names: OtherNames,
    pub(crate) supersessions: Supersessions,
    /// Questions that the sink could not answer yet, the next one first.
    pub(crate) to_resume: Vec<ToResume>,
}

/// Partitions whose place in the sink is asked for (again) at a time.
pub(crate) struct ToResume {
    partitions: Vec<(TopicPartition, Generation)>,
    at: tokio::time::Instant,
    backoff: Backoff,
}

impl ToResume {
    fn now(partitions: Vec<(TopicPartition, Generation)>) -> ToResume {
        ToResume {
            partitions,
            at: tokio::time::Instant::now(),
            backoff: Backoff::new(),
        }
    }
}

/// Returns when the first question is due; never without one.
async fn next_due(questions: &[ToResume]) {
    match questions.first() {
        Some(first) => tokio::time::sleep_until(first.at).await,
        None => std::future::pending().await,
    }
}

/// Why the rest of a batch is not written.
enum Ended {
    /// The group or another owner has it now.
    Superseded,
    Task(TaskEnd),
}

impl From<TaskEnd> for Ended {
    fn from(end: TaskEnd) -> Self {
        Ended::Task(end)
    }
}

impl Writer {
    /// Runs until the reader has no more work.
    pub(crate) async fn run(
        mut self,
        sink: &mut dyn Sink,
        mut work: mpsc::Receiver<Work>,
    ) -> TaskEnd {
        loop {
            let asked_again = next_due(&self.to_resume);
            let next = tokio::select! {
                next = work.recv() => next,
                () = asked_again => {
                    let due = self.to_resume.remove(0);
                    match self.resume(sink, due).await {
                        Ok(()) => continue,
                        Err(end) => return end,
                    }
                }
            };
            let ended = match next {
                None => return TaskEnd::Stopped,
                Some(Work::Resume {
                    partitions,
                    after_rebalance,
                }) => {
                    if after_rebalance {
                        self.supersessions = Supersessions::default();
                    }
                    self.resume(sink, ToResume::now(partitions)).await
                }
                Some(Work::Batch(prepared)) => self.batch(sink, &prepared).await,
            };
            if let Err(end) = ended {
                return end;
            }
        }
    }

    /// Asks the sink where partitions resume. What it cannot say now is asked again later: a predecessor that still
    /// holds these partitions must not hold up the others.
    async fn resume(&mut self, sink: &mut dyn Sink, mut asked: ToResume) -> Result<(), TaskEnd> {
        asked
            .partitions
            .retain(|(name, generation)| self.generations.is_current(name, *generation));
        let names: Vec<TopicPartition> = asked
            .partitions
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        match sink.resume(&names).await {
            Ok(resumes) => {
                self.waiting.over();
                self.other_names
                    .point_out(&self.waiting.connector, sink, &names, &resumes)
                    .await;
                let resumed = asked
                    .partitions
                    .into_iter()
                    .zip(resumes)
                    .map(|((name, generation), resume)| (name, generation, resume));
                let _ = self.reports.send(Report::Resumed(resumed.collect())).await;
                Ok(())
            }
            Err(failure) => {
                let attempts = Attempts {
                    next_delay: asked.backoff.next_delay(),
                    ..Attempts::default()
                };
                match decide(Stage::Resume, &failure, &self.errors, &attempts) {
                    Directive::RetryIn(delay) => {
                        self.waiting.show("resume_retried", &failure, Some(delay));
                        asked.backoff.grow();
                        asked.at = tokio::time::Instant::now() + delay;
                        self.to_resume.push(asked);
                        self.to_resume.sort_by_key(|asked| asked.at);
                        Ok(())
                    }
                    Directive::Fail(cause) => Err(TaskEnd::Failed(cause.to_string())),
                    other => unreachable!("no record takes part in a resume, so not {other:?}"),
                }
            }
        }
    }

    async fn batch(&mut self, sink: &mut dyn Sink, prepared: &Prepared) -> Result<(), TaskEnd> {
        self.group.set(prepared.group.clone());
        let mut isolation = Isolation::new(prepared);
        let dropped = isolation.drop_stale(&self.generations);
        self.give_back(dropped);
        let written = self.write_all(sink, prepared, &mut isolation).await;
        self.group.set(None);
        self.give_back(isolation.remaining());
        match written {
            Ok(None) => Ok(()),
            Ok(Some(bad_record)) => Err(TaskEnd::Failed(bad_record)),
            Err(Ended::Task(end)) => Err(end),
            Err(Ended::Superseded) => {
                let _ = self.reports.send(Report::Superseded).await;
                Ok(())
            }
        }
    }

    /// Writes what can be written. `Some` under `tolerance = "none"`: the bad record at which the connector stops, all
    /// before it being durable.
    async fn write_all(
        &mut self,
        sink: &mut dyn Sink,
        prepared: &Prepared,
        isolation: &mut Isolation<'_>,
    ) -> Result<Option<String>, Ended> {
        let mut bad_record = self.settle_rejected(prepared, isolation).await?;
        let mut backoff = Backoff::new();
        while let Some(write) = isolation.next_write() {
            match sink.write(&write.batch).await {
                Ok(()) => {
                    backoff = Backoff::new();
                    self.durable(prepared, isolation.written(&write)).await;
                }
                Err(failure) => {
                    let stops_at = self
                        .failed(prepared, isolation, &write, &failure, &mut backoff)
                        .await?;
                    bad_record = stops_at.or(bad_record);
                }
            }
        }
        Ok(bad_record)
    }

    /// Does what the policy says about a failed write. `Some`: the bad record before which the batch ends now.
    async fn failed(
        &mut self,
        prepared: &Prepared,
        isolation: &mut Isolation<'_>,
        write: &Write<'_>,
        failure: &Failure,
        backoff: &mut Backoff,
    ) -> Result<Option<String>, Ended> {
        // What became another owner's meanwhile is not ours to reject.
        let dropped = isolation.drop_stale(&self.generations);
        self.give_back(dropped);
        let rejected = self.rejected_by(prepared, isolation, write, failure);
        let attempts = Attempts {
            next_delay: backoff.next_delay(),
            records: write.sources().len(),
            rejected_lately: self.rejected_lately() + rejected.len(),
            superseded_lately: self.supersessions.lately(Instant::now()),
        };
        match decide(Stage::Write, failure, &self.errors, &attempts) {
            Directive::RetryIn(delay) => self.wait_out(failure, delay, backoff).await?,
            // A half may be empty by now, if the rest went to others: then the next write is the other one.
            Directive::Halve => {
                isolation.halve();
            }
            Directive::DeadLetter => self.dead_letter(isolation, rejected).await?,
            Directive::Discard => self.discard(isolation, &rejected),
            Directive::StopBefore => return Ok(self.stop_before(isolation, rejected.first())),
            Directive::GiveBack => {
                self.supersessions.add(Instant::now());
                tracing::warn!(
                    event = "progress_superseded",
                    connector = %self.waiting.connector,
                    task = self.waiting.task,
                    cause = %failure,
                );
                return Err(Ended::Superseded);
            }
            Directive::Fail(cause) => return Err(TaskEnd::Failed(cause.to_string()).into()),
        }
        Ok(None)
    }

    async fn durable(&mut self, prepared: &Prepared, written: Written) {
        self.waiting.over();
        self.meters.ended(written.end);
        let seconds = prepared.first_read.elapsed().as_secs_f64();
        self.meters
            .batch_durable(seconds, written.last_timestamp_ms);
        let positions = written.progress.into_iter().map(|owned| {
            (
                owned.progress.partition,
                owned.progress.next,
                owned.generation,
            )
        });
        let _ = self
            .reports
            .send(Report::Durable(positions.collect()))
            .await;
    }

    /// Waits before the batch is tried again; a stop ends the wait, and with it the task.
    async fn wait_out(
        &mut self,
        why: &impl Display,
        delay: Duration,
        backoff: &mut Backoff,
    ) -> Result<(), TaskEnd> {
        self.meters.retried();
        backoff.grow();
        self.waiting.wait("batch_retried", why, delay).await
    }

    fn give_back(&self, records: u64) {
        if records > 0 {
            self.meters.ended(BatchEnd {
                given_back: records,
                ..BatchEnd::default()
            });
        }
    }
}
