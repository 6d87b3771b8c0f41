//! Storing and committing positions, and giving partitions back.

use std::collections::BTreeMap;
use std::time::Duration;

use connect_api::{Cause, Position, TopicPartition};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::SinkConsumer;
use crate::assignment::{GroupPosition, OwnedPosition};
use crate::blocking::with_deadline;
use crate::consumer_context::list_of_positions;
use crate::error::{cause, is_rebalance};

impl SinkConsumer {
    /// Stores positions as durable; `commit` sends them. Of several positions of one partition the furthest counts, and the
    /// last of equal ones. Positions of an older generation, or before the stored one, are left out.
    pub fn store(&mut self, positions: &[GroupPosition]) {
        // librdkafka's list takes a partition once: a second entry would be stored as "no offset".
        let mut furthest: BTreeMap<&TopicPartition, &GroupPosition> = BTreeMap::new();
        {
            let state = self.shared.lock();
            for stored in positions {
                let OwnedPosition {
                    position: Position { partition, next },
                    generation,
                } = &stored.owned;
                if state.assignment.may_store(partition, *next, *generation) {
                    let known = furthest.entry(partition).or_insert(stored);
                    if known.owned.position.next <= *next {
                        *known = stored;
                    }
                }
            }
        }
        if furthest.is_empty() {
            return;
        }
        let list = list_of_positions(furthest.values().copied());
        // librdkafka refuses partitions that are not assigned any more, as we do.
        if let Err(error) = list.and_then(|list| self.client.store_offsets(&list)) {
            tracing::debug!(%error, "positions not stored");
            return;
        }
        let mut state = self.shared.lock();
        for (partition, stored) in furthest {
            state
                .assignment
                .stored(partition, stored.owned.position.next);
        }
    }

    /// Sends the stored positions to the group without waiting. An error is an event of a later poll.
    pub fn commit(&mut self) -> Result<(), Cause> {
        self.commit_stored(CommitMode::Async)
    }

    /// As `commit`, and waits for the answer (a minute at most).
    #[cfg(test)]
    pub(crate) fn commit_and_wait(&mut self) -> Result<(), Cause> {
        self.commit_stored(CommitMode::Sync)
    }

    fn commit_stored(&self, mode: CommitMode) -> Result<(), Cause> {
        // Another member may have these partitions and be further.
        if self.client.assignment_lost() {
            return Ok(());
        }
        match self.client.commit_consumer_state(mode) {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
            // The next polls return the revocation.
            Err(KafkaError::ConsumerCommit(code)) if is_rebalance(code) => Ok(()),
            Err(error) => Err(cause("committing offsets", &error)),
        }
    }

    /// Commits the stored positions of the revoked partitions, and unassigns them. The next poll does so if the owner did not.
    pub fn give_back(&mut self) {
        self.gives_back = false;
        let revoked = std::mem::take(&mut self.shared.lock().revoked);
        if !revoked.is_empty() {
            self.client.context().give_back(&self.client, &revoked);
        }
    }

    /// Commits what is stored and leaves the group. `false`: that took longer than the deadline and was left behind.
    pub fn close(self, deadline: Duration) -> bool {
        with_deadline(deadline, move || {
            if let Err(cause) = self.commit_stored(CommitMode::Sync) {
                tracing::warn!(%cause, "the last positions were not committed to the group");
            }
            drop(self);
        })
    }

    /// Commits what is stored and leaves everything else to the end of the process, which must follow. For the in-process
    /// cluster: it ends with the process too, and a member of the new group protocol that closes while the group still
    /// reassigns partitions fails an assertion of librdkafka 2.12, which would abort the process.
    pub fn leave_to_exit(self) {
        if let Err(cause) = self.commit_stored(CommitMode::Sync) {
            tracing::debug!(%cause, "the last positions were not committed to the group");
        }
        std::mem::forget(self);
    }
}
