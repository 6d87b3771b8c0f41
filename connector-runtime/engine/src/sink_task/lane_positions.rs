//! The durable position of each lane in each partition, and what the consumer group stores of them.
//!
//! The group stores one offset for each partition: the smallest of all lanes, because some lane needs the records from there
//! on. The commit's metadata holds the position of each lane by name. So a lane that is ahead does not repeat what it has, a
//! lane that was added later is known to be new, and one that was removed is forgotten.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use connect_api::{Position, Progress, TopicPartition};
use connect_kafka::{Committed, Generation, GroupPosition, OwnedPosition};

use crate::sink_task::assignment::Generations;
use crate::sink_task::batch::OwnedProgress;

/// The committed position of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupOffset {
    /// Of all lanes the smallest.
    pub(crate) next: i64,
    /// By the lane's name. `None`: another program committed it, or an older version without lanes.
    by_lane: Option<BTreeMap<String, i64>>,
}

impl GroupOffset {
    pub(crate) fn of(committed: &Committed) -> GroupOffset {
        GroupOffset {
            next: committed.next,
            by_lane: parse(&committed.metadata),
        }
    }

    /// Whether the lane did not exist when this was committed.
    pub(crate) fn is_new(&self, lane: &str) -> bool {
        let lanes = self.by_lane.as_ref();
        lanes.is_some_and(|lanes| !lanes.contains_key(lane))
    }

