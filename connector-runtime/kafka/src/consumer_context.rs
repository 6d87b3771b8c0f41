//! The callbacks of librdkafka during a poll: rebalances, results of commits, log lines.

use std::collections::VecDeque;
use std::sync::Arc;

use connect_api::{Position, TopicPartition};
use parking_lot::{Mutex, MutexGuard};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::assignment::{Assignment, Generation, GroupPosition};
use crate::error::{code_cause, is_rebalance};
use crate::event::{Event, Rebalance};
use crate::log::LogFilter;
use crate::trouble::Trouble;

/// Shared by the consumer and its callbacks. All of them run on the consumer's thread; the lock exists because the client's
/// type requires it, and is never held during a call of librdkafka.
#[derive(Debug, Default)]
pub(crate) struct SharedConsumerState(Mutex<ConsumerState>);

#[derive(Debug, Default)]
pub(crate) struct ConsumerState {
    pub(crate) assignment: Assignment,
    pub(crate) pending: VecDeque<PendingEvent>,
    /// Revoked by the group and not given back yet.
    pub(crate) revoked: Vec<TopicPartition>,
    /// The owner leaves and receives no more events.
    pub(crate) is_closing: bool,
    /// The text of the error that the current poll is about to return: only the text holds the topic or the offset.
    pub(crate) reason: Option<String>,
}

/// An event that waits for the next poll.
#[derive(Debug)]
pub(crate) enum PendingEvent {
    /// With generations, because an assignment may be over before its owner knows it.
    Assigned(Vec<(TopicPartition, Generation)>),
    Other(Event),
}

impl SharedConsumerState {
    pub(crate) fn lock(&self) -> MutexGuard<'_, ConsumerState> {
        self.0.lock()
    }
}

/// The callbacks of a sink's consumer.
pub(crate) struct SinkConsumerContext {
    shared: Arc<SharedConsumerState>,
    log: LogFilter,
    pub(crate) trouble: Trouble,
}

impl SinkConsumerContext {
    pub(crate) fn new(shared: Arc<SharedConsumerState>) -> SinkConsumerContext {
        SinkConsumerContext {
            shared,
            log: LogFilter::default(),
            trouble: Trouble::default(),
        }
    }

    /// Takes the partitions, paused until `start_at` seeks them.
    fn assigned(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        let partitions = partitions_of(list);
        self.report("accepting partitions", assign_paused(consumer, list));
        let mut state = self.shared.lock();
        let generations = state.assignment.assign(&partitions);
        let given = partitions.into_iter().zip(generations).collect();
        state.pending.push_back(PendingEvent::Assigned(given));
    }

    /// The group revokes these partitions. The revocation is final only when we unassign them, so they are held until the owner
    /// has made durable what it can; librdkafka continues to send heartbeats. Lost partitions, and those revoked because the
    /// consumer closes, are unassigned immediately: nothing may be committed for the former, and the latter have no owner to
    /// wait for.
    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let partitions = partitions_of(list);
        let lost = consumer.assignment_lost();
        if lost || self.shared.lock().is_closing {
            let taken = self.give_back(consumer, &partitions);
            if lost && !taken.is_empty() {
                let event = Event::Rebalance(Rebalance::Lost(taken));
                self.shared
                    .lock()
                    .pending
                    .push_back(PendingEvent::Other(event));
            }
            return;
        }
        let mut state = self.shared.lock();
        let known = state.assignment.mark_revoked(&partitions);
        state.revoked = partitions;
        state
            .pending
            .push_back(PendingEvent::Other(Event::Rebalance(Rebalance::Revoked(
                known,
            ))));
    }

    /// Commits what is stored, unless the partitions are lost, and unassigns them. The commit is sent before the group learns
    /// that we unassign, on the same connection, so that the next owner sees it.
    pub(crate) fn give_back(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &[TopicPartition],
    ) -> Vec<TopicPartition> {
        if !consumer.assignment_lost() {
            match consumer.commit_consumer_state(CommitMode::Async) {
                Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) | Ok(()) => {}
                Err(error) => self.report("committing revoked partitions", Err(error)),
            }
        }
        let taken = self.shared.lock().assignment.remove(partitions);
        let done = unassign(consumer, &list_of(partitions));
        self.report("giving partitions back", done);
        taken
    }

    fn report(&self, doing: &str, done: KafkaResult<()>) {
        if let Err(error) = done {
            let cause = crate::error::cause(doing, &error);
            self.shared
                .lock()
                .pending
                .push_back(PendingEvent::Other(Event::Waiting(cause)));
        }
    }
}

impl ClientContext for SinkConsumerContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.log.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.shared.lock().reason = Some(reason.to_owned());
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            self.log.error(&error, reason);
            self.trouble.hear(&error, reason);
        }
    }
}

impl ConsumerContext for SinkConsumerContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, list),
            _ => self.revoked(consumer, list),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        let Err(error) = result else { return };
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        // A commit that a rebalance refuses needs no event, because the revocation follows.
        if code == RDKafkaErrorCode::NoOffset || is_rebalance(code) {
            tracing::debug!(%error, "the group moved on before a commit arrived");
            return;
        }
        let cause = code_cause("committing offsets", code, None);
        self.shared
            .lock()
            .pending
            .push_back(PendingEvent::Other(Event::Waiting(cause)));
    }
}

/// Accepts an assignment and pauses it before anything is fetched. The explicit offset is never read from. It only keeps
/// librdkafka from asking for the group's, and from an error if the group has none.
pub(crate) fn assign_paused<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    list: &mut TopicPartitionList,
) -> KafkaResult<()> {
    list.set_all_offsets(Offset::Offset(0))?;
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list)?,
        RebalanceProtocol::None | RebalanceProtocol::Eager => consumer.assign(list)?,
    }
    consumer.pause(list)
}

/// Confirms a revocation.
pub(crate) fn unassign<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    list: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
        RebalanceProtocol::None | RebalanceProtocol::Eager => consumer.unassign(),
    }
}

/// The partitions of librdkafka's list.
pub(crate) fn partitions_of(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements()
        .iter()
        .map(|element| TopicPartition {
            topic: element.topic().into(),
            partition: element.partition(),
        })
        .collect()
}

/// librdkafka's list of these positions with their metadata.
pub(crate) fn list_of_positions<'a>(
    positions: impl IntoIterator<Item = &'a GroupPosition>,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for GroupPosition { owned, metadata } in positions {
        let Position { partition, next } = &owned.position;
        let mut element = list.add_partition(&partition.topic, partition.partition);
        element.set_offset(Offset::Offset(*next))?;
        element.set_metadata(&**metadata);
    }
    Ok(list)
}

/// librdkafka's list of these partitions.
pub(crate) fn list_of<'a>(
    partitions: impl IntoIterator<Item = &'a TopicPartition>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, partition.partition);
    }
    list
}
