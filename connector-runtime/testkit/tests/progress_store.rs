//! Tests of the suite for progress stores: a correct store passes, and every broken promise is found.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::{Arc, Mutex};

use connect_api::{
    Batch, Cause, Failure, OtherProgress, Position, ProgressStore, Result, Sink, TopicPartition,
    Written, async_trait,
};
use connect_testkit::conformance::{ProgressStoreUnderTest, broken_promise, check_progress_store};
use connect_testkit::{Memory, MemorySink, TOPIC};

#[derive(Clone, Copy, PartialEq)]
enum Break {
    Nothing,
    AnswersInItsOwnOrder,
    LookingTakesOver,
    IgnoresWhatIsExpected,
    IgnoresOwners,
    WritesInParts,
    StoringKeepsTheOwner,
    StoresForwardOnly,
    SharesProgressBetweenNames,
    HidesOtherNames,
    ShowsOtherNamesForEver,
    ErasesNothing,
    ErasesEveryTopic,
    RepeatsAfterALostAnswer,
    ForgetsAtTheEnd,
    LosesProgressWithoutRecords,
}

struct UnderTest {
    memory: Memory,
    loses: Arc<Mutex<Option<bool>>>,
    breaks: Break,
    sinks: usize,
    was_set: Arc<Mutex<bool>>,
}

#[async_trait]
impl ProgressStoreUnderTest for UnderTest {
    async fn open(&mut self, connector: &str, sink: &str) -> Result<Box<dyn Sink>> {
        self.sinks += 1;
        let name = match self.breaks {
            Break::SharesProgressBetweenNames => sink.to_owned(),
            Break::ForgetsAtTheEnd => format!("{connector}-{}", self.sinks),
            _ => connector.to_owned(),
        };
        let breaking = Breaking {
            sink: self.memory.sink_of(&name, sink),
            memory: self.memory.clone(),
            identity: (name, sink.to_owned()),
            breaks: self.breaks,
            loses: self.loses.clone(),
            has_lost: false,
            was_set: self.was_set.clone(),
        };
        Ok(Box::new(breaking))
    }

    async fn delivered(&mut self) -> Vec<(i32, i64)> {
        let rows = self.memory.rows().into_iter();
        rows.map(|(partition, offset, _)| (partition.partition, offset))
            .collect()
    }

    async fn lose_next_answer(&mut self, takes_effect: bool) -> bool {
        *self.loses.lock().unwrap() = Some(takes_effect);
        true
    }
}

struct Breaking {
    sink: MemorySink,
    memory: Memory,
    identity: (String, String),
    breaks: Break,
    /// The next commit gets no answer; it takes effect or not.
    loses: Arc<Mutex<Option<bool>>>,
    has_lost: bool,
    /// Positions have been set.
    was_set: Arc<Mutex<bool>>,
}

impl Breaking {
    /// A sink that owns every partition.
    fn anybody(&self) -> MemorySink {
        self.memory.sink_of(&self.identity.0, &self.identity.1)
    }

    async fn correct_expected(&self, batch: &mut Batch<'_>) {
        for progress in &mut batch.progress {
            let asked = std::slice::from_ref(&progress.partition);
            let stored = self.anybody().stored(asked).await.unwrap();
            progress.expected = stored[0].unwrap_or(progress.expected);
        }
    }
}

#[async_trait]
impl Sink for Breaking {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        let mut batch = batch.clone();
        let loses = self.loses.lock().unwrap().take();
        if let Some(takes_effect) = loses {
            if takes_effect {
                self.sink.write(&batch).await?;
            }
            self.has_lost = true;
            return Err(Failure::Retry(Cause::new("the connection is gone")));
        }
        match self.breaks {
            Break::IgnoresWhatIsExpected => self.correct_expected(&mut batch).await,
            Break::StoringKeepsTheOwner if *self.was_set.lock().unwrap() => {
                return self.anybody().write(&batch).await;
            }
            Break::IgnoresOwners => return self.anybody().write(&batch).await,
            Break::RepeatsAfterALostAnswer if self.has_lost => {
                self.correct_expected(&mut batch).await;
            }
            Break::WritesInParts => {
                for progress in &batch.progress {
                    let records = batch.records.iter().copied();
                    let part = records.filter(|one| one.topic_partition() == progress.partition);
                    let part = Batch::new(part.collect(), vec![progress.clone()]);
                    self.sink.write(&part).await?;
                }
                return Ok(Written::Durable);
            }
            Break::LosesProgressWithoutRecords if batch.records.is_empty() => {
                for progress in &mut batch.progress {
                    progress.next = progress.expected;
                }
            }
            _ => {}
        }
        self.sink.write(&batch).await
    }

    fn progress_store(&mut self) -> Option<&mut dyn ProgressStore> {
        Some(self)
    }
}

