//! What this process saw of each topic first: whether a partition came later than the connector.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use connect_api::{Cause, TopicPartition};
use parking_lot::Mutex;

/// What each topic looked like when this process first saw it, and which partitions it saw; shared by the tasks of a
/// connector.
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
    /// Whether the partition came after the connector had begun with its topic. `look` asks the cluster, once a topic
    /// and before this process stores anything: whether any position is stored, and the number of partitions.
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

    /// Whether this process begins with the partition for the first time.
    pub(crate) fn is_first(&self, partition: &TopicPartition) -> bool {
        let mut seen = self.partitions.lock();
        seen.insert(partition.clone())
    }
}
