//! The state machine of each assigned partition. Pure: no Kafka client.
//!
//! A partition is *announced* once its owner knows that the group has assigned it: its start is not known, and nothing is
//! delivered. It is *running* once the owner has set its start: records from that offset on are delivered in order, each with
//! the generation of this assignment. It is *out of range* if Kafka does not have its next offset: nothing is delivered until
//! the owner sets a start again. It is *revoked* until it is given back: nothing is delivered, but delivered records can still
//! become durable.
//!
//! A generation belongs to one assignment of one partition and is never used again. A partition that is revoked and reassigned
//! during one write has a new one, so that the positions of the old write are recognised and not stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use connect_api::{Position, TopicPartition};

/// One assignment of one partition. Later assignments have greater ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    /// For tests, which have no consumer.
    #[doc(hidden)]
    pub fn for_tests(number: u64) -> Generation {
        Generation(number)
    }
}

/// A position, and the assignment of its partition under which it was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedPosition {
    pub position: Position,
    pub generation: Generation,
}

/// What the group stores for a partition: a position and metadata, a text of up to 4096 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPosition {
    pub owned: OwnedPosition,
    pub metadata: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Assigned, but the owner does not know it yet.
    Unannounced,
    /// The owner knows it and has not set a start yet.
    Announced,
    Running,
    OutOfRange,
    /// Revoked by the group, and not given back yet.
    Revoked,
}

#[derive(Clone, Copy, Debug)]
struct Partition {
    generation: Generation,
    phase: Phase,
    /// The offset after the last record that was delivered. Valid only while running.
    next: i64,
    /// The last stored position in this assignment.
    stored: Option<i64>,
}

/// All partitions of one consumer.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    topics: BTreeMap<Arc<str>, BTreeMap<i32, Partition>>,
    last_generation: u64,
    /// All partitions are paused, because the owner waits.
    pub(crate) held: bool,
}

impl Assignment {
    /// The group assigns these partitions.
    pub(crate) fn assign(&mut self, partitions: &[TopicPartition]) -> Vec<Generation> {
        partitions
            .iter()
            .map(|given| {
                self.last_generation += 1;
                let generation = Generation(self.last_generation);
                self.topics.entry(given.topic.clone()).or_default().insert(
                    given.partition,
                    Partition {
                        generation,
                        phase: Phase::Unannounced,
                        next: 0,
                        stored: None,
                    },
                );
                generation
            })
            .collect()
    }

    /// The group revokes these partitions, which are not given back yet. Returns those that were assigned.
    pub(crate) fn mark_revoked(&mut self, partitions: &[TopicPartition]) -> Vec<TopicPartition> {
        let mut known = Vec::with_capacity(partitions.len());
        for partition in partitions {
            if let Some(state) = self.get_mut(partition) {
                state.phase = Phase::Revoked;
                known.push(partition.clone());
            }
        }
        known
    }

    /// These partitions are given back. Returns those that were assigned.
    pub(crate) fn remove(&mut self, partitions: &[TopicPartition]) -> Vec<TopicPartition> {
        partitions
            .iter()
            .filter(|taken| {
                let Some(of_topic) = self.topics.get_mut(&taken.topic) else {
                    return false;
                };
                let was_here = of_topic.remove(&taken.partition).is_some();
                if of_topic.is_empty() {
                    self.topics.remove(&taken.topic);
                }
                was_here
            })
            .cloned()
            .collect()
    }

    /// The owner is told of this assignment. `false`: it is over already.
    pub(crate) fn announce(&mut self, partition: &TopicPartition, generation: Generation) -> bool {
        match self.get_mut(partition) {
            Some(state) if state.generation == generation && state.phase != Phase::Revoked => {
                if state.phase == Phase::Unannounced {
                    state.phase = Phase::Announced;
                }
                true
            }
            _ => false,
        }
    }

    /// Whether the owner may start this partition. Not if the partition was reassigned and the owner, which does not know it
    /// yet, means the previous assignment.
    pub(crate) fn may_start(&self, partition: &TopicPartition) -> bool {
        self.get(partition)
            .is_some_and(|state| !matches!(state.phase, Phase::Unannounced | Phase::Revoked))
    }

    /// Starts the partition at this offset.
    pub(crate) fn start(&mut self, partition: &TopicPartition, offset: i64) {
        if let Some(state) = self.get_mut(partition)
            && !matches!(state.phase, Phase::Unannounced | Phase::Revoked)
        {
            state.phase = Phase::Running;
            state.next = offset;
            state.stored = None;
        }
    }

