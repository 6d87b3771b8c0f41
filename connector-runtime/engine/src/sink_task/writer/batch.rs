//! One batch, from *prepared* to *committed* or *rejected*, in this order:
//!
//! 1. each lane isolates its part ([`Isolation`]): what its `when` takes, without partitions that were revoked;
//! 2. the records that preparing rejected are settled, with one dead letter for all lanes;
//! 3. every lane writes its part ([`Lane::write`]) and reports what is durable; the records that its sink refuses are
//!    halved out and settled there;
//! 4. the group's offset follows, if Kafka transactions move it;
//! 5. the batch is counted, and the worst result of a lane decides how the task goes on.
//!
//! Lanes write one batch side by side. Each waits out its own server, and no lane makes another write twice. The batch as a
//! whole waits for the slowest, which bounds memory. Lanes whose progress moves in a Kafka transaction come last, one after
//! the other, because their transaction commits the group's offset for all. Nothing is atomic between lanes.

use connect_api::ProgressHome;
use futures_util::future::join_all;

use super::Writer;
use crate::control::TaskEnd;
use crate::records::dead_letter::Letter;
use crate::records::rejects::Judged;
use crate::sink_task::batch::{Outcome, Prepared};
use crate::sink_task::isolation::{Isolation, LaneEnd};
#[cfg(doc)]
use crate::sink_task::lane::Lane;
use crate::sink_task::lane::{Ended, LaneResult};
use crate::status::{BatchEnd, LaneMeters};

impl Writer {
    pub(super) async fn batch(&mut self, prepared: &Prepared) -> Result<(), TaskEnd> {
        self.positions.lock().start(&prepared.progress);
        let mut isolations = Vec::with_capacity(self.lanes.len());
        for lane in &mut self.lanes {
            isolations.push(lane.isolate(prepared).await);
        }
        let rejected = match self.settle_rejected(prepared, &mut isolations).await {
            Ok(bad_record) => bad_record,
            Err(end) => {
                for (lane, isolation) in self.lanes.iter().zip(&isolations) {
                    lane.give_back(isolation.remaining());
                }
                self.count(prepared, &isolations);
                return Err(end);
            }
        };
        // What a lane rejects lies before the record that ends the batch for all.
        let mut results = self.write(prepared, &mut isolations).await;
        self.commit_group(&mut results).await;
        results.push(Ok(rejected));
        self.count(prepared, &isolations);
        self.conclude(results).await
    }

    /// Lanes side by side, then those whose transaction commits for all.
    async fn write(
        &mut self,
        prepared: &Prepared,
        isolations: &mut [Isolation<'_>],
    ) -> Vec<LaneResult> {
        let stop = &self.lanes_stop;
        let mut together = Vec::new();
        let mut last = Vec::new();
        for (lane, isolation) in self.lanes.iter_mut().zip(isolations) {
            let is_last = lane.home == ProgressHome::KafkaTransaction;
            let write = async move {
                let result = lane.write(prepared, isolation).await;
                if matches!(result, Err(Ended::Task(_))) {
                    stop.drain.cancel();
                }
                result
            };
            if is_last {
                last.push(write);
            } else {
                together.push(write);
            }
        }
        let mut results = join_all(together).await;
        for write in last {
            results.push(write.await);
        }
        results
    }

    /// Settles what was rejected before it came to any lane: one dead letter for all. `Some`: the bad record before which
    /// the batch ends.
    async fn settle_rejected(
        &mut self,
        prepared: &Prepared,
        isolations: &mut [Isolation<'_>],
    ) -> Result<Option<String>, TaskEnd> {
        let rejects = self.rejects.clone();
        let mut rejects = rejects.lock().await;
        let mut judged = Judged::default();
        for (index, input) in prepared.inputs.iter().enumerate() {
            rejects.see();
            if isolations.iter().all(|isolation| isolation.filters(index)) {
                rejects.filter_last();
            }
            let is_open = isolations.iter().any(|isolation| isolation.is_open(index));
            let rejection = match &input.outcome {
                Outcome::Rejected(rejection) if is_open => rejection,
                _ => continue,
            };
            let letter = Letter {
                index,
                origin: input.origin.clone(),
                rejection: (**rejection)
                    .clone()
                    .showing_values(self.errors.show_values),
                lane: None,
            };
            let stops = rejects.judge(letter, 0, &mut judged);
            stops?;
            if let Some(bad) = &judged.stop_before {
                for (lane, isolation) in self.lanes.iter().zip(isolations) {
                    lane.give_back(isolation.cut_before(bad.index));
                }
                let text = bad.rejection.explain(&self.waiting.connector, &bad.origin);
                return Ok(Some(text));
            }
        }
        let meters: Vec<LaneMeters> = self.lanes.iter().map(|lane| lane.meters.clone()).collect();
        let mut settled = |index: usize, end: BatchEnd| {
            for (lane, isolation) in meters.iter().zip(isolations.iter_mut()) {
                if isolation.is_open(index) {
                    isolation.settle(index);
                    lane.ended(end);
                }
            }
        };
        rejects.discard(&self.waiting, &judged.discarded, &mut settled);
        rejects
            .dead_letter(&self.waiting, judged.letters, &mut settled)
            .await?;
        Ok(None)
    }

    /// Counts the batch for the connector: a record is delivered once no lane needs it any more.
    fn count(&self, prepared: &Prepared, isolations: &[Isolation<'_>]) {
        let discards = self.errors.dead_letter_topic.is_none();
        let mut end = BatchEnd::default();
        for index in 0..prepared.inputs.len() {
            let in_lanes = isolations.iter().map(|isolation| isolation.end_of(index));
            let ends: Vec<LaneEnd> = in_lanes.collect();
            if ends.contains(&LaneEnd::GivenBack) {
                end.given_back += 1;
            } else if ends.contains(&LaneEnd::Settled) && !discards {
                end.dead_lettered += 1;
            } else if ends.contains(&LaneEnd::Written) {
                end.delivered += 1;
            } else {
                end.filtered += 1;
            }
        }
        self.meters.ended(end);
    }
}
