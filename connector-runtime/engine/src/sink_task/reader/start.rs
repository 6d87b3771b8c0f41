//! Starts assigned partitions: the sinks return their stored progress, [`crate::sink_task::start_position`] decides, the
//! consumer resolves and seeks.

use std::collections::HashMap;
use std::sync::Arc;

use connect_api::{Cause, StartAt, TopicPartition};

use super::rebalance::listed;
use super::{Reader, Reading};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::control::TaskEnd;
use crate::sink_task::assignment::Assigned;
use crate::sink_task::batch::LaneStart;
use crate::sink_task::feed::Feed;
use crate::sink_task::halves::{Resumed, Stored, Work};
use crate::sink_task::lane_positions::{GroupOffset, PartitionPositions};
use crate::sink_task::start_position::{LaneStartAt, decide, known};

impl<F: Feed> Reader<F> {
    pub(super) fn ask_where_to_resume(&mut self) {
        if self.to_ask.is_empty() {
            return;
        }
        let partitions = std::mem::take(&mut self.to_ask);
        tracing::info!(
            event = "partitions_assigned",
            connector = %self.parts.connector,
            task = self.parts.task,
            partitions = %listed(partitions.iter().map(|asked| &asked.partition)),
        );
        let after_rebalance = !std::mem::take(&mut self.superseded);
        self.send(Work::Resume {
            partitions,
            after_rebalance,
        });
    }

    /// Starts the partitions about which the sinks have answered. Failures are retried after a delay.
    pub(super) fn start_resumed(&mut self) {
        if self.to_start.is_empty() || Instant::now() < self.next_start {
            return;
        }
        let is_current =
            |one: &Assigned| self.parts.feed.generation(&one.partition) == Some(one.generation);
        let mut waiting = std::mem::take(&mut self.to_start);
        waiting.retain(|one| is_current(&one.assigned));
        match self.try_to_start(&waiting) {
            Ok(()) => {
                self.start_backoff = Backoff::new();
                self.recovered();
            }
            // Kafka did not answer. No record takes part, so the request is repeated without end.
            Err(cause) => {
                let delay = self.start_backoff.next_delay();
                self.start_backoff.grow();
                self.next_start = Instant::now() + delay;
                self.waiting().show("start_retried", &cause, Some(delay));
                let is_reading =
                    |one: &Resumed| self.positions.contains_key(&one.assigned.generation);
                self.to_start = waiting;
                self.to_start.retain(|one| !is_reading(one));
            }
        }
    }

    /// One request of each kind for all partitions, and a check for a stop between two of them: a request for each of a
    /// thousand partitions took longer than the grace period of a stop. `Err`: why some partitions have not started.
    fn try_to_start(&mut self, waiting: &[Resumed]) -> Result<(), Cause> {
        let names = waiting.iter().map(|one| one.assigned.partition.clone());
        let names: Vec<TopicPartition> = names.collect();
        let committed = self.parts.feed.committed(&names)?;
        let mut starts: Vec<Vec<LaneStartAt>> = Vec::with_capacity(waiting.len());
        for one in waiting {
            if self.parts.stop.is_draining() {
                return Ok(());
            }
            let group = committed.get(&one.assigned.partition);
            let group = group.and_then(Option::as_ref).map(GroupOffset::of);
            match self.decide_lanes(one, group.as_ref())? {
                Some(lanes) => starts.push(lanes),
                // The task has ended with a question to the user.
                None => return Ok(()),
            }
        }
        let questions = names.iter().zip(&starts).flat_map(|(partition, lanes)| {
            let of_lane = |lane: &LaneStartAt| (partition.clone(), lane.at);
            lanes.iter().map(of_lane)
        });
        let questions: Vec<(TopicPartition, StartAt)> = questions.collect();
        let resolved = self.parts.feed.resolve(&questions)?;
        if self.parts.stop.is_draining() {
            return Ok(());
        }
        self.seek(waiting, &starts, resolved)
    }

    /// Seeks the partitions whose starts Kafka has resolved, lane by lane in the order of the questions.
    fn seek(
        &mut self,
        waiting: &[Resumed],
        starts: &[Vec<LaneStartAt>],
        resolved: Vec<Result<i64, Cause>>,
    ) -> Result<(), Cause> {
        let mut failed = None;
        let mut targets = Vec::with_capacity(waiting.len());
        let mut asked = HashMap::with_capacity(waiting.len());
        let mut resolved = resolved.into_iter();
        for (one, lanes) in waiting.iter().zip(starts) {
            let of_lanes: Vec<_> = resolved.by_ref().take(lanes.len()).collect();
            let offsets: Vec<i64> = match of_lanes.into_iter().collect() {
                Ok(offsets) => offsets,
                Err(cause) => {
                    failed.get_or_insert(cause);
                    continue;
                }
            };
            let smallest = offsets.iter().copied().min();
            let smallest = smallest.expect("a connector has a sink");
            let partition = &one.assigned.partition;
            targets.push((partition.clone(), StartAt::Offset(smallest)));
            asked.insert(partition.clone(), (one, lanes, offsets));
        }
        let mut to_store = Vec::new();
        for (partition, sought) in self.parts.feed.start_at(&targets) {
            let one = asked.remove(&partition);
            let (one, lanes, offsets) = one.expect("each partition that is sought was asked once");
            match sought {
                Ok(offset) => to_store.extend(self.started(one, offset, lanes, &offsets)),
                Err(cause) => {
                    failed.get_or_insert(cause);
                }
            }
        }
        if !to_store.is_empty() {
            self.store(&to_store);
            // Immediately: if transactions move the group, a commit after the first of them would move it back.
            self.commit();
        }
        failed.map_or(Ok(()), Err)
    }

