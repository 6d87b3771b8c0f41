//! Publishers, through which sinks produce to Kafka: the engine owns client, transactions and group.
//!
//! Where the sink's progress moves in the Kafka transaction, each batch is one: the messages and the group's offsets. The
//! in-process broker of `--embedded` drops the offsets of transactions, so there the messages are only acknowledged and
//! the group commits as for any other sink (at least once).

mod compacted;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use connect_api::{
    Batch, Cause, Failure, Outgoing, ProgressHome, Publisher, PublisherFactory, RejectedRecord,
    Result,
};
use connect_kafka::{DeliveryOutcome, Producer, TransactionError, TransactionalProducer};

use self::compacted::ToCompacted;
use crate::backlog::Backlog;
use crate::cluster::Cluster;
use crate::control::CLOSE_WITHIN;
use crate::sink_task::LaneCommit;
use connect_config::CreateTopics;

/// Makes the publishers of one task.
pub(crate) struct TaskPublishers {
    pub(crate) connector: Arc<str>,
    pub(crate) cluster: Cluster,
    /// `connect-<name>-<process>-<task>`: fencing is by group metadata, so the id only has to be this task's own.
    pub(crate) transactional_id: String,
    pub(crate) create_topics: Option<CreateTopics>,
    /// Where the connector's progress is kept.
    pub(crate) home: ProgressHome,
}

#[async_trait]
impl PublisherFactory for TaskPublishers {
    async fn publisher(&self, topics: &[Arc<str>]) -> Result<Box<dyn Publisher>> {
        self.cluster
            .ensure_topics(topics, self.create_topics.as_ref())
            .await?;
        let names: Vec<String> = topics.iter().map(|topic| topic.to_string()).collect();
        let compacted = self.cluster.compacted(&names).await?;
        Ok(ToCompacted::around(self.open()?, compacted))
    }
}

impl TaskPublishers {
    fn open(&self) -> Result<Box<dyn Publisher>> {
        if self.home == ProgressHome::KafkaTransaction {
            return Ok(Box::new(TransactionPublisher {
                cluster: self.cluster.clone(),
                transactional_id: self.transactional_id.clone(),
                producer: None,
            }));
        }
        Ok(Box::new(PlainPublisher {
            producer: ConnectorProducer {
                connector: self.connector.clone(),
                producer: self.cluster.producer(&self.transactional_id)?,
            },
            backlog: self.cluster.backlog().cloned(),
        }))
    }
}

/// Each batch is a transaction with the group's offsets in it.
struct TransactionPublisher {
    cluster: Cluster,
    transactional_id: String,
    /// `None` before the first batch and after an unclear result.
    producer: Option<TransactionalProducer>,
}

#[async_trait]
impl Publisher for TransactionPublisher {
    async fn publish(&mut self, messages: Vec<Outgoing>, batch: &Batch<'_>) -> Result<()> {
        let commit = batch
            .commit
            .get::<LaneCommit>()
            .expect("the engine gives a batch whose progress moves in a transaction its group")
            .of(&batch.progress);
        let mut producer = match self.producer.take() {
            Some(producer) => producer,
            None => {
                self.cluster
                    .transactional_producer(&self.transactional_id)
                    .await?
            }
        };
        let Err(error) = producer.run(messages, Some(commit)).await else {
            self.producer = Some(producer);
            return Ok(());
        };
        if error.needs_new_producer() {
            producer.close(CLOSE_WITHIN);
        } else {
            self.producer = Some(producer);
        }
        Err(failure_of(error))
    }
}

