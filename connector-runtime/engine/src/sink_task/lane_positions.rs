//! How far each lane of a connector is, and what the consumer group keeps of it.
//!
//! The group has one offset for each partition, which is the smallest of all lanes: from there on somebody needs the
//! records. Beside it, as the commit's metadata, it keeps the position of each lane by name. So a lane that is ahead does
//! not repeat what it has, a lane that was added later is known to be new, and one that was removed is forgotten.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use connect_api::{Position, Progress, TopicPartition};
use connect_kafka::{Committed, Generation, GroupPosition, OwnedPosition};

use crate::sink_task::assignment::Generations;
use crate::sink_task::batch::OwnedProgress;

/// The positions of all lanes in one partition, in the order of the file.
pub(crate) type Lanes = Arc<[i64]>;

/// What a group has committed of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupOffset {
    /// Of all lanes the smallest.
    pub(crate) next: i64,
    /// By the lane's name; `None`: another program, or one that knew no lanes, committed.
    by_lane: Option<BTreeMap<String, i64>>,
}

impl GroupOffset {
    pub(crate) fn of(committed: &Committed) -> GroupOffset {
        GroupOffset {
            next: committed.next,
            by_lane: parse(&committed.metadata),
        }
    }

    /// Whether the lane took no part when this was committed.
    pub(crate) fn is_new(&self, lane: &str) -> bool {
        let lanes = self.by_lane.as_ref();
        lanes.is_some_and(|lanes| !lanes.contains_key(lane))
    }

    /// Where the lane is, unless it is new.
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

/// Any other text was not written by us.
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

/// What is durable, by partition and lane, under the current assignments.
#[derive(Debug)]
pub(crate) struct LanePositions {
    names: Arc<[Arc<str>]>,
    partitions: HashMap<TopicPartition, Tracked>,
    /// Partitions in which a lane moved since a Kafka transaction committed the group's offset.
    moved: BTreeSet<TopicPartition>,
}

#[derive(Debug)]
struct Tracked {
    generation: Generation,
    lanes: Vec<i64>,
}

/// All lanes of one partition, after one of them moved.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    /// Of all lanes the smallest.
    pub(crate) smallest: OwnedPosition,
    pub(crate) lanes: Lanes,
}

impl LanePositions {
    pub(crate) fn new(names: Arc<[Arc<str>]>) -> LanePositions {
        LanePositions {
            names,
            partitions: HashMap::new(),
            moved: BTreeSet::new(),
        }
    }

    /// The first batch of an assignment says where each lane begins.
    pub(crate) fn begin(&mut self, owned: &OwnedProgress) {
        let partition = &owned.progress.partition;
        let known = self.partitions.get(partition);
        if known.is_none_or(|known| known.generation != owned.generation) {
            let tracked = Tracked {
                generation: owned.generation,
                lanes: owned.begins.iter().map(|begin| begin.offset).collect(),
            };
            self.partitions.insert(partition.clone(), tracked);
            self.moved.remove(partition);
        }
    }

    /// Everything below this is durable in this lane. `None`: the partition was assigned anew since.
    pub(crate) fn reached(&mut self, lane: usize, reached: &OwnedPosition) -> Option<Reached> {
        let OwnedPosition {
            position,
            generation,
        } = reached;
        let tracked = self.partitions.get_mut(&position.partition)?;
        if tracked.generation != *generation {
            return None;
        }
        let next = tracked
            .lanes
            .get_mut(lane)
            .expect("every lane has a position");
        if position.next > *next {
            *next = position.next;
            self.moved.insert(position.partition.clone());
        }
        Some(tracked.at(&position.partition))
    }

    /// What a transaction of this lane without records has to commit: partitions in which other lanes moved since the last
    /// one.
    pub(crate) fn uncommitted(&self, lane: usize, generations: &Generations) -> Vec<Progress> {
        let moved = self.moved.iter().filter_map(|partition| {
            let tracked = self.partitions.get(partition);
            let tracked = tracked.expect("only a partition that is tracked moves");
            let next = *tracked.lanes.get(lane).expect("every lane has a position");
            let is_ours = generations.is_current(partition, tracked.generation);
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

    /// What a transaction commits that takes this lane to this position.
    pub(crate) fn with(&self, lane: usize, position: &Position) -> GroupPosition {
        let tracked = self.partitions.get(&position.partition);
        let tracked = tracked.expect("a batch is announced before it is written");
        let mut lanes = tracked.lanes.clone();
        *lanes.get_mut(lane).expect("every lane has a position") = position.next;
        let moved = Tracked {
            generation: tracked.generation,
            lanes,
        };
        moved.at(&position.partition).to_group(&self.names)
    }
}

impl Tracked {
    fn at(&self, partition: &TopicPartition) -> Reached {
        let smallest = self.lanes.iter().min();
        Reached {
            smallest: OwnedPosition {
                position: Position {
                    partition: partition.clone(),
                    next: *smallest.expect("a connector has a sink"),
                },
                generation: self.generation,
            },
            lanes: self.lanes.as_slice().into(),
        }
    }
}

impl Reached {
    pub(crate) fn to_group(&self, names: &[Arc<str>]) -> GroupPosition {
        GroupPosition {
            owned: self.smallest.clone(),
            metadata: metadata(names, &self.lanes),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sink_task::batch::LaneBegin;

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
            let begin = |offset| LaneBegin {
                offset,
                store: false,
            };
            positions.begin(&OwnedProgress {
                progress: Progress {
                    partition: sales(partition),
                    expected: 5,
                    next: 9,
                    last_timestamp_ms: None,
                },
                generation,
                is_first: true,
                begins: [begin(9), begin(5)].into(),
            });
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
