//! Starting assigned partitions: the sinks are asked what they have, [`crate::sink_task::start_position`] decides, the
//! consumer resolves and seeks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use connect_api::{Cause, Position, StartAt, TopicPartition};
use connect_kafka::OwnedPosition;

use super::rebalance::listed;
use super::{Reader, Reading};
use crate::backoff::Backoff;
use crate::control::TaskEnd;
use crate::sink_task::assignment::Assigned;
use crate::sink_task::batch::LaneBegin;
use crate::sink_task::halves::{Resumed, Stored, Work};
use crate::sink_task::lane_positions::{GroupOffset, Reached};
use crate::sink_task::start_position::{Decision, decide, known};

impl Reader {
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

    /// Seeks the partitions whose place is known; what fails is tried again after a while.
    pub(super) fn begin(&mut self) {
        if self.to_begin.is_empty() || Instant::now() < self.next_begin {
            return;
        }
        let waiting = std::mem::take(&mut self.to_begin);
        let is_current =
            |one: &Assigned| self.parts.consumer.generation(&one.partition) == Some(one.generation);
        let waiting: Vec<Resumed> = waiting
            .into_iter()
            .filter(|one| is_current(&one.assigned))
            .collect();
        if let Err((cause, left)) = self.begin_with(waiting) {
            // A question to Kafka that was not answered: no record takes part, so it is asked until it is.
            let delay = self.begin_backoff.next_delay();
            self.begin_backoff.grow();
            self.next_begin = Instant::now() + delay;
            self.waiting().show("begin_retried", &cause, Some(delay));
            self.to_begin.extend(left);
        } else {
            self.begin_backoff = Backoff::new();
            self.recovered();
        }
    }

    /// `Err`: why, and what must be tried again.
    pub(super) fn begin_with(
        &mut self,
        waiting: Vec<Resumed>,
    ) -> Result<(), (Cause, Vec<Resumed>)> {
        let names = waiting.iter().map(|one| one.assigned.partition.clone());
        let names: Vec<TopicPartition> = names.collect();
        let committed = match self.parts.consumer.committed_with_metadata(&names) {
            Ok(committed) => committed,
            Err(cause) => return Err((cause, waiting)),
        };
        let mut targets = Vec::with_capacity(waiting.len());
        let mut to_begin = HashMap::new();
        let mut waiting = waiting.into_iter();
        while let Some(one) = waiting.next() {
            let partition = one.assigned.partition.clone();
            let group = committed.get(&partition).and_then(Option::as_ref);
            let begins = self.lanes_begin(&one, group.map(GroupOffset::of).as_ref());
            let begins = match begins {
                Ok(Some(begins)) => begins,
                // A person is asked: the task ends.
                Ok(None) => return Ok(()),
                Err(cause) => return Err((cause, std::iter::once(one).chain(waiting).collect())),
            };
            let smallest = begins.iter().map(|begin| begin.offset).min();
            let smallest = smallest.expect("a connector has a sink");
            targets.push((partition.clone(), StartAt::Offset(smallest)));
            to_begin.insert(partition, (one, begins));
        }
        let mut left = Vec::new();
        let mut first_cause = None;
        for (partition, begun) in self.parts.consumer.begin_at(&targets) {
            let asked = to_begin.remove(&partition);
            let (one, begins) = asked.expect("each partition that is sought was asked for once");
            match begun {
                Ok(offset) => self.begun(one, offset, begins),
                Err(cause) => {
                    first_cause.get_or_insert(cause);
                    left.push(one);
                }
            }
        }
        match first_cause {
            None => Ok(()),
            Some(cause) => Err((cause, left)),
        }
    }

