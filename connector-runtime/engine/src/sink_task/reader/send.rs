//! Prepares the collected records, and sends them to the writer.

use std::sync::Arc;

use connect_api::{Origin, Progress, Record};

use super::Reader;
use tokio::time::Instant;

use crate::control::TaskEnd;
use crate::policy::Stage;
use crate::sink_task::batch::Selection;
use crate::sink_task::batch::{Input, Outcome, OwnedProgress, Prepared, starts_of};
use crate::sink_task::feed::Feed;
use crate::sink_task::halves::Work;
use crate::sink_task::prepare::SchemaOfSide;
use crate::status::ReadRange;

impl<F: Feed> Reader<F> {
    pub(super) fn send_batch(&mut self) {
        let collected = std::mem::take(&mut self.collected);
        let first_read = collected.first_read.unwrap_or_else(Instant::now);
        // Before any wait: what is collected during one belongs to the next batch.
        let mut progress = self.take_progress();
        let mut inputs = Vec::with_capacity(collected.origins.len());
        let mut records = Vec::with_capacity(collected.origins.len());
        for (origin, generation) in collected.origins {
            let Some(outcome) = self.prepare(&origin, &mut records) else {
                return;
            };
            // The partition may have been revoked during a wait for a schema.
            if self.positions.contains_key(&generation) {
                inputs.push(Input { origin, outcome });
            }
        }
        progress.retain(|owned| self.positions.contains_key(&owned.generation));
        let selections = self.select(&inputs, &records);
        self.count(&inputs, &progress);
        let group = collected.group;
        let prepared = Prepared {
            inputs,
            records,
            selections,
            progress,
            group,
            first_read,
        };
        self.send(Work::Batch(Box::new(prepared)));
    }

    /// What each lane takes.
    fn select(&self, inputs: &[Input], records: &[Record]) -> Vec<Option<Selection>> {
        let lanes = self.parts.lanes.iter();
        lanes
            .map(|lane| {
                let when = lane.when.as_ref()?;
                Some(Selection::of(when, inputs, records))
            })
            .collect()
    }

    /// Counts the inputs; for each lane only those that are new to it.
    fn count(&self, inputs: &[Input], progress: &[OwnedProgress]) {
        self.parts.meters.consumed(inputs.len() as u64);
        for (index, lane) in self.parts.lanes.iter().enumerate() {
            let starts = starts_of(progress, index);
            let is_new = |input: &&Input| {
                let start = starts.get(&(&input.origin.topic, input.origin.partition));
                start.is_none_or(|start| input.origin.offset >= *start)
            };
            let count = if starts.is_empty() {
                inputs.len()
            } else {
                inputs.iter().filter(is_new).count()
            };
            lane.meters.consumed(count as u64);
        }
    }

    /// `None`: the task was abandoned while a schema was waited for.
    fn prepare(&mut self, origin: &Arc<Origin>, records: &mut Vec<Record>) -> Option<Outcome> {
        loop {
            match self.parts.preparer.prepare(origin, records) {
                Ok(outcome) => return Some(outcome),
                Err(schema) => self.fetch_schema(schema)?,
            }
        }
    }

    /// Waits for an unreachable registry: that is never a record's fault.
    fn fetch_schema(&mut self, SchemaOfSide { side, needed }: SchemaOfSide) -> Option<()> {
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

    fn take_progress(&mut self) -> Vec<OwnedProgress> {
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
                starts: position.starts.clone(),
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
            // The writer ended, and its result explains why; or the task was abandoned.
            self.fail(TaskEnd::Stopped);
        }
    }
}
