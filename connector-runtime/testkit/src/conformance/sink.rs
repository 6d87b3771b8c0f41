//! The conformance suite for [`Sink`].

use async_trait::async_trait;
use connect_api::{Batch, Failure, Record, Result, Sink, Written};

use super::cancelled;
use crate::records::{batch, partition, progress_only, record};

/// A sink, and a view of what it wrote.
#[async_trait]
pub trait SinkUnderTest: Send {
    /// Opens the sink. It is called several times, always on the same external state, which is empty at first.
    async fn open(&mut self) -> Result<Box<dyn Sink>>;

    /// The offsets of the durably written records, seen from outside the sink, in any order. An offset that is
    /// written twice is listed twice.
    async fn delivered(&mut self) -> Vec<i64>;

    /// A record that the sink takes and that `delivered` can identify.
    fn record(&self, offset: i64) -> Record {
        record(offset, &format!(r#"{{"id":{offset}}}"#))
    }

    /// A record that the sink refuses; `None` if it refuses none.
    fn refused(&self, _offset: i64) -> Option<Record> {
        None
    }

    /// Whether writing a batch again changes nothing. Not asked of sinks with a progress store.
    fn is_idempotent(&self) -> bool {
        false
    }
}

/// Runs every check in turn on the same external state. An accepting sink is flushed after each write;
/// [`super::check_accepting_sink`] checks its further promises.
///
/// # Panics
///
/// On the first broken promise, with its text.
pub async fn check_sink(sink: &mut impl SinkUnderTest) {
    let mut suite = Suite {
        under_test: sink,
        next: 0,
    };
    suite.an_empty_batch_changes_nothing().await;
    suite.what_is_answered_with_ok_is_durable().await;
    suite.progress_moves_without_records().await;
    suite.a_refusal_names_its_record_and_writes_nothing().await;
    suite.a_replay_loses_nothing().await;
    for waits in 1..=4 {
        suite.a_cancelled_write_loses_nothing(waits).await;
    }
    suite.closing_keeps_everything().await;
}

struct Suite<'a, S> {
    under_test: &'a mut S,
    /// The next offset of partition 0.
    next: i64,
}

impl<S: SinkUnderTest> Suite<'_, S> {
    async fn open(&mut self) -> Box<dyn Sink> {
        match self.under_test.open().await {
            Ok(sink) => sink,
            Err(failure) => panic!("the sink does not open: {failure}"),
        }
    }

    fn records(&mut self, count: i64) -> Vec<Record> {
        let first = self.next;
        self.next += count;
        (first..self.next)
            .map(|offset| self.under_test.record(offset))
            .collect()
    }

    /// Each of these offsets must be delivered exactly once.
    async fn expect_once(&mut self, promise: &str, records: &[Record]) {
        let delivered = self.under_test.delivered().await;
        for record in records {
            let offset = record.origin.offset;
            let times = delivered.iter().filter(|found| **found == offset).count();
            assert_eq!(
                times, 1,
                "{promise}: the record at offset {offset} is delivered {times} times"
            );
        }
    }

    async fn expect_unchanged(&mut self, promise: &str, mut before: Vec<i64>) {
        let mut after = self.under_test.delivered().await;
        before.sort_unstable();
        after.sort_unstable();
        assert_eq!(before, after, "{promise}");
    }

    /// Compares the sink's own progress with the engine's. A sink without a progress store leaves it to the group.
    async fn expect_progress(&mut self, promise: &str, sink: &mut Box<dyn Sink>) {
        match resume(sink).await {
            Resumed::UseGroup => {}
            Resumed::At(next) => assert_eq!(next, self.next, "{promise}: the stored position"),
            Resumed::NoProgress => {
                panic!("{promise}: the sink has a progress store and stored no position")
            }
        }
    }

    async fn an_empty_batch_changes_nothing(&mut self) {
        const PROMISE: &str = "an empty batch is Ok and changes nothing";
        let mut sink = self.open().await;
        let before = self.under_test.delivered().await;
        let empty = Batch::new(Vec::new(), Vec::new());
        write_durably(PROMISE, &mut sink, &empty).await;
        self.expect_unchanged(PROMISE, before).await;
        if let Some(store) = sink.progress_store() {
            let none = store.resume(&[]).await;
            assert_eq!(
                none,
                Ok(Vec::new()),
                "`resume` answers for each partition in the question, here none"
            );
        }
    }

    async fn what_is_answered_with_ok_is_durable(&mut self) {
        const PROMISE: &str = "a batch is durable once `write` returns Ok";
        let mut sink = self.open().await;
        for size in [1, 3, 100] {
            let records = self.records(size);
            write_durably(PROMISE, &mut sink, &batch(&records)).await;
            self.expect_once(PROMISE, &records).await;
            self.expect_progress(PROMISE, &mut sink).await;
        }
        drop(sink);
        let mut sink = self.open().await;
        self.expect_progress("stored progress survives a crash", &mut sink)
            .await;
    }

    async fn progress_moves_without_records(&mut self) {
        const PROMISE: &str = "progress moves although every record was filtered";
        let mut sink = self.open().await;
        let before = self.under_test.delivered().await;
        let expected = self.next;
        self.next += 5;
        write_durably(PROMISE, &mut sink, &progress_only(expected, self.next)).await;
        self.expect_unchanged(PROMISE, before).await;
        self.expect_progress(PROMISE, &mut sink).await;
    }

