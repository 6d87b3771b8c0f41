//! Records per second, from snapshots of counters that only grow.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use connect_engine::{ConnectorStatus, Counters};

/// The period of the means.
const WINDOW: Duration = Duration::from_secs(5);

/// Records per second of one connector.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rate {
    pub(super) consumed: f64,
    pub(super) written: f64,
}

/// Remembers snapshots of the last seconds.
#[derive(Default)]
pub(crate) struct Rates {
    looks: VecDeque<(Instant, Vec<Totals>)>,
}

#[derive(Clone, Copy, Default)]
struct Totals {
    consumed: u64,
    written: u64,
}

impl Rates {
    /// Takes a snapshot and returns the rate of each connector.
    pub(crate) fn update(&mut self, now: Instant, statuses: &[ConnectorStatus]) -> Vec<Rate> {
        let totals: Vec<Totals> = statuses
            .iter()
            .map(|status| totals(&status.counters))
            .collect();
        self.looks.push_back((now, totals.clone()));
        // The oldest snapshot stays until the second one is old enough to replace it.
        while self
            .looks
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW)
        {
            self.looks.pop_front();
        }
        let Some((since, before)) = self.looks.front() else {
            return vec![Rate::default(); statuses.len()];
        };
        let seconds = now.duration_since(*since).as_secs_f64();
        let rate = |now: u64, before: u64| {
            if seconds > 0.0 {
                now.saturating_sub(before) as f64 / seconds
            } else {
                0.0
            }
        };
        totals
            .iter()
            .zip(before)
            .map(|(now, before)| Rate {
                consumed: rate(now.consumed, before.consumed),
                written: rate(now.written, before.written),
            })
            .collect()
    }
}

/// A sink counts rows, because one record may become many. A source counts delivered records.
fn totals(counters: &Counters) -> Totals {
    let written = if counters.rows > 0 {
        counters.rows
    } else {
        counters.delivered
    };
    Totals {
        consumed: counters.consumed,
        written,
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::status;
    use super::*;

    #[test]
    fn means_of_the_last_seconds() {
        let start = Instant::now();
        let mut rates = Rates::default();
        let mut look = |second: u64, consumed: u64, delivered: u64, rows: u64| {
            let mut status = status("sales");
            status.counters = Counters {
                consumed,
                delivered,
                rows,
                ..Counters::default()
            };
            rates.update(start + Duration::from_secs(second), &[status])
        };
        let rate = |consumed, written| vec![Rate { consumed, written }];
        assert_eq!(look(0, 0, 0, 0), rate(0.0, 0.0));
        assert_eq!(look(1, 50, 40, 0), rate(50.0, 40.0));
        assert_eq!(look(2, 100, 90, 300), rate(50.0, 150.0));
        assert_eq!(look(7, 100, 100, 300), rate(0.0, 0.0));
        assert_eq!(look(8, 350, 100, 300), rate(250.0 / 6.0, 0.0));
    }
}
