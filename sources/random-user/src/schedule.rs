//! The times of the fetches: a grid of ticks, and the last one that ran.

use std::time::Duration;

/// Ticks are the multiples of `every` since 1970, so that they do not drift and all processes agree on them. All
/// times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    every_ms: i64,
    last_tick_ms: Option<i64>,
}

impl Schedule {
    pub(crate) fn new(every: Duration, last_tick_ms: Option<i64>) -> Schedule {
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
        Schedule {
            every_ms,
            last_tick_ms,
        }
    }

    /// The tick that is due now, however many were missed before it; or the time until the next one.
    pub(crate) fn due(&mut self, now_ms: i64) -> Result<i64, Duration> {
        let current = now_ms - now_ms.rem_euclid(self.every_ms);
        match self.last_tick_ms {
            // The clock was set back. The current tick counts as done, because waiting for the old time could take
            // years.
            Some(last) if last >= current + self.every_ms => self.last_tick_ms = Some(current),
            Some(last) if last >= current => {}
            _ => return Ok(current),
        }
        let wait_ms = current.saturating_add(self.every_ms) - now_ms;
        Err(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(1)))
    }

    /// Marks this tick as done.
    pub(crate) fn ran(&mut self, tick_ms: i64) {
        self.last_tick_ms = Some(tick_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const MINUTE_MS: i64 = 60_000;

    #[test]
    fn what_is_due() {
        let check = |last: Option<i64>, now: i64, expected: Result<i64, u64>| {
            let found = Schedule::new(MINUTE, last).due(now);
            assert_eq!(
                found,
                expected.map_err(Duration::from_millis),
                "{last:?} at {now}"
            );
        };
        check(None, 90_000, Ok(60_000));
        check(Some(60_000), 90_000, Err(30_000));
        check(Some(60_000), 119_999, Err(1));
        check(Some(60_000), 120_000, Ok(120_000));
        // Missed ticks run once.
        check(Some(60_000), 1_000_000, Ok(960_000));
        // `every` has changed.
        check(Some(70_000), 90_000, Err(30_000));
        check(Some(70_000), 120_000, Ok(120_000));
        // The clock was set back by a year.
        check(Some(31_536_000_000), 90_000, Err(30_000));
    }

    #[test]
    fn sixty_minutes_are_sixty_ticks() {
        let mut schedule = Schedule::new(MINUTE, None);
        let mut now = 7_200_123;
        let mut ticks = Vec::new();
        while now < 7_200_123 + 60 * MINUTE_MS {
            match schedule.due(now) {
                Ok(tick) => {
                    ticks.push(tick);
                    // A fetch takes four seconds, and none starts before the previous one ended.
                    now += 4_000;
                    schedule.ran(tick);
                }
                Err(wait) => now += wait.as_millis() as i64,
            }
        }
        let expected: Vec<_> = (120..180).map(|minute| minute * MINUTE_MS).collect();
        assert_eq!(
            ticks,
            [expected, vec![180 * MINUTE_MS]].concat(),
            "the hour touches 61 ticks"
        );
    }

    #[test]
    fn a_fetch_longer_than_the_interval_skips_ticks() {
        let mut schedule = Schedule::new(MINUTE, None);
        assert_eq!(schedule.due(0), Ok(0));
        schedule.ran(0);
        assert_eq!(schedule.due(200_000), Ok(180_000));
    }

    #[test]
    fn a_clock_that_was_put_back_stops_nothing() {
        let mut schedule = Schedule::new(MINUTE, Some(31_536_000_000));
        assert!(schedule.due(90_000).is_err());
        assert_eq!(schedule.due(120_000), Ok(120_000));
    }
}