#[async_trait]
impl ProgressStore for Breaking {
    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        let mut partitions = partitions.to_vec();
        if self.breaks == Break::AnswersInItsOwnOrder {
            partitions.sort();
        }
        self.sink.resume(&partitions).await
    }

    async fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        if self.breaks == Break::LookingTakesOver {
            return self.sink.resume(partitions).await;
        }
        self.sink.stored(partitions).await
    }

    async fn store(&mut self, positions: &[Position]) -> Result<()> {
        let mut positions = positions.to_vec();
        if self.breaks == Break::StoresForwardOnly {
            for position in &mut positions {
                let asked = std::slice::from_ref(&position.partition);
                let stored = self.sink.stored(asked).await?;
                position.next = position.next.max(stored[0].unwrap_or(0));
            }
        }
        *self.was_set.lock().unwrap() = true;
        self.sink.store(&positions).await
    }

    async fn of_other_names(&mut self, topics: &[Arc<str>]) -> Result<Vec<OtherProgress>> {
        match self.breaks {
            Break::HidesOtherNames => Ok(Vec::new()),
            Break::ShowsOtherNamesForEver => {
                // Asks as a sink that has stored nothing.
                let (connector, sink) = &self.identity;
                let stranger = self.memory.sink_of(connector, "stranger");
                let stranger_elsewhere = self.memory.sink_of("stranger", sink);
                let mut others = Vec::new();
                for mut one in [stranger, stranger_elsewhere] {
                    others.extend(one.of_other_names(topics).await?);
                }
                others.retain(|other| *other.connector != **connector || *other.sink != **sink);
                Ok(others)
            }
            _ => self.sink.of_other_names(topics).await,
        }
    }

    async fn erase(&mut self, topics: &[Arc<str>]) -> Result<()> {
        match self.breaks {
            Break::ErasesNothing => Ok(()),
            Break::ErasesEveryTopic => {
                let every = [topics, &[TOPIC.into()]].concat();
                self.sink.erase(&every).await
            }
            _ => self.sink.erase(topics).await,
        }
    }
}

async fn check(breaks: Break) {
    check_progress_store(&mut UnderTest {
        memory: Memory::default(),
        loses: Arc::default(),
        breaks,
        sinks: 0,
        was_set: Arc::default(),
    })
    .await;
}

#[tokio::test]
async fn the_store_in_memory_keeps_its_promises() {
    check(Break::Nothing).await;
}

#[test]
fn every_broken_promise_is_found() {
    let cases = [
        (Break::AnswersInItsOwnOrder, "in the order of the question"),
        (Break::LookingTakesOver, "`stored` takes over no partition"),
        (
            Break::IgnoresWhatIsExpected,
            "does not start at the stored progress",
        ),
        (Break::IgnoresOwners, "the last sink to resume is the owner"),
        (Break::WritesInParts, "is not partly written"),
        (
            Break::StoringKeepsTheOwner,
            "`store` supersedes a running owner",
        ),
        (Break::StoresForwardOnly, "forwards and backwards"),
        (
            Break::SharesProgressBetweenNames,
            "nothing is stored at first",
        ),
        (
            Break::HidesOtherNames,
            "progress under other names is shown",
        ),
        (Break::ShowsOtherNamesForEver, "is shown no other"),
        (Break::ErasesNothing, "erasing deletes the progress"),
        (Break::ErasesEveryTopic, "of the named topics only"),
        (Break::RepeatsAfterALostAnswer, "is written once"),
        (Break::ForgetsAtTheEnd, "survives a crash"),
        (
            Break::LosesProgressWithoutRecords,
            "progress moves without records",
        ),
    ];
    for (breaks, promise) in cases {
        let found = broken_promise(check(breaks));
        assert!(found.contains(promise), "{promise}: {found}");
    }
}
