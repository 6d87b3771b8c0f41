//! A limit of so many events of each kind in a period, with a count of those left out: pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Each kind has a period of its own, which begins with its first event.
#[derive(Debug)]
pub(super) struct RateLimit<K> {
    most: u32,
    period: Duration,
    periods: BTreeMap<K, Period>,
}

#[derive(Debug)]
struct Period {
    began: Instant,
    admitted: u32,
    left_out: u64,
}

impl<K: Ord + Copy> RateLimit<K> {
    pub(super) fn new(most: u32, period: Duration) -> RateLimit<K> {
        RateLimit {
            most,
            period,
            periods: BTreeMap::new(),
        }
    }

    /// Whether one more event may be shown now. Otherwise it is counted as left out.
    pub(super) fn admits(&mut self, kind: K, now: Instant) -> bool {
        let period = self.periods.entry(kind).or_insert(Period {
            began: now,
            admitted: 0,
            left_out: 0,
        });
        if now.saturating_duration_since(period.began) >= self.period {
            // What was left out before stays counted until it is taken.
            period.began = now;
            period.admitted = 0;
        }
        let admits = period.admitted < self.most;
        if admits {
            period.admitted += 1;
        } else {
            period.left_out += 1;
        }
        admits
    }

    /// How many were left out of each kind whose period is over. They are forgotten with it.
    pub(super) fn take_over(&mut self, now: Instant) -> Vec<(K, u64)> {
        let length = self.period;
        self.take(|period| now.saturating_duration_since(period.began) >= length)
    }

    /// As [`RateLimit::take_over`], of every period.
    pub(super) fn take_all(&mut self) -> Vec<(K, u64)> {
        self.take(|_| true)
    }

    fn take(&mut self, is_taken: impl Fn(&Period) -> bool) -> Vec<(K, u64)> {
        let taken = self.periods.extract_if(.., |_, period| is_taken(period));
        taken
            .map(|(kind, period)| (kind, period.left_out))
            .filter(|(_, left_out)| *left_out > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens at which second.
    type Steps<'a> = &'a [(u64, Step)];

    enum Step {
        /// So many events of a kind, of which so many are admitted.
        Events(char, u64, u64),
        /// The periods that are over are taken.
        Over(&'static [(char, u64)]),
        /// All periods are taken.
        All(&'static [(char, u64)]),
    }

    #[test]
    fn so_many_are_admitted_in_a_period_and_each_other_one_is_counted_once() {
        use Step::{All, Events, Over};
        let cases: [(&str, Steps<'_>); 7] = [
            (
                "fewer than the limit",
                &[(0, Events('a', 3, 3)), (60, Over(&[])), (60, All(&[]))],
            ),
            (
                "more than the limit",
                &[
                    (0, Events('a', 5, 3)),
                    (59, Over(&[])),
                    (60, Over(&[('a', 2)])),
                    (61, All(&[])),
                ],
            ),
            (
                "each kind has its own",
                &[
                    (0, Events('a', 4, 3)),
                    (30, Events('b', 5, 3)),
                    (60, Over(&[('a', 1)])),
                    (90, Over(&[('b', 2)])),
                ],
            ),
            (
                "the next period admits again",
                &[
                    (0, Events('a', 4, 3)),
                    (60, Over(&[('a', 1)])),
                    (60, Events('a', 5, 3)),
                    (120, Over(&[('a', 2)])),
                ],
            ),
            (
                "a period that nobody took goes on counting",
                &[
                    (0, Events('a', 5, 3)),
                    (60, Events('a', 4, 3)),
                    (119, Over(&[])),
                    (120, Over(&[('a', 3)])),
                ],
            ),
            (
                "at the stop",
                &[
                    (0, Events('a', 20_004, 3)),
                    (1, All(&[('a', 20_001)])),
                    (1, All(&[])),
                ],
            ),
            ("nothing", &[(60, Over(&[])), (60, All(&[]))]),
        ];
        let start = Instant::now();
        for (name, steps) in cases {
            let mut limit = RateLimit::new(3, Duration::from_secs(60));
            for (second, step) in steps {
                let now = start + Duration::from_secs(*second);
                match step {
                    Events(kind, count, expected) => {
                        let admitted = (0..*count).filter(|_| limit.admits(*kind, now)).count();
                        assert_eq!(admitted as u64, *expected, "{name}, at {second}");
                    }
                    Over(expected) => {
                        assert_eq!(limit.take_over(now), *expected, "{name}, at {second}")
                    }
                    All(expected) => assert_eq!(limit.take_all(), *expected, "{name}, at {second}"),
                }
            }
        }
    }
}
