//! Tests of the suite for accepting sinks: a correct sink passes, and every broken promise is found.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use connect_api::{
    Batch, Cause, Failure, Position, Result, Sink, TopicPartition, Written, async_trait,
};
use connect_testkit::conformance::{AcceptingSinkUnderTest, broken_promise, check_accepting_sink};

#[derive(Clone, Copy, PartialEq)]
enum Break {
    Nothing,
    IsDurableAtOnce,
    ReportsWhatIsOnlyAccepted,
    GoesBack,
    Exaggerates,
    FlushLeavesOutAPartition,
    FlushFinishesNothing,
    FlushesTwice,
    NeverRolls,
    MovesFlushBy,
    LosesProgressWithoutRecords,
    ForgetsEverything,
    ForgetsNothing,
    KeepsHalfOfAFailedWrite,
    LosesWhatItHeldWhenAWriteFails,
    FinishesHalfOfAFailedFlush,
    FinishesWhenDropped,
    FinishesWhatACrashLeft,
    RemovesWhatOthersHold,
    FinishesWhenClosed,
}

/// The external state: a store of finished files, and one of open files.
#[derive(Default)]
struct Outside {
    finished: Vec<(i32, i64)>,
    /// By the sink that holds them.
    open: BTreeMap<usize, Vec<(i32, i64)>>,
    is_away: bool,
    sinks: usize,
}

struct UnderTest {
    outside: Arc<Mutex<Outside>>,
    breaks: Break,
}

/// All records are finished once this many are held.
const ROLL: usize = 10;

struct Archive {
    outside: Arc<Mutex<Outside>>,
    breaks: Break,
    number: usize,
    next: BTreeMap<i32, i64>,
    since: Instant,
}

#[async_trait]
impl AcceptingSinkUnderTest for UnderTest {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        let number = {
            let mut outside = self.outside.lock().unwrap();
            match self.breaks {
                Break::RemovesWhatOthersHold => outside.open.clear(),
                Break::FinishesWhatACrashLeft => {
                    let left = std::mem::take(&mut outside.open);
                    outside.finished.extend(left.into_values().flatten());
                }
                _ => {}
            }
            outside.sinks += 1;
            outside.sinks
        };
        Ok(Box::new(Archive {
            outside: self.outside.clone(),
            breaks: self.breaks,
            number,
            next: BTreeMap::new(),
            since: Instant::now(),
        }))
    }

    async fn finished(&mut self) -> Vec<(i32, i64)> {
        self.outside.lock().unwrap().finished.clone()
    }

    fn most_held(&self) -> usize {
        ROLL
    }

    async fn set_outage(&mut self, on: bool) -> bool {
        self.outside.lock().unwrap().is_away = on;
        true
    }
}

impl Archive {
    fn positions(&mut self) -> Vec<Position> {
        let next = std::mem::take(&mut self.next).into_iter();
        next.map(|(partition, next)| Position {
            partition: connect_testkit::partition(partition),
            next,
        })
        .collect()
    }

    /// Finishes every held record.
    fn finish(&mut self) -> Result<Vec<Position>> {
        let outside = self.outside.clone();
        let mut outside = outside.lock().unwrap();
        if outside.is_away {
            if self.breaks == Break::FinishesHalfOfAFailedFlush {
                let held = outside.open.get(&self.number).cloned().unwrap_or_default();
                outside.finished.extend(held.first());
            }
            return Err(Failure::Retry(Cause::new("the store is unreachable")));
        }
        let held = match self.breaks {
            Break::FlushesTwice => outside.open.get(&self.number).cloned(),
            _ => outside.open.remove(&self.number),
        };
        if self.breaks != Break::FlushFinishesNothing {
            outside.finished.extend(held.unwrap_or_default());
        }
        let mut positions = self.positions();
        if self.breaks == Break::FlushLeavesOutAPartition {
            positions.pop();
        }
        Ok(positions)
    }

    fn accept(&mut self, batch: &Batch<'_>) {
        let mut outside = self.outside.lock().unwrap();
        let held = outside.open.entry(self.number).or_default();
        let records = batch.records.iter();
        held.extend(records.map(|record| (record.origin.partition, record.origin.offset)));
        if self.breaks == Break::LosesProgressWithoutRecords && batch.records.is_empty() {
            return;
        }
        let progress = batch.progress.iter();
        self.next
            .extend(progress.map(|moved| (moved.partition.partition, moved.next)));
    }

    fn held(&self) -> usize {
        let outside = self.outside.lock().unwrap();
        outside.open.get(&self.number).map_or(0, Vec::len)
    }
}

