//! The state of a search for refused records, and its result.

use std::ops::Range;
use std::time::Instant;

use connect_api::{Batch, RejectedRecord};

use crate::failure::WriteError;
use crate::order::Segment;
use crate::verdict::refusal_cause;

/// The result of a search.
#[derive(Debug)]
pub(super) struct SearchResult {
    /// Source records that are refused, in order.
    pub(super) refused: Vec<Failed>,
    /// Those that were written, in order.
    pub(super) written: Vec<usize>,
    /// Why the records after the refused ones are not judged yet.
    pub(super) waits: Option<WriteError>,
    /// Time ran out.
    pub(super) is_cut_off: bool,
}

/// A source record that cannot be written after those before it.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) source: usize,
    pub(super) error: WriteError,
    /// It is retried later, in another transaction.
    pub(super) is_waited_for: bool,
    /// A later record of the batch may write the missing row.
    pub(super) may_come: bool,
}

/// A search under way.
pub(super) struct Search<'a> {
    pub(super) batch: &'a Batch<'a>,
    /// The records that each source record became.
    pub(super) sources: &'a [Range<usize>],
    /// The segments of the whole batch; the segments of a piece are parts of them.
    pub(super) needed: Vec<Segment>,
    pub(super) all: Vec<Segment>,
    pub(super) until: Instant,
    pub(super) failed: Vec<Failed>,
    /// The number of source records that were tried.
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

    /// Adds identified records, in order. Returns their source records.
    pub(super) fn named(&mut self, named: Vec<RejectedRecord>) -> Vec<usize> {
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

    /// The first source record that failed for a missing row, if a record after it succeeded and may have written the row.
    pub(super) fn first_to_try_again(&mut self) -> Option<usize> {
        self.failed.sort_by_key(|failed| failed.source);
        let index = self.failed.iter().position(|failed| failed.may_come)?;
        let first = self.failed.get(index)?.source;
        let failed_after = self.failed.len() - index - 1;
        let written_after = self.reached.saturating_sub(first + 1 + failed_after);
        (written_after > 0 && !self.is_over()).then_some(first)
    }

    pub(super) fn found(mut self) -> SearchResult {
        // Drop records that were identified before their turn, which was not reached.
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
        SearchResult {
            refused: self.failed,
            written,
            waits: waits
                .filter(|failed| failed.is_waited_for)
                .map(|failed| failed.error),
            is_cut_off,
        }
    }
}

/// The rejection of these source records, each by its first record.
pub(super) fn refused(failed: Vec<Failed>, sources: &[Range<usize>]) -> WriteError {
    let refusals = failed.into_iter().map(|failed| {
        let records = sources.get(failed.source);
        let records = records.expect("only source records of the batch fail");
        RejectedRecord {
            record: records.start,
            cause: refusal_cause(&failed.error),
        }
    });
    WriteError::refused(refusals.collect())
}

/// The records of each source record: consecutive ones with the same origin.
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