    /// Where each lane begins. `None`: a person must say what is meant, and the task ends.
    fn lanes_begin(
        &mut self,
        one: &Resumed,
        group: Option<&GroupOffset>,
    ) -> Result<Option<Vec<LaneBegin>>, Cause> {
        let partition = &one.assigned.partition;
        let is_later = self.is_later(partition)?;
        let durable = self.durable.get(partition).cloned();
        let mut begins = Vec::with_capacity(one.stored.len());
        for (index, stored) in one.stored.iter().enumerate() {
            let lane = self.parts.lanes.get(index);
            let lane = lane.expect("every sink was asked where it resumes");
            let durable = durable.as_ref().and_then(|lanes| lanes.get(index)).copied();
            let known = known(*stored, group, durable, &lane.name, lane.start, is_later);
            match decide(&self.parts.connector, known) {
                Decision::Ask(question) => {
                    let of_lane = match self.parts.lanes.len() {
                        1 => String::new(),
                        _ => format!(", sink {}", lane.name),
                    };
                    let text = format!("{partition}{of_lane}: {question}");
                    self.fail(TaskEnd::Failed(text));
                    return Ok(None);
                }
                Decision::Begin {
                    at,
                    store,
                    group_differs,
                } => {
                    // With several lanes the group's offset is the smallest of all: it differs as a rule.
                    if self.parts.lanes.len() == 1 {
                        self.note_difference(partition, at, group_differs);
                    }
                    begins.push(LaneBegin {
                        offset: self.parts.consumer.resolve(partition, at)?,
                        store,
                    });
                }
            }
        }
        Ok(Some(begins))
    }

    /// Only `latest` and a time treat a later partition differently from a first start.
    pub(super) fn is_later(&mut self, partition: &TopicPartition) -> Result<bool, Cause> {
        let matters = |start: Option<StartAt>| start.is_some_and(|at| at != StartAt::Earliest);
        if !self.parts.lanes.iter().any(|lane| matters(lane.start)) {
            return Ok(false);
        }
        let consumer = &self.parts.consumer;
        self.parts.first_sights.is_later(partition, |topic| {
            let count = consumer.partition_count(topic, Duration::from_secs(10))?;
            let all: Vec<TopicPartition> = (0..count)
                .map(|partition| TopicPartition {
                    topic: topic.clone(),
                    partition,
                })
                .collect();
            let begun = consumer.committed(&all)?.values().any(Option::is_some);
            Ok((begun, count))
        })
    }

    /// Only where this process begins: an operator can move a group's offsets only while it has no members, and a
    /// partition that changes hands among them is often a few records further than its group heard.
    pub(super) fn note_difference(
        &self,
        partition: &TopicPartition,
        at: StartAt,
        group: Option<i64>,
    ) {
        if !self.parts.first_sights.is_first(partition) {
            return;
        }
        let (Some(group), StartAt::Offset(stored)) = (group, at) else {
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

    fn begun(&mut self, one: Resumed, offset: i64, begins: Vec<LaneBegin>) {
        let Assigned {
            partition,
            generation,
        } = one.assigned;
        let begun = Reached {
            smallest: OwnedPosition {
                position: Position {
                    partition: partition.clone(),
                    next: offset,
                },
                generation,
            },
            lanes: begins.iter().map(|begin| begin.offset).collect(),
        };
        if let Some(backlog) = &self.parts.backlog {
            backlog.reached(std::slice::from_ref(&begun.smallest));
        }
        let stored_in = |place: fn(&Stored) -> bool| {
            let mut lanes = begins.iter().zip(&one.stored);
            lanes.any(|(begin, stored)| begin.store && place(stored))
        };
        if stored_in(|stored| *stored == Stored::InGroup) {
            self.store(&[begun]);
            // At once: where transactions move the group, a commit that comes after the first of them would take it back.
            self.commit();
        }
        self.parts.meters.reached(&partition, offset);
        let reading = Reading {
            partition,
            sent: offset,
            next: offset,
            store_start: stored_in(|stored| *stored != Stored::InGroup),
            begins: begins
                .iter()
                .zip(&one.stored)
                .map(|(begin, stored)| LaneBegin {
                    store: begin.store && *stored != Stored::InGroup,
                    ..*begin
                })
                .collect(),
            is_first: true,
            records: 0,
            first_timestamp_ms: None,
            last_timestamp_ms: None,
        };
        self.positions.insert(generation, reading);
    }
}
