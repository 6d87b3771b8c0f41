//! The writing half of a task: settles what preparing rejected, and gives each batch to every lane.
//!
//! Lanes write one batch side by side. Each waits out its own server and never makes another write twice; the batch as a
//! whole waits for the slowest, which bounds memory. Lanes whose progress moves in a Kafka transaction come last, one
//! after the other: their transaction commits the group's offset for all. Nothing is atomic between lanes.

use std::sync::Arc;

use connect_api::ProgressHome;
use connect_kafka::GroupMetadata;
use futures_util::future::join_all;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::backoff::{Backoff, Supersessions};
use crate::control::{Stop, TaskEnd};
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::records::dead_letter::Letter;
use crate::records::rejects::{Judged, Rejects};
use crate::sink_task::assignment::{Assigned, Generations};
use crate::sink_task::batch::{Outcome, Prepared};
use crate::sink_task::halves::{Resumed, SharedGroup, Work, WriterReport};
use crate::sink_task::isolation::{Isolation, LaneEnd};
use crate::sink_task::lane::{BatchOver, Lane, SharedPositions};
use crate::sink_task::other_names::OtherNames;
use crate::status::{BatchEnd, LaneMeters, Meters};
use crate::waiting::Waiting;
use connect_config::ErrorsConfig;

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

/// Partitions of which the sinks are asked (again) at a time where they resume.
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

