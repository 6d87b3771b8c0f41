//! The writing half of a task: dead letters, the write, the report.
//!
//! For each batch, in this order: drop what is not ours any more; deliver dead letters of what preparing rejected;
//! write, taking refused records out one by one (their letters delivered first) and waiting out outages; after each
//! durable write report the positions. So whenever progress passes a record, the record is durable, dead-lettered, or
//! left out on purpose (P1). Nothing but a stop ends the wait for an outage, and no outage ever makes a dead letter (P4).

mod accepting;
mod rejecting;

use std::fmt::Display;
use std::time::{Duration, Instant};

use connect_api::{Cause, Failure, ProgressHome, Sink, TopicPartition};
use tokio::sync::mpsc;

use super::breaker::Breaker;
use super::dead_letter::DeadLetters;
use super::isolate::{Isolation, Write};
use super::other_names::OtherNames;
use super::{Assigned, Generations, Prepared, Report, Resumed, Stored, Work};
use crate::backoff::{Backoff, Supersessions};
use crate::config::ErrorsConfig;
use crate::control::TaskEnd;
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::status::{BatchEnd, Meters};
use crate::waiting::Waiting;

pub(crate) use accepting::Accepting;

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
    /// Where progress is kept.
    pub(crate) home: ProgressHome,
    pub(crate) accepting: Accepting,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) waiting: Waiting,
    pub(crate) other_names: OtherNames,
    pub(crate) supersessions: Supersessions,
    /// Questions that the sink could not answer yet, the next one first.
    pub(crate) to_resume: Vec<ToResume>,
}

/// Partitions whose place in the sink is asked for (again) at a time.
pub(crate) struct ToResume {
    partitions: Vec<Assigned>,
    at: tokio::time::Instant,
    backoff: Backoff,
}

impl ToResume {
    fn now(partitions: Vec<Assigned>) -> ToResume {
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
        let end = loop {
            if let Err(end) = self.turn(sink, &mut work).await {
                break end;
            }
        };
        if matches!(end, TaskEnd::Stopped) {
            self.flush_at_the_end(sink).await;
        }
        end
    }

    /// Does what is due next. `Err`: how the task ends.
    async fn turn(
        &mut self,
        sink: &mut dyn Sink,
        work: &mut mpsc::Receiver<Work>,
    ) -> Result<(), TaskEnd> {
        enum Next {
            Work(Option<Work>),
            AskAgain,
            Flush,
            Forget,
        }
        let holds_records = !self.accepting.accepted.is_empty();
        let next = tokio::select! {
            next = work.recv() => Next::Work(next),
            () = next_due(&self.to_resume) => Next::AskAgain,
            () = self.accepting.flush_due() => Next::Flush,
            () = self.generations.forgotten(), if holds_records => Next::Forget,
        };
        match next {
            Next::Work(None) => Err(TaskEnd::Stopped),
            Next::Work(Some(Work::Batch(prepared))) => self.batch(sink, &prepared).await,
            Next::Work(Some(Work::Resume {
                partitions,
                after_rebalance,
            })) => {
                if after_rebalance {
                    self.supersessions = Supersessions::default();
                }
                self.resume(sink, ToResume::now(partitions)).await
            }
            Next::AskAgain => {
                let due = self.to_resume.remove(0);
                self.resume(sink, due).await
            }
            Next::Flush => match self.flush(sink).await {
                Ok(()) => Ok(()),
                Err(Ended::Superseded) => {
                    self.start_over(sink).await;
                    Ok(())
                }
                Err(Ended::Task(end)) => Err(end),
            },
            Next::Forget => {
                self.forget_stale(sink).await;
                Ok(())
            }
        }
    }

    /// Asks the sink where partitions resume. What it cannot say now is asked again later: a predecessor that still
    /// holds these partitions must not hold up the others.
    async fn resume(&mut self, sink: &mut dyn Sink, mut asked: ToResume) -> Result<(), TaskEnd> {
        asked.partitions.retain(|asked| {
            self.generations
                .is_current(&asked.partition, asked.generation)
        });
        if asked.partitions.is_empty() {
            return Ok(());
        }
        self.forget_stale(sink).await;
        match self.stored(sink, &asked.partitions).await {
            Ok(stored) => {
                self.waiting.over();
                let resumed = asked.partitions.into_iter().zip(stored);
                let resumed = resumed.map(|(assigned, stored)| Resumed { assigned, stored });
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

    async fn stored(
        &mut self,
        sink: &mut dyn Sink,
        partitions: &[Assigned],
    ) -> Result<Vec<Stored>, Failure> {
        let Some(store) = sink.progress_store() else {
            return Ok(vec![Stored::InGroup; partitions.len()]);
        };
        let names: Vec<TopicPartition> =
            partitions.iter().map(|one| one.partition.clone()).collect();
        let resumed = store.resume(&names).await?;
        if resumed.len() != names.len() {
            return Err(Failure::Fatal(Cause::new(format!(
                "the sink `{}` was asked where {} partitions resume and answered {}: this is a bug of the plugin",
                self.sink_kind,
                names.len(),
                resumed.len()
            ))));
        }
        self.other_names
            .point_out(&self.waiting.connector, store, &names, &resumed)
            .await;
        Ok(resumed.into_iter().map(Stored::InSink).collect())
    }

    async fn batch(&mut self, sink: &mut dyn Sink, prepared: &Prepared) -> Result<(), TaskEnd> {
        self.forget_stale(sink).await;
        let mut isolation = Isolation::new(prepared);
        let dropped = isolation.drop_stale(&self.generations);
        self.give_back(dropped);
        let written = self.write_all(sink, prepared, &mut isolation).await;
        self.give_back(isolation.remaining());
        match written {
            Ok(None) => Ok(()),
            Ok(Some(bad_record)) => {
                self.flush_at_the_end(sink).await;
                Err(TaskEnd::Failed(bad_record))
            }
            Err(Ended::Task(end)) => Err(end),
            Err(Ended::Superseded) => {
                self.start_over(sink).await;
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
            self.make_room(sink, isolation.bytes_of(&write)).await?;
            match sink.write(&write.batch).await {
                Ok(written) => {
                    backoff = Backoff::new();
                    self.written(prepared, isolation, &write, written).await?;
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
            Directive::GiveBack => return Err(self.superseded(failure)),
            Directive::Fail(cause) => return Err(TaskEnd::Failed(cause.to_string()).into()),
        }
        Ok(None)
    }

    fn superseded(&mut self, failure: &Failure) -> Ended {
        self.supersessions.add(Instant::now());
        tracing::warn!(
            event = "progress_superseded",
            connector = %self.waiting.connector,
            task = self.waiting.task,
            cause = %failure,
        );
        Ended::Superseded
    }

    /// Every partition is read again from where its progress is stored.
    async fn start_over(&mut self, sink: &mut dyn Sink) {
        self.forget_accepted(sink).await;
        let _ = self.reports.send(Report::Superseded).await;
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
