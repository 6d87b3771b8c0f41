//! Faults on demand for any sink.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connect_api::{
    Batch, Cause, Failure, Position, ProgressStore, RejectedRecord, Result, Sink, TopicPartition,
    Written,
};

/// The fault of one `write`.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing is written.
    Before(Failure),
    /// Everything is written, and the answer is lost.
    After(Failure),
    /// The records at these indexes of the batch are refused; indexes beyond the batch are ignored.
    Refuse(Vec<usize>),
    /// The write never ends.
    Hang,
    /// The write panics.
    Panic,
}

impl Fault {
    /// An outage: nothing is written, and the same call may succeed later.
    pub fn outage() -> Fault {
        Fault::Before(Failure::Retry(Cause::new("an outage caused by the test")))
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

    /// Adds a fault for the next write without an entry.
    pub fn push(&self, fault: Fault) {
        self.0.lock().unwrap().push_back(Some(fault));
    }

    /// Lets the next write without an entry pass.
    pub fn pass(&self) {
        self.0.lock().unwrap().push_back(None);
    }

    /// The number of entries that no write has used yet.
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
                let refusals: Vec<RejectedRecord> = places
                    .into_iter()
                    .filter(|place| *place < batch.records.len())
                    .map(|record| RejectedRecord {
                        record,
                        cause: Cause::new("a refusal caused by the test"),
                    })
                    .collect();
                if refusals.is_empty() {
                    self.inner.write(batch).await
                } else {
                    Err(Failure::Refused(refusals))
                }
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Panic) => panic!("a panic caused by the test"),
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
