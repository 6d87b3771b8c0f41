//! One lane of a task: a `[[sinks]]` entry with its sink, positions, backoff and isolation of refused records.
//!
//! For each batch, in this order: drop partitions that were revoked; settle the records that this lane's `when` rejects; write,
//! with retries during outages, and settle the records that the sink refuses; report the positions of each durable write. So
//! whenever the lane's progress passes a record, the record is durable, dead-lettered, filtered or discarded on purpose (P1).
//! Only a stop ends the wait for an outage, and no outage causes a dead letter (P4).

mod accepting;
mod group_commit;
mod rejecting;

use std::sync::Arc;
use std::time::Instant;

use connect_api::{Cause, CommitToken, Failure, ProgressHome, Sink, TopicPartition};
use connect_kafka::OwnedPosition;
use tokio::sync::{Mutex, mpsc};

use crate::backoff::{Backoff, Supersessions};
use crate::control::TaskEnd;
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::records::rejects::Rejects;
use crate::sink_task::assignment::{Assigned, Generations};
use crate::sink_task::batch::Prepared;
use crate::sink_task::halves::{Stored, WriterReport};
use crate::sink_task::isolation::{Isolation, Write};
use crate::sink_task::lane_positions::{LanePositions, PartitionPositions};
use crate::sink_task::other_names::OtherNames;
use crate::status::{BatchEnd, LaneMeters};
use crate::waiting::Waiting;
use connect_config::ErrorsConfig;

pub(crate) use accepting::Accepting;
pub(crate) use group_commit::LaneCommit;

/// A sink, and everything that writing to it needs.
pub(crate) struct Lane {
    /// The index of its entry in the file.
    pub(crate) index: usize,
    pub(crate) name: Arc<str>,
    /// The sink's type, for messages.
    pub(crate) kind: &'static str,
    pub(crate) sink: Box<dyn Sink>,
    /// Who stores the progress.
    pub(crate) home: ProgressHome,
    pub(crate) errors: ErrorsConfig,
    pub(crate) rejects: Arc<Mutex<Rejects>>,
    pub(crate) generations: Generations,
    pub(crate) meters: LaneMeters,
    pub(crate) accepting: Accepting,
    pub(crate) positions: SharedPositions,
    pub(crate) reports: mpsc::Sender<WriterReport>,
    pub(crate) waiting: Waiting,
    pub(crate) supersessions: Supersessions,
}

/// The positions of all lanes of a task.
pub(crate) type SharedPositions = Arc<parking_lot::Mutex<LanePositions>>;

/// What became of a batch in one lane. `Some`, under `tolerance = "none"`: everything before a bad record is written, and the
/// text explains that record.
pub(crate) type LaneResult = Result<Option<String>, Ended>;

/// Why the rest of a batch is not written.
pub(crate) enum Ended {
    /// Another owner has the progress, or it is lost: every lane starts again where its progress is stored.
    StartOver,
    Task(TaskEnd),
}

impl From<TaskEnd> for Ended {
    fn from(end: TaskEnd) -> Self {
        Ended::Task(end)
    }
}

impl Lane {
    /// The stored progress of these partitions in this lane.
    pub(crate) async fn stored(
        &mut self,
        partitions: &[Assigned],
        other_names: &OtherNames,
    ) -> Result<Vec<Stored>, Failure> {
        self.forget_stale().await;
        let Some(store) = self.sink.progress_store() else {
            return Ok(vec![Stored::InGroup; partitions.len()]);
        };
        let names: Vec<TopicPartition> =
            partitions.iter().map(|one| one.partition.clone()).collect();
        let resumed = store.resume(&names).await?;
        if resumed.len() != names.len() {
            return Err(Failure::Fatal(Cause::new(format!(
                "the sink `{}` was asked where {} partitions resume and answered {}: this is a bug of the plugin",
                self.kind,
                names.len(),
                resumed.len()
            ))));
        }
        other_names
            .point_out(&self.waiting.connector, &self.name, store, &names, &resumed)
            .await;
        Ok(resumed.into_iter().map(Stored::InSink).collect())
    }