    /// A record arrived. Returns the shared topic name and the generation if the record is delivered: its partition runs, and
    /// the record is not below the position.
    pub(crate) fn deliver(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Option<(Arc<str>, Generation)> {
        // `get_key_value` for the shared name; then the mutable look-up.
        let name = self.topics.get_key_value(topic)?.0.clone();
        let state = self.topics.get_mut(topic)?.get_mut(&partition)?;
        if state.phase != Phase::Running || offset < state.next {
            return None;
        }
        state.next = offset.saturating_add(1);
        Some((name, state.generation))
    }

    /// Some partition with this number has no records before `end` that were not delivered; Kafka's client does not say
    /// of which topic. The position moves (past transaction markers) where only one can be meant: records are delivered
    /// in order, so it is one whose position is not beyond the end.
    pub(crate) fn end_reached(
        &mut self,
        partition: i32,
        end: i64,
    ) -> Option<(TopicPartition, Generation)> {
        let mut candidates = self.topics.iter_mut().filter_map(|(topic, of_topic)| {
            let state = of_topic.get_mut(&partition)?;
            (state.phase == Phase::Running && state.next <= end).then_some((topic, state))
        });
        let (topic, state) = candidates.next()?;
        if candidates.next().is_some() {
            return None;
        }
        state.next = end;
        let reached = TopicPartition {
            topic: topic.clone(),
            partition,
        };
        Some((reached, state.generation))
    }

    /// The running partitions that a batch at this offset may belong to: those that wait for it, or else those that began
    /// in the middle of a batch and have not come beyond it by a batch that they have read.
    pub(crate) fn not_beyond(&self, offset: i64) -> Vec<TopicPartition> {
        let running = |at: &dyn Fn(i64) -> bool| -> Vec<TopicPartition> {
            let all = self.topics.iter().flat_map(|(topic, of_topic)| {
                of_topic.iter().filter_map(|(number, state)| {
                    let waits = state.phase == Phase::Running && at(state.next);
                    waits.then(|| TopicPartition {
                        topic: topic.clone(),
                        partition: *number,
                    })
                })
            });
            all.collect()
        };
        let waiting = running(&|next| next == offset);
        if waiting.is_empty() {
            return running(&|next| next > offset);
        }
        waiting
    }

    /// Every partition that the owner knows waits for `start` again, under a new generation, so that records read before do not
    /// count any more. Returns those partitions, in order.
    pub(crate) fn start_over(&mut self) -> Vec<TopicPartition> {
        let known =
            self.select(|state| !matches!(state.phase, Phase::Unannounced | Phase::Revoked));
        self.assign(&known);
        for partition in &known {
            if let Some(state) = self.get_mut(partition) {
                state.phase = Phase::Announced;
            }
        }
        known
    }

    /// Kafka does not have the next offset of this partition.
    pub(crate) fn out_of_range(&mut self, partition: &TopicPartition) {
        if let Some(state) = self.get_mut(partition)
            && state.phase == Phase::Running
        {
            state.phase = Phase::OutOfRange;
        }
    }

    /// Whether this position may be stored: of the current generation, of a partition that runs or ran, not beyond what was
    /// delivered, and not before what is stored.
    pub(crate) fn may_store(
        &self,
        partition: &TopicPartition,
        next: i64,
        generation: Generation,
    ) -> bool {
        self.get(partition).is_some_and(|state| {
            state.generation == generation
                && matches!(
                    state.phase,
                    Phase::Running | Phase::OutOfRange | Phase::Revoked
                )
                && next <= state.next
                && state.stored.is_none_or(|stored| stored <= next)
        })
    }

    pub(crate) fn stored(&mut self, partition: &TopicPartition, next: i64) {
        if let Some(state) = self.get_mut(partition) {
            state.stored = Some(next);
        }
    }

    pub(crate) fn generation(&self, partition: &TopicPartition) -> Option<Generation> {
        self.get(partition).map(|state| state.generation)
    }

    /// The offset after the last record that was delivered, of a partition that runs.
    pub(crate) fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        self.topics
            .get(topic)?
            .get(&partition)
            .filter(|state| state.phase == Phase::Running)
            .map(|state| state.next)
    }

    /// Everything that is assigned, in order.
    pub(crate) fn all(&self) -> Vec<TopicPartition> {
        self.select(|_| true)
    }

    pub(crate) fn running(&self) -> Vec<TopicPartition> {
        self.select(|state| state.phase == Phase::Running)
    }

    fn select(&self, wanted: impl Fn(&Partition) -> bool) -> Vec<TopicPartition> {
        let mut selected: Vec<TopicPartition> = self
            .topics
            .iter()
            .flat_map(|(topic, of_topic)| {
                of_topic
                    .iter()
                    .filter(|(_, state)| wanted(state))
                    .map(|(number, _)| TopicPartition {
                        topic: topic.clone(),
                        partition: *number,
                    })
            })
            .collect();
        selected.sort();
        selected
    }

    fn get(&self, partition: &TopicPartition) -> Option<&Partition> {
        self.topics.get(&partition.topic)?.get(&partition.partition)
    }

    fn get_mut(&mut self, partition: &TopicPartition) -> Option<&mut Partition> {
        self.topics
            .get_mut(&partition.topic)?
            .get_mut(&partition.partition)
    }
}

#[cfg(test)]
mod tests;