    async fn a_refusal_names_its_record_and_writes_nothing(&mut self) {
        const PROMISE: &str = "a refusal names its record, and no record of the batch is written";
        let Some(bad) = self.under_test.refused(self.next + 1) else {
            return;
        };
        let mut sink = self.open().await;
        let before = self.under_test.delivered().await;
        let good = self.records(3);
        let mut records = good.clone();
        records[1] = bad;
        match sink.write(&batch(&records)).await {
            Err(Failure::Refused(refusals)) => {
                let named: Vec<usize> = refusals.iter().map(|refusal| refusal.record).collect();
                assert_eq!(named, [1], "{PROMISE}: {refusals:?}");
            }
            Err(Failure::RefusedSomewhere(_)) => {
                let alone = sink.write(&batch(&records[1..2])).await;
                assert!(
                    matches!(
                        alone,
                        Err(Failure::Refused(_) | Failure::RefusedSomewhere(_))
                    ),
                    "{PROMISE}: alone, the record gives {alone:?}"
                );
            }
            other => panic!("{PROMISE}: got {other:?}"),
        }
        self.expect_unchanged(PROMISE, before).await;
        // Continues as the engine would: the rest, with the progress of all.
        let mut rest = batch(&records);
        rest.records.remove(1);
        write_durably(
            "the other records are written after a refusal",
            &mut sink,
            &rest,
        )
        .await;
        self.expect_once(
            "the other records are written after a refusal",
            &[good[0].clone(), good[2].clone()],
        )
        .await;
        self.expect_progress("progress passes a refused record", &mut sink)
            .await;
    }

    async fn a_replay_loses_nothing(&mut self) {
        const PROMISE: &str = "repeating a batch after a crash is harmless";
        let mut sink = self.open().await;
        let records = self.records(3);
        write_durably(PROMISE, &mut sink, &batch(&records)).await;
        let before = self.under_test.delivered().await;
        drop(sink);
        let mut sink = self.open().await;
        if resume(&mut sink).await == Resumed::UseGroup {
            write_durably(PROMISE, &mut sink, &batch(&records)).await;
            if self.under_test.is_idempotent() {
                self.expect_unchanged(PROMISE, before).await;
            }
        } else {
            // An owner that did not resume, such as a frozen one, must not succeed.
            let answer = sink.write(&batch(&records)).await;
            assert!(answer.is_err(), "{PROMISE}: progress was accepted twice");
            self.expect_unchanged(PROMISE, before).await;
        }
    }

    async fn a_cancelled_write_loses_nothing(&mut self, waits: u32) {
        const PROMISE: &str = "repeating a write that was dropped half-way is harmless";
        let mut sink = self.open().await;
        let records = self.records(3);
        let batch_of_records = batch(&records);
        let answer = cancelled(try_write_durably(&mut sink, &batch_of_records), waits).await;
        drop(sink);
        let mut sink = self.open().await;
        let resumed = resume(&mut sink).await;
        let is_written = match resumed {
            Resumed::At(next) => next == self.next,
            Resumed::NoProgress | Resumed::UseGroup => answer.is_some(),
        };
        if !is_written {
            write_durably(PROMISE, &mut sink, &batch(&records)).await;
        }
        let delivered = self.under_test.delivered().await;
        for record in &records {
            assert!(delivered.contains(&record.origin.offset), "{PROMISE}");
        }
        if resumed != Resumed::UseGroup {
            self.expect_once(PROMISE, &records).await;
        }
    }

    async fn closing_keeps_everything(&mut self) {
        const PROMISE: &str = "closing keeps everything, and dropping afterwards is harmless";
        let mut sink = self.open().await;
        let records = self.records(2);
        write_durably(PROMISE, &mut sink, &batch(&records)).await;
        let before = self.under_test.delivered().await;
        expect_ok(PROMISE, sink.close().await);
        drop(sink);
        self.expect_unchanged(PROMISE, before).await;
        // An unused sink closes as well.
        let mut unused = self.open().await;
        expect_ok(PROMISE, unused.close().await);
    }
}

fn expect_ok(promise: &str, answer: Result<()>) {
    if let Err(failure) = answer {
        panic!("{promise}: got {failure:?}");
    }
}

/// Writes a batch, and flushes it if the sink only accepts it.
async fn write_durably(promise: &str, sink: &mut Box<dyn Sink>, batch: &Batch<'_>) {
    if let Err(failure) = try_write_durably(sink, batch).await {
        panic!("{promise}: got {failure:?}");
    }
}

async fn try_write_durably(sink: &mut Box<dyn Sink>, batch: &Batch<'_>) -> Result<()> {
    match sink.write(batch).await? {
        Written::Durable => Ok(()),
        Written::Accepted { .. } => sink.flush().await.map(drop),
    }
}

/// The sink's answer for partition 0.
#[derive(Clone, Copy, PartialEq)]
enum Resumed {
    /// The sink has no progress store.
    UseGroup,
    NoProgress,
    At(i64),
}

async fn resume(sink: &mut Box<dyn Sink>) -> Resumed {
    let Some(store) = sink.progress_store() else {
        return Resumed::UseGroup;
    };
    match store.resume(&[partition(0)]).await.as_deref() {
        Ok([Some(next)]) => Resumed::At(*next),
        Ok([None]) => Resumed::NoProgress,
        other => {
            panic!("`resume` answers for each partition in the question, here one: got {other:?}")
        }
    }
}