#[async_trait]
impl Sink for Archive {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        tokio::task::yield_now().await;
        if self.held() == 0 || self.breaks == Break::MovesFlushBy {
            self.since = Instant::now();
        }
        let is_full = self.held() + batch.records.len() > ROLL && self.breaks != Break::NeverRolls;
        if is_full && self.outside.lock().unwrap().is_away {
            match self.breaks {
                Break::KeepsHalfOfAFailedWrite => {
                    let mut half = batch.clone();
                    half.records.truncate(1);
                    half.progress.clear();
                    self.accept(&half);
                }
                Break::LosesWhatItHeldWhenAWriteFails => {
                    self.outside.lock().unwrap().open.remove(&self.number);
                }
                _ => {}
            }
            return Err(Failure::Retry(Cause::new("the store is unreachable")));
        }
        self.accept(batch);
        if is_full || self.breaks == Break::IsDurableAtOnce {
            self.finish()?;
            return Ok(Written::Durable);
        }
        let first = batch.progress.first();
        let position = |next: i64| {
            first.map(|moved| Position {
                partition: moved.partition.clone(),
                next,
            })
        };
        let durable = match self.breaks {
            Break::ReportsWhatIsOnlyAccepted => position(first.map_or(0, |moved| moved.next)),
            Break::GoesBack => position(0),
            Break::Exaggerates => position(1_000_000),
            _ => None,
        };
        Ok(Written::Accepted {
            durable: durable.into_iter().collect(),
            flush_by: Some(self.since + Duration::from_secs(60)),
        })
    }

    async fn flush(&mut self) -> Result<Vec<Position>> {
        tokio::task::yield_now().await;
        self.finish()
    }

    async fn forget(&mut self, partitions: &[TopicPartition]) {
        let is_gone = |number: i32| partitions.iter().any(|gone| gone.partition == number);
        let mut outside = self.outside.lock().unwrap();
        let held = outside.open.entry(self.number).or_default();
        match self.breaks {
            Break::ForgetsNothing => {}
            Break::ForgetsEverything => held.clear(),
            _ => held.retain(|(number, _)| !is_gone(*number)),
        }
        self.next.retain(|number, _| !is_gone(*number));
    }

    async fn close(&mut self) -> Result<()> {
        if self.breaks == Break::FinishesWhenClosed {
            self.finish()?;
        }
        Ok(())
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        match self.breaks {
            Break::FinishesWhenDropped => drop(self.finish()),
            // As after a crash.
            Break::FinishesWhatACrashLeft => {}
            _ => drop(self.outside.lock().unwrap().open.remove(&self.number)),
        }
    }
}

async fn check(breaks: Break) {
    check_accepting_sink(&mut UnderTest {
        outside: Arc::default(),
        breaks,
    })
    .await;
}

#[tokio::test]
async fn a_sink_that_keeps_its_promises_passes() {
    check(Break::Nothing).await;
}

#[test]
fn every_broken_promise_is_found() {
    let cases = [
        (
            Break::IsDurableAtOnce,
            "this suite is for sinks that accept",
        ),
        (
            Break::ReportsWhatIsOnlyAccepted,
            "records reported as durable are finished",
        ),
        (Break::GoesBack, "durable positions never go back"),
        (Break::Exaggerates, "only accepted records become durable"),
        (
            Break::FlushLeavesOutAPartition,
            "a flush reports every partition",
        ),
        (
            Break::FlushFinishesNothing,
            "after a flush every accepted record is finished",
        ),
        (Break::FlushesTwice, "a second flush has nothing to do"),
        (Break::NeverRolls, "the number of held records is bounded"),
        (Break::MovesFlushBy, "`flush_by` is not postponed"),
        (
            Break::LosesProgressWithoutRecords,
            "a flush reports every partition",
        ),
        (
            Break::ForgetsEverything,
            "forgotten records are dropped, and no others",
        ),
        (
            Break::ForgetsNothing,
            "forgotten records are dropped, and no others",
        ),
        (
            Break::KeepsHalfOfAFailedWrite,
            "after a failed write nothing of its batch counts",
        ),
        (
            Break::LosesWhatItHeldWhenAWriteFails,
            "records accepted before are still held",
        ),
        (Break::FinishesHalfOfAFailedFlush, "after a failed flush"),
        (
            Break::FinishesWhenDropped,
            "dropping a sink finishes nothing",
        ),
        (
            Break::FinishesWhatACrashLeft,
            "are not finished by the next sink",
        ),
        (
            Break::RemovesWhatOthersHold,
            "does not affect what another task has accepted",
        ),
        (Break::FinishesWhenClosed, "closing finishes nothing"),
    ];
    for (breaks, promise) in cases {
        let found = broken_promise(check(breaks));
        assert!(found.contains(promise), "{promise}: {found}");
    }
}
