//! The road of a source connector: poll → transforms → the topic's contract → one transaction with the positions.
//!
//! A source has one owner at a time: every process joins the group `connect-<name>`, subscribed to `connect_positions`;
//! who holds its partition runs the source, the others are UNASSIGNED ([`owner`]). The owner registers the
//! transactional id `connect-source-<name>`, which fences and aborts a predecessor, reads the positions to their end,
//! and only then polls. So each polled record is in its topic once (for readers of committed records).

mod owner;
mod positions;
mod produce;

pub(crate) use positions::read as positions;

use std::sync::Arc;
use std::time::Duration;

use connect_api::{Cause, Failure, Polled, Result, Source, SourceContext, time};
use connect_contracts::{Contracts, Encoder};
use connect_kafka::TransactionError;
use tokio::runtime::Handle;
use tokio::time::Instant;

use self::owner::Owner;
use self::produce::{Made, Maker, Pending};
use crate::cluster::{Cluster, insist};
use crate::config::{SourceConnector, Tolerance};
use crate::control::{Stop, TaskEnd};
use crate::pipeline::policy::Backoff;
use crate::pipeline::task::CLOSE_WITHIN;
use crate::publisher::make_room;
use crate::status::{BatchEnd, Meters, State};

/// At most one transaction in this time.
const TRANSACTION_INTERVAL: Duration = Duration::from_millis(100);
/// A transaction takes no more than this many polled records, however soon they come.
const TRANSACTION_RECORDS: usize = 5_000;

