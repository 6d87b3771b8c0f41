//! The road of a source connector: poll → transforms → the topic's contract → one transaction with the positions.
//!
//! A source has one owner at a time: every process joins the group `connect-<name>`, subscribed to `connect_positions`;
//! who holds its partition runs the source, the others are UNASSIGNED ([`owner`]). The owner registers the
//! transactional id `connect-source-<name>`, which fences and aborts a predecessor, reads the positions to their end,
//! and only then polls. So each polled record is in its topic once (for readers of committed records).

mod messages;
mod owner;
mod positions;

pub(crate) use positions::read_if_any as positions;

use std::sync::Arc;
use std::time::Duration;

use connect_api::{Failure, Polled, Source, SourceContext};
use connect_contracts::Contracts;
use tokio::runtime::Handle;
use tokio::time::Instant;

use self::messages::{Made, Maker, Pending};
use self::owner::Owner;
use crate::backoff::Backoff;
use crate::cluster::Cluster;
use crate::control::{CLOSE_WITHIN, Stop, TaskEnd};
use crate::open_sink::prepare;
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::publisher::{failure_of, make_room};
use crate::records::dead_letter::Letter;
use crate::records::rejects::{Judged, Rejects, log_rejected};
use crate::status::{Meters, State};
use crate::waiting::Waiting;
use connect_config::{Fingerprint, SourceConnector};

/// At most one transaction in this time.
const TRANSACTION_INTERVAL: Duration = Duration::from_millis(100);
/// A transaction takes no more than this many polled records, however soon they come.
const TRANSACTION_RECORDS: usize = 5_000;

/// One source connector in this process.
pub(crate) struct SourceTask {
    pub(crate) name: Arc<str>,
    pub(crate) connector: Arc<SourceConnector>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) cluster: Cluster,
    pub(crate) contracts: Contracts,
    /// Where the schema registry is asked: its client is shared by all connectors.
    pub(crate) engine: Handle,
    pub(crate) meters: Meters,
    pub(crate) stop: Stop,
}

/// Why an owner stops running the source.
enum Over {
    End(TaskEnd),
    /// Another process has it, or may have: ask the group again.
    Lost,
}

impl From<TaskEnd> for Over {
    fn from(end: TaskEnd) -> Over {
        Over::End(end)
    }
}

impl SourceTask {
    /// Runs the source to its end. At the grace deadline everything is dropped together; what was not committed is
    /// polled again.
    pub(crate) async fn run(self) -> TaskEnd {
        tokio::select! {
            end = self.drive() => end,
            () = self.stop.abandon.cancelled() => TaskEnd::Stopped,
        }
    }

    async fn drive(&self) -> TaskEnd {
        let prepared = tokio::select! {
            prepared = self.prepare() => prepared,
            () = self.stop.drain.cancelled() => return TaskEnd::Stopped,
        };
        let (mut owner, mut maker) = match prepared {
            Ok(prepared) => prepared,
            Err(end) => return end,
        };
        let end = loop {
            if !owner.owns() {
                let reason =
                    "waits for its group to give it this source; another process may run it";
                self.meters
                    .set_state(State::Unassigned, Some(reason.to_owned()), None);
            }
            tokio::select! {
                () = owner.owned() => {}
                () = self.stop.drain.cancelled() => break TaskEnd::Stopped,
            }
            self.meters.set_state(State::Running, None, None);
            match self.run_owned(&mut owner, &mut maker).await {
                Err(Over::Lost) => {
                    tracing::warn!(event = "source_lost", connector = %self.name);
                    self.meters.give_back_in_flight();
                }
                Err(Over::End(end)) => break end,
                Ok(end) => break end,
            }
        };
        owner.leave().await;
        end
    }

    /// What can be waited for before anybody owns anything: topics, and the contract.
    async fn prepare(&self) -> Result<(Owner, Maker), TaskEnd> {
        let waiting = self.waiting();
        let topics = [Arc::from(self.connector.topic.as_str())];
        let create = self.connector.create_topics.as_ref();
        waiting
            .insist(Stage::Open, || self.cluster.ensure_topics(&topics, create))
            .await?;
        waiting
            .insist(Stage::Open, || positions::make_topic(&self.cluster))
            .await?;
        if let Some(letters) = &self.connector.errors.dead_letter_topic {
            waiting
                .insist(Stage::Open, || self.cluster.make_letter_topic(letters))
                .await?;
        }
        let maker = Maker::new(self.name.clone(), self.connector.clone(), &self.contracts)?;
        for encoder in maker.encoders() {
            waiting
                .insist(Stage::Open, || prepare(&self.engine, encoder))
                .await?;
        }
        let owner = Owner::join(&self.cluster, &self.name, self.fingerprint)?;
        Ok((owner, maker))
    }

    async fn run_owned(&self, owner: &mut Owner, maker: &mut Maker) -> Result<TaskEnd, Over> {
        let opened = tokio::select! {
            opened = self.open() => opened?,
            () = owner.lost() => return Err(Over::Lost),
            () = self.stop.drain.cancelled() => return Ok(TaskEnd::Stopped),
        };
        let Opened {
            mut source,
            producer,
        } = opened;
        self.waiting().opened();
        let mut running = Running {
            task: self,
            owner,
            maker,
            rejects: Rejects::new(self.connector.errors.clone(), None),
            producer,
        };
        let end = running.run(source.as_mut()).await;
        running.producer.close(CLOSE_WITHIN);
        match tokio::time::timeout(CLOSE_WITHIN, source.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => {
                tracing::warn!(event = "close_failed", connector = %self.name, %failure);
            }
            Err(_) => {
                tracing::warn!(event = "close_failed", connector = %self.name, "the source did not close in time");
            }
        }
        end
    }