    /// Starts a batch: selects what this lane writes, without partitions that were revoked.
    pub(crate) async fn isolate<'a>(&mut self, prepared: &'a Prepared) -> Isolation<'a> {
        self.forget_stale().await;
        let commit = match &prepared.group {
            Some(group) => self.commit_token(group),
            None => CommitToken::default(),
        };
        let mut isolation = Isolation::new(prepared, self.index, commit);
        let dropped = isolation.drop_stale(&self.generations);
        self.give_back(dropped);
        isolation
    }

    /// Writes a batch, and gives back what it could not write.
    pub(crate) async fn write(
        &mut self,
        prepared: &Prepared,
        isolation: &mut Isolation<'_>,
    ) -> LaneResult {
        let written = self.write_all(prepared, isolation).await;
        self.give_back(isolation.remaining());
        written
    }

    /// One write after another: [`Isolation`] chooses what the next one holds, until all is written or left out.
    async fn write_all(
        &mut self,
        prepared: &Prepared,
        isolation: &mut Isolation<'_>,
    ) -> LaneResult {
        let mut bad_record = self.settle_rejected(prepared, isolation).await?;
        let mut backoff = Backoff::new();
        while let Some(write) = isolation.next_write() {
            self.make_room(isolation.bytes_of(&write)).await?;
            match self.sink.write(&write.batch).await {
                Ok(written) => {
                    backoff = Backoff::new();
                    self.written(isolation, &write, written).await?;
                    self.committed(&write.batch.progress);
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

    /// Follows the policy after a failed write. `Some`: the bad record before which the batch ends.
    async fn failed(
        &mut self,
        prepared: &Prepared,
        isolation: &mut Isolation<'_>,
        write: &Write<'_>,
        failure: &Failure,
        backoff: &mut Backoff,
    ) -> LaneResult {
        // We must not reject records of a partition that was revoked meanwhile.
        let dropped = isolation.drop_stale(&self.generations);
        self.give_back(dropped);
        let rejected = self.rejected_by(prepared, isolation, write, failure);
        let seen_after = rejecting::seen_after(isolation, &rejected);
        let attempts = Attempts {
            next_delay: backoff.next_delay(),
            records: write.inputs().len(),
            superseded_lately: self.supersessions.lately(Instant::now()),
            ..self.rejects.lock().await.attempts(&seen_after)
        };
        match decide(Stage::Write, failure, &self.errors, &attempts) {
            Directive::RetryIn(delay) => {
                backoff.grow();
                self.waiting.retry("batch_retried", failure, delay).await?;
            }
            // One half may be empty if partitions were revoked: then the next write is the other half.
            Directive::Halve => {
                isolation.halve();
            }
            Directive::DeadLetter => self.dead_letter(isolation, rejected).await?,
            Directive::Discard => self.discard(isolation, &rejected).await,
            Directive::StopBefore => return Ok(self.stop_before(isolation, rejected.first())),
            Directive::GiveBack => return Err(self.superseded(failure)),
            Directive::End(end) => return Err(end.into()),
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
        Ended::StartOver
    }

    /// Reports the positions of all lanes in the partitions that this lane moved.
    async fn report(&mut self, durable: &[OwnedPosition]) {
        let reached: Vec<PartitionPositions> = {
            let mut positions = self.positions.lock();
            let moved = durable.iter();
            moved
                .filter_map(|position| positions.reached(self.index, position))
                .collect()
        };
        if !reached.is_empty() {
            let _ = self.reports.send(WriterReport::Durable(reached)).await;
        }
    }

    pub(crate) fn give_back(&self, records: u64) {
        if records > 0 {
            self.meters.ended(BatchEnd {
                given_back: records,
                ..BatchEnd::default()
            });
        }
    }
}
