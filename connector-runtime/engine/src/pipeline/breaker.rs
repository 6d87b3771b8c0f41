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

    /// A record is rejected; so many were seen after it, because a sink judges a batch of which all records are seen.
    pub(crate) fn reject(&mut self, seen_after: u64) {
        let number = self.number(seen_after);
        if number + self.window > self.seen {
            let later = self.rejects.partition_point(|other| *other <= number);
            self.rejects.insert(later, number);
        }
    }

    /// The most rejects that any window has, if these are rejected as well: each by how many were seen after it.
    pub(crate) fn most_with(&self, seen_after: &[u64]) -> usize {
        let new = seen_after.iter().map(|after| self.number(*after));
        let mut numbers: Vec<u64> = self.rejects.iter().copied().chain(new).collect();
        numbers.sort_unstable();
        let in_window = |(index, number): (usize, &u64)| {
            let gone = numbers.partition_point(|other| *other + self.window <= *number);
            index + 1 - gone
        };
        numbers.iter().enumerate().map(in_window).max().unwrap_or(0)
    }

    fn number(&self, seen_after: u64) -> u64 {
        self.seen.saturating_sub(seen_after)
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
                        breaker.reject(0);
                    }
                    breaker.most_with(&[])
                })
                .collect();
            assert_eq!(lately, expected, "{in_last}: {records}");
        }
    }

    #[test]
    fn what_a_sink_refuses_counts_where_it_was_read() {
        // (in_last, rejects before the batch, the batch, most in a window with its rejects)
        let cases = [
            (10, "", "xxx.......", 3),
            (3, "", "x..x..x..x", 1),
            (3, "", "x..xx.x..x", 2),
            (100, "", "x..xx.x..x", 5),
            (4, "xx", "x..", 2),
            (4, "xx", ".........x", 1),
            (1, "x", "xxxx", 1),
        ];
        for (in_last, before, batch, expected) in cases {
            let mut breaker = Breaker::new(StopAfter {
                rejects: 2,
                in_last,
            });
            let see = |breaker: &mut Breaker, records: &str, rejects_at_once: bool| {
                for record in records.chars() {
                    breaker.see();
                    if rejects_at_once && record == 'x' {
                        breaker.reject(0);
                    }
                }
            };
            see(&mut breaker, before, true);
            see(&mut breaker, batch, false);
            let after: Vec<u64> = (0..)
                .zip(batch.chars().rev())
                .filter(|(_, record)| *record == 'x')
                .map(|(after, _)| after)
                .collect();
            assert_eq!(
                breaker.most_with(&after),
                expected,
                "{in_last}: {before} {batch}"
            );
            // Counted, they are as if each had been rejected when it was seen.
            let mut one_by_one = Breaker::new(StopAfter {
                rejects: 2,
                in_last,
            });
            see(&mut one_by_one, before, true);
            see(&mut one_by_one, batch, true);
            after.iter().for_each(|after| breaker.reject(*after));
            assert_eq!(
                breaker.rejects, one_by_one.rejects,
                "{in_last}: {before} {batch}"
            );
        }
    }
}
