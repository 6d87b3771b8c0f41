//! The writing half of a task: dead letters, the write, the report.
//!
//! For each batch, in this order: drop what is not ours any more; deliver dead letters of what preparing rejected;
//! write, taking refused records out one by one (their letters delivered first) and waiting out outages; after each
//! durable write report the positions. So whenever progress passes a record, the record is durable, dead-lettered, or
//! left out on purpose (P1). Nothing but a stop ends the wait for an outage, and no outage ever makes a dead letter (P4).

use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_api::{Cause, Failure, Origin, Sink, TopicPartition, time};
use connect_kafka::Generation;
use tokio::sync::mpsc;

use super::breaker::Breaker;
use super::dead_letter::DeadLetters;
use super::isolate::{Isolation, Write, Written};
use super::other_names::OtherNames;
use super::policy::{Backoff, Supersessions};
use super::reject::Reject;
use super::{Generations, Outcome, Prepared, Report, Work};
use crate::config::Tolerance;
use crate::control::{Stop, TaskEnd};
use crate::publisher::GroupSlot;
use crate::status::{BatchEnd, Meters};

/// Everything that the writing half needs beside the sink.
pub(crate) struct Writer {
    pub(crate) connector: Arc<str>,
    pub(crate) task: u32,
    /// The sink's type, for messages.
    pub(crate) sink_kind: &'static str,
    pub(crate) tolerance: Tolerance,
    /// `None`: rejected records are discarded on purpose (or stop the connector).
    pub(crate) dead_letters: Option<DeadLetters>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) generations: Generations,
    pub(crate) meters: Meters,
    pub(crate) group: GroupSlot,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) stop: Stop,
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
                self.meters.not_waiting(self.task);
                self.other_names
                    .point_out(&self.connector, sink, &names, &resumes)
                    .await;
                let resumed = asked
                    .partitions
                    .into_iter()
                    .zip(resumes)
                    .map(|((name, generation), resume)| (name, generation, resume));
                let _ = self.reports.send(Report::Resumed(resumed.collect())).await;
                Ok(())
            }
            Err(Failure::Retry(cause) | Failure::TooMuch(cause) | Failure::Superseded(cause)) => {
                let delay = asked.backoff.next_delay();
                self.say_waiting("resume_retried", &cause, delay);
                asked.at = tokio::time::Instant::now() + delay;
                self.to_resume.push(asked);
                self.to_resume.sort_by_key(|asked| asked.at);
                Ok(())
            }
            Err(failure) => Err(TaskEnd::Failed(failure.to_string())),
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
        let mut bad_record = None;
        match self.tolerance {
            Tolerance::All => self.send_letters_of_rejected(prepared, isolation).await?,
            Tolerance::None => bad_record = self.cut_before_first_rejected(prepared, isolation),
        }
        let mut backoff = Backoff::new();
        while let Some(write) = isolation.next_write() {
            match sink.write(&write.batch).await {
                Ok(()) => {
                    backoff = Backoff::new();
                    self.durable(prepared, isolation.written(&write)).await;
                }
                Err(failure) => {
                    let refused = self
                        .failed(isolation, &write, failure, &mut backoff)
                        .await?;
                    for (index, cause) in refused {
                        let Some(source) = prepared.sources.get(index) else {
                            continue;
                        };
                        let reject = Reject::of_sink(self.sink_kind, &cause);
                        if self.tolerance == Tolerance::None {
                            bad_record = Some(reject.explain(&self.connector, &source.origin));
                            self.give_back(isolation.cut_before(index));
                            break;
                        }
                        self.refuse(isolation, index, &source.origin, reject)
                            .await?;
                    }
                }
            }
        }
        Ok(bad_record)
    }

    fn cut_before_first_rejected(
        &mut self,
        prepared: &Prepared,
        isolation: &mut Isolation<'_>,
    ) -> Option<String> {
        let mut sources = prepared.sources.iter().enumerate();
        let (index, explained) = sources.find_map(|(index, source)| match &source.outcome {
            Outcome::Rejected(reject) if isolation.is_ours(index) => {
                Some((index, reject.explain(&self.connector, &source.origin)))
            }
            _ => None,
        })?;
        self.give_back(isolation.cut_before(index));
        Some(explained)
    }

    /// What follows from a failed write: the source records that it named (or that halving found) with their causes, in
    /// order; none if `isolation` already says how to go on.
    async fn failed(
        &mut self,
        isolation: &mut Isolation<'_>,
        write: &Write<'_>,
        failure: Failure,
        backoff: &mut Backoff,
    ) -> Result<Vec<(usize, Cause)>, Ended> {
        let mut refused = Vec::new();
        match failure {
            Failure::Retry(cause) => self.wait_out(&cause, backoff).await?,
            Failure::TooMuch(cause) => {
                if !isolation.halve() {
                    self.wait_out(&cause, backoff).await?;
                }
            }
            Failure::Refused(refusals) => {
                let named = refusals.into_iter().filter_map(|refusal| {
                    Some((*write.source_of.get(refusal.record)?, refusal.cause))
                });
                refused.extend(named);
                refused.sort_by_key(|(source, _)| *source);
                refused.dedup_by_key(|(source, _)| *source);
                if refused.is_empty() {
                    let cause = Cause::new("the sink refused records that are not in the batch");
                    return Err(TaskEnd::Crashed(cause).into());
                }
            }
            Failure::RefusedSomewhere(cause) => {
                if !isolation.halve() {
                    let Some(source) = isolation.only_source() else {
                        let message = format!("the sink refused a batch without records: {cause}");
                        return Err(TaskEnd::Failed(message).into());
                    };
                    refused.push((source, cause));
                }
            }
            Failure::Superseded(cause) => return Err(self.superseded(&cause)),
            Failure::Fatal(cause) => return Err(TaskEnd::Failed(cause.to_string()).into()),
        }
        let dropped = isolation.drop_stale(&self.generations);
        self.give_back(dropped);
        refused.retain(|(source, _)| isolation.is_ours(*source));
        Ok(refused)
    }

    fn superseded(&mut self, cause: &Cause) -> Ended {
        if self.supersessions.too_many(Instant::now()) {
            let message = format!(
                "two groups share this progress: {cause}. Is a connector of this name running against another cluster or with another group? Give one of them another name"
            );
            return TaskEnd::Failed(message).into();
        }
        tracing::warn!(event = "progress_superseded", connector = %self.connector, task = self.task, %cause);
        Ended::Superseded
    }

    /// One source record cannot be written: its letter is delivered, and the rest goes on without it.
    async fn refuse(
        &mut self,
        isolation: &mut Isolation<'_>,
        index: usize,
        origin: &Arc<Origin>,
        reject: Reject,
    ) -> Result<(), Ended> {
        if self.breaker.as_mut().is_some_and(Breaker::trips_late) {
            return Err(self.too_many_rejects(&reject).into());
        }
        self.send_letters(vec![(origin.clone(), reject)]).await?;
        isolation.refuse(index);
        Ok(())
    }

    async fn send_letters_of_rejected(
        &mut self,
        prepared: &Prepared,
        isolation: &Isolation<'_>,
    ) -> Result<(), Ended> {
        let mut letters = Vec::new();
        for (index, source) in prepared.sources.iter().enumerate() {
            let rejected = match &source.outcome {
                Outcome::Rejected(reject) if isolation.is_ours(index) => Some(reject),
                _ => None,
            };
            let trips = self
                .breaker
                .as_mut()
                .is_some_and(|breaker| breaker.trips(rejected.is_some()));
            if let Some(reject) = rejected {
                if trips {
                    return Err(self.too_many_rejects(reject).into());
                }
                letters.push((source.origin.clone(), (**reject).clone()));
            }
        }
        self.send_letters(letters).await
    }

    fn too_many_rejects(&self, last: &Reject) -> TaskEnd {
        TaskEnd::Failed(format!(
            "too many bad records (errors.stop_after); the last one: {} {}: {}. No dead letter was sent for it and nothing is skipped: mend the cause, then start the connector again",
            last.stage.as_str(),
            last.by,
            last.message
        ))
    }

    /// Delivers letters, waiting out outages of the dead letter topic: progress never passes an undelivered letter.
    async fn send_letters(&mut self, letters: Vec<(Arc<Origin>, Reject)>) -> Result<(), Ended> {
        if letters.is_empty() {
            return Ok(());
        }
        for (origin, reject) in &letters {
            tracing::warn!(
                event = "record_rejected",
                connector = %self.connector,
                task = self.task,
                topic = %origin.topic,
                partition = origin.partition,
                offset = origin.offset,
                stage = reject.stage.as_str(),
                by = %reject.by,
                reason = %reject.message,
            );
        }
        let mut backoff = Backoff::new();
        loop {
            let Some(dead_letters) = &mut self.dead_letters else {
                return Ok(());
            };
            match dead_letters.deliver(&letters).await {
                Ok(()) => {
                    self.meters.not_waiting(self.task);
                    return Ok(());
                }
                Err(Failure::Retry(cause)) => self.wait_out(&cause, &mut backoff).await?,
                Err(failure) => return Err(TaskEnd::Failed(failure.to_string()).into()),
            }
        }
    }

    async fn durable(&mut self, prepared: &Prepared, written: Written) {
        self.meters.not_waiting(self.task);
        let mut end = written.end;
        if self.dead_letters.is_none() {
            // `dead_letter = "discard"`: left out on purpose.
            end.filtered += std::mem::take(&mut end.dead_lettered);
        }
        self.meters.ended(end);
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

    /// Shows what is waited for and waits; a stop ends the wait, and with it the task.
    async fn wait_out(&mut self, cause: &Cause, backoff: &mut Backoff) -> Result<(), TaskEnd> {
        let delay = backoff.next_delay();
        self.meters.retried();
        self.say_waiting("batch_retried", cause, delay);
        tokio::select! {
            () = tokio::time::sleep(delay) => Ok(()),
            () = self.stop.drain.cancelled() => Err(TaskEnd::Stopped),
        }
    }

    fn say_waiting(&self, event: &'static str, cause: &Cause, delay: Duration) {
        let retry_at_ms = time::now_ms() + delay.as_millis() as i64;
        self.meters
            .waiting(self.task, cause.to_string(), Some(retry_at_ms));
        tracing::warn!(
            event,
            connector = %self.connector,
            task = self.task,
            delay_ms = delay.as_millis() as u64,
            %cause,
        );
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
