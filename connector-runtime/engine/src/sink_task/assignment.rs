//! The current generation of each assigned partition, shared by reader and writer.

use std::collections::HashMap;
use std::sync::Arc;

use connect_api::TopicPartition;
use connect_kafka::Generation;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// A partition under one assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assigned {
    pub(crate) partition: TopicPartition,
    pub(crate) generation: Generation,
}

/// The current generation of each partition. The reader sets it; the writer checks it before each write.
#[derive(Clone, Default)]
pub(crate) struct Generations(Arc<Current>);

#[derive(Default)]
struct Current {
    generations: Mutex<HashMap<TopicPartition, Generation>>,
    forgotten: Notify,
}

impl Generations {
    pub(crate) fn set(&self, partition: TopicPartition, generation: Generation) {
        self.lock().insert(partition, generation);
    }

    pub(crate) fn forget(&self, partition: &TopicPartition) {
        self.lock().remove(partition);
        self.0.forgotten.notify_one();
    }

    pub(crate) fn is_current(&self, partition: &TopicPartition, generation: Generation) -> bool {
        self.lock().get(partition) == Some(&generation)
    }

    /// Returns after a partition was forgotten. One task at a time may wait.
    pub(crate) async fn forgotten(&self) {
        self.0.forgotten.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TopicPartition, Generation>> {
        self.0.generations.lock()
    }
}