/// The parts of the segments within these records.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use connect_api::Cause;

    use super::*;

    const REFUSED: (bool, bool) = (false, false);
    const MAY_COME: (bool, bool) = (false, true);
    const WAITED_FOR: (bool, bool) = (true, false);
    const BOTH: (bool, bool) = (true, true);

    fn failed(source: usize, (is_waited_for, may_come): (bool, bool)) -> Failed {
        Failed {
            source,
            error: WriteError::fatal(Cause::new(source.to_string())),
            is_waited_for,
            may_come,
        }
    }

    /// A search over ten source records, out of time or not.
    fn search(batch: &Batch<'_>, is_over: bool, check: impl FnOnce(Search<'_>)) {
        let sources: Vec<Range<usize>> = (0..10).map(|source| source..source + 1).collect();
        let now = Instant::now();
        check(Search {
            batch,
            sources: &sources,
            needed: Vec::new(),
            all: Vec::new(),
            until: if is_over {
                now
            } else {
                now + Duration::from_secs(3_600)
            },
            failed: Vec::new(),
            reached: 10,
        });
    }

    #[test]
    fn what_is_judged_ends_before_what_is_open() {
        type Case<'a> = (
            &'a str,
            bool,
            usize,
            &'a [(usize, (bool, bool))],
            &'a [usize],
            Option<&'a str>,
        );
        let cases: [Case; 7] = [
            ("nothing", false, 10, &[], &[], None),
            (
                "all at once",
                false,
                10,
                &[(7, REFUSED), (2, REFUSED)],
                &[2, 7],
                None,
            ),
            (
                "one is waited for",
                false,
                10,
                &[(2, REFUSED), (5, WAITED_FOR), (7, REFUSED)],
                &[2],
                Some("5"),
            ),
            (
                "the first is waited for",
                false,
                10,
                &[(2, BOTH), (7, REFUSED)],
                &[],
                Some("2"),
            ),
            (
                "a parent that did not come",
                false,
                10,
                &[(2, MAY_COME), (7, REFUSED)],
                &[2, 7],
                None,
            ),
            (
                "a parent that may come, and no time",
                true,
                9,
                &[(1, REFUSED), (2, MAY_COME), (7, REFUSED)],
                &[1],
                None,
            ),
            (
                "named before its turn, and no time",
                true,
                4,
                &[(1, REFUSED), (7, REFUSED)],
                &[1],
                None,
            ),
        ];
        let batch = Batch::new(Vec::new(), Vec::new());
        for (name, is_over, reached, list, refused, waits) in cases {
            search(&batch, is_over, |mut search| {
                search.reached = reached;
                search.failed = list
                    .iter()
                    .map(|(source, how)| failed(*source, *how))
                    .collect();
                let found = search.found();
                let sources: Vec<usize> =
                    found.refused.iter().map(|failed| failed.source).collect();
                assert_eq!(sources, refused, "{name}");
                let waits_for = found.waits.map(|error| error.cause().to_string());
                assert_eq!(waits_for.as_deref(), waits, "{name}");
                let bad = list.iter().filter(|(source, _)| *source < reached).count();
                assert_eq!(found.written.len(), reached - bad, "{name}");
                assert_eq!(found.is_cut_off, is_over, "{name}");
            });
        }
    }

    #[test]
    fn it_is_tried_again_if_something_was_written_behind_it() {
        type Case<'a> = (&'a str, bool, &'a [(usize, (bool, bool))], Option<usize>);
        let cases: [Case; 5] = [
            ("no parent is missing", false, &[(2, REFUSED)], None),
            (
                "others behind it were written",
                false,
                &[(2, MAY_COME)],
                Some(2),
            ),
            ("it is the last", false, &[(9, MAY_COME)], None),
            (
                "all behind it failed as well",
                false,
                &[(8, MAY_COME), (9, REFUSED)],
                None,
            ),
            ("no time is left", true, &[(2, MAY_COME)], None),
        ];
        let batch = Batch::new(Vec::new(), Vec::new());
        for (name, is_over, list, expected) in cases {
            search(&batch, is_over, |mut search| {
                search.failed = list
                    .iter()
                    .map(|(source, how)| failed(*source, *how))
                    .collect();
                assert_eq!(search.first_to_try_again(), expected, "{name}");
            });
        }
    }

    #[test]
    fn a_piece_has_the_parts_of_the_segments() {
        let segment = |records: Range<usize>| Segment { records };
        let segments = [segment(0..3), segment(3..4), segment(4..9)];
        type Case<'a> = (Range<usize>, &'a [(usize, usize)]);
        let cases: [Case; 4] = [
            (0..9, &[(0, 3), (3, 4), (4, 9)]),
            (1..2, &[(1, 2)]),
            (2..6, &[(2, 3), (3, 4), (4, 6)]),
            (8..9, &[(8, 9)]),
        ];
        for (records, expected) in cases {
            let found = parts(&segments, &records);
            let expected: Vec<Segment> = expected
                .iter()
                .map(|(start, end)| segment(*start..*end))
                .collect();
            assert_eq!(found, expected, "{records:?}");
        }
    }
}
