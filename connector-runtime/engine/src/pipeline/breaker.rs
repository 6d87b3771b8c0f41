//! `stop_after`: too many rejects among the last records stop the connector before a flood of dead letters.

use std::collections::VecDeque;

use crate::config::StopAfter;

/// Counts rejects in a sliding window of source records.
pub(crate) struct Breaker {
    limit: StopAfter,
    /// The numbers (by arrival) of the rejects inside the window.
    rejects: VecDeque<u64>,
    seen: u64,
}

impl Breaker {
    pub(crate) fn new(limit: StopAfter) -> Breaker {
        Breaker {
            limit,
            rejects: VecDeque::new(),
            seen: 0,
        }
    }

    /// One more source record. `true` means that the connector must stop now, before this record's letter is sent.
    pub(crate) fn trips(&mut self, rejected: bool) -> bool {
        self.seen += 1;
        let window = u64::from(self.limit.in_last);
        while self
            .rejects
            .front()
            .is_some_and(|number| number + window <= self.seen)
        {
            self.rejects.pop_front();
        }
        if rejected {
            self.rejects.push_back(self.seen);
        }
        self.rejects.len() as u64 >= u64::from(self.limit.rejects)
    }

    /// A record that was counted as good was refused by the sink later.
    pub(crate) fn trips_late(&mut self) -> bool {
        self.rejects.push_back(self.seen);
        self.rejects.len() as u64 >= u64::from(self.limit.rejects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trips_at_the_limit_inside_the_window_only() {
        // (rejects, in_last, records: x is a reject, number of the record at which it trips)
        let cases = [
            (2, 10, "..x...x", Some(7)),
            (2, 4, "x....x", None),
            (2, 4, "x..x", Some(4)),
            (1, 1, "..x", Some(3)),
            (3, 100, "xxx", Some(3)),
            (3, 3, "xx.x", None),
        ];
        for (rejects, in_last, records, expected) in cases {
            let mut breaker = Breaker::new(StopAfter { rejects, in_last });
            let tripped = records
                .chars()
                .position(|c| breaker.trips(c == 'x'))
                .map(|at| at + 1);
            assert_eq!(tripped, expected, "{rejects} in {in_last}: {records}");
        }
    }

    #[test]
    fn a_late_refusal_counts() {
        let mut breaker = Breaker::new(StopAfter {
            rejects: 2,
            in_last: 10,
        });
        assert!(!breaker.trips(false));
        assert!(!breaker.trips_late());
        assert!(breaker.trips_late());
    }
}
