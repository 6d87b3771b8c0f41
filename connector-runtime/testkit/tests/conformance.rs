//! Tests of the suites for sinks and sources: a correct plugin passes, and every broken promise is found.

#![allow(clippy::unwrap_used, clippy::panic)]

use connect_api::{
    Batch, Cause, Failure, OtherProgress, Position, Positions, ProgressStore, Record, Result, Sink,
    Source, TopicPartition, Written, async_trait,
};
use connect_testkit::conformance::{SinkUnderTest, SourceUnderTest, check_sink, check_source};
use connect_testkit::{CountingSource, Fault, Faults, Faulty, Memory, batch, record};

/// The sink in memory, with a promise to break.
struct UnderTest {
    memory: Memory,
    breaks: Break,
}

#[derive(Clone, Copy, PartialEq)]
enum Break {
    Nothing,
    AnswersBeforeWriting,
    WritesBeforeRefusing,
    RefusesTheWrongRecord,
    ForgetsProgressOfEmptyBatches,
    IgnoresExpectedProgress,
    KeepsRecordsUntilClose,
    AnswersTooFewPartitions,
}

#[async_trait]
impl SinkUnderTest for UnderTest {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Breaking {
            memory: self.memory.clone(),
            breaks: self.breaks,
        }))
    }

    async fn delivered(&mut self) -> Vec<i64> {
        self.memory.offsets()
    }

    fn refused(&self, offset: i64) -> Option<Record> {
        Some(record(offset, r#"{"refuse":true}"#))
    }
}

struct Breaking {
    memory: Memory,
    breaks: Break,
}

#[async_trait]
impl Sink for Breaking {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        let mut batch = batch.clone();
        let records = batch.records.clone();
        let is_bad = |record: &&Record| {
            record
                .root()
                .is_some_and(|root| root.get("refuse").is_some())
        };
        match self.breaks {
            Break::Nothing | Break::AnswersTooFewPartitions => {}
            Break::AnswersBeforeWriting => return Ok(Written::Durable),
            Break::KeepsRecordsUntilClose => batch.records.clear(),
            Break::ForgetsProgressOfEmptyBatches if records.is_empty() => {
                return Ok(Written::Durable);
            }
            Break::ForgetsProgressOfEmptyBatches => {}
            Break::WritesBeforeRefusing if records.iter().any(is_bad) => {
                batch.progress.clear();
                batch.records.retain(|record| !is_bad(record));
                self.memory.sink().write(&batch).await?;
                return Err(Failure::RefusedSomewhere(Cause::new("one of them")));
            }
            Break::WritesBeforeRefusing => {}
            Break::IgnoresExpectedProgress => {
                for progress in &mut batch.progress {
                    let stored = self.memory.progress(&progress.partition);
                    progress.expected = stored.unwrap_or(progress.expected);
                }
            }
            Break::RefusesTheWrongRecord => {}
        }
        match self.memory.sink().write(&batch).await {
            Err(Failure::Refused(mut refusals)) if self.breaks == Break::RefusesTheWrongRecord => {
                refusals.iter_mut().for_each(|refusal| refusal.record += 1);
                Err(Failure::Refused(refusals))
            }
            answer => answer,
        }
    }

    fn progress_store(&mut self) -> Option<&mut dyn ProgressStore> {
        Some(self)
    }
}

#[async_trait]
impl ProgressStore for Breaking {
    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        let mut resume = self.memory.sink().resume(partitions).await?;
        if self.breaks == Break::AnswersTooFewPartitions {
            resume.pop();
        }
        Ok(resume)
    }

    async fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        self.memory.sink().stored(partitions).await
    }

    async fn store(&mut self, positions: &[Position]) -> Result<()> {
        self.memory.sink().store(positions).await
    }

    async fn of_other_names(
        &mut self,
        topics: &[std::sync::Arc<str>],
    ) -> Result<Vec<OtherProgress>> {
        self.memory.sink().of_other_names(topics).await
    }

    async fn erase(&mut self, topics: &[std::sync::Arc<str>]) -> Result<()> {
        self.memory.sink().erase(topics).await
    }
}

async fn check(breaks: Break) {
    check_sink(&mut UnderTest {
        memory: Memory::default(),
        breaks,
    })
    .await;
}

#[tokio::test]
async fn a_sink_that_keeps_its_promises_passes() {
    check(Break::Nothing).await;
}

