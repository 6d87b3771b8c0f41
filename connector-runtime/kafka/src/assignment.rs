//! The state of each assigned partition, without any Kafka in it.
//!
//! A partition comes in three steps. It is *announced* when the group gives it: nothing of it is delivered, and where it
//! begins is not known. It *runs* from the moment that somebody said where to begin: records at or after that offset are
//! delivered in order, each with the generation of this assignment. It is *out of range* when Kafka no longer (or not
//! yet) has the offset that it wants: nothing is delivered until somebody says where to begin again. It is *revoked* when the
//! group takes it and it is not given back yet: nothing is delivered, and what was can still become durable.
//!
//! A generation belongs to one assignment of one partition and is never used again. A partition that is revoked and
//! given back during one write has a new one, so that the old write's positions are recognised and stored by nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use connect_api::{Position, TopicPartition};

/// One assignment of one partition. Later assignments have greater ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    /// A generation that no consumer gave, for tests of what is done with one.
    #[doc(hidden)]
    pub fn for_tests(number: u64) -> Generation {
        Generation(number)
    }
}

/// A position, and under which assignment of its partition it was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedPosition {
    pub position: Position,
    pub generation: Generation,
}

/// What the group stores for a partition: a position, and a text beside it (Kafka keeps up to 4096 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPosition {
    pub owned: OwnedPosition,
    pub metadata: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The group gave it, and the owner has not been told yet.
    Unannounced,
    /// The owner was told and has not yet said where to begin.
    Announced,
    Running,
    OutOfRange,
    /// The group takes it, and it is not given back yet.
    Revoked,
}

#[derive(Clone, Copy, Debug)]
struct Partition {
    generation: Generation,
    phase: Phase,
    /// The offset after the last record that was delivered. Means something only while running.
    next: i64,
    /// The position that was stored last in this assignment.
    stored: Option<i64>,
}

/// All partitions of one consumer.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    topics: BTreeMap<Arc<str>, BTreeMap<i32, Partition>>,
    last_generation: u64,
    /// Everything is held back: the owner waits for something.
    pub(crate) held: bool,
}

impl Assignment {
    /// The group gives these partitions.
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

    /// The group takes these partitions, and they are not given back yet. Returns those that are here.
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

    /// These partitions are given back. Returns those that were really here.
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

    /// The owner hears of this assignment now. False if it is over already.
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

    /// Whether the owner may say where this partition begins. Not if it was given anew and the owner, who has not heard
    /// of that yet, speaks of the assignment before.
    pub(crate) fn may_start(&self, partition: &TopicPartition) -> bool {
        self.get(partition)
            .is_some_and(|state| !matches!(state.phase, Phase::Unannounced | Phase::Revoked))
    }

    /// The partition runs from this offset on.
    pub(crate) fn start(&mut self, partition: &TopicPartition, offset: i64) {
        if let Some(state) = self.get_mut(partition)
            && !matches!(state.phase, Phase::Unannounced | Phase::Revoked)
        {
            state.phase = Phase::Running;
            state.next = offset;
            state.stored = None;
        }
    }

    /// A record came. Returns the shared topic name and the generation if it is to be delivered: its partition runs and
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

    /// Everything that was announced waits for `begin` again, each partition under a new generation: whatever was read of
    /// it before counts no longer. Returns those partitions, in order.
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

    /// Kafka does not have the offset that this partition wants.
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
