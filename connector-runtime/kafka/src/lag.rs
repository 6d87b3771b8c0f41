//! How far a consumer is behind, from the statistics that librdkafka gathers anyway: no request is sent.

use std::collections::HashMap;

use rdkafka::Statistics;

use crate::assignment::Assignment;
use connect_api::TopicPartition;

/// What librdkafka knew of a partition's end, a second ago at most.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Where readers of committed records end.
    last_stable: i64,
    /// Everything was fetched up to here, and nothing of it waits in the queue.
    drained_to: Option<i64>,
}

/// The ends of all partitions as of the last statistics.
#[derive(Debug, Default)]
pub(crate) struct Ends(HashMap<String, HashMap<i32, End>>);

impl Ends {
    pub(crate) fn update(&mut self, statistics: &Statistics) {
        self.0.clear();
        for (topic, of_topic) in &statistics.topics {
            let ends = self.0.entry(topic.clone()).or_default();
            for (number, partition) in &of_topic.partitions {
                if *number < 0 || partition.ls_offset < 0 {
                    continue;
                }
                ends.insert(
                    *number,
                    End {
                        last_stable: partition.ls_offset,
                        drained_to: (partition.fetchq_cnt == 0).then_some(partition.next_offset),
                    },
                );
            }
        }
    }

    /// Records (or transaction markers) between the position after the last delivered record and the end, for every
    /// partition that runs and whose end is known. A tail that holds only markers, all of it fetched, is no lag.
    pub(crate) fn lag(&self, assignment: &Assignment) -> HashMap<TopicPartition, i64> {
        assignment
            .running()
            .into_iter()
            .filter_map(|partition| {
                let end = self.0.get(&*partition.topic)?.get(&partition.partition)?;
                let position = assignment.position(&partition.topic, partition.partition)?;
                let reached = position.max(end.drained_to.unwrap_or(position));
                Some((partition, end.last_stable.saturating_sub(reached).max(0)))
            })
            .collect()
    }
}
