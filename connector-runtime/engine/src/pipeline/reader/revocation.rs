//! Partitions go: what their sinks have accepted is flushed and committed before they do.
//!
//! The consumer holds what the group revokes until it is given back, so that the next owner begins behind what is durable.
//! Only a sink that accepts is waited for, and for [`REVOCATION_WITHIN`] at most; what is not durable by then is forgotten,
//! and the next owner reads it again. Nobody waits for a writer that has kept this thread waiting for seconds already (an
//! outage of a sink, as a rule), nor for partitions that are lost: somebody else may have them.

use std::time::Instant;

use connect_api::TopicPartition;
use connect_kafka::REVOCATION_WITHIN;
use tokio::sync::oneshot;

use super::assignment::listed;
use super::{LONG_WAIT, Reader};
use crate::pipeline::Work;

// A longer wait polls, and a poll gives the partitions back.
const _: () = assert!(REVOCATION_WITHIN.as_millis() < LONG_WAIT.as_millis());

impl Reader {
    pub(super) fn revoked(&mut self, partitions: &[TopicPartition]) {
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
        self.parts.consumer.give_back();
    }

    /// Too late to commit: another member may have them already.
    pub(super) fn lost(&mut self, partitions: &[TopicPartition]) {
        tracing::warn!(
            event = "partitions_lost",
            connector = %self.parts.connector,
            task = self.parts.task,
            partitions = %listed(partitions.iter()),
            "the group has expelled this member, or it was away for too long; records in flight are read again by the next owner"
        );
        self.drop_state_of(partitions);
    }

    /// Nothing of these partitions counts from here on.
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
            // A writer that is gone answers as well: it has flushed, or never will.
            let _ = sender.send(Work::Flush { tried }).await;
            let _ = over.await;
        };
        // A timer is made on the runtime only.
        let flushed = self.wait_for(async { tokio::time::timeout(REVOCATION_WITHIN, asked).await });
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

    /// Transactions that belong to no batch need the group as it is now: it moves on without a word to this member. Called
    /// about once a second, and never while the consumer polls: what is current then is ours in this group.
    pub(super) fn share_group(&self) {
        if !self.parts.moves_group {
            *self.parts.group.lock() = self.parts.consumer.group_metadata();
        }
    }
}
