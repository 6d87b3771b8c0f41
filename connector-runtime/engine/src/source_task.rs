//! The task of a source connector: poll → transforms → the topic's contract → one transaction with the positions.
//!
//! A source has one owner at a time: every process joins the group `connect-<name>`, subscribed to `connect_positions`; the
//! member with its partition runs the source, the others are UNASSIGNED ([`owner`]). The owner registers the transactional id
//! `connect-source-<name>`, which fences and aborts a predecessor, reads the positions to their end, and only then polls. So
//! each polled record is in its topic once (for readers of committed records).

mod messages;
mod owner;
mod positions;
mod running;

pub(crate) use positions::read_if_any as positions;

use std::sync::Arc;

use connect_api::{Source, SourceContext};
use connect_contracts::Contracts;
use tokio::runtime::Handle;

use self::messages::Maker;
use self::owner::Owner;
use self::running::{Over, Running};
use crate::cluster::Cluster;
use crate::control::{CLOSE_WITHIN, Stop, TaskEnd};
use crate::open_sink::prepare;
use crate::policy::Stage;
use crate::records::rejects::Rejects;
use crate::status::{ConnectorState, Meters};
use crate::waiting::Waiting;
use connect_config::{Fingerprint, SourceConnector};

/// One source connector in this process.
pub(crate) struct SourceTask {
    pub(crate) name: Arc<str>,
    pub(crate) connector: Arc<SourceConnector>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) cluster: Cluster,
    pub(crate) contracts: Contracts,
    /// Runs the requests to the schema registry, whose client all connectors share.
    pub(crate) engine: Handle,
    pub(crate) meters: Meters,
    pub(crate) stop: Stop,
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
                    "waits for its group to assign this source; another process may run it";
                self.meters
                    .set_state(ConnectorState::Unassigned, Some(reason.to_owned()), None);
            }
            tokio::select! {
                () = owner.owned() => {}
                () = self.stop.drain.cancelled() => break TaskEnd::Stopped,
            }
            self.meters.set_state(ConnectorState::Running, None, None);
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

    /// Prepares what needs no ownership: topics, and the contract.
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
            errors: &self.connector.errors,
            waiting: self.waiting(),
            backlog: self.cluster.backlog(),
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

    /// In this order: fence the predecessor, read the positions that it committed, continue from there.
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
