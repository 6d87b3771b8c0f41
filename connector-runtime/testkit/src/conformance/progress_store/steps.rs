//! The steps of the checks: opening, writing, and comparing stored progress.

use connect_api::{
    Batch, Failure, Position, Progress, ProgressStore, Record, Result, Sink, Written,
};

use super::ProgressStoreUnderTest;
use crate::records::partition;

pub(super) struct Suite<'a, S> {
    pub(super) under_test: &'a mut S,
    /// Each check has its own connector and a thousand offsets.
    pub(super) checks: i64,
}

/// The step of a batch in one partition, with a record at each offset.
pub(super) struct Move {
    partition: i32,
    from: i64,
    to: i64,
}

pub(super) fn moves(partition: i32, from: i64, to: i64) -> Move {
    Move {
        partition,
        from,
        to,
    }
}

pub(super) fn at(number: i32, next: i64) -> Position {
    Position {
        partition: partition(number),
        next,
    }
}

impl<S: ProgressStoreUnderTest> Suite<'_, S> {
    /// The first offset of the next check.
    pub(super) fn begin(&mut self) -> i64 {
        self.checks += 1;
        self.checks * 1_000
    }

    pub(super) fn connector(&self) -> String {
        format!("connector-{}", self.checks)
    }

    pub(super) async fn open(&mut self) -> Box<dyn Sink> {
        let connector = self.connector();
        self.open_as(&connector, "rows").await
    }

    pub(super) async fn open_as(&mut self, connector: &str, sink: &str) -> Box<dyn Sink> {
        match self.under_test.open(connector, sink).await {
            Ok(sink) => sink,
            Err(failure) => panic!("the sink does not open: {failure}"),
        }
    }

    pub(super) async fn write(&self, sink: &mut Box<dyn Sink>, moves: &[Move]) -> Result<Written> {
        let records: Vec<Record> = moves
            .iter()
            .flat_map(|one| (one.from..one.to).map(|offset| (one.partition, offset)))
            .map(|(partition, offset)| self.under_test.record(partition, offset))
            .collect();
        write(sink, records.iter().collect(), moves).await
    }

    pub(super) async fn expect_written(
        &self,
        promise: &str,
        sink: &mut Box<dyn Sink>,
        moves: &[Move],
    ) {
        let written = self.write(sink, moves).await;
        assert_eq!(written, Ok(Written::Durable), "{promise}");
    }

    /// Fails as superseded, with and without records, and writes nothing.
    pub(super) async fn expect_superseded(
        &mut self,
        promise: &str,
        sink: &mut Box<dyn Sink>,
        one: Move,
    ) {
        let before = self.delivered().await;
        let moves = [one];
        for records in [true, false] {
            let answer = if records {
                self.write(sink, &moves).await
            } else {
                write(sink, Vec::new(), &moves).await
            };
            assert!(
                matches!(answer, Err(Failure::Superseded(_))),
                "{promise}: got {answer:?}"
            );
        }
        assert_eq!(self.delivered().await, before, "{promise}");
    }

    pub(super) async fn expect_once(&mut self, promise: &str, moves: &[Move]) {
        let delivered = self.delivered().await;
        for one in moves {
            for offset in one.from..one.to {
                let place = (one.partition, offset);
                let times = delivered.iter().filter(|found| **found == place).count();
                assert_eq!(
                    times, 1,
                    "{promise}: the record of partition {} at offset {offset} is stored {times} times",
                    one.partition
                );
            }
        }
    }

    pub(super) async fn delivered(&mut self) -> Vec<(i32, i64)> {
        let mut delivered = self.under_test.delivered().await;
        delivered.sort_unstable();
        delivered
    }
}

pub(super) async fn write(
    sink: &mut Box<dyn Sink>,
    records: Vec<&Record>,
    moves: &[Move],
) -> Result<Written> {
    let progress = moves.iter().map(|one| Progress {
        partition: partition(one.partition),
        expected: one.from,
        next: one.to,
        last_timestamp_ms: None,
    });
    let batch = Batch::new(records, progress.collect());
    sink.write(&batch).await
}

pub(super) fn store_of(sink: &mut Box<dyn Sink>) -> &mut dyn ProgressStore {
    match sink.progress_store() {
        Some(store) => store,
        None => panic!("a sink that declares `ProgressHome::Sink` has a progress store"),
    }
}

/// Resumes partitions 0 and 1, asked for in reverse, because the answer follows the order of the question.
pub(super) async fn resume(sink: &mut Box<dyn Sink>) -> [Option<i64>; 2] {
    let asked = [partition(1), partition(0)];
    match store_of(sink).resume(&asked).await.as_deref() {
        Ok([one, zero]) => [*zero, *one],
        other => {
            panic!("`resume` answers for each partition in the question, here two: got {other:?}")
        }
    }
}

pub(super) async fn expect_resumed(
    promise: &str,
    sink: &mut Box<dyn Sink>,
    expected: [Option<i64>; 2],
) {
    assert_eq!(resume(sink).await, expected, "{promise}");
}

pub(super) async fn expect_stored(
    promise: &str,
    sink: &mut Box<dyn Sink>,
    expected: [Option<i64>; 2],
) {
    let asked = [partition(1), partition(0)];
    match store_of(sink).stored(&asked).await.as_deref() {
        Ok([one, zero]) => assert_eq!([*zero, *one], expected, "{promise}"),
        other => {
            panic!("`stored` answers for each partition in the question, here two: got {other:?}")
        }
    }
}
