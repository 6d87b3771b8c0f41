//! Ending a predecessor that is frozen in the middle of a COPY.
//!
//! The server ends a session that stays idle in a transaction for 10 s ([`crate::transaction`]). In a COPY it is not
//! idle: it waits for its client's next bytes until `statement_timeout`, and holds the rows of progress meanwhile. No
//! timeout of the server fits, because the same statement may as well be working for minutes; and the network cannot
//! tell, because the system of a frozen process goes on answering for it. So whoever waits for the rows looks who holds
//! them, and ends a session that at every look for 10 s waits for its client in the same COPY and has read nothing.
//! A client that is alive sends without a pause what is encoded already; one message of it that takes longer than that to
//! arrive would look frozen too, because the server counts whole messages.
//!
//! Ending it is safe, whoever it was: the server rolls its transaction back, progress included, and a client that was
//! only slow connects again and finds its partitions taken over. Only sessions of the same connector are ended, by their
//! `application_name`, and the server lets a role end none but its own (and those of roles that it is a member of).

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// As long as a session may be idle in a transaction.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Sessions that hold progress and waited for their client in a COPY when they were looked at. A session is told by what
/// changes when it reads anything.
#[derive(Debug, Default)]
pub(super) struct Frozen(HashMap<String, Instant>);

impl Frozen {
    /// Those that were seen exactly so long enough ago: seen once more, they are to be ended.
    pub(super) fn due(&self, now: Instant) -> Vec<&str> {
        let long_ago = |since: &Instant| now.duration_since(*since) >= PATIENCE;
        let due = self.0.iter().filter(|(_, since)| long_ago(since));
        due.map(|(session, _)| &**session).collect()
    }

    /// What a look found; all others have moved, or are gone.
    pub(super) fn seen(&mut self, sessions: Vec<String>, now: Instant) {
        let before = std::mem::take(&mut self.0);
        let since = |session: String| {
            let since = before.get(&session).copied().unwrap_or(now);
            (session, since)
        };
        self.0 = sessions.into_iter().map(since).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_still_for_long_enough_is_due() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        // At each of these seconds a look finds these sessions; then these are due.
        let check = |looks: &[(u64, &[&str])], now: u64, expected: &[&str]| {
            let mut frozen = Frozen::default();
            for (second, sessions) in looks {
                let sessions = sessions.iter().map(|session| (*session).to_owned());
                frozen.seen(sessions.collect(), at(*second));
            }
            let mut due = frozen.due(at(now));
            due.sort_unstable();
            assert_eq!(due, expected, "{looks:?} at {now}");
        };
        check(&[], 100, &[]);
        check(&[(0, &["a 1"])], 9, &[]);
        check(&[(0, &["a 1"])], 10, &["a 1"]);
        check(&[(0, &["a 1"]), (5, &["a 1"])], 10, &["a 1"]);
        // It read something, or was elsewhere at one look: it begins anew.
        check(&[(0, &["a 1"]), (5, &["a 2"])], 14, &[]);
        check(&[(0, &["a 1"]), (5, &["a 2"])], 15, &["a 2"]);
        check(&[(0, &["a 1"]), (5, &[]), (6, &["a 1"])], 15, &[]);
        check(&[(0, &["a 1"]), (5, &["a 1", "b 1"])], 10, &["a 1"]);
        check(&[(0, &["a 1"]), (5, &["a 1", "b 1"])], 15, &["a 1", "b 1"]);
    }
}