/// The failure that a transaction's error means.
pub(crate) fn failure_of(error: TransactionError) -> Failure {
    match error {
        TransactionError::Refused(refused) => Failure::Refused(refusals(refused)),
        TransactionError::RefusedSomewhere(cause) => Failure::RefusedSomewhere(cause),
        TransactionError::Retry(cause) | TransactionError::Abortable(cause) => {
            Failure::Retry(cause)
        }
        // After an unclear result only Kafka knows what was committed. A new producer fences the old transaction; then
        // everything in flight is read again from the committed positions.
        TransactionError::Superseded(cause)
        | TransactionError::Unclear(cause)
        | TransactionError::Fenced(cause) => Failure::Superseded(cause),
        TransactionError::Fatal(cause) => Failure::Fatal(cause),
    }
}

/// Messages are acknowledged; the group commits afterwards.
struct PlainPublisher {
    producer: ConnectorProducer,
    /// For the in-process broker.
    backlog: Option<Backlog>,
}

#[async_trait]
impl Publisher for PlainPublisher {
    async fn publish(&mut self, messages: Vec<Outgoing>, _batch: &Batch<'_>) -> Result<()> {
        let refused = match &self.backlog {
            Some(backlog) => send_with_room(&mut self.producer, backlog, messages).await?,
            None => refused(self.producer.deliver(messages).await?)?,
        };
        if refused.is_empty() {
            Ok(())
        } else {
            Err(Failure::Refused(refusals(refused)))
        }
    }
}

/// Sends in pieces, and waits before each until the readers of its topic are close enough.
pub(crate) async fn send_with_room(
    producer: &mut ConnectorProducer,
    backlog: &Backlog,
    messages: Vec<Outgoing>,
) -> Result<Vec<(usize, Cause)>> {
    const PIECE: usize = 500;
    let mut refused = Vec::new();
    let mut sent = 0;
    let mut messages = messages.into_iter().peekable();
    while messages.peek().is_some() {
        let piece: Vec<Outgoing> = messages.by_ref().take(PIECE).collect();
        let count = piece.len();
        make_room(backlog, &piece).await;
        let of_piece = self::refused(producer.deliver(piece).await?)?;
        refused.extend(
            of_piece
                .into_iter()
                .map(|(index, cause)| (sent + index, cause)),
        );
        sent += count;
    }
    Ok(refused)
}

/// The messages that Kafka will never accept, by index. `Retry`: some were not accepted and can be sent again.
fn refused(outcomes: Vec<DeliveryOutcome>) -> Result<Vec<(usize, Cause)>> {
    let mut refused = Vec::new();
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            DeliveryOutcome::Delivered { .. } => {}
            DeliveryOutcome::Refused(cause) => refused.push((index, cause)),
            DeliveryOutcome::Failed(cause) => return Err(Failure::Retry(cause)),
        }
    }
    Ok(refused)
}

/// A producer, with the connector for which it sends.
pub(crate) struct ConnectorProducer {
    pub(crate) connector: Arc<str>,
    pub(crate) producer: Producer,
}

impl ConnectorProducer {
    /// Sends messages and returns what became of each, in their order. A slow batch is never sent twice.
    pub(crate) async fn deliver(
        &mut self,
        messages: Vec<Outgoing>,
    ) -> Result<Vec<DeliveryOutcome>> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let mut outcomes = self.producer.send_all(messages, PATIENCE).await;
        while let Err(Failure::Retry(cause)) = &outcomes {
            tracing::warn!(event = "delivery_waits", connector = %self.connector, %cause);
            outcomes = self.producer.wait(PATIENCE).await;
        }
        outcomes
    }
}

/// Waits until the readers of the messages' topics are close enough, and counts the messages as produced.
pub(crate) async fn make_room(backlog: &Backlog, messages: &[Outgoing]) {
    for message in messages {
        backlog.room(&message.topic).await;
        let bytes =
            |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len) as u64;
        backlog.produced(
            &message.topic,
            1,
            bytes(&message.key) + bytes(&message.value),
        );
    }
}

fn refusals(refused: Vec<(usize, Cause)>) -> Vec<RejectedRecord> {
    refused
        .into_iter()
        .map(|(record, cause)| RejectedRecord { record, cause })
        .collect()
}
