//! Preparing what was collected, and sending it to the writer.

use std::sync::Arc;

use connect_api::{Origin, Progress, Record};
use connect_contracts::{SchemaNeeded, Side};

use super::Reader;
use tokio::time::Instant;

use crate::control::TaskEnd;
use crate::policy::Stage;
use crate::sink_task::batch::Selection;
use crate::sink_task::batch::{Input, Outcome, OwnedProgress, Prepared, begins_of};
use crate::sink_task::feed::Feed;
use crate::sink_task::halves::Work;
use crate::sink_task::prepare::Made;
use crate::status::ReadRange;

impl<F: Feed> Reader<F> {
    pub(super) fn send_batch(&mut self) {
        let collected = std::mem::take(&mut self.collected);
        let first_read = collected.first_read.unwrap_or_else(Instant::now);
        // Before any wait: what is collected during one belongs to the next batch.
        let mut progress = self.take_progress();
        let mut sources = Vec::with_capacity(collected.origins.len());
        let mut records = Vec::with_capacity(collected.origins.len());
        for (origin, generation) in collected.origins {
            let Some(outcome) = self.prepare(&origin, &mut records) else {
                return;
            };
            // A wait for a schema may have cost us the partition.
            if self.positions.contains_key(&generation) {
                sources.push(Input { origin, outcome });
            }
        }
        progress.retain(|owned| self.positions.contains_key(&owned.generation));
        let selections = self.select(&sources, &records);
        self.count(&sources, &progress);
        let group = collected.group;
        let prepared = Prepared {
            sources,
            records,
            selections,
            progress,
            group,
            first_read,
        };
        self.send(Work::Batch(Box::new(prepared)));
    }

    /// What each lane takes.
    fn select(&self, sources: &[Input], records: &[Record]) -> Vec<Option<Selection>> {
        let lanes = self.parts.lanes.iter();
        lanes
            .map(|lane| {
                let when = lane.when.as_ref()?;
                Some(Selection::of(when, sources, records))
            })
            .collect()
    }

    /// Counts what is read; for each lane only what it has not had before.
    fn count(&self, sources: &[Input], progress: &[OwnedProgress]) {
        self.parts.meters.consumed(sources.len() as u64);
        for (index, lane) in self.parts.lanes.iter().enumerate() {
            let begins = begins_of(progress, index);
            let is_new = |source: &&Input| {
                let begin = begins.get(&(&source.origin.topic, source.origin.partition));
                begin.is_none_or(|begin| source.origin.offset >= *begin)
            };
            let count = if begins.is_empty() {
                sources.len()
            } else {
                sources.iter().filter(is_new).count()
            };
            lane.meters.consumed(count as u64);
        }
    }

    /// `None`: the task was abandoned while a schema was waited for.
    pub(super) fn prepare(
        &mut self,
        origin: &Arc<Origin>,
        records: &mut Vec<Record>,
    ) -> Option<Outcome> {
        loop {
            let start = records.len();
            match self.parts.preparer.prepare(origin, records) {
                Made::Records => return Some(Outcome::Records(start..records.len())),
                Made::Filtered => return Some(Outcome::Filtered),
                Made::Rejected(reject) => return Some(Outcome::Rejected(Box::new(reject))),
                Made::SchemaNeeded(side, needed) => self.fetch_schema(side, needed)?,
            }
        }
    }

    /// An unreachable registry is waited for: it is never a record's fault.
    pub(super) fn fetch_schema(&mut self, side: Side, needed: SchemaNeeded) -> Option<()> {
        let decoder = self.parts.preparer.decoder(side);
        let waiting = self.waiting();
        let fetched = self.wait_for(async move {
            let stop = waiting.stop.drain.clone();
            tokio::select! {
                fetched = waiting.insist(Stage::FetchSchema, || decoder.fetch(&needed)) => {
                    fetched
                }
                () = stop.cancelled() => Err(TaskEnd::Stopped),
            }
        })?;
        fetched.map_err(|end| self.fail(end)).ok()
    }

    pub(super) fn take_progress(&mut self) -> Vec<OwnedProgress> {
        let mut progress = Vec::with_capacity(self.positions.len());
        for (generation, position) in &mut self.positions {
            if position.next == position.sent && !position.store_start {
                continue;
            }
            let read = ReadRange {
                first: position.sent,
                first_time_ms: position.first_timestamp_ms.take(),
                offsets: u64::try_from(position.next - position.sent).unwrap_or(0),
                records: std::mem::take(&mut position.records),
            };
            self.parts.meters.read(&position.partition, read);
            progress.push(OwnedProgress {
                begins: position.begins.clone(),
                is_first: position.is_first,
                progress: Progress {
                    partition: position.partition.clone(),
                    expected: position.sent,
                    next: position.next,
                    last_timestamp_ms: position.last_timestamp_ms,
                },
                generation: *generation,
            });
            position.sent = position.next;
            position.store_start = false;
            position.is_first = false;
        }
        progress.sort_by(|left, right| left.progress.partition.cmp(&right.progress.partition));
        progress
    }

    pub(super) fn send(&mut self, work: Work) {
        let sender = self.parts.work.clone();
        let sent = self.wait_for(async move { sender.send(work).await.is_ok() });
        if sent != Some(true) {
            // The writer ended (its end says why), or nobody waits for us any more.
            self.fail(TaskEnd::Stopped);
        }
    }
}