/// One source connector in this process.
pub(crate) struct SourceTask {
    pub(crate) name: Arc<str>,
    pub(crate) connector: Arc<SourceConnector>,
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

impl From<Failure> for Over {
    fn from(failure: Failure) -> Over {
        Over::End(TaskEnd::Failed(failure.to_string()))
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
            Err(failure) => return TaskEnd::Failed(failure.to_string()),
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
    async fn prepare(&self) -> Result<(Owner, Maker)> {
        let topic: Arc<str> = Arc::from(self.connector.topic.as_str());
        let create = self.connector.create_topics.as_ref();
        let mut topics = vec![topic];
        insist(
            || self.cluster.ensure_topics(&topics, create),
            |cause, delay| self.waiting(cause, delay),
        )
        .await?;
        topics.clear();
        insist(
            || positions::make_topic(&self.cluster),
            |cause, delay| self.waiting(cause, delay),
        )
        .await?;
        if let Some(letters) = &self.connector.errors.dead_letter_topic {
            let letters = [letters.clone()];
            insist(
                || self.cluster.create(&letters, None),
                |cause, delay| self.waiting(cause, delay),
            )
            .await?;
        }
        let maker = Maker::new(self.name.clone(), self.connector.clone(), &self.contracts)?;
        let contract = maker.contract();
        insist(
            || self.prepare_contract(contract.clone()),
            |cause, delay| self.waiting(cause, delay),
        )
        .await?;
        let owner = Owner::join(&self.cluster, &self.name).map_err(Failure::Fatal)?;
        Ok((owner, maker))
    }

    async fn prepare_contract(&self, contract: Arc<Encoder>) -> Result<()> {
        let asked = self.engine.spawn(async move { contract.prepare().await });
        asked.await.unwrap_or_else(|error| {
            Err(Failure::Fatal(Cause::new(format!(
                "the schema registry was not asked to the end: {error}"
            ))))
        })
    }

    async fn run_owned(
        &self,
        owner: &mut Owner,
        maker: &mut Maker,
    ) -> std::result::Result<TaskEnd, Over> {
        let opened = tokio::select! {
            opened = self.open() => opened?,
            () = owner.lost() => return Err(Over::Lost),
            () = self.stop.drain.cancelled() => return Ok(TaskEnd::Stopped),
        };
        self.meters.not_waiting(0);
        let Opened {
            mut source,
            producer,
        } = opened;
        let mut running = Running {
            task: self,
            owner,
            maker,
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
    async fn open(&self) -> Result<Opened> {
        let waiting = |cause: &Cause, delay: Duration| self.waiting(cause, delay);
        let id = format!("connect-source-{}", self.name);
        let producer = insist(|| self.cluster.transactional_producer(&id), waiting).await?;
        let positions = insist(|| positions::read(&self.cluster, &self.name), waiting).await?;
        let context = SourceContext {
            connector: self.name.clone(),
            positions,
        };
        let source = insist(
            || self.connector.source.factory.open(context.clone()),
            waiting,
        )
        .await?;
        Ok(Opened { source, producer })
    }

    fn waiting(&self, cause: &Cause, delay: Duration) {
        let retry_at_ms = time::now_ms() + delay.as_millis() as i64;
        self.meters.waiting(0, cause.to_string(), Some(retry_at_ms));
        tracing::warn!(event = "source_waits", connector = %self.name, delay_ms = delay.as_millis() as u64, %cause);
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
    producer: connect_kafka::TransactionalProducer,
}

impl Running<'_> {
    /// Polls into a pending transaction, and commits it once its time has come.
    async fn run(&mut self, source: &mut dyn Source) -> std::result::Result<TaskEnd, Over> {
        let mut backoff = Backoff::new();
        let mut next_transaction = Instant::now();
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
                        self.task.meters.not_waiting(0);
                        finished = polled.finished;
                        self.take(polled, &mut pending)?;
                    }
                    Err(Failure::Retry(cause)) => {
                        if !pending.is_empty() {
                            break;
                        }
                        let delay = backoff.next_delay();
                        self.task.waiting(&cause, delay);
                        tokio::select! {
                            () = tokio::time::sleep(delay) => {}
                            () = self.task.stop.drain.cancelled() => break,
                        }
                    }
                    Err(failure) => return Err(failure.into()),
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

    /// Makes messages of polled records; a bad one is dead-lettered, discarded or ends the source, as `[errors]` says.
    fn take(&mut self, polled: Polled, pending: &mut Pending) -> std::result::Result<(), Over> {
        let errors = &self.task.connector.errors;
        self.task.meters.consumed(polled.records.len() as u64);
        for record in polled.records {
            pending.sources += 1;
            match self.maker.make(record) {
                Made::Messages(messages) if messages.is_empty() => pending.end.filtered += 1,
                Made::Messages(messages) => {
                    pending.end.delivered += 1;
                    pending.messages.extend(messages);
                }
                Made::Rejected(origin, reject) => {
                    match (errors.tolerance, &errors.dead_letter_topic) {
                        (Tolerance::None, _) => {
                            return Err(Over::End(TaskEnd::Failed(
                                reject.explain(&self.task.name, &origin),
                            )));
                        }
                        (Tolerance::All, None) => pending.end.filtered += 1,
                        (Tolerance::All, Some(topic)) => {
                            pending.end.dead_lettered += 1;
                            pending
                                .messages
                                .push(self.maker.letter(topic, &origin, &reject));
                        }
                    }
                }
            }
        }
        pending.positions.merge(polled.positions);
        Ok(())
    }

    /// Messages and positions in one transaction; what the cluster cannot take now is tried again until it can.
    async fn commit(
        &mut self,
        source: &mut dyn Source,
        pending: Pending,
    ) -> std::result::Result<(), Over> {
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
        loop {
            match self.producer.run(messages.clone(), None).await {
                Ok(()) => break,
                Err(
                    TransactionError::Abortable(cause)
                    | TransactionError::Retry(cause)
                    | TransactionError::Superseded(cause),
                ) => {
                    let delay = backoff.next_delay();
                    self.task.meters.retried();
                    self.task.waiting(&cause, delay);
                    tokio::select! {
                        () = tokio::time::sleep(delay) => {}
                        () = self.owner.lost() => return Err(Over::Lost),
                        () = self.task.stop.drain.cancelled() => return Err(Over::End(TaskEnd::Stopped)),
                    }
                }
                // Opening again fences what is left of this producer and reads how far it came.
                Err(TransactionError::Unclear(cause) | TransactionError::Fenced(cause)) => {
                    tracing::warn!(event = "source_starts_over", connector = %self.task.name, %cause);
                    return Err(Over::Lost);
                }
                Err(TransactionError::Refused(refused)) => {
                    let text = refused
                        .first()
                        .map(|(_, cause)| cause.to_string())
                        .unwrap_or_default();
                    let message = format!(
                        "Kafka refused {} records of the source: {text}",
                        refused.len()
                    );
                    return Err(Over::End(TaskEnd::Failed(message)));
                }
                Err(TransactionError::RefusedSomewhere(cause) | TransactionError::Fatal(cause)) => {
                    return Err(Over::End(TaskEnd::Failed(cause.to_string())));
                }
            }
        }
        self.task.meters.not_waiting(0);
        self.task.meters.rows.add(rows);
        self.task.meters.ended(BatchEnd {
            given_back: 0,
            ..pending.end
        });
        self.task
            .meters
            .batch_durable(started.elapsed().as_secs_f64(), None);
        if let Err(failure) = source.commit(&pending.positions).await {
            tracing::warn!(event = "source_commit_failed", connector = %self.task.name, %failure);
        }
        Ok(())
    }
}
