//! Detects a predecessor that is frozen in the middle of a COPY.
//!
//! The server terminates a session that is idle in a transaction for 10 s ([`crate::transaction`]). In a COPY it is not idle: it
//! waits for its client's next bytes until `statement_timeout`, and holds the rows of progress meanwhile. No server timeout fits,
//! because the same statement may be working for minutes; the network cannot tell either, because the operating system of a frozen
//! process still acknowledges packets. So the task that waits for the rows looks up the sessions that hold them, and terminates a
//! session that has waited for its client in the same COPY, without reading a byte, at every check for 10 s. A live client sends
//! encoded rows without a pause; a single message that takes longer than that would look frozen, because the server counts whole
//! messages.
//!
//! Terminating any session is safe: the server rolls back its transaction with its progress, and a client that was only slow
//! reconnects and finds its partitions taken over. Only sessions of the same connector are terminated, by their
//! `application_name`, and the server lets a role terminate only its own sessions (and those of roles that it is a member of).

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The same time as the limit of idle sessions in a transaction.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Sessions that hold progress and waited for their client in a COPY, with the time of the first such check. The key of a session
/// changes when it reads a byte.
#[derive(Debug, Default)]
pub(super) struct Frozen(HashMap<String, Instant>);

impl Frozen {
    /// The sessions that have been unchanged for long enough: if the next check finds them unchanged, they are terminated.
    pub(super) fn due(&self, now: Instant) -> Vec<&str> {
        let long_ago = |since: &Instant| now.duration_since(*since) >= PATIENCE;
        let due = self.0.iter().filter(|(_, since)| long_ago(since));
        due.map(|(session, _)| &**session).collect()
    }

    /// Records the result of a check. Sessions that are not in it have read something or ended.
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
    fn only_sessions_that_are_unchanged_for_long_enough_are_due() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        // The checks at these seconds find these sessions; then the expected ones are due.
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
        // A session that read something, or was not waiting at one check, starts over.
        check(&[(0, &["a 1"]), (5, &["a 2"])], 14, &[]);
        check(&[(0, &["a 1"]), (5, &["a 2"])], 15, &["a 2"]);
        check(&[(0, &["a 1"]), (5, &[]), (6, &["a 1"])], 15, &[]);
        check(&[(0, &["a 1"]), (5, &["a 1", "b 1"])], 10, &["a 1"]);
        check(&[(0, &["a 1"]), (5, &["a 1", "b 1"])], 15, &["a 1", "b 1"]);
    }
}
