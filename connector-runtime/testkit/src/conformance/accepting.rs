//! The conformance suite for a [`Sink`] that accepts records and makes them durable later.
//!
//! The suite plays the engine: it writes records, remembers which positions the sink reported, and after a crash, a
//! failed flush or a forgotten partition it replays from there. A record may be finished twice only if it was
//! finished before a crash and not reported.

mod failing;
mod followed;

use std::collections::BTreeMap;

use async_trait::async_trait;
use connect_api::{Batch, Progress, Record, Result, Sink};

use crate::records::{partition, record_in};
use followed::Followed;

/// A sink that accepts, and a view of what it has finished.
#[async_trait]
pub trait AcceptingSinkUnderTest: Send {
    /// Opens the sink, always on the same external state, which is empty at first. A second sink that is open at the
    /// same time belongs to another task.
    async fn open(&mut self) -> Result<Box<dyn Sink>>;

    /// Partition and offset of each record that readers of the output see, in any order. A record that occurs twice
    /// is listed twice.
    async fn finished(&mut self) -> Vec<(i32, i64)>;

    /// The most records of two partitions that the sink holds without making them durable, after any write. More than
    /// two.
    fn most_held(&self) -> usize;

    /// A record that the sink takes and that `finished` can identify.
    fn record(&self, partition: i32, offset: i64) -> Record {
        record_in(partition, offset, &format!(r#"{{"id":{offset}}}"#))
    }

    /// Starts or ends an outage, during which nothing can be made durable. `false`: not supported.
    async fn set_outage(&mut self, _on: bool) -> bool {
        false
    }
}

/// Runs every check in turn on the same external state.
///
/// # Panics
///
/// On the first broken promise, with its text.
pub async fn check_accepting_sink(sink: &mut impl AcceptingSinkUnderTest) {
    let mut suite = Suite {
        under_test: sink,
        begins: [0, 0],
    };
    suite.a_flush_makes_durable_what_was_accepted().await;
    suite.progress_without_records_is_reported().await;
    suite.flush_by_is_not_postponed().await;
    suite
        .durable_positions_are_true_and_what_is_held_is_bounded()
        .await;
    suite.what_is_forgotten_is_dropped_and_nothing_else().await;
    suite
        .after_forgetting_a_partition_may_begin_elsewhere()
        .await;
    suite.a_failed_write_changes_nothing().await;
    suite.after_a_failed_flush_nothing_is_there_twice().await;
    suite.a_crash_loses_only_what_is_read_again().await;
    for waits in 1..=4 {
        suite.a_cancelled_call_does_no_harm(waits).await;
    }
    suite.another_task_is_left_alone().await;
    suite.closing_finishes_nothing_silently().await;
}

struct Suite<'a, S> {
    under_test: &'a mut S,
    /// The first unused offset of each partition.
    begins: [i64; 2],
}

impl<S: AcceptingSinkUnderTest> Suite<'_, S> {
    async fn open(&mut self) -> Followed {
        let sink = match self.under_test.open().await {
            Ok(sink) => sink,
            Err(failure) => panic!("the sink does not open: {failure}"),
        };
        let mut followed = Followed::new(sink);
        for (number, begin) in [0, 1].into_iter().zip(self.begins) {
            followed.begin(number, begin);
        }
        followed
    }

    /// Ends the check: the next one uses later offsets.
    fn over(&mut self, followed: &Followed) {
        self.begins = [0, 1].map(|number| followed.next(number));
    }

    /// The next records of a partition.
    fn records(&self, followed: &Followed, number: i32, count: i64) -> Vec<Record> {
        let next = followed.next(number);
        let offsets = next..next + count;
        offsets
            .map(|offset| self.under_test.record(number, offset))
            .collect()
    }

    /// Writes this many records of both partitions.
    async fn write(&mut self, followed: &mut Followed, promise: &str, count: i64) {
        let mut records = self.records(followed, 0, count);
        records.extend(self.records(followed, 1, count));
        if let Err(failure) = followed.write(records).await {
            panic!("{promise}: the write fails: {failure}");
        }
    }

    async fn finished(&mut self) -> BTreeMap<(i32, i64), usize> {
        let mut finished = BTreeMap::new();
        for place in self.under_test.finished().await {
            *finished.entry(place).or_default() += 1;
        }
        finished
    }

    /// Every record from the start of the check to the reported positions is finished once; those in `allowed` may be
    /// twice.
    async fn expect_durable(
        &mut self,
        promise: &str,
        followed: &Followed,
        allowed: &BTreeMap<(i32, i64), usize>,
    ) {
        let finished = self.finished().await;
        for (number, begin) in [0, 1].into_iter().zip(self.begins) {
            for offset in begin..followed.resume(number) {
                let place = (number, offset);
                let times = finished.get(&place).copied().unwrap_or(0);
                let most = 1 + allowed.get(&place).copied().unwrap_or(0);
                assert!(
                    (1..=most).contains(&times),
                    "{promise}: the record of partition {number} at offset {offset} is finished {times} times"
                );
            }
        }
    }

