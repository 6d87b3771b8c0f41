//! The suite of sinks that accept: one that keeps its promises passes, and each broken promise is found.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use connect_api::{
    Batch, Cause, Failure, Plugins, Position, Result, Sink, TopicPartition, Written, async_trait,
};
use connect_testkit::conformance::{
    AcceptingSinkUnderTest, SinkUnderTest, check_accepting_sink, check_sink,
};
use connect_testkit::{RollingFiles, context};

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

/// What is outside: a store of finished files, and one of those that are open.
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

/// After so many records all are finished.
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

    /// Everything that is held is finished.
    fn finish(&mut self) -> Result<Vec<Position>> {
        let outside = self.outside.clone();
        let mut outside = outside.lock().unwrap();
        if outside.is_away {
            if self.breaks == Break::FinishesHalfOfAFailedFlush {
                let held = outside.open.get(&self.number).cloned().unwrap_or_default();
                outside.finished.extend(held.first());
            }
            return Err(Failure::Retry(Cause::new("the store is away")));
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
            return Err(Failure::Retry(Cause::new("the store is away")));
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
            // As a crash leaves it.
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

/// What a check panics with, on a runtime of its own.
fn panic_of(check: impl Future<Output = ()>) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.unwrap();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(check)));
    let panic = ended.expect_err("a broken promise is found");
    let text = panic.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap().to_string())
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
            "what is reported as durable is finished",
        ),
        (Break::GoesBack, "durable positions never go back"),
        (
            Break::Exaggerates,
            "nothing is durable that was not accepted",
        ),
        (
            Break::FlushLeavesOutAPartition,
            "a flush reports every partition",
        ),
        (
            Break::FlushFinishesNothing,
            "after a flush everything accepted is finished",
        ),
        (Break::FlushesTwice, "a second flush has nothing to do"),
        (Break::NeverRolls, "what is held is bounded"),
        (Break::MovesFlushBy, "`flush_by` does not move away"),
        (
            Break::LosesProgressWithoutRecords,
            "a flush reports every partition",
        ),
        (
            Break::ForgetsEverything,
            "what is forgotten is dropped, and nothing else",
        ),
        (
            Break::ForgetsNothing,
            "what is forgotten is dropped, and nothing else",
        ),
        (
            Break::KeepsHalfOfAFailedWrite,
            "after a failed write nothing of its batch counts",
        ),
        (
            Break::LosesWhatItHeldWhenAWriteFails,
            "what was accepted before is still held",
        ),
        (Break::FinishesHalfOfAFailedFlush, "after a failed flush"),
        (
            Break::FinishesWhenDropped,
            "dropping a sink finishes nothing",
        ),
        (
            Break::FinishesWhatACrashLeft,
            "is not finished by the next sink",
        ),
        (
            Break::RemovesWhatOthersHold,
            "leaves alone what another task has accepted",
        ),
        (Break::FinishesWhenClosed, "closing finishes nothing"),
    ];
    for (breaks, promise) in cases {
        let found = panic_of(check(breaks));
        assert!(found.contains(promise), "{promise}: {found}");
    }
}

/// The sink of rolling files. A folder that is moved away is an outage.
struct Rolling {
    root: tempfile::TempDir,
    plugins: Plugins,
    records: u64,
    age: &'static str,
}

impl Rolling {
    fn new(records: u64) -> Rolling {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("files")).unwrap();
        Rolling {
            root,
            plugins: Plugins::new().sink::<RollingFiles>(),
            records,
            age: "1h",
        }
    }

    async fn open_sink(&self) -> Result<Box<dyn Sink>> {
        let plugin = self.plugins.sinks().first().unwrap();
        let table = format!(
            r#"{{"folder":"{}","records":{},"size":"1KiB","age":"{}"}}"#,
            self.root.path().join("files").display(),
            self.records,
            self.age
        );
        let configured = (plugin.configure)(table.parse().unwrap()).unwrap();
        configured.open(context()).await
    }

    fn files(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.path().join("files"));
        let names = entries.into_iter().flatten().map(|entry| {
            let name = entry.unwrap().file_name();
            name.into_string().unwrap()
        });
        names.filter(|name| is_wanted(name)).collect()
    }

    fn places(&self) -> Vec<(i32, i64)> {
        let mut places = Vec::new();
        for name in self.files(|name| name.ends_with(".jsonl")) {
            let text = std::fs::read_to_string(self.root.path().join("files").join(name)).unwrap();
            for line in text.lines() {
                let line = connect_testkit::value(line);
                let number = |member: &str| -> i64 {
                    let value = line.root().get(member).unwrap();
                    value.to_json().parse().unwrap()
                };
                places.push((number("partition") as i32, number("offset")));
            }
        }
        places
    }
}

#[async_trait]
impl AcceptingSinkUnderTest for Rolling {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        self.open_sink().await
    }

    async fn finished(&mut self) -> Vec<(i32, i64)> {
        self.places()
    }

    fn most_held(&self) -> usize {
        2 * self.records as usize
    }

    async fn set_outage(&mut self, on: bool) -> bool {
        let here = self.root.path().join("files");
        let away = self.root.path().join("away");
        let (from, to) = if on { (here, away) } else { (away, here) };
        std::fs::rename(from, to).unwrap();
        true
    }
}

#[async_trait]
impl SinkUnderTest for Rolling {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        self.open_sink().await
    }

    async fn delivered(&mut self) -> Vec<i64> {
        self.places()
            .into_iter()
            .map(|(_, offset)| offset)
            .collect()
    }
}

#[tokio::test]
async fn rolling_files_keep_both_kinds_of_promises() {
    for records in [3, 5] {
        check_accepting_sink(&mut Rolling::new(records)).await;
        check_sink(&mut Rolling::new(records)).await;
    }
}

#[tokio::test]
async fn files_that_a_crash_left_open_are_removed_and_those_of_others_are_not() {
    let rolling = Rolling::new(100);
    let mut running = rolling.open_sink().await.unwrap();
    let records = [connect_testkit::record(0, "{}")];
    running
        .write(&connect_testkit::batch(&records))
        .await
        .unwrap();
    let left = rolling.root.path().join("files/.left.open");
    std::fs::write(&left, "{\"partition\":0,\"off").unwrap();
    drop(rolling.open_sink().await.unwrap());
    assert!(!left.exists());
    let open = rolling.files(|name| name.ends_with(".open"));
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(rolling.places(), []);
    running.flush().await.unwrap();
    assert_eq!(rolling.places(), [(0, 0)]);
    assert_eq!(rolling.files(|name| name.ends_with(".open")).len(), 0);
}

#[tokio::test]
async fn a_file_rolls_by_count_by_size_and_by_age() {
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(2_000));
    // (records, age, value, rolls at once)
    let cases = [
        (100, "1h", "{}", false),
        (1, "1h", "{}", true),
        (100, "1h", &long, true),
        (100, "1ns", "{}", true),
    ];
    for (records, age, value, rolls) in cases {
        let rolling = Rolling {
            age,
            ..Rolling::new(records)
        };
        let mut sink = rolling.open_sink().await.unwrap();
        let record = [connect_testkit::record(0, value)];
        let written = sink.write(&connect_testkit::batch(&record)).await.unwrap();
        assert_eq!(written == Written::Durable, rolls, "{records} {age}");
        assert_eq!(
            rolling.places().len(),
            usize::from(rolls),
            "{records} {age}"
        );
    }
}
