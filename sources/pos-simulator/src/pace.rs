//! The real time at which a sale is sent. No sale's content depends on it.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;

/// The limit of sales per poll …
pub(crate) const LARGEST_CHUNK: u64 = 1_000;
/// … and, below it, the period whose sales one poll returns, so that a low rate does not cause a poll per sale.
const CHUNK_INTERVAL: Duration = Duration::from_millis(100);
/// After a longer delay the simulator continues at the configured rate instead of catching up in one burst.
const LARGEST_DELAY: Duration = Duration::from_secs(1);

/// Maps the simulated clock to real time: a simulated day takes `sales_per_day / rate` seconds. If all hours are
/// equally busy, this is one sale every `1 / rate` seconds.
pub(crate) struct Pace {
    clock: Clock,
    seconds_per_day: f64,
    /// The real time at which this sale was due.
    anchor: Option<(Instant, u64)>,
    last_chunk: Option<Instant>,
}

impl Pace {
    /// `None` for a rate of 0, which needs no waiting.
    pub(crate) fn new(clock: Clock, rate: f64) -> Option<Pace> {
        (rate > 0.0).then(|| Pace {
            seconds_per_day: clock.sales_per_day() as f64 / rate,
            clock,
            anchor: None,
            last_chunk: None,
        })
    }

    /// Waits until sale `next` and the rest of its chunk are due, and returns the number of sales, at most `limit`.
    /// Cancel-safe: a dropped wait takes nothing.
    pub(crate) async fn due(&mut self, next: u64, limit: u64) -> u64 {
        let (begin, first) = *self.anchor.get_or_insert((Instant::now(), next));
        let due_at = |number: u64| begin + self.until(first, number);
        let full_at = due_at(next + limit.saturating_sub(1));
        let gathered_at = self
            .last_chunk
            .map_or(begin, |last| last + CHUNK_INTERVAL)
            .min(full_at);
        tokio::time::sleep_until(gathered_at.max(due_at(next))).await;

        let now = Instant::now();
        let due = 1 + count_while(limit.saturating_sub(1), |more| {
            due_at(next + 1 + more) <= now
        });
        let sent_up_to = due_at(next + due);
        if sent_up_to + LARGEST_DELAY < now {
            self.anchor = Some((now - LARGEST_DELAY, next + due));
        }
        self.last_chunk = Some(now);
        due
    }

    /// The real time from sale `first` to sale `number`.
    fn until(&self, first: u64, number: u64) -> Duration {
        let (from, to) = (
            self.clock.moment(first, 0.0),
            self.clock.moment(number, 0.0),
        );
        let days = to.days.saturating_sub(from.days) as f64
            + (to.milliseconds - from.milliseconds) / 86_400_000.0;
        Duration::try_from_secs_f64(days * self.seconds_per_day).unwrap_or_default()
    }
}

/// Counts how many of 0, 1, 2, … below `limit` satisfy a condition that is true up to some number and false above it.
fn count_while(limit: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, limit);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