    /// In this order: fence the predecessor, read what it committed, continue after it.
    async fn open(&self) -> Result<Opened, TaskEnd> {
        let waiting = self.waiting();
        let id = format!("connect-source-{}", self.name);
        let producer = waiting
            .insist(Stage::Open, || self.cluster.transactional_producer(&id))
            .await?;
        let positions = waiting
            .insist(Stage::Open, || positions::read(&self.cluster, &self.name))
            .await?;
        let context = SourceContext {
            connector: self.name.clone(),
            positions,
        };
        let source = waiting
            .insist(Stage::Open, || {
                self.connector.source.factory.open(context.clone())
            })
            .await?;
        Ok(Opened { source, producer })
    }

    fn waiting(&self) -> Waiting {
        Waiting {
            connector: self.name.clone(),
            task: 0,
            lane: None,
            meters: self.meters.clone(),
            stop: self.stop.clone(),
        }
    }
}

struct Opened {
    source: Box<dyn Source>,
    producer: connect_kafka::TransactionalProducer,
}

/// An owned, open source.
struct Running<'a> {
    task: &'a SourceTask,
    owner: &'a mut Owner,
    maker: &'a mut Maker,
    rejects: Rejects,
    producer: connect_kafka::TransactionalProducer,
}

impl Running<'_> {
    /// Polls into a pending transaction, and commits it once its time has come.
    async fn run(&mut self, source: &mut dyn Source) -> Result<TaskEnd, Over> {
        let mut backoff = Backoff::new();
        let mut next_transaction = Instant::now();
        let waiting = self.task.waiting();
        loop {
            let mut pending = Pending::default();
            let mut finished = false;
            while !finished && pending.sources < TRANSACTION_RECORDS {
                let polled = tokio::select! {
                    biased;
                    () = self.task.stop.drain.cancelled() => break,
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
            if self.task.stop.is_draining() {
                return Ok(TaskEnd::Stopped);
            }
        }
    }

    /// What the policy says about a failure in which no record takes part: the wait before the next attempt, or the end.
    fn retry(&self, stage: Stage, failure: &Failure, backoff: &Backoff) -> Result<Duration, Over> {
        let attempts = Attempts {
            next_delay: backoff.next_delay(),
            ..Attempts::default()
        };
        match decide(stage, failure, &self.task.connector.errors, &attempts) {
            Directive::RetryIn(delay) => Ok(delay),
            Directive::GiveBack => Err(Over::Lost),
            Directive::End(end) => Err(Over::End(end)),
            other => unreachable!("no record takes part in {stage:?}, so not {other:?}"),
        }
    }

    /// Makes messages of polled records; what becomes of a bad one the policy says.
    fn take(&mut self, polled: Polled, pending: &mut Pending) -> Result<(), Over> {
        self.task.meters.consumed(polled.records.len() as u64);
        for record in polled.records {
            pending.sources += 1;
            self.rejects.see();
            match self.maker.make(record) {
                Made::Messages(messages) if messages.is_empty() => {
                    self.rejects.filter_last();
                    pending.end.filtered += 1;
                }
                Made::Messages(messages) => {
                    pending.end.delivered += 1;
                    pending.messages.extend(messages);
                }
                Made::Rejected(letter) => self.reject(*letter, pending)?,
            }
        }
        pending.positions.merge(polled.positions);
        Ok(())
    }

    /// Leaves the record out, with its letter in the same transaction; or ends the task, and nothing that is pending is
    /// committed.
    fn reject(&mut self, mut letter: Letter, pending: &mut Pending) -> Result<(), Over> {
        let errors = &self.task.connector.errors;
        letter.rejection = letter.rejection.showing_values(errors.show_values);
        let mut judged = Judged::default();
        self.rejects.judge(letter, 0, &mut judged)?;
        if let Some(bad) = judged.stop_before {
            self.task.meters.rejected(&bad.rejection);
            let text = bad.rejection.explain(&self.task.name, &bad.origin);
            return Err(Over::End(TaskEnd::Failed(text)));
        }
        let waiting = self.task.waiting();
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

    /// Messages and positions in one transaction; what the cluster cannot take now is tried again until it can.
    async fn commit(&mut self, source: &mut dyn Source, pending: Pending) -> Result<(), Over> {
        let started = std::time::Instant::now();
        let mut messages = pending.messages;
        if let Some(backlog) = self.task.cluster.backlog() {
            tokio::select! {
                () = make_room(backlog, &messages) => {}
                () = self.task.stop.drain.cancelled() => return Err(Over::End(TaskEnd::Stopped)),
            }
        }
        let rows = messages.len() as u64;
        messages.extend(positions::messages(&self.task.name, &pending.positions));
        let mut backoff = Backoff::new();
        let waiting = self.task.waiting();
        while let Err(error) = self.producer.run(messages.clone(), None).await {
            let failure = failure_of(error);
            // Opening again fences what is left of this producer and reads how far it came.
            let delay = self
                .retry(Stage::Publish, &failure, &backoff)
                .inspect_err(|_| tracing::warn!(event = "source_publish_failed", connector = %self.task.name, %failure))?;
            backoff.grow();
            self.task.meters.retried(None);
            tokio::select! {
                waited = waiting.wait("source_waits", &failure, delay) => waited.map_err(Over::End)?,
                () = self.owner.lost() => return Err(Over::Lost),
            }
        }
        waiting.over();
        self.rejects.settled(pending.rejected);
        self.task.meters.rows.add(rows);
        self.task.meters.ended(pending.end);
        self.task
            .meters
            .batch_durable(started.elapsed().as_secs_f64(), None);
        if let Err(failure) = source.commit(&pending.positions).await {
            tracing::warn!(event = "source_commit_failed", connector = %self.task.name, %failure);
        }
        Ok(())
    }
}
