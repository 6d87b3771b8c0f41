//! The reader's reaction to a rebalance; [`connect_kafka::Rebalance`] describes the whole.
//!
//! Assigned partitions are started (`reader/start.rs`). Revoked partitions are held by the consumer until the reader gives them
//! back, so that the next owner starts behind everything durable: meanwhile the sinks flush what they accepted. The reader
//! waits only if a sink accepts, and for at most [`REVOCATION_WITHIN`]. Records that are not durable by then are forgotten, and
//! the next owner reads them again. It does not wait for a writer that has already blocked it for seconds (usually in an outage
//! of a sink), nor for lost partitions, which another member may have.

use connect_api::TopicPartition;
use connect_kafka::{REVOCATION_WITHIN, Rebalance};
use tokio::sync::oneshot;

use super::Reader;
use super::waits::LONG_WAIT;
use tokio::time::Instant;

use crate::sink_task::assignment::Assigned;
use crate::sink_task::feed::Feed;
use crate::sink_task::halves::Work;

// A longer wait polls, and a poll gives the partitions back.
const _: () = assert!(REVOCATION_WITHIN.as_millis() < LONG_WAIT.as_millis());

/// A log field: `topic/0, topic/1`, which JSON logs split into an array.
pub(super) fn listed<'a>(partitions: impl Iterator<Item = &'a TopicPartition>) -> String {
    let names = partitions.map(|one| format!("{}/{}", one.topic, one.partition));
    names.collect::<Vec<_>>().join(", ")
}

impl<F: Feed> Reader<F> {
    pub(super) fn rebalanced(&mut self, rebalance: Rebalance) {
        match rebalance {
            Rebalance::Assigned(partitions) => self.assigned(partitions),
            Rebalance::Revoked(partitions) => self.revoked(&partitions),
            Rebalance::Lost(partitions) => self.lost(&partitions),
        }
    }

    pub(super) fn assigned(&mut self, partitions: Vec<TopicPartition>) {
        self.parts.meters.assigned(self.parts.task, &partitions);
        for partition in partitions {
            let Some(generation) = self.parts.feed.generation(&partition) else {
                continue;
            };
            self.parts.generations.set(partition.clone(), generation);
            self.to_ask.push(Assigned {
                partition,
                generation,
            });
        }
    }

    pub(super) fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.parts.generations.forget(partition);
        }
        let gone = |partition: &TopicPartition| partitions.contains(partition);
        self.positions
            .retain(|_, position| !gone(&position.partition));
        self.to_ask.retain(|asked| !gone(&asked.partition));
        self.to_start
            .retain(|waiting| !gone(&waiting.assigned.partition));
        self.collected
            .origins
            .retain(|(origin, _)| !gone(&origin.topic_partition()));
    }

    fn revoked(&mut self, partitions: &[TopicPartition]) {
        if self.parts.accepts.get() && !self.waits_long {
            self.flush_before_revocation();
        }
        tracing::info!(
            event = "partitions_revoked",
            connector = %self.parts.connector,
            task = self.parts.task,
            partitions = %listed(partitions.iter()),
        );
        self.drop_state_of(partitions);
        self.parts.feed.give_back();
    }

    /// Too late to commit: another member may have them already.
    fn lost(&mut self, partitions: &[TopicPartition]) {
        tracing::warn!(
            event = "partitions_lost",
            connector = %self.parts.connector,
            task = self.parts.task,
            partitions = %listed(partitions.iter()),
            "the group has expelled this member, or it was away for too long; records in flight are read again by the next owner"
        );
        self.drop_state_of(partitions);
    }

    /// Drops all state of these partitions.
    fn drop_state_of(&mut self, partitions: &[TopicPartition]) {
        self.forget(partitions);
        self.parts.meters.revoked(partitions);
        self.durable
            .retain(|partition, _| !partitions.contains(partition));
    }

    fn flush_before_revocation(&mut self) {
        let began = Instant::now();
        let (tried, over) = oneshot::channel();
        self.share_group();
        let sender = self.parts.work.clone();
        let asked = async move {
            // If the writer has ended, the channel closes: it has flushed, or never will.
            let _ = sender.send(Work::Flush { tried }).await;
            let _ = over.await;
        };
        let flushed = self.wait_for(tokio::time::timeout(REVOCATION_WITHIN, asked));
        // The writer reports before it answers. Without an answer, what became durable until now counts.
        self.take_reports();
        tracing::info!(
            event = "flushed_before_revocation",
            connector = %self.parts.connector,
            task = self.parts.task,
            in_time = matches!(flushed, Some(Ok(()))),
            milliseconds = began.elapsed().as_millis() as u64,
        );
    }
}
