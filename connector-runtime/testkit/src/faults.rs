//! Faults on demand, around any sink.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connect_api::{
    Batch, Cause, Failure, Position, ProgressStore, Refusal, Result, Sink, TopicPartition, Written,
};

/// What one `write` does instead of writing.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing is written.
    Before(Failure),
    /// Everything is written, and the answer is lost.
    After(Failure),
    /// These records, by their place in the batch, are refused; places that the batch has not are left out.
    Refuse(Vec<usize>),
    /// The write never ends.
    Hang,
    /// The write panics.
    Panic,
}

impl Fault {
    /// An outage: nothing is written, and the same call may succeed later.
    pub fn outage() -> Fault {
        Fault::Before(Failure::Retry(Cause::new("an outage made up by a test")))
    }
}

/// The faults of the next writes, one each; `None` lets one write pass. Clones share one queue.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<VecDeque<Option<Fault>>>>);

impl Faults {
    /// No faults so far.
    pub fn none() -> Faults {
        Faults::default()
    }

    /// The next write that has no fault yet has this one.
    pub fn push(&self, fault: Fault) {
        self.0.lock().unwrap().push_back(Some(fault));
    }

    /// The next write that has no fault yet passes.
    pub fn pass(&self) {
        self.0.lock().unwrap().push_back(None);
    }

    /// Faults that no write has met yet.
    pub fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn next(&self) -> Option<Fault> {
        self.0.lock().unwrap().pop_front().flatten()
    }
}

/// A sink with faults.
pub struct Faulty<S> {
    inner: S,
    faults: Faults,
}

impl<S: Sink> Faulty<S> {
    pub fn new(inner: S, faults: Faults) -> Faulty<S> {
        Faulty { inner, faults }
    }
}

#[async_trait]
impl<S: Sink> Sink for Faulty<S> {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        match self.faults.next() {
            None => self.inner.write(batch).await,
            Some(Fault::Before(failure)) => Err(failure),
            Some(Fault::After(failure)) => {
                self.inner.write(batch).await?;
                Err(failure)
            }
            Some(Fault::Refuse(places)) => {
                let refusals: Vec<Refusal> = places
                    .into_iter()
                    .filter(|place| *place < batch.records.len())
                    .map(|record| Refusal {
                        record,
                        cause: Cause::new("a refusal made up by a test"),
                    })
                    .collect();
                if refusals.is_empty() {
                    self.inner.write(batch).await
                } else {
                    Err(Failure::Refused(refusals))
                }
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Panic) => panic!("a panic made up by a test"),
        }
    }

    async fn flush(&mut self) -> Result<Vec<Position>> {
        self.inner.flush().await
    }

    async fn forget(&mut self, partitions: &[TopicPartition]) {
        self.inner.forget(partitions).await;
    }

    fn progress_store(&mut self) -> Option<&mut dyn ProgressStore> {
        self.inner.progress_store()
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.close().await
    }
}
