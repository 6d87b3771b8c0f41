//! The writing half of a task: gives each batch to every lane, flushes sinks that accept, and asks sinks where partitions
//! resume.
//!
//! It does one thing at a time: the next batch ([`batch`]), a flush that is due, or a question ([`resume`]).

mod batch;
mod resume;

use std::sync::Arc;

use connect_api::ProgressHome;
use connect_kafka::GroupMetadata;
use futures_util::future::join_all;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::backoff::Supersessions;
use crate::control::{Stop, TaskEnd};
use crate::records::rejects::Rejects;
use crate::sink_task::assignment::Generations;
use crate::sink_task::halves::{SharedGroup, Work, WriterReport};
use crate::sink_task::lane::{Ended, Lane, LaneResult, SharedPositions};
use crate::sink_task::other_names::OtherNames;
use crate::status::Meters;
use crate::waiting::Waiting;
use connect_config::ErrorsConfig;
use resume::{ToResume, next_due};

pub(crate) struct Writer {
    pub(crate) lanes: Vec<Lane>,
    pub(crate) errors: ErrorsConfig,
    pub(crate) rejects: Arc<Mutex<Rejects>>,
    pub(crate) generations: Generations,
    pub(crate) meters: Meters,
    pub(crate) positions: SharedPositions,
    pub(crate) reports: mpsc::Sender<WriterReport>,
    pub(crate) waiting: Waiting,
    /// Ends the waits of all lanes, once one of them ends the task.
    pub(crate) lanes_stop: Stop,
    pub(crate) other_names: OtherNames,
    pub(crate) group: SharedGroup,
    /// Questions that the sinks could not answer yet, the next one first.
    pub(crate) to_resume: Vec<ToResume>,
}

/// A lane whose sink must be flushed at a time.
struct FlushDue {
    at: tokio::time::Instant,
    lane: usize,
}

/// The flush that is due first.
fn first_flush(lanes: &[Lane]) -> Option<FlushDue> {
    let due = lanes.iter().enumerate().filter_map(|(lane, of_lane)| {
        let at = of_lane.accepting.flush_by()?;
        Some(FlushDue { at, lane })
    });
    due.min_by_key(|due| due.at)
}

/// Returns the lane when its flush is due. Without a flush it never returns.
async fn flush_due(first: Option<FlushDue>) -> usize {
    match first {
        Some(FlushDue { at, lane }) => {
            tokio::time::sleep_until(at).await;
            lane
        }
        None => std::future::pending().await,
    }
}

impl Writer {
    /// Runs until the reader has no more work.
    pub(crate) async fn run(&mut self, mut work: mpsc::Receiver<Work>) -> TaskEnd {
        let end = loop {
            if let Err(end) = self.turn(&mut work).await {
                break end;
            }
        };
        if matches!(end, TaskEnd::Stopped) {
            self.flush_at_the_end().await;
        }
        end
    }

    /// Does what is due next. `Err`: how the task ends.
    async fn turn(&mut self, work: &mut mpsc::Receiver<Work>) -> Result<(), TaskEnd> {
        enum Next {
            Work(Option<Work>),
            AskAgain,
            Flush(usize),
            Forget,
        }
        let holds_records = self.lanes.iter().any(|lane| lane.accepting.holds_records());
        let first_flush = first_flush(&self.lanes);
        let next = tokio::select! {
            next = work.recv() => Next::Work(next),
            () = next_due(&self.to_resume) => Next::AskAgain,
            lane = flush_due(first_flush) => Next::Flush(lane),
            () = self.generations.forgotten(), if holds_records => Next::Forget,
        };
        match next {
            Next::Work(None) => Err(TaskEnd::Stopped),
            Next::Work(Some(Work::Batch(prepared))) => self.batch(&prepared).await,
            Next::Work(Some(Work::Resume {
                partitions,
                after_rebalance,
            })) => {
                if after_rebalance {
                    let lanes = self.lanes.iter_mut();
                    lanes.for_each(|lane| lane.supersessions = Supersessions::default());
                }
                self.resume(ToResume::now(partitions)).await
            }
            Next::Work(Some(Work::Flush { tried })) => self.flush_before_revocation(tried).await,
            Next::AskAgain => {
                let due = self.to_resume.remove(0);
                self.resume(due).await
            }
            Next::Flush(lane) => {
                let lane = self.lanes.get_mut(lane).expect("the lane that is due");
                let mut results = vec![lane.flush().await.map(|()| None)];
                self.commit_group(&mut results).await;
                self.conclude(results).await
            }
            Next::Forget => {
                for lane in &mut self.lanes {
                    lane.forget_stale().await;
                }
                Ok(())
            }
        }
    }

    /// The group revokes partitions, and the reader holds them until this is tried: it does not wait out an outage.
    async fn flush_before_revocation(&mut self, tried: oneshot::Sender<()>) -> Result<(), TaskEnd> {
        if tried.is_closed() {
            return Ok(());
        }
        let tried_to_flush = join_all(self.lanes.iter_mut().map(Lane::try_flush)).await;
        if let Some((lane, group)) = self.committing() {
            lane.commit_group_once(&group).await;
        }
        let _ = tried.send(());
        let lanes = self.lanes.iter_mut().zip(tried_to_flush);
        let after = join_all(lanes.map(|(lane, tried)| lane.after_flush(tried))).await;
        let results = after.into_iter().map(|after| after.map(|()| None));
        self.conclude(results).await
    }

    /// The worst result of a lane decides how the task goes on.
    async fn conclude(
        &mut self,
        lanes: impl IntoIterator<Item = LaneResult>,
    ) -> Result<(), TaskEnd> {
        let mut bad_record = None;
        let mut starts_over = false;
        let mut end: Option<TaskEnd> = None;
        for result in lanes {
            match result {
                Ok(text) => bad_record = bad_record.or(text),
                Err(Ended::StartOver) => starts_over = true,
                // The lane that failed explains more than the lanes that it stopped.
                Err(Ended::Task(one)) if matches!(end, None | Some(TaskEnd::Stopped)) => {
                    end = Some(one);
                }
                Err(Ended::Task(_)) => {}
            }
        }
        if let Some(end) = end {
            return Err(end);
        }
        if let Some(bad_record) = bad_record {
            self.flush_at_the_end().await;
            return Err(TaskEnd::Failed(bad_record));
        }
        if starts_over {
            for lane in &mut self.lanes {
                lane.forget_accepted().await;
            }
            let _ = self.reports.send(WriterReport::Superseded).await;
        }
        Ok(())
    }

    /// Flushes what the sinks still hold when the task ends. If that fails, the next start reads it again.
    async fn flush_at_the_end(&mut self) {
        join_all(self.lanes.iter_mut().map(Lane::flush_at_the_end)).await;
        if let Some((lane, group)) = self.committing() {
            lane.commit_group_once(&group).await;
        }
    }

    /// Moves the group to the positions of all lanes, if the last transaction did not.
    async fn commit_group(&mut self, results: &mut Vec<LaneResult>) {
        if results.iter().all(Result::is_ok)
            && let Some((lane, group)) = self.committing()
        {
            results.push(lane.commit_group(&group).await.map(|()| None));
        }
    }

    /// The lane whose transactions move the group, where there is one.
    fn committing(&mut self) -> Option<(&mut Lane, GroupMetadata)> {
        let mut lanes = self.lanes.iter_mut();
        let lane = lanes.find(|lane| lane.home == ProgressHome::KafkaTransaction)?;
        let group = self.group.lock().clone()?;
        Some((lane, group))
    }
}
