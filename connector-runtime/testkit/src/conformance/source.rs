//! The conformance suite for [`Source`].

use async_trait::async_trait;
use connect_api::{Positions, Result, Source, SourceRecord, Value};

use super::cancelled;

/// A source, and how to open it.
#[async_trait]
pub trait SourceUnderTest: Send {
    /// Opens the source, to continue after these positions.
    async fn open(&mut self, positions: Positions) -> Result<Box<dyn Source>>;

    /// How many records are read. The source must have twice as many, or end.
    fn count(&self) -> usize {
        20
    }

    /// Whether the same positions always give the same records, unlike those of a source that fetches.
    fn is_repeatable(&self) -> bool {
        true
    }
}

/// Runs every check in turn.
///
/// # Panics
///
/// On the first broken promise, with its text.
pub async fn check_source(source: &mut impl SourceUnderTest) {
    let mut suite = Suite { under_test: source };
    suite.it_continues_after_what_was_committed().await;
    suite.a_dropped_poll_loses_nothing().await;
    suite.foreign_positions_are_an_error().await;
    suite.commit_and_close_are_harmless().await;
}

/// Everything read so far.
#[derive(Default)]
struct Read {
    records: Vec<String>,
    positions: Positions,
    finished: bool,
}

struct Suite<'a, S> {
    under_test: &'a mut S,
}

impl<S: SourceUnderTest> Suite<'_, S> {
    async fn open(&mut self, positions: Positions) -> Box<dyn Source> {
        match self.under_test.open(positions).await {
            Ok(source) => source,
            Err(failure) => panic!("the source does not open: {failure}"),
        }
    }

    /// Polls until there are this many more records, or no more come.
    async fn read(&mut self, source: &mut Box<dyn Source>, read: &mut Read, count: usize) {
        let wanted = read.records.len() + count;
        while read.records.len() < wanted && !read.finished {
            take(read, source.poll().await);
        }
    }

    async fn it_continues_after_what_was_committed(&mut self) {
        const PROMISE: &str = "a source continues after the committed positions";
        let count = self.under_test.count();
        let mut straight = Read::default();
        let mut source = self.open(Positions::default()).await;
        self.read(&mut source, &mut straight, 2 * count).await;
        drop(source);

        let mut resumed = Read::default();
        while resumed.records.len() < straight.records.len() && !resumed.finished {
            // Reopened after each poll, as after a crash.
            let mut source = self.open(resumed.positions.clone()).await;
            take(&mut resumed, source.poll().await);
        }
        if self.under_test.is_repeatable() {
            let common = straight.records.len().min(resumed.records.len());
            assert_eq!(
                straight.records[..common],
                resumed.records[..common],
                "{PROMISE}"
            );
        }
        assert!(
            resumed.records.len() >= straight.records.len(),
            "{PROMISE}: some are missing"
        );
    }

    async fn a_dropped_poll_loses_nothing(&mut self) {
        const PROMISE: &str = "a dropped poll loses nothing";
        let count = self.under_test.count();
        let mut straight = Read::default();
        let mut source = self.open(Positions::default()).await;
        self.read(&mut source, &mut straight, count).await;

        let mut disturbed = Read::default();
        let mut source = self.open(Positions::default()).await;
        for waits in (1..=4).cycle() {
            if disturbed.records.len() >= straight.records.len() || disturbed.finished {
                break;
            }
            let polled = cancelled(source.poll(), waits).await;
            let polled = match polled {
                Some(polled) => polled,
                None => source.poll().await,
            };
            take(&mut disturbed, polled);
        }
        if self.under_test.is_repeatable() {
            let common = straight.records.len().min(disturbed.records.len());
            assert_eq!(
                straight.records[..common],
                disturbed.records[..common],
                "{PROMISE}"
            );
        }
    }

    async fn foreign_positions_are_an_error(&mut self) {
        const PROMISE: &str = "a stored position in an unknown form is an error, never ignored";
        let mut read = Read::default();
        let mut source = self.open(Positions::default()).await;
        self.read(&mut source, &mut read, 1).await;
        let mut foreign = Positions::default();
        for (partition, _) in read.positions.iter() {
            foreign.insert_json(
                partition.to_owned(),
                r#"["of","another","shape"]"#.to_owned(),
            );
        }
        if !foreign.is_empty() {
            let opened = self.under_test.open(foreign).await;
            assert!(opened.is_err(), "{PROMISE}");
        }
    }

    async fn commit_and_close_are_harmless(&mut self) {
        const PROMISE: &str = "a repeated commit and closing are harmless";
        let mut source = self.open(Positions::default()).await;
        let mut read = Read::default();
        self.read(&mut source, &mut read, 1).await;
        for _ in 0..2 {
            assert_eq!(source.commit(&read.positions).await, Ok(()), "{PROMISE}");
        }
        assert_eq!(source.close().await, Ok(()), "{PROMISE}");
    }
}

fn take(read: &mut Read, polled: Result<connect_api::Polled>) {
    let polled = match polled {
        Ok(polled) => polled,
        Err(failure) => panic!("a poll fails: {failure}"),
    };
    assert!(
        polled.records.is_empty() || !polled.positions.is_empty(),
        "records come with the positions that follow them"
    );
    read.records.extend(polled.records.iter().map(print));
    read.positions.merge(polled.positions);
    read.finished = polled.finished;
}

fn print(record: &SourceRecord) -> String {
    let print = |value: &Option<Value>| value.as_ref().map(Value::to_json);
    format!("{:?} {:?}", print(&record.key), print(&record.value))
}
