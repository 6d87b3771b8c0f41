//! Settles the records that this lane rejects: those on which its `when` fails, and those that its sink refuses.

use connect_api::Failure;

use super::{Ended, Lane, LaneResult};
use crate::records::dead_letter::Letter;
use crate::records::rejection::Rejection;
use crate::records::rejects::{Judged, Rejects};
use crate::sink_task::batch::Prepared;
use crate::sink_task::isolation::{Isolation, Write};

impl Lane {
    /// Settles the records on which this lane's `when` fails, before anything is written. `Some`: the bad record before which
    /// the batch ends.
    pub(super) async fn settle_rejected(
        &mut self,
        prepared: &Prepared,
        isolation: &mut Isolation<'_>,
    ) -> LaneResult {
        let Some(selection) = prepared.selections.get(self.index).and_then(Option::as_ref) else {
            return Ok(None);
        };
        let mut judged = Judged::default();
        let rejects = self.rejects.clone();
        let mut rejects = rejects.lock().await;
        for (index, rejection) in &selection.rejected {
            if !isolation.is_open(*index) {
                continue;
            }
            let letter = Letter {
                index: *index,
                origin: prepared.origin(*index).clone(),
                rejection: rejection.clone().showing_values(self.errors.show_values),
                lane: Some(self.name.clone()),
            };
            let stops = rejects.judge(letter, isolation.seen_after(*index), &mut judged);
            stops?;
            if judged.stop_before.is_some() {
                return Ok(self.stop_before(isolation, judged.stop_before.as_ref()));
            }
        }
        self.discard_with(&mut rejects, isolation, &judged.discarded);
        self.dead_letter_with(&mut rejects, isolation, judged.letters)
            .await?;
        Ok(None)
    }

    /// The open inputs that a failed write names as refused, in order.
    pub(super) fn rejected_by(
        &self,
        prepared: &Prepared,
        isolation: &Isolation<'_>,
        write: &Write<'_>,
        failure: &Failure,
    ) -> Vec<Letter> {
        let mut blamed: Vec<_> = match failure {
            Failure::Refused(refusals) => {
                assert!(
                    !refusals.is_empty(),
                    "the sink {} refuses a batch and names no record",
                    self.kind
                );
                let input_of = |record: usize| write.input_of.get(record).copied();
                let blame = |refusal: &connect_api::RejectedRecord| {
                    let input = input_of(refusal.record);
                    let input = input.expect("a sink refuses only records of the batch");
                    (input, refusal.cause.clone())
                };
                refusals.iter().map(blame).collect()
            }
            // It is the only input of the write.
            Failure::RefusedSomewhere(cause) => match write.inputs().as_slice() {
                [only] => vec![(*only, cause.clone())],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        blamed.sort_by_key(|(index, _)| *index);
        blamed.dedup_by_key(|(index, _)| *index);
        blamed.retain(|(index, _)| isolation.is_open(*index));
        let letter = |(index, cause)| Letter {
            index,
            origin: prepared.origin(index).clone(),
            rejection: Rejection::of_sink(self.kind, &cause)
                .showing_values(self.errors.show_values),
            lane: Some(self.name.clone()),
        };
        blamed.into_iter().map(letter).collect()
    }

    /// Delivers the letters of records that the sink refused.
    pub(super) async fn dead_letter(
        &mut self,
        isolation: &mut Isolation<'_>,
        letters: Vec<Letter>,
    ) -> Result<(), Ended> {
        let rejects = self.rejects.clone();
        let mut rejects = rejects.lock().await;
        rejects.count(&seen_after(isolation, &letters));
        self.dead_letter_with(&mut rejects, isolation, letters)
            .await
    }

    async fn dead_letter_with(
        &mut self,
        rejects: &mut Rejects,
        isolation: &mut Isolation<'_>,
        letters: Vec<Letter>,
    ) -> Result<(), Ended> {
        let meters = self.meters.clone();
        let mut settled = |index, end| {
            isolation.settle(index);
            meters.ended(end);
        };
        let delivered = rejects.dead_letter(&self.waiting, letters, &mut settled);
        Ok(delivered.await?)
    }

    pub(super) async fn discard(&mut self, isolation: &mut Isolation<'_>, letters: &[Letter]) {
        let rejects = self.rejects.clone();
        let mut rejects = rejects.lock().await;
        rejects.count(&seen_after(isolation, letters));
        self.discard_with(&mut rejects, isolation, letters);
    }

    fn discard_with(
        &self,
        rejects: &mut Rejects,
        isolation: &mut Isolation<'_>,
        letters: &[Letter],
    ) {
        let meters = self.meters.clone();
        let mut settled = |index, end| {
            isolation.settle(index);
            meters.ended(end);
        };
        rejects.discard(&self.waiting, letters, &mut settled);
    }

    /// Ends the batch before the record, and returns the message for the user.
    pub(super) fn stop_before(
        &mut self,
        isolation: &mut Isolation<'_>,
        bad: Option<&Letter>,
    ) -> Option<String> {
        let bad = bad?;
        self.give_back(isolation.cut_before(bad.index));
        Some(bad.rejection.explain(&self.waiting.connector, &bad.origin))
    }
}

/// How many inputs were read after each of these.
pub(super) fn seen_after(isolation: &Isolation<'_>, letters: &[Letter]) -> Vec<u64> {
    let letters = letters.iter();
    letters
        .map(|letter| isolation.seen_after(letter.index))
        .collect()
}
