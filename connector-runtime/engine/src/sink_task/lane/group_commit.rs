//! The group's offsets in Kafka transactions.
//!
//! If a lane publishes in transactions, only these move the group's offset, for all lanes: a commit of the consumer could
//! arrive late and move it back. Each transaction commits the current position of every lane. If other lanes move without one
//! (this lane had the records already, or an accepting sink was flushed), a transaction without records follows: otherwise
//! those records would be read again at the next start.

use connect_api::{Batch, CommitToken, Failure, Position, Progress, ProgressHome};
use connect_kafka::{GroupCommit, GroupMetadata};

use super::{Ended, Lane, SharedPositions};
use crate::backoff::Backoff;

/// The data with which a publisher commits the positions of every lane in its transaction.
pub(crate) struct LaneCommit {
    group: GroupMetadata,
    lane: usize,
    positions: SharedPositions,
}

impl LaneCommit {
    /// The commit that moves this lane to the end of `progress`.
    pub(crate) fn of(&self, progress: &[Progress]) -> GroupCommit {
        let positions = self.positions.lock();
        let moved = progress.iter().map(|moved| Position {
            partition: moved.partition.clone(),
            next: moved.next,
        });
        GroupCommit {
            positions: moved
                .map(|position| positions.with(self.lane, &position))
                .collect(),
            group: self.group.clone(),
        }
    }
}

impl Lane {
    pub(super) fn commit_token(&self, group: &GroupMetadata) -> CommitToken {
        CommitToken::new(LaneCommit {
            group: group.clone(),
            lane: self.index,
            positions: self.positions.clone(),
        })
    }

    /// A transaction committed these partitions' offsets.
    pub(super) fn committed(&self, progress: &[Progress]) {
        if self.home == ProgressHome::KafkaTransaction {
            self.positions.lock().committed(progress);
        }
    }

    /// Commits what other lanes reached since the last transaction, waiting out an outage.
    pub(crate) async fn commit_group(&mut self, group: &GroupMetadata) -> Result<(), Ended> {
        let mut backoff = Backoff::new();
        while let Err(failure) = self.try_commit_group(group).await {
            let delay = backoff.next_delay();
            backoff.grow();
            self.wait_after("commit_retried", &failure, delay).await?;
        }
        Ok(())
    }

    /// As [`Self::commit_group`], but tries only once, because partitions are revoked or the task ends.
    pub(crate) async fn commit_group_once(&mut self, group: &GroupMetadata) {
        if let Err(failure) = self.try_commit_group(group).await {
            tracing::warn!(
                event = "commit_failed",
                connector = %self.waiting.connector,
                task = self.waiting.task,
                cause = %failure,
                "the positions of other sinks are not stored: their last records may be read again"
            );
        }
    }

    async fn try_commit_group(&mut self, group: &GroupMetadata) -> Result<(), Failure> {
        let progress = {
            let positions = self.positions.lock();
            positions.uncommitted(self.index, &self.generations)
        };
        if progress.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            records: Vec::new(),
            progress,
            commit: self.commit_token(group),
        };
        self.sink.write(&batch).await?;
        self.waiting.over();
        self.committed(&batch.progress);
        Ok(())
    }
}
