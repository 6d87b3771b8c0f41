//! The consumer as the reader uses it: it returns records and rebalances, and takes starts and progress.

use std::collections::HashMap;
use std::time::Duration;

use connect_api::{Cause, StartAt, TopicPartition};
use connect_kafka::{Committed, Event, Generation, GroupMetadata, GroupPosition, SinkConsumer};

/// A member of a consumer group. A trait, so that the reader can be tested without a broker. [`SinkConsumer`] documents the
/// methods.
pub(crate) trait Feed: Send + 'static {
    /// The next event, or `None` after the timeout.
    fn poll(&mut self, timeout: Duration) -> Option<Event>;
    /// The generation of an assigned partition.
    fn generation(&self, partition: &TopicPartition) -> Option<Generation>;
    fn group_metadata(&self) -> Option<GroupMetadata>;
    /// What the group has committed. `None`: nothing.
    fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<Committed>>, Cause>;
    fn partition_count(&self, topic: &str) -> Result<i32, Cause>;
    /// The offsets of these starts, in their order. An error in the list concerns one partition only.
    fn resolve(
        &self,
        starts: &[(TopicPartition, StartAt)],
    ) -> Result<Vec<Result<i64, Cause>>, Cause>;
    /// Seeks and resumes; a partition whose result is an error stays paused.
    fn start_at(
        &mut self,
        starts: &[(TopicPartition, StartAt)],
    ) -> Vec<(TopicPartition, Result<i64, Cause>)>;
    /// Every partition is paused under a new generation, until `start_at`.
    fn start_over(&mut self) -> Vec<TopicPartition>;
    /// Commits and unassigns revoked partitions.
    fn give_back(&mut self);
    fn store(&mut self, positions: &[GroupPosition]);
    fn commit(&mut self) -> Result<(), Cause>;
    fn pause_all(&mut self) -> Result<(), Cause>;
    fn resume_all(&mut self) -> Result<(), Cause>;
    /// Leaves the group; `false`: not within the deadline.
    fn close(self, deadline: Duration) -> bool;
    fn leave_to_exit(self);
}

impl Feed for SinkConsumer {
    fn poll(&mut self, timeout: Duration) -> Option<Event> {
        SinkConsumer::poll(self, timeout)
    }

    fn generation(&self, partition: &TopicPartition) -> Option<Generation> {
        SinkConsumer::generation(self, partition)
    }

    fn group_metadata(&self) -> Option<GroupMetadata> {
        SinkConsumer::group_metadata(self)
    }

    fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<Committed>>, Cause> {
        SinkConsumer::committed(self, partitions)
    }

    fn partition_count(&self, topic: &str) -> Result<i32, Cause> {
        SinkConsumer::partition_count(self, topic)
    }

    fn resolve(
        &self,
        starts: &[(TopicPartition, StartAt)],
    ) -> Result<Vec<Result<i64, Cause>>, Cause> {
        SinkConsumer::resolve(self, starts)
    }

    fn start_at(
        &mut self,
        starts: &[(TopicPartition, StartAt)],
    ) -> Vec<(TopicPartition, Result<i64, Cause>)> {
        SinkConsumer::start_at(self, starts)
    }

    fn start_over(&mut self) -> Vec<TopicPartition> {
        SinkConsumer::start_over(self)
    }

    fn give_back(&mut self) {
        SinkConsumer::give_back(self);
    }

    fn store(&mut self, positions: &[GroupPosition]) {
        SinkConsumer::store(self, positions);
    }

    fn commit(&mut self) -> Result<(), Cause> {
        SinkConsumer::commit(self)
    }

    fn pause_all(&mut self) -> Result<(), Cause> {
        SinkConsumer::pause_all(self)
    }

    fn resume_all(&mut self) -> Result<(), Cause> {
        SinkConsumer::resume_all(self)
    }

    fn close(self, deadline: Duration) -> bool {
        SinkConsumer::close(self, deadline)
    }

    fn leave_to_exit(self) {
        SinkConsumer::leave_to_exit(self);
    }
}