/// Returns the lane when its flush is due; never without one.
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
                let flushed = lane.try_flush().await;
                let mut over = vec![lane.flushed(flushed).await];
                self.commit_group(&mut over).await;
                self.over(over).await
            }
            Next::Forget => {
                for lane in &mut self.lanes {
                    lane.forget_stale().await;
                }
                Ok(())
            }
        }
    }

    /// Asks the sinks where partitions resume. What one cannot say now is asked again later: a predecessor that still
    /// holds these partitions must not hold up the others.
    async fn resume(&mut self, mut asked: ToResume) -> Result<(), TaskEnd> {
        asked.partitions.retain(|asked| {
            self.generations
                .is_current(&asked.partition, asked.generation)
        });
        if asked.partitions.is_empty() {
            return Ok(());
        }
        let mut stored = vec![Vec::with_capacity(self.lanes.len()); asked.partitions.len()];
        for lane in &mut self.lanes {
            match lane.stored(&asked.partitions, &self.other_names).await {
                Ok(of_lane) => {
                    for (all, one) in stored.iter_mut().zip(of_lane) {
                        all.push(one);
                    }
                }
                Err(failure) => return self.ask_again(asked, &failure),
            }
        }
        self.waiting.over();
        let resumed = asked.partitions.into_iter().zip(stored);
        let resumed = resumed.map(|(assigned, stored)| Resumed { assigned, stored });
        let _ = self
            .reports
            .send(WriterReport::Resumed(resumed.collect()))
            .await;
        Ok(())
    }

    fn ask_again(
        &mut self,
        mut asked: ToResume,
        failure: &connect_api::Failure,
    ) -> Result<(), TaskEnd> {
        let attempts = Attempts {
            next_delay: asked.backoff.next_delay(),
            ..Attempts::default()
        };
        match decide(Stage::Resume, failure, &self.errors, &attempts) {
            Directive::RetryIn(delay) => {
                self.waiting
                    .show("resume_retried", &failure.cause(), Some(delay));
                asked.backoff.grow();
                asked.at = tokio::time::Instant::now() + delay;
                self.to_resume.push(asked);
                self.to_resume.sort_by_key(|asked| asked.at);
                Ok(())
            }
            Directive::End(end) => Err(end),
            other => unreachable!("no record takes part in a resume, so not {other:?}"),
        }
    }

    /// The group takes partitions, and the reader holds them until this is tried: it does not wait out an outage.
    async fn flush_before_revocation(&mut self, tried: oneshot::Sender<()>) -> Result<(), TaskEnd> {
        if tried.is_closed() {
            return Ok(());
        }
        let flushed = join_all(self.lanes.iter_mut().map(Lane::try_flush)).await;
        if let Some((lane, group)) = self.committing() {
            lane.commit_group_once(&group).await;
        }
        let _ = tried.send(());
        let lanes = self.lanes.iter_mut().zip(flushed);
        let over = join_all(lanes.map(|(lane, flushed)| lane.flushed(flushed))).await;
        self.over(over).await
    }

    async fn batch(&mut self, prepared: &Prepared) -> Result<(), TaskEnd> {
        {
            let mut positions = self.positions.lock();
            prepared
                .progress
                .iter()
                .for_each(|owned| positions.begin(owned));
        }
        let mut isolations = Vec::with_capacity(self.lanes.len());
        for lane in &mut self.lanes {
            isolations.push(lane.isolate(prepared).await);
        }
        let rejected = match self.settle_rejected(prepared, &mut isolations).await {
            Ok(bad_record) => bad_record.map(BatchOver::BadRecord),
            Err(end) => {
                for (lane, isolation) in self.lanes.iter().zip(&isolations) {
                    lane.give_back(isolation.remaining());
                }
                self.count(prepared, &isolations);
                return Err(end);
            }
        };
        // What a lane rejects lies before the record that ends the batch for all.
        let mut over = self.write(prepared, &mut isolations).await;
        self.commit_group(&mut over).await;
        over.extend(rejected);
        self.count(prepared, &isolations);
        self.over(over).await
    }

    /// Lanes side by side, then those whose transaction commits for all.
    async fn write(
        &mut self,
        prepared: &Prepared,
        isolations: &mut [Isolation<'_>],
    ) -> Vec<BatchOver> {
        let stop = &self.lanes_stop;
        let mut together = Vec::new();
        let mut last = Vec::new();
        for (lane, isolation) in self.lanes.iter_mut().zip(isolations) {
            let is_last = lane.home == ProgressHome::KafkaTransaction;
            let write = async move {
                let over = lane.batch(prepared, isolation).await;
                if matches!(over, BatchOver::Task(_)) {
                    stop.drain.cancel();
                }
                over
            };
            if is_last {
                last.push(write);
            } else {
                together.push(write);
            }
        }
        let mut over = join_all(together).await;
        for write in last {
            over.push(write.await);
        }
        over
    }

    /// What follows from the ends of a batch in all lanes; the worst counts.
    async fn over(&mut self, lanes: impl IntoIterator<Item = BatchOver>) -> Result<(), TaskEnd> {
        let mut bad_record = None;
        let mut starts_over = false;
        let mut end: Option<TaskEnd> = None;
        for over in lanes {
            match over {
                BatchOver::Written => {}
                BatchOver::BadRecord(text) => bad_record = bad_record.or(Some(text)),
                BatchOver::StartOver => starts_over = true,
                // What made the others stop says more than that they stopped.
                BatchOver::Task(one) if matches!(end, None | Some(TaskEnd::Stopped)) => {
                    end = Some(one);
                }
                BatchOver::Task(_) => {}
            }
        }
        match (end, bad_record) {
            (Some(end), _) => Err(end),
            (None, Some(bad_record)) => {
                self.flush_at_the_end().await;
                Err(TaskEnd::Failed(bad_record))
            }
            (None, None) if starts_over => {
                for lane in &mut self.lanes {
                    lane.forget_accepted().await;
                }
                let _ = self.reports.send(WriterReport::Superseded).await;
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// Settles what was rejected before it came to any lane: one dead letter for all. `Some`: the bad record before which
    /// the batch ends.
    async fn settle_rejected(
        &mut self,
        prepared: &Prepared,
        isolations: &mut [Isolation<'_>],
    ) -> Result<Option<String>, TaskEnd> {
        let rejects = self.rejects.clone();
        let mut rejects = rejects.lock().await;
        let mut judged = Judged::default();
        for (index, source) in prepared.sources.iter().enumerate() {
            rejects.see();
            if isolations.iter().all(|isolation| isolation.filters(index)) {
                rejects.filter_last();
            }
            let is_open = isolations.iter().any(|isolation| isolation.is_open(index));
            let rejection = match &source.outcome {
                Outcome::Rejected(rejection) if is_open => rejection,
                _ => continue,
            };
            let letter = Letter {
                index,
                origin: source.origin.clone(),
                rejection: (**rejection)
                    .clone()
                    .showing_values(self.errors.show_values),
                lane: None,
            };
            let stops = rejects.judge(letter, 0, &mut judged);
            stops?;
            if let Some(bad) = &judged.stop_before {
                for (lane, isolation) in self.lanes.iter().zip(isolations) {
                    lane.give_back(isolation.cut_before(bad.index));
                }
                let text = bad.rejection.explain(&self.waiting.connector, &bad.origin);
                return Ok(Some(text));
            }
        }
        let meters: Vec<LaneMeters> = self.lanes.iter().map(|lane| lane.meters.clone()).collect();
        let mut settled = |index: usize, end: BatchEnd| {
            for (lane, isolation) in meters.iter().zip(isolations.iter_mut()) {
                if isolation.is_open(index) {
                    isolation.settle(index);
                    lane.ended(end);
                }
            }
        };
        rejects.discard(&self.waiting, &judged.discarded, &mut settled);
        rejects
            .dead_letter(&self.waiting, judged.letters, &mut settled)
            .await?;
        Ok(None)
    }

    /// Counts the batch for the connector: a record is delivered once no lane needs it any more.
    fn count(&self, prepared: &Prepared, isolations: &[Isolation<'_>]) {
        let discards = self.errors.dead_letter_topic.is_none();
        let mut end = BatchEnd::default();
        for index in 0..prepared.sources.len() {
            let in_lanes = isolations.iter().map(|isolation| isolation.end_of(index));
            let ends: Vec<LaneEnd> = in_lanes.collect();
            if ends.contains(&LaneEnd::GivenBack) {
                end.given_back += 1;
            } else if ends.contains(&LaneEnd::Settled) && !discards {
                end.dead_lettered += 1;
            } else if ends.contains(&LaneEnd::Written) {
                end.delivered += 1;
            } else {
                end.filtered += 1;
            }
        }
        self.meters.ended(end);
    }

    /// What the sinks still hold when the task ends becomes durable, or is read again at the next start.
    async fn flush_at_the_end(&mut self) {
        join_all(self.lanes.iter_mut().map(Lane::flush_at_the_end)).await;
        if let Some((lane, group)) = self.committing() {
            lane.commit_group_once(&group).await;
        }
    }

    /// Moves the group to where all lanes are, if the last transaction did not.
    async fn commit_group(&mut self, over: &mut Vec<BatchOver>) {
        let goes_on =
            |over: &BatchOver| matches!(over, BatchOver::Written | BatchOver::BadRecord(_));
        if over.iter().all(goes_on)
            && let Some((lane, group)) = self.committing()
        {
            over.push(lane.commit_group(&group).await);
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
