//! How long to wait before something is tried again, and how often progress may be superseded.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Waits that grow from 100 ms to 10 s, with jitter and without an end: an outage is waited out.
pub(crate) struct Backoff(ExponentialBackoff);

impl Backoff {
    pub(crate) fn new() -> Backoff {
        let builder = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(10))
            .with_jitter()
            .without_max_times();
        Backoff(builder.build())
    }

    pub(crate) fn next_delay(&mut self) -> Duration {
        self.0.next().unwrap_or(Duration::from_secs(10))
    }
}

/// Five superseded batches within a minute are no hand-over any more: two groups share the progress.
#[derive(Default)]
pub(crate) struct Supersessions(VecDeque<Instant>);

impl Supersessions {
    const LIMIT: usize = 5;
    const WINDOW: Duration = Duration::from_secs(60);

    /// One more, at `now`. `true`: too many.
    pub(crate) fn too_many(&mut self, now: Instant) -> bool {
        self.0.push_back(now);
        while self
            .0
            .front()
            .is_some_and(|first| now.duration_since(*first) > Self::WINDOW)
        {
            self.0.pop_front();
        }
        self.0.len() >= Self::LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_to_its_limit_and_never_ends() {
        let mut backoff = Backoff::new();
        let delays: Vec<Duration> = (0..50).map(|_| backoff.next_delay()).collect();
        assert!(
            delays.iter().all(|delay| *delay <= Duration::from_secs(21)),
            "{delays:?}"
        );
        assert!(delays.first() < delays.last());
    }

    #[test]
    fn only_five_within_a_minute_are_too_many() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut slow = Supersessions::default();
        assert!((0..20).all(|n| !slow.too_many(at(n * 20))));
        let mut fast = Supersessions::default();
        let verdicts: Vec<bool> = (0..5).map(|n| fast.too_many(at(n))).collect();
        assert_eq!(verdicts, [false, false, false, false, true]);
    }
}
