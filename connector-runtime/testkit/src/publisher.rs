//! Publishers that keep committed messages in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connect_api::{Batch, Failure, Outgoing, Progress, Publisher, PublisherFactory, Result};

/// One committed transaction.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub messages: Vec<Outgoing>,
    pub progress: Vec<Progress>,
}

/// Creates publishers and records what they were asked for. Clones share one memory.
#[derive(Clone, Default)]
pub struct Publishers(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    topics: Vec<Arc<str>>,
    committed: Vec<Transaction>,
    failures: VecDeque<Failure>,
}

impl Publishers {
    /// Lets the next transaction fail with this and commit nothing. Further calls queue up.
    pub fn fail_next(&self, failure: Failure) {
        self.0.lock().unwrap().failures.push_back(failure);
    }

    /// The committed transactions, in order.
    pub fn committed(&self) -> Vec<Transaction> {
        self.0.lock().unwrap().committed.clone()
    }

    /// The messages of all transactions.
    pub fn messages(&self) -> Vec<Outgoing> {
        let transactions = self.committed().into_iter();
        transactions.flat_map(|one| one.messages).collect()
    }

    /// The topics that publishers were requested for.
    pub fn topics(&self) -> Vec<Arc<str>> {
        self.0.lock().unwrap().topics.clone()
    }
}

#[async_trait]
impl PublisherFactory for Publishers {
    async fn publisher(&self, topics: &[Arc<str>]) -> Result<Box<dyn Publisher>> {
        self.0.lock().unwrap().topics.extend_from_slice(topics);
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Publisher for Publishers {
    async fn publish(&mut self, messages: Vec<Outgoing>, batch: &Batch<'_>) -> Result<()> {
        // It waits, like a real one: a future that is dropped here has published nothing.
        tokio::task::yield_now().await;
        let mut state = self.0.lock().unwrap();
        if let Some(failure) = state.failures.pop_front() {
            return Err(failure);
        }
        state.committed.push(Transaction {
            messages,
            progress: batch.progress.clone(),
        });
        Ok(())
    }
}