    /// Where each lane starts. `None`: the user must decide, and the task ends.
    fn decide_lanes(
        &mut self,
        one: &Resumed,
        group: Option<&GroupOffset>,
    ) -> Result<Option<Vec<LaneStartAt>>, Cause> {
        let partition = &one.assigned.partition;
        let is_later = self.is_later(partition)?;
        let durable = self.durable.get(partition).cloned();
        let mut starts = Vec::with_capacity(one.stored.len());
        for (index, stored) in one.stored.iter().enumerate() {
            let lane = self.parts.lanes.get(index);
            let lane = lane.expect("every sink was asked where it resumes");
            let durable = durable.as_ref().and_then(|lanes| lanes.get(index)).copied();
            let known = known(*stored, group, durable, &lane.name, lane.start, is_later);
            match decide(&self.parts.connector, known) {
                Ok(start) => {
                    // With several lanes the group's offset is the smallest of all, which usually differs.
                    if self.parts.lanes.len() == 1 {
                        self.note_difference(partition, start);
                    }
                    starts.push(start);
                }
                Err(question) => {
                    let of_lane = match self.parts.lanes.len() {
                        1 => String::new(),
                        _ => format!(", sink {}", lane.name),
                    };
                    let text = format!("{partition}{of_lane}: {question}");
                    self.fail(TaskEnd::Failed(text));
                    return Ok(None);
                }
            }
        }
        Ok(Some(starts))
    }

    /// Only `latest` and a time treat a later partition differently from a first start.
    fn is_later(&mut self, partition: &TopicPartition) -> Result<bool, Cause> {
        let matters = |start: Option<StartAt>| start.is_some_and(|at| at != StartAt::Earliest);
        if !self.parts.lanes.iter().any(|lane| matters(lane.start)) {
            return Ok(false);
        }
        let feed = &self.parts.feed;
        self.parts.first_sights.is_later(partition, |topic| {
            let count = feed.partition_count(topic)?;
            let all: Vec<TopicPartition> = (0..count)
                .map(|partition| TopicPartition {
                    topic: topic.clone(),
                    partition,
                })
                .collect();
            let begun = feed.committed(&all)?.values().any(Option::is_some);
            Ok((begun, count))
        })
    }

    /// Only at the first start of a process: an operator can move a group's offsets only while it has no members, and a
    /// partition that moves among members is often a few records further than its group.
    fn note_difference(&self, partition: &TopicPartition, start: LaneStartAt) {
        if !self.parts.first_sights.is_first(partition) {
            return;
        }
        let (Some(group), StartAt::Offset(stored)) = (start.group_differs, start.at) else {
            return;
        };
        tracing::info!(
            event = "group_offset_differs",
            connector = %self.parts.connector,
            %partition,
            stored,
            group,
            "the sink's own progress wins; to move it: connect offsets {} set --to {group} --topic {} --partition {}",
            self.parts.connector,
            partition.topic,
            partition.partition,
        );
    }

    /// The partition is read from `offset` on. Returns what the group has to store at once: a start of a lane whose progress
    /// it stores.
    fn started(
        &mut self,
        one: &Resumed,
        offset: i64,
        lanes: &[LaneStartAt],
        offsets: &[i64],
    ) -> Option<PartitionPositions> {
        let Assigned {
            partition,
            generation,
        } = one.assigned.clone();
        let started = PartitionPositions {
            partition: partition.clone(),
            generation,
            lanes: offsets.into(),
        };
        if let Some(backlog) = &self.parts.backlog {
            backlog.reached([started.smallest()].into_iter());
        }
        self.parts.meters.reached(&partition, offset);
        let in_group = |stored: &Stored| *stored == Stored::InGroup;
        let mut stored = lanes.iter().zip(&one.stored);
        let to_group = stored.any(|(lane, stored)| lane.store && in_group(stored));
        let lanes = lanes.iter().zip(offsets).zip(&one.stored);
        let starts: Arc<[LaneStart]> = lanes
            .map(|((lane, offset), stored)| LaneStart {
                offset: *offset,
                store: lane.store && !in_group(stored),
            })
            .collect();
        let reading = Reading {
            partition,
            sent: offset,
            next: offset,
            store_start: starts.iter().any(|start| start.store),
            starts,
            is_first: true,
            records: 0,
            first_timestamp_ms: None,
            last_timestamp_ms: None,
        };
        self.positions.insert(generation, reading);
        to_group.then_some(started)
    }
}
