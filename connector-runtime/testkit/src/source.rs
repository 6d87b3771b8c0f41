//! A source that counts.

use async_trait::async_trait;
use connect_api::{Polled, Positions, Result, Source, SourceRecord};

use crate::records::value;

/// Produces the records `{"n":0}`, `{"n":1}`, … up to a count, a few per poll, and then ends.
pub struct CountingSource {
    next: u64,
    count: u64,
    per_poll: u64,
}

const PARTITION: &str = "numbers";

impl CountingSource {
    /// Continues after the committed positions.
    pub fn open(count: u64, per_poll: u64, positions: &Positions) -> Result<CountingSource> {
        let next = positions.get(&PARTITION)?.unwrap_or(0);
        Ok(CountingSource {
            next,
            count,
            per_poll,
        })
    }
}

#[async_trait]
impl Source for CountingSource {
    async fn poll(&mut self) -> Result<Polled> {
        tokio::task::yield_now().await;
        let end = self.count.min(self.next + self.per_poll);
        let records = (self.next..end)
            .map(|n| SourceRecord::of_value(value(&format!(r#"{{"n":{n}}}"#))))
            .collect();
        let mut positions = Positions::default();
        positions.set(&PARTITION, &end)?;
        self.next = end;
        Ok(Polled {
            records,
            positions,
            finished: end == self.count,
        })
    }
}
