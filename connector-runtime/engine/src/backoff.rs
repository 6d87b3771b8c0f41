//! How long to wait before something is tried again, and how often progress was superseded lately.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Waits that grow from 100 ms to 10 s, with jitter and without an end: an outage is waited out.
pub(crate) struct Backoff {
    next: Duration,
    later: ExponentialBackoff,
}

impl Backoff {
    pub(crate) fn new() -> Backoff {
        let builder = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            // The jitter adds up to 100 %.
            .with_max_delay(Duration::from_secs(5))
            .with_jitter()
            .without_max_times();
        let mut later = builder.build();
        Backoff {
            next: delay_of(&mut later),
            later,
        }
    }

    /// The delay before the next attempt.
    pub(crate) fn next_delay(&self) -> Duration {
        self.next
    }

    /// Grows the delay for the attempt after the next one.
    pub(crate) fn grow(&mut self) {
        self.next = delay_of(&mut self.later);
    }
}

fn delay_of(delays: &mut ExponentialBackoff) -> Duration {
    delays
        .next()
        .expect("an exponential backoff without a maximum of times never ends")
}

/// When progress was superseded within the last minute.
#[derive(Default)]
pub(crate) struct Supersessions(VecDeque<Instant>);

impl Supersessions {
    const WINDOW: Duration = Duration::from_secs(60);

    pub(crate) fn add(&mut self, now: Instant) {
        self.0.push_back(now);
    }

    /// How many within the last minute.
    pub(crate) fn lately(&mut self, now: Instant) -> usize {
        while self
            .0
            .front()
            .is_some_and(|first| now.duration_since(*first) > Self::WINDOW)
        {
            self.0.pop_front();
        }
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_to_its_limit_and_never_ends() {
        let mut backoff = Backoff::new();
        let delays: Vec<Duration> = (0..50)
            .map(|_| {
                let delay = backoff.next_delay();
                backoff.grow();
                delay
            })
            .collect();
        assert!(
            delays.iter().all(|delay| *delay <= Duration::from_secs(10)),
            "{delays:?}"
        );
        assert!(delays.first() < delays.last());
    }

    #[test]
    fn supersessions_are_forgotten_after_a_minute() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut supersessions = Supersessions::default();
        for second in 0..4 {
            supersessions.add(at(second));
        }
        let lately = [4, 60, 61, 63, 64].map(|second| supersessions.lately(at(second)));
        assert_eq!(lately, [4, 4, 3, 1, 0]);
    }
}
