//! The first sight of each topic in this process, which tells whether a partition was added later than the connector.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use connect_api::{Cause, TopicPartition};
use parking_lot::Mutex;

/// The first sights of one connector, shared by its tasks.
#[derive(Clone, Default)]
pub(crate) struct FirstSights {
    topics: Arc<Mutex<HashMap<Arc<str>, FirstSight>>>,
    partitions: Arc<Mutex<HashSet<TopicPartition>>>,
}

#[derive(Clone, Copy)]
struct FirstSight {
    /// The connector had positions in the topic already.
    begun: bool,
    partitions: i32,
}

impl FirstSights {
    /// Whether the partition was added after the connector had started with its topic. `look` asks the cluster, once per topic
    /// and before this process stores anything, whether a position is stored, and for the number of partitions.
    pub(crate) fn is_later(
        &self,
        partition: &TopicPartition,
        look: impl FnOnce(&Arc<str>) -> Result<(bool, i32), Cause>,
    ) -> Result<bool, Cause> {
        let mut sights = self.topics.lock();
        let sight = match sights.get(&partition.topic) {
            Some(sight) => *sight,
            None => {
                let (begun, partitions) = look(&partition.topic)?;
                let sight = FirstSight { begun, partitions };
                sights.insert(partition.topic.clone(), sight);
                sight
            }
        };
        Ok(sight.begun || partition.partition >= sight.partitions)
    }

    /// Whether this process starts the partition for the first time.
    pub(crate) fn is_first(&self, partition: &TopicPartition) -> bool {
        let mut seen = self.partitions.lock();
        seen.insert(partition.clone())
    }
}
