//! What a search for refused records has found so far, and what follows from it.

use std::ops::Range;
use std::time::Instant;

use connect_api::{Batch, Refusal};

use crate::failure::WriteError;
use crate::order::Segment;
use crate::verdict::refusal_cause;

/// What a search found.
#[derive(Debug)]
pub(super) struct Found {
    /// Source records that are refused, in order.
    pub(super) refused: Vec<Failed>,
    /// Those that were written, in order.
    pub(super) written: Vec<usize>,
    /// Why those behind the refused ones are not judged yet.
    pub(super) waits: Option<WriteError>,
    /// Time ran out.
    pub(super) is_cut_off: bool,
}

/// A source record that cannot be written after those before it.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) source: usize,
    pub(super) error: WriteError,
    /// It is tried again later, in another transaction.
    pub(super) is_waited_for: bool,
    /// A later record of the batch may write the row that it needs.
    pub(super) may_come: bool,
}

/// A search under way.
pub(super) struct Search<'a> {
    pub(super) batch: &'a Batch<'a>,
    /// The records that each source record became.
    pub(super) sources: &'a [Range<usize>],
    /// The segments of the whole batch: those of a piece are parts of them.
    pub(super) needed: Vec<Segment>,
    pub(super) all: Vec<Segment>,
    pub(super) until: Instant,
    pub(super) failed: Vec<Failed>,
    /// So many source records were looked at.
    pub(super) reached: usize,
}

impl Search<'_> {
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    pub(super) fn records_of(&self, piece: &Range<usize>) -> Range<usize> {
        let of = |source: usize| {
            self.sources
                .get(source)
                .expect("a piece is of the batch's source records")
        };
        of(piece.start).start..of(piece.end - 1).end
    }

    /// Notes records, in order, that are refused by name. Returns their source records.
    pub(super) fn named(&mut self, named: Vec<Refusal>) -> Vec<usize> {
        let mut sources = Vec::new();
        for refusal in named {
            let is_before = |records: &Range<usize>| records.end <= refusal.record;
            let source = self.sources.partition_point(is_before);
            if sources.last() == Some(&source) {
                continue;
            }
            sources.push(source);
            self.failed.push(Failed {
                source,
                error: WriteError::refused(vec![refusal]),
                is_waited_for: false,
                may_come: false,
            });
        }
        sources
    }

    /// The first source record that failed for want of a row which may be there by now: something was written after it.
    pub(super) fn first_to_try_again(&mut self) -> Option<usize> {
        self.failed.sort_by_key(|failed| failed.source);
        let index = self.failed.iter().position(|failed| failed.may_come)?;
        let first = self.failed.get(index)?.source;
        let failed_after = self.failed.len() - index - 1;
        let written_after = self.reached.saturating_sub(first + 1 + failed_after);
        (written_after > 0 && !self.is_over()).then_some(first)
    }

    pub(super) fn found(mut self) -> Found {
        // Some may be refused by name before their turn, which did not come.
        self.failed.retain(|failed| failed.source <= self.reached);
        self.failed.sort_by_key(|failed| failed.source);
        let has_failed = |source: &usize| {
            let failed = self
                .failed
                .binary_search_by_key(source, |failed| failed.source);
            failed.is_ok()
        };
        let written = (0..self.reached)
            .filter(|source| !has_failed(source))
            .collect();
        let is_cut_off = self.is_over();
        let is_open = |failed: &Failed| failed.is_waited_for || (failed.may_come && is_cut_off);
        let judged = self
            .failed
            .iter()
            .take_while(|failed| !is_open(failed))
            .count();
        let waits = self.failed.drain(judged..).next();
        Found {
            refused: self.failed,
            written,
            waits: waits
                .filter(|failed| failed.is_waited_for)
                .map(|failed| failed.error),
            is_cut_off,
        }
    }
}

/// The refusals of these source records, each by its first record.
pub(super) fn refused(failed: Vec<Failed>, sources: &[Range<usize>]) -> WriteError {
    let refusals = failed.into_iter().map(|failed| {
        let records = sources.get(failed.source);
        let records = records.expect("only source records of the batch fail");
        Refusal {
            record: records.start,
            cause: refusal_cause(&failed.error),
        }
    });
    WriteError::refused(refusals.collect())
}

/// The records of each source record: those with one origin, side by side.
pub(super) fn sources_of(batch: &Batch<'_>) -> Vec<Range<usize>> {
    let mut start = 0;
    let of_source = batch.records.chunk_by(|left, right| {
        let (left, right) = (&left.origin, &right.origin);
        left.offset == right.offset
            && left.partition == right.partition
            && left.topic == right.topic
    });
    of_source
        .map(|records| {
            let end = start + records.len();
            std::mem::replace(&mut start, end)..end
        })
        .collect()
}

/// The segments as far as they lie in these records.
pub(super) fn parts(segments: &[Segment], records: &Range<usize>) -> Vec<Segment> {
    let part = |segment: &Segment| {
        let start = segment.records.start.max(records.start);
        let end = segment.records.end.min(records.end);
        (start < end).then_some(Segment {
            records: start..end,
        })
    };
    segments.iter().filter_map(part).collect()
}
