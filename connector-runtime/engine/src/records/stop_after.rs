//! `stop_after`: counts rejects among the first or the latest records; the policy stops the connector before a flood of
//! dead letters.

use std::collections::VecDeque;

use connect_config::StopAfter;

/// Counts rejected source records.
pub(crate) struct Breaker {
    among: Among,
    /// The numbers (by arrival, from 1) of the rejects that still count, in order.
    rejects: VecDeque<u64>,
    seen: u64,
    /// How many of the first records were filtered: as many more records are the first.
    filtered: u64,
}

/// The records whose rejects count.
#[derive(Clone, Copy)]
enum Among {
    /// So many at the beginning.
    First(u64),
    /// So many at the end: a sliding window.
    Latest(u64),
}

impl Breaker {
    /// `None`: no number of rejects stops the connector.
    pub(crate) fn new(stop_after: StopAfter) -> Option<Breaker> {
        let among = match stop_after {
            StopAfter::AllOfFirst(first) => Among::First(u64::from(first)),
            StopAfter::Rejects { in_last, .. } => Among::Latest(u64::from(in_last)),
            StopAfter::Never => return None,
        };
        Some(Breaker {
            among,
            rejects: VecDeque::new(),
            seen: 0,
            filtered: 0,
        })
    }

    /// One more source record: the window moves.
    pub(crate) fn see(&mut self) {
        self.seen += 1;
        while self
            .rejects
            .front()
            .is_some_and(|number| !self.counts(*number))
        {
            self.rejects.pop_front();
        }
    }

    /// The record that was seen last is filtered: neither the contract nor a sink rejects it, so it is no sign that the
    /// settings are right, and another record takes its place among the first.
    pub(crate) fn filter_last(&mut self) {
        if self.counts(self.seen) {
            self.filtered += 1;
        }
    }

    /// A record is rejected; so many were seen after it, because a sink judges a batch of which all records are seen.
    pub(crate) fn reject(&mut self, seen_after: u64) {
        let number = self.number(seen_after);
        if self.counts(number) {
            let later = self.rejects.partition_point(|other| *other <= number);
            self.rejects.insert(later, number);
        }
    }

    /// The most rejects among the records that count, wherever a window lies, if these are rejected as well: each by how
    /// many were seen after it.
    pub(crate) fn most_with(&self, seen_after: &[u64]) -> usize {
        let new = seen_after.iter().map(|after| self.number(*after));
        let mut numbers: Vec<u64> = self.rejects.iter().copied().chain(new).collect();
        numbers.sort_unstable();
        match self.among {
            Among::First(first) => {
                // A record that two lanes reject is one of the first records all the same.
                numbers.dedup();
                numbers.partition_point(|number| *number <= first + self.filtered)
            }
            Among::Latest(window) => most_in_window(&numbers, window),
        }
    }

    fn counts(&self, number: u64) -> bool {
        match self.among {
            Among::First(first) => number <= first + self.filtered,
            Among::Latest(window) => number + window > self.seen,
        }
    }

    fn number(&self, seen_after: u64) -> u64 {
        self.seen.saturating_sub(seen_after)
    }
}

/// The most of these numbers, which are sorted, that lie within one window.
fn most_in_window(numbers: &[u64], window: u64) -> usize {
    let in_window = |(index, number): (usize, &u64)| {
        let gone = numbers.partition_point(|other| *other + window <= *number);
        index + 1 - gone
    };
    numbers.iter().enumerate().map(in_window).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latest(in_last: u32) -> Breaker {
        let rejects = 2;
        Breaker::new(StopAfter::Rejects { rejects, in_last }).expect("a limit")
    }

    /// Sees records of which `x` is a reject and `-` is filtered; how many count after each.
    fn counted(breaker: &mut Breaker, records: &str) -> Vec<usize> {
        let after_each = records.chars().map(|record| {
            breaker.see();
            match record {
                'x' => breaker.reject(0),
                '-' => breaker.filter_last(),
                _ => {}
            }
            breaker.most_with(&[])
        });
        after_each.collect()
    }

    #[test]
    fn only_rejects_among_the_first_records_count() {
        // (how many are the first, records: x is a reject, rejects that count after each)
        let cases = [
            (3, "xxx", vec![1, 2, 3]),
            (3, "xx.xxx", vec![1, 2, 2, 2, 2, 2]),
            (3, ".xxxxx", vec![0, 1, 2, 2, 2, 2]),
            (3, "...xxx", vec![0, 0, 0, 0, 0, 0]),
            (100, "xx", vec![1, 2]),
            (3, "x--x-xx", vec![1, 1, 1, 2, 2, 3, 3]),
            (2, "--.xxx", vec![0, 0, 0, 1, 1, 1]),
            (2, "xx--xx", vec![1, 2, 2, 2, 2, 2]),
        ];
        for (first, records, expected) in cases {
            let mut breaker = Breaker::new(StopAfter::AllOfFirst(first)).expect("a limit");
            assert_eq!(
                counted(&mut breaker, records),
                expected,
                "{first}: {records}"
            );
        }
    }

    #[test]
    fn a_first_record_that_two_lanes_refuse_counts_once() {
        let mut breaker = Breaker::new(StopAfter::AllOfFirst(4)).expect("a limit");
        (0..6).for_each(|_| breaker.see());
        let refused = [5, 4, 3, 1, 0];
        assert_eq!(breaker.most_with(&refused), 3);
        refused.iter().for_each(|after| breaker.reject(*after));
        assert_eq!(breaker.most_with(&refused), 3);
        assert_eq!(breaker.most_with(&[2]), 4);
    }

    #[test]
    fn never_counts_nothing() {
        assert!(Breaker::new(StopAfter::Never).is_none());
    }

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
            (3, "x--x", vec![1, 1, 1, 1]),
        ];
        for (in_last, records, expected) in cases {
            let mut breaker = latest(in_last);
            assert_eq!(
                counted(&mut breaker, records),
                expected,
                "{in_last}: {records}"
            );
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
            let mut breaker = latest(in_last);
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
            let mut one_by_one = latest(in_last);
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
