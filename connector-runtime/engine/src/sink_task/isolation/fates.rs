//! What becomes of each input of a batch in one lane.

use super::Isolation;
use crate::status::BatchEnd;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is part of the write of its range.
    Written,
    Filtered,
    /// Rejected while it was prepared; nothing has become of it yet.
    Rejected,
    /// Rejected, and counted as dead-lettered or discarded: part of no write.
    Settled,
    /// This lane had it before it was read for another one.
    Had,
    /// Its partition belongs to somebody else now.
    NotOurs,
}

/// What became of an input in one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneEnd {
    Written,
    Filtered,
    /// Dead-lettered or discarded.
    Settled,
    /// This lane had it before it was read for another one.
    Had,
    GivenBack,
}

impl Isolation<'_> {
    /// Something became of this rejected input, and it is counted: it goes into no further write.
    pub(crate) fn settle(&mut self, index: usize) {
        assert!(self.is_open(index), "an input has one end");
        self.set_fate(index, Fate::Settled);
    }

    /// Whether nothing has become of this input and it was ours when [`Self::drop_stale`] last looked.
    pub(crate) fn is_open(&self, index: usize) -> bool {
        !matches!(self.fate(index), Fate::NotOurs | Fate::Settled | Fate::Had)
    }

    /// Whether this lane takes nothing of the input, without rejecting it.
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
