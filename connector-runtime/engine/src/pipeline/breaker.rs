//! `stop_after`: counts rejects among the latest records; the policy stops the connector before a flood of dead letters.

use std::collections::VecDeque;

use crate::config::StopAfter;

/// Counts rejects in a sliding window of source records.
pub(crate) struct Breaker {
    window: u64,
    /// The numbers (by arrival) of the rejects inside the window.
    rejects: VecDeque<u64>,
    seen: u64,
}

impl Breaker {
    pub(crate) fn new(limit: StopAfter) -> Breaker {
        Breaker {
            window: u64::from(limit.in_last),
            rejects: VecDeque::new(),
            seen: 0,
        }
    }

    /// One more source record: the window moves.
    pub(crate) fn see(&mut self) {
        self.seen += 1;
        while self
            .rejects
            .front()
            .is_some_and(|number| number + self.window <= self.seen)
        {
            self.rejects.pop_front();
        }
    }

    /// The record seen last, or one that was counted as good before it, is rejected.
    pub(crate) fn reject(&mut self) {
        self.rejects.push_back(self.seen);
    }

    /// Rejects inside the window.
    pub(crate) fn lately(&self) -> usize {
        self.rejects.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rejects_inside_the_window_count() {
        // (in_last, records: x is a reject, rejects lately after each)
        let cases = [
            (10, "..x...x", vec![0, 0, 1, 1, 1, 1, 2]),
            (4, "x....x", vec![1, 1, 1, 1, 0, 1]),
            (4, "x..x", vec![1, 1, 1, 2]),
            (1, "x.x", vec![1, 0, 1]),
            (100, "xxx", vec![1, 2, 3]),
            (3, "xx.x", vec![1, 2, 2, 2]),
        ];
        for (in_last, records, expected) in cases {
            let mut breaker = Breaker::new(StopAfter {
                rejects: 2,
                in_last,
            });
            let lately: Vec<usize> = records
                .chars()
                .map(|record| {
                    breaker.see();
                    if record == 'x' {
                        breaker.reject();
                    }
                    breaker.lately()
                })
                .collect();
            assert_eq!(lately, expected, "{in_last}: {records}");
        }
    }

    #[test]
    fn a_late_refusal_counts() {
        let mut breaker = Breaker::new(StopAfter {
            rejects: 2,
            in_last: 10,
        });
        breaker.see();
        breaker.reject();
        breaker.reject();
        assert_eq!(breaker.lately(), 2);
    }
}