#[tokio::test]
#[should_panic(expected = "a batch is durable once `write` returns Ok")]
async fn finds_a_sink_that_answers_before_writing() {
    check(Break::AnswersBeforeWriting).await;
}

#[tokio::test]
#[should_panic(expected = "a batch is durable once `write` returns Ok")]
async fn finds_a_sink_that_keeps_records_until_close() {
    check(Break::KeepsRecordsUntilClose).await;
}

#[tokio::test]
#[should_panic(expected = "no record of the batch is written")]
async fn finds_a_sink_that_writes_before_refusing() {
    check(Break::WritesBeforeRefusing).await;
}

#[tokio::test]
#[should_panic(expected = "a refusal names its record")]
async fn finds_a_sink_that_refuses_the_wrong_record() {
    check(Break::RefusesTheWrongRecord).await;
}

#[tokio::test]
#[should_panic(expected = "progress moves although every record was filtered")]
async fn finds_a_sink_that_forgets_progress() {
    check(Break::ForgetsProgressOfEmptyBatches).await;
}

#[tokio::test]
#[should_panic(expected = "progress was accepted twice")]
async fn finds_a_sink_that_ignores_what_is_expected() {
    check(Break::IgnoresExpectedProgress).await;
}

#[tokio::test]
#[should_panic(expected = "`resume` answers for each partition in the question")]
async fn finds_a_sink_that_answers_too_few_partitions() {
    check(Break::AnswersTooFewPartitions).await;
}

struct Counting {
    /// Starts at zero instead of refusing an unknown position.
    ignores_foreign: bool,
    /// Counts before it waits, so that a dropped poll loses records.
    hasty: bool,
}

#[async_trait]
impl SourceUnderTest for Counting {
    async fn open(&mut self, positions: Positions) -> Result<Box<dyn Source>> {
        let opened = CountingSource::open(100, 3, &positions);
        let source = match opened {
            Err(_) if self.ignores_foreign => CountingSource::open(100, 3, &Positions::default())?,
            opened => opened?,
        };
        Ok(if self.hasty {
            Box::new(Hasty(source))
        } else {
            Box::new(source)
        })
    }
}

struct Hasty(CountingSource);

#[async_trait]
impl Source for Hasty {
    async fn poll(&mut self) -> Result<connect_api::Polled> {
        let polled = self.0.poll().await;
        tokio::task::yield_now().await;
        // After the first wait the records are taken; the second wait may be dropped.
        tokio::task::yield_now().await;
        polled
    }
}

#[tokio::test]
async fn a_source_that_keeps_its_promises_passes() {
    check_source(&mut Counting {
        ignores_foreign: false,
        hasty: false,
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "a stored position in an unknown form is an error")]
async fn finds_a_source_that_ignores_positions() {
    check_source(&mut Counting {
        ignores_foreign: true,
        hasty: false,
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "a dropped poll loses nothing")]
async fn finds_a_source_whose_dropped_poll_loses_records() {
    check_source(&mut Counting {
        ignores_foreign: false,
        hasty: true,
    })
    .await;
}

#[tokio::test]
async fn faults_come_in_turn() {
    let memory = Memory::default();
    let faults = Faults::none();
    let mut sink = Faulty::new(memory.sink(), faults.clone());
    let records = [record(0, "{}"), record(1, "{}")];

    faults.push(Fault::outage());
    faults.pass();
    faults.push(Fault::Refuse(vec![1, 7]));
    faults.push(Fault::Hang);
    assert!(matches!(
        sink.write(&batch(&records)).await,
        Err(Failure::Retry(_))
    ));
    assert_eq!(memory.offsets(), Vec::<i64>::new());
    assert_eq!(sink.write(&batch(&records)).await, Ok(Written::Durable));
    assert_eq!(memory.offsets(), [0, 1]);
    let more = [record(2, "{}"), record(3, "{}")];
    match sink.write(&batch(&more)).await {
        Err(Failure::Refused(refusals)) => assert_eq!(refusals.first().unwrap().record, 1),
        other => panic!("{other:?}"),
    }
    let hanging = tokio::time::timeout(std::time::Duration::ZERO, sink.write(&batch(&more))).await;
    assert!(hanging.is_err());
    faults.push(Fault::After(Failure::Retry(Cause::new(
        "the answer is lost",
    ))));
    assert!(sink.write(&batch(&more)).await.is_err());
    assert_eq!(memory.offsets(), [0, 1, 2, 3]);
    assert_eq!(faults.left(), 0);
}
