//! A feed that follows a script, and keeps the promises of a consumer: nothing of a partition comes before it is begun or
//! while everything is paused, and positions of another generation are never stored. The clock is paused and moves while
//! it is polled.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use connect_api::StartAt;
use connect_kafka::{Committed, Event, GroupMetadata, GroupPosition, Rebalance};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;

use super::super::*;
use super::Scene;
use crate::sink_task::feed::Feed;

/// What the polls bring, one after the other.
pub(super) enum Step {
    Assign(Vec<i32>),
    Revoke(Vec<i32>),
    Lose(Vec<i32>),
    /// Records of a partition, each with this value.
    Records(i32, std::ops::Range<i64>, Bytes),
    /// The end of a partition, behind transaction markers.
    End(i32, i64),
    Event(Event),
    /// Nothing comes for so long.
    Nothing(Duration),
    /// Not a step of the feed: something outside happens now.
    Do(Box<dyn FnOnce() + Send>),
    /// Not a step of the feed: something outside has happened.
    Await(Receiver<()>),
}

/// What the cluster answers.
#[derive(Clone, Default)]
pub(super) struct Answers {
    /// In the first answer about start positions these partitions are missing.
    pub(super) unanswered: Vec<i32>,
    /// So many questions about start positions are not answered at all.
    pub(super) outages: usize,
    /// The first time that the reader asks this (the first word of its line in the log), the task is stopped.
    pub(super) stop_at: Option<(&'static str, Stop)>,
}

/// What the reader did, as lines.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The lines that begin with this word.
    pub(super) fn of(&self, word: &str) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| line.split(' ').next() == Some(word));
        lines
    }
}

struct Known {
    generation: Generation,
    is_begun: bool,
}

pub(super) struct ScriptedFeed {
    steps: VecDeque<Step>,
    answers: Mutex<Answers>,
    log: Log,
    stop: Stop,
    runtime: Arc<Runtime>,
    assigned: BTreeMap<TopicPartition, Known>,
    revoked: Vec<TopicPartition>,
    is_paused: bool,
    generations: u64,
    stored: BTreeMap<TopicPartition, Committed>,
    committed: BTreeMap<TopicPartition, Committed>,
    /// Polls after the script's end.
    polls_behind: usize,
}

impl ScriptedFeed {
    pub(super) fn new(steps: Vec<Step>, scene: &Scene) -> ScriptedFeed {
        ScriptedFeed {
            steps: steps.into(),
            answers: Mutex::new(scene.answers.clone()),
            log: scene.log.clone(),
            stop: scene.stop.clone(),
            runtime: scene.runtime.clone(),
            assigned: BTreeMap::new(),
            revoked: Vec::new(),
            is_paused: false,
            generations: 0,
            stored: BTreeMap::new(),
            committed: BTreeMap::new(),
            polls_behind: 0,
        }
    }

    /// Everything else runs until it waits, then the clock moves.
    fn pass(&self, time: Duration) {
        self.runtime.block_on(tokio::time::sleep(time));
    }

    fn log(&self, line: impl Into<String>) {
        let line = line.into();
        let answers = self.answers.lock().unwrap();
        if let Some((word, stop)) = &answers.stop_at
            && line.split(' ').next() == Some(word)
        {
            stop.drain.cancel();
        }
        self.log.0.lock().unwrap().push(line);
    }

    fn assign(&mut self, partition: TopicPartition) -> TopicPartition {
        self.generations += 1;
        let known = Known {
            generation: Generation::for_tests(self.generations),
            is_begun: false,
        };
        self.assigned.insert(partition.clone(), known);
        partition
    }

    /// `None`: the step is not at hand yet.
    fn take(&mut self, step: Step) -> Result<Option<Event>, Box<Step>> {
        let runs = |number: i32| {
            let known = self.assigned.get(&partition(number));
            known.is_some_and(|known| known.is_begun) && !self.is_paused
        };
        let event = match step {
            Step::Assign(numbers) => {
                let partitions = numbers
                    .into_iter()
                    .map(|number| self.assign(partition(number)));
                Event::Rebalance(Rebalance::Assigned(partitions.collect()))
            }
            Step::Revoke(numbers) => {
                self.revoked = numbers.into_iter().map(partition).collect();
                Event::Rebalance(Rebalance::Revoked(self.revoked.clone()))
            }
            Step::Lose(numbers) => {
                let lost: Vec<TopicPartition> = numbers.into_iter().map(partition).collect();
                self.assigned.retain(|name, _| !lost.contains(name));
                self.stored.retain(|name, _| !lost.contains(name));
                Event::Rebalance(Rebalance::Lost(lost))
            }
            Step::Records(number, ..) | Step::End(number, _) if !runs(number) => {
                return Err(Box::new(step));
            }
            Step::Records(number, mut offsets, value) => {
                let offset = offsets.next().expect("a step has records");
                if !offsets.is_empty() {
                    let rest = Step::Records(number, offsets, value.clone());
                    self.steps.push_front(rest);
                }
                let origin = Origin {
                    topic: Arc::from(TOPIC),
                    partition: number,
                    offset,
                    value: Some(value),
                    ..Origin::default()
                };
                Event::Record {
                    origin: Arc::new(origin),
                    generation: self.assigned[&partition(number)].generation,
                }
            }
            Step::End(number, next) => Event::EndOfPartition {
                partition: partition(number),
                next,
                generation: self.assigned[&partition(number)].generation,
            },
            Step::Event(event) => event,
            Step::Do(action) => {
                action();
                return Ok(None);
            }
            Step::Await(mut happens) => {
                let happened = self.runtime.block_on(happens.recv());
                happened.expect("it happens");
                return Ok(None);
            }
            Step::Nothing(_) => unreachable!("the poll itself lets time pass"),
        };
        Ok(Some(event))
    }
}

