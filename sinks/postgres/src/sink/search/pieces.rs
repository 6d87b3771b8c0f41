//! Selects the next piece of a batch in the search for refused records.
//!
//! The size of pieces is halved after a failure, and doubled after two successes. So one refused record among n costs about
//! 2·log₂ n attempts, and n refused records cost n, where plain halving takes 2n.

use std::collections::BTreeSet;
use std::ops::Range;

/// The range of source records that are not judged yet, and the size of the next piece.
#[derive(Debug)]
pub(super) struct Pieces {
    next: usize,
    end: usize,
    /// Identified before their turn.
    left_out: BTreeSet<usize>,
    size: usize,
    was_kept: bool,
}

impl Pieces {
    /// After a batch of `end` source records failed as a whole.
    pub(super) fn new(end: usize) -> Pieces {
        Pieces {
            next: 0,
            end,
            left_out: BTreeSet::new(),
            size: half(end),
            was_kept: false,
        }
    }

    /// The next piece; `None` once all are judged.
    pub(super) fn piece(&mut self) -> Option<Range<usize>> {
        while self.left_out.remove(&self.next) {
            self.next += 1;
        }
        let end = self.end.min(self.next.saturating_add(self.size));
        let end = self.left_out.first().map_or(end, |first| end.min(*first));
        (self.next < end).then_some(self.next..end)
    }

    /// The piece was written.
    pub(super) fn kept(&mut self, piece: &Range<usize>) {
        self.next = piece.end;
        if self.was_kept {
            self.size = self.size.saturating_mul(2);
        }
        self.was_kept = true;
    }

    /// The piece failed: a part of it is next, unless it was a single source record, which is now judged.
    pub(super) fn failed(&mut self, piece: &Range<usize>) {
        self.was_kept = false;
        self.size = half(piece.len());
        if piece.len() == 1 {
            self.next = piece.end;
        }
    }

    /// These source records of the piece are judged; the others are tried again.
    pub(super) fn leave_out(&mut self, sources: impl Iterator<Item = usize>) {
        self.left_out.extend(sources);
    }
}

fn half(size: usize) -> usize {
    (size / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found where these are bad, and after how many attempts.
    fn search(count: usize, is_bad: impl Fn(usize) -> bool) -> (Vec<usize>, usize) {
        let mut pieces = Pieces::new(count);
        let (mut found, mut attempts, mut judged) = (Vec::new(), 0, 0);
        while let Some(piece) = pieces.piece() {
            assert_eq!(piece.start, judged, "in order, and none twice");
            attempts += 1;
            if !piece.clone().any(&is_bad) {
                judged = piece.end;
                pieces.kept(&piece);
                continue;
            }
            if piece.len() == 1 {
                found.push(piece.start);
                judged = piece.end;
            }
            pieces.failed(&piece);
        }
        assert_eq!(judged, count, "all are judged");
        (found, attempts)
    }

    #[test]
    fn the_bad_ones_are_found_in_few_attempts() {
        type Case = (&'static str, fn(usize) -> bool, usize);
        let cases: [Case; 6] = [
            ("none", |_| false, 2),
            ("all", |_| true, 5_012),
            ("the first", |index| index == 0, 35),
            ("the last", |index| index == 4_999, 14),
            ("one in between", |index| index == 1_234, 37),
            ("every second", |index| index % 2 == 1, 5_012),
        ];
        for (name, is_bad, most) in cases {
            let (found, attempts) = search(5_000, is_bad);
            let expected: Vec<usize> = (0..5_000).filter(|index| is_bad(*index)).collect();
            assert_eq!(found, expected, "{name}");
            assert!(attempts <= most, "{name}: {attempts} attempts");
        }
    }

    #[test]
    fn what_is_left_out_is_not_tried() {
        let cases: [(&[usize], &[Range<usize>]); 5] = [
            (&[], &[0..4, 4..8]),
            (&[0], &[1..5, 5..8]),
            (&[2, 3], &[0..2, 4..8]),
            (&[7], &[0..4, 4..7]),
            (&[0, 1, 2, 3, 4, 5, 6, 7], &[]),
        ];
        for (left_out, expected) in cases {
            let mut pieces = Pieces::new(8);
            pieces.leave_out(left_out.iter().copied());
            let mut tried = Vec::new();
            while let Some(piece) = pieces.piece() {
                pieces.kept(&piece);
                tried.push(piece);
            }
            assert_eq!(tried, expected, "{left_out:?}");
        }
    }
}