    async fn expect_once(&mut self, promise: &str, followed: &Followed) {
        self.expect_durable(promise, followed, &BTreeMap::new())
            .await;
    }

    async fn a_flush_makes_durable_what_was_accepted(&mut self) {
        const PROMISE: &str = "after a flush every accepted record is finished once";
        let mut followed = self.open().await;
        self.write(&mut followed, PROMISE, 1).await;
        assert!(
            followed.held() > 0,
            "this suite is for sinks that accept: two records were durable immediately"
        );
        self.expect_once("records reported as durable are finished", &followed)
            .await;
        followed.flush(PROMISE).await;
        self.expect_once(PROMISE, &followed).await;
        let finished = self.finished().await;
        followed.flush("a second flush has nothing to do").await;
        assert_eq!(
            self.finished().await,
            finished,
            "a second flush has nothing to do"
        );
        // A sink that has accepted nothing.
        let mut unused = self.open().await;
        let flushed = unused.sink.flush().await;
        assert!(flushed.is_ok(), "a flush of nothing succeeds: {flushed:?}");
        self.over(&followed);
    }

    async fn progress_without_records_is_reported(&mut self) {
        const PROMISE: &str =
            "progress without records is reported by the next flush at the latest";
        let mut followed = self.open().await;
        for held in [false, true] {
            if held {
                self.write(&mut followed, PROMISE, 1).await;
            }
            let moved = |number| Progress {
                partition: partition(number),
                expected: followed.next(number),
                next: followed.next(number) + 7,
                last_timestamp_ms: None,
            };
            let batch = Batch::new(Vec::new(), vec![moved(0), moved(1)]);
            let written = followed.write_batch(&batch).await;
            assert_eq!(written, Ok(()), "{PROMISE}");
            followed.flush(PROMISE).await;
        }
        self.over(&followed);
    }

    async fn flush_by_is_not_postponed(&mut self) {
        const PROMISE: &str = "`flush_by` is not postponed while the same records are held";
        let mut followed = self.open().await;
        let mut before = None;
        for _ in 0..4 {
            let held = followed.held();
            let durable = followed.durable.clone();
            self.write(&mut followed, PROMISE, 1).await;
            if held > 0 && durable == followed.durable && before.is_some() {
                let kept = followed.flush_by.is_some_and(|now| Some(now) <= before);
                assert!(kept, "{PROMISE}: {before:?} became {:?}", followed.flush_by);
            }
            before = followed.flush_by;
        }
        followed.flush(PROMISE).await;
        self.over(&followed);
    }

    async fn durable_positions_are_true_and_what_is_held_is_bounded(&mut self) {
        const PROMISE: &str = "records reported as durable are finished";
        let most = self.under_test.most_held();
        let mut followed = self.open().await;
        for round in 0..(4 * most) {
            let records = self.records(&followed, (round % 2) as i32, 1 + (round % 3) as i64);
            let written = followed.write(records).await;
            assert_eq!(written, Ok(()), "{PROMISE}");
            self.expect_once(PROMISE, &followed).await;
            assert!(
                followed.held() <= most,
                "the number of held records is bounded: found {}, at most {most}",
                followed.held()
            );
        }
        followed.flush(PROMISE).await;
        self.expect_once(PROMISE, &followed).await;
        self.over(&followed);
    }

    async fn what_is_forgotten_is_dropped_and_nothing_else(&mut self) {
        const PROMISE: &str = "forgotten records are dropped, and no others";
        let mut followed = self.open().await;
        self.write(&mut followed, PROMISE, 1).await;
        followed.forget(&[0]).await;
        followed.flush(PROMISE).await;
        self.expect_once(PROMISE, &followed).await;
        let finished = self.finished().await;
        let forgotten = (0, followed.next(0));
        assert!(
            !finished.contains_key(&forgotten),
            "{PROMISE}: {forgotten:?} is finished"
        );
        // The partition is replayed, while the other one continues.
        self.write(&mut followed, PROMISE, 2).await;
        followed.flush(PROMISE).await;
        self.expect_once(PROMISE, &followed).await;
        // Forgetting a partition without held records is harmless.
        followed.forget(&[0, 1]).await;
        self.expect_once(PROMISE, &followed).await;
        self.over(&followed);
    }

    async fn after_forgetting_a_partition_may_begin_elsewhere(&mut self) {
        const PROMISE: &str = "a partition that is assigned again starts where the engine says";
        let mut followed = self.open().await;
        self.write(&mut followed, PROMISE, 1).await;
        followed.flush(PROMISE).await;
        self.expect_once(PROMISE, &followed).await;
        self.write(&mut followed, PROMISE, 1).await;
        followed.forget(&[0]).await;
        // Another owner had it in between.
        let further = followed.next(0) + 10;
        followed.begin(0, further);
        self.begins[0] = further;
        self.write(&mut followed, PROMISE, 1).await;
        followed.flush(PROMISE).await;
        self.expect_once(PROMISE, &followed).await;
        self.over(&followed);
    }
}