impl Feed for ScriptedFeed {
    fn poll(&mut self, timeout: Duration) -> Option<Event> {
        if !self.revoked.is_empty() {
            self.give_back();
        }
        while let Some(step) = self.steps.pop_front() {
            if let Step::Nothing(time) = step {
                self.pass(time.min(timeout));
                if time > timeout {
                    self.steps.push_front(Step::Nothing(time - timeout));
                }
                return None;
            }
            match self.take(step) {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                Err(step) => {
                    self.steps.push_front(*step);
                    break;
                }
            }
        }
        self.polls_behind += 1;
        if self.polls_behind > 2_000 {
            // A write that waits at the gate would wait for ever.
            self.stop.abandon.cancel();
            panic!("the reader goes on for ever");
        }
        self.pass(timeout);
        None
    }

    fn generation(&self, partition: &TopicPartition) -> Option<Generation> {
        Some(self.assigned.get(partition)?.generation)
    }

    fn group_metadata(&self) -> Option<GroupMetadata> {
        None
    }

    fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> std::result::Result<HashMap<TopicPartition, Option<Committed>>, Cause> {
        self.log(format!("committed of {}", partitions.len()));
        let committed = partitions.iter().map(|partition| {
            let committed = self.committed.get(partition).cloned();
            (partition.clone(), committed)
        });
        Ok(committed.collect())
    }

    fn partition_count(&self, _topic: &str) -> std::result::Result<i32, Cause> {
        Ok(2)
    }

    fn resolve(
        &self,
        starts: &[(TopicPartition, StartAt)],
    ) -> std::result::Result<Vec<std::result::Result<i64, Cause>>, Cause> {
        self.log(format!("resolve {}", starts.len()));
        let mut answers = self.answers.lock().unwrap();
        if answers.outages > 0 {
            answers.outages -= 1;
            return Err(Cause::new("no broker answers"));
        }
        let unanswered = std::mem::take(&mut answers.unanswered);
        let answer = |(partition, start): &(TopicPartition, StartAt)| match start {
            _ if unanswered.contains(&partition.partition) => Err(Cause::new("no answer")),
            StartAt::Offset(offset) => Ok(*offset),
            StartAt::Earliest => Ok(0),
            StartAt::Latest => Ok(100),
            StartAt::Time(_) => Ok(50),
            StartAt::Committed => panic!("the reader knows what is committed"),
        };
        Ok(starts.iter().map(answer).collect())
    }

    fn start_at(
        &mut self,
        starts: &[(TopicPartition, StartAt)],
    ) -> Vec<(TopicPartition, std::result::Result<i64, Cause>)> {
        let begun = starts.iter().map(|(partition, start)| {
            let StartAt::Offset(offset) = start else {
                panic!("the reader resolves before it seeks")
            };
            self.assigned.get_mut(partition).unwrap().is_begun = true;
            (partition.clone(), Ok(*offset))
        });
        let begun: Vec<_> = begun.collect();
        let offsets = begun.iter().map(|(partition, offset)| {
            let offset = offset.as_ref().unwrap();
            format!("{}@{offset}", partition.partition)
        });
        self.log(format!("begin {}", offsets.collect::<Vec<_>>().join(" ")));
        begun
    }

    fn start_over(&mut self) -> Vec<TopicPartition> {
        self.log("start over");
        let all: Vec<TopicPartition> = self.assigned.keys().cloned().collect();
        all.into_iter().map(|name| self.assign(name)).collect()
    }

    fn give_back(&mut self) {
        let revoked = std::mem::take(&mut self.revoked);
        if !revoked.is_empty() {
            self.committed.append(&mut self.stored);
            self.assigned.retain(|name, _| !revoked.contains(name));
            let numbers = revoked.iter().map(|name| name.partition.to_string());
            self.log(format!(
                "give back {}",
                numbers.collect::<Vec<_>>().join(" ")
            ));
        }
    }

    fn store(&mut self, positions: &[GroupPosition]) {
        for stored in positions {
            let position = &stored.owned.position;
            let known = self.assigned.get(&position.partition);
            if known.is_none_or(|known| known.generation != stored.owned.generation) {
                continue;
            }
            let number = position.partition.partition;
            self.log(format!("store {number}@{}", position.next));
            let committed = Committed {
                next: position.next,
                metadata: stored.metadata.to_string(),
            };
            self.stored.insert(position.partition.clone(), committed);
        }
    }

    fn commit(&mut self) -> std::result::Result<(), Cause> {
        self.log("commit");
        self.committed.append(&mut self.stored);
        Ok(())
    }

    fn pause_all(&mut self) -> std::result::Result<(), Cause> {
        self.log("pause");
        self.is_paused = true;
        Ok(())
    }

    fn resume_all(&mut self) -> std::result::Result<(), Cause> {
        self.log("resume");
        self.is_paused = false;
        Ok(())
    }

    fn close(self, _deadline: Duration) -> bool {
        self.log("close");
        true
    }

    fn leave_to_exit(self) {
        self.log("leave to exit");
    }
}
