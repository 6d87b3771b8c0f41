//! What becomes of each input of a batch in one lane.

use super::Isolation;
use crate::status::BatchEnd;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Part of the write of its range.
    Written,
    Filtered,
    /// Rejected by preparation or by the lane's `when`, not settled yet.
    Rejected,
    /// Dead-lettered or discarded, and counted: part of no write.
    Settled,
    /// Already durable in this lane; it was read for another lane.
    Had,
    /// Its partition was revoked or reassigned.
    NotOurs,
}

/// What became of an input in one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneEnd {
    Written,
    Filtered,
    /// Dead-lettered or discarded.
    Settled,
    /// Already durable in this lane; it was read for another lane.
    Had,
    GivenBack,
}

impl Isolation<'_> {
    /// This rejected input is dead-lettered or discarded, and counted: it is part of no further write.
    pub(crate) fn settle(&mut self, index: usize) {
        assert!(self.is_open(index), "an input has one end");
        self.set_fate(index, Fate::Settled);
    }

    /// Whether this input is not settled, and was ours at the last [`Self::drop_stale`].
    pub(crate) fn is_open(&self, index: usize) -> bool {
        !matches!(self.fate(index), Fate::NotOurs | Fate::Settled | Fate::Had)
    }

    /// Whether this lane takes no record of the input, without rejecting it.
    pub(crate) fn filters(&self, index: usize) -> bool {
        self.fate(index) == Fate::Filtered
    }

    /// How many inputs of the batch were read after this one.
    pub(crate) fn seen_after(&self, index: usize) -> u64 {
        (self.fates.len() - index - 1) as u64
    }

    pub(super) fn fate(&self, index: usize) -> Fate {
        let fate = self.fates.get(index).copied();
        fate.expect("each input of the batch has a fate")
    }

    pub(super) fn set_fate(&mut self, index: usize, fate: Fate) {
        let slot = self.fates.get_mut(index);
        *slot.expect("each input of the batch has a fate") = fate;
    }

    /// What became of an input in this lane, once the batch is over.
    pub(crate) fn end_of(&self, index: usize) -> LaneEnd {
        let is_done = !self.ranges.iter().any(|range| range.contains(&index));
        match self.fate(index) {
            Fate::Settled => LaneEnd::Settled,
            Fate::Had => LaneEnd::Had,
            Fate::Written if is_done => LaneEnd::Written,
            Fate::Filtered if is_done => LaneEnd::Filtered,
            Fate::Written | Fate::Filtered | Fate::Rejected | Fate::NotOurs => LaneEnd::GivenBack,
        }
    }
}

/// Counts an input whose range is written.
pub(super) fn count(end: &mut BatchEnd, fate: Fate) {
    match fate {
        Fate::Written => end.delivered += 1,
        Fate::Filtered => end.filtered += 1,
        Fate::Settled | Fate::Had | Fate::NotOurs => {}
        Fate::Rejected => {
            unreachable!("progress never passes a rejected record before something became of it")
        }
    }
}