    /// The position of the lane. `None`: it is new.
    pub(crate) fn of_lane(&self, lane: &str) -> Option<i64> {
        match &self.by_lane {
            None => Some(self.next),
            Some(lanes) => lanes.get(lane).copied(),
        }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Metadata {
    lanes: BTreeMap<String, i64>,
}

/// `None`: we did not write this text.
fn parse(metadata: &str) -> Option<BTreeMap<String, i64>> {
    let parsed: Metadata = serde_json::from_str(metadata).ok()?;
    Some(parsed.lanes)
}

/// The metadata of a commit.
pub(crate) fn metadata(names: &[Arc<str>], lanes: &[i64]) -> Arc<str> {
    let lanes = names.iter().zip(lanes);
    let metadata = Metadata {
        lanes: lanes
            .map(|(name, next)| (name.to_string(), *next))
            .collect(),
    };
    let json = serde_json::to_string(&metadata);
    json.expect("names and numbers are always JSON").into()
}

/// The durable positions of every lane and partition, under the current assignments.
#[derive(Debug)]
pub(crate) struct LanePositions {
    names: Arc<[Arc<str>]>,
    partitions: HashMap<TopicPartition, PartitionPositions>,
    /// Partitions in which a lane moved since a Kafka transaction committed the group's offset.
    moved: BTreeSet<TopicPartition>,
}

/// The position of every lane in one partition, under one assignment.
#[derive(Clone, Debug)]
pub(crate) struct PartitionPositions {
    pub(crate) partition: TopicPartition,
    pub(crate) generation: Generation,
    /// The next offset of each lane, in the order of the file.
    pub(crate) lanes: Arc<[i64]>,
}

impl LanePositions {
    pub(crate) fn new(names: Arc<[Arc<str>]>) -> LanePositions {
        LanePositions {
            names,
            partitions: HashMap::new(),
            moved: BTreeSet::new(),
        }
    }

    /// The first progress under an assignment defines where each lane starts.
    pub(crate) fn start(&mut self, batch: &[OwnedProgress]) {
        for owned in batch {
            let partition = &owned.progress.partition;
            let known = self.partitions.get(partition);
            if known.is_some_and(|known| known.generation == owned.generation) {
                continue;
            }
            let started = PartitionPositions {
                partition: partition.clone(),
                generation: owned.generation,
                lanes: owned.starts.iter().map(|start| start.offset).collect(),
            };
            self.partitions.insert(partition.clone(), started);
            self.moved.remove(partition);
        }
    }

    /// Everything below this is durable in this lane. `None`: the partition was reassigned since.
    pub(crate) fn reached(
        &mut self,
        lane: usize,
        reached: &OwnedPosition,
    ) -> Option<PartitionPositions> {
        let Position { partition, next } = &reached.position;
        let known = self.partitions.get_mut(partition)?;
        if known.generation != reached.generation {
            return None;
        }
        if *next > known.of_lane(lane) {
            *known = known.with(lane, *next);
            self.moved.insert(partition.clone());
        }
        Some(known.clone())
    }

    /// The progress that a transaction of this lane without records has to commit: the partitions in which other lanes moved
    /// since the last transaction.
    pub(crate) fn uncommitted(&self, lane: usize, generations: &Generations) -> Vec<Progress> {
        let moved = self.moved.iter().filter_map(|partition| {
            let known = self.partitions.get(partition);
            let known = known.expect("only a partition that has started moves");
            let next = known.of_lane(lane);
            let is_ours = generations.is_current(partition, known.generation);
            is_ours.then(|| Progress {
                partition: partition.clone(),
                expected: next,
                next,
                last_timestamp_ms: None,
            })
        });
        moved.collect()
    }

    /// A Kafka transaction committed the group's offsets of these partitions, with the positions of all lanes.
    pub(crate) fn committed(&mut self, progress: &[Progress]) {
        for committed in progress {
            self.moved.remove(&committed.partition);
        }
    }

    /// The group position that a transaction commits if it moves this lane to this position.
    pub(crate) fn with(&self, lane: usize, position: &Position) -> GroupPosition {
        let known = self.partitions.get(&position.partition);
        let known = known.expect("a batch starts its partitions before it is written");
        known.with(lane, position.next).to_group(&self.names)
    }
}

impl PartitionPositions {
    /// The position that every lane has reached.
    pub(crate) fn smallest(&self) -> Position {
        let smallest = self.lanes.iter().min();
        Position {
            partition: self.partition.clone(),
            next: *smallest.expect("a connector has a sink"),
        }
    }

    pub(crate) fn to_group(&self, names: &[Arc<str>]) -> GroupPosition {
        GroupPosition {
            owned: OwnedPosition {
                position: self.smallest(),
                generation: self.generation,
            },
            metadata: metadata(names, &self.lanes),
        }
    }

    fn of_lane(&self, lane: usize) -> i64 {
        let next = self.lanes.get(lane).copied();
        next.expect("every lane has a position")
    }

    fn with(&self, lane: usize, next: i64) -> PartitionPositions {
        let mut moved = self.clone();
        let lanes = Arc::make_mut(&mut moved.lanes);
        *lanes.get_mut(lane).expect("every lane has a position") = next;
        moved
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sink_task::batch::LaneStart;

    fn committed(next: i64, metadata: &str) -> GroupOffset {
        GroupOffset::of(&Committed {
            next,
            metadata: metadata.to_owned(),
        })
    }

    #[test]
    fn a_lane_is_new_only_if_lanes_were_committed_and_it_was_not_among_them() {
        let names: [Arc<str>; 2] = ["rows".into(), "lines".into()];
        let ours = metadata(&names, &[7, 3]);
        // (metadata, lane, new, position)
        let cases = [
            (&*ours, "rows", false, Some(7)),
            (&*ours, "lines", false, Some(3)),
            (&*ours, "archive", true, None),
            ("", "rows", false, Some(3)),
            ("", "archive", false, Some(3)),
            ("written by another tool", "rows", false, Some(3)),
            ("{}", "rows", false, Some(3)),
        ];
        for (metadata, lane, is_new, position) in cases {
            let group = committed(3, metadata);
            assert_eq!(group.is_new(lane), is_new, "{metadata} {lane}");
            assert_eq!(group.of_lane(lane), position, "{metadata} {lane}");
        }
    }

    #[test]
    fn what_moved_since_the_last_transaction_is_to_be_committed() {
        let names: Arc<[Arc<str>]> = ["copy".into(), "lines".into()].into();
        let generations = Generations::default();
        let mut positions = LanePositions::new(names);
        let sales = |partition| TopicPartition {
            topic: "sales".into(),
            partition,
        };
        let assign = |positions: &mut LanePositions, partition: i32, generation: Generation| {
            generations.set(sales(partition), generation);
            let start = |offset| LaneStart {
                offset,
                store: false,
            };
            positions.start(&[OwnedProgress {
                progress: Progress {
                    partition: sales(partition),
                    expected: 5,
                    next: 9,
                    last_timestamp_ms: None,
                },
                generation,
                is_first: true,
                starts: [start(9), start(5)].into(),
            }]);
        };
        let reach = |positions: &mut LanePositions, lane, partition, generation, next| {
            let position = Position {
                partition: sales(partition),
                next,
            };
            positions.reached(
                lane,
                &OwnedPosition {
                    position,
                    generation,
                },
            );
        };
        let uncommitted = |positions: &LanePositions| -> Vec<(i32, i64)> {
            let progress = positions.uncommitted(0, &generations);
            let progress = progress.iter();
            progress
                .map(|progress| (progress.partition.partition, progress.next))
                .collect()
        };
        let (first, second) = (Generation::for_tests(1), Generation::for_tests(2));
        assign(&mut positions, 0, first);
        assign(&mut positions, 1, first);
        assert_eq!(uncommitted(&positions), []);
        reach(&mut positions, 1, 0, first, 9);
        reach(&mut positions, 1, 1, first, 5);
        assert_eq!(uncommitted(&positions), [(0, 9)]);
        let committed = positions.uncommitted(0, &generations);
        positions.committed(&committed);
        assert_eq!(uncommitted(&positions), []);
        reach(&mut positions, 1, 1, first, 8);
        generations.forget(&sales(1));
        assert_eq!(uncommitted(&positions), [], "revoked");
        assign(&mut positions, 1, second);
        assert_eq!(uncommitted(&positions), [], "assigned again");
    }

    #[test]
    fn as_many_lanes_as_check_allows_fit_into_kafkas_metadata() {
        let lanes = connect_config::MOST_LANES;
        let longest = "n".repeat(connect_config::LONGEST_LANE_NAME - 2);
        let names: Vec<Arc<str>> = (0..lanes)
            .map(|lane| Arc::from(format!("{longest}{lane:02}")))
            .collect();
        assert!(metadata(&names, &vec![i64::MAX; lanes]).len() <= 4096);
    }
}
