//! Stopping: drain, abandon what is left at the grace deadline, and leave behind what cannot be abandoned.

use std::convert::Infallible;
use std::time::Duration;

use connect_api::Guarantee;
use connect_api::text::counted;

use crate::control::Stop;
use crate::status::Meters;

/// How long an abandoned task may take to end.
const LEAVE_BEHIND_AFTER: Duration = Duration::from_secs(2);

/// Cancels `abandon` once `drain` is cancelled and the grace period has passed; never returns.
pub(crate) async fn enforce_grace(
    connector: &str,
    meters: &Meters,
    stop: &Stop,
    grace: Duration,
) -> Infallible {
    stop.drain.cancelled().await;
    tokio::select! {
        () = tokio::time::sleep(grace) => {
            let status = meters.status();
            let in_flight = status.counters.in_flight;
            tracing::warn!(
                event = "grace_passed",
                %connector,
                grace_seconds = grace.as_secs(),
                in_flight,
                "{}",
                abandoned(grace, in_flight, status.guarantee)
            );
            stop.abandon.cancel();
        }
        () = stop.abandon.cancelled() => {}
    }
    std::future::pending().await
}

/// The consequence for records that did not finish within the grace period.
fn abandoned(grace: Duration, in_flight: u64, guarantee: Guarantee) -> String {
    let again = match guarantee {
        Guarantee::OnceFromPoll => "polled again",
        _ => "replayed",
    };
    let promise = match guarantee {
        Guarantee::AtLeastOnce => "no loss; some may be written twice",
        Guarantee::ExactlyOnceReadCommitted => {
            "no loss, no duplicates for readers of committed records"
        }
        Guarantee::ExactlyOnce | Guarantee::OnceFromPoll => "no loss, no duplicates",
    };
    let verb = if in_flight == 1 { "is" } else { "are" };
    format!(
        "grace period of {} s exceeded: {} in flight {verb} {again} at the next start ({promise})",
        grace.as_secs(),
        counted(in_flight, "record"),
    )
}

/// Returns when the process ends and nothing is waited for any more. A plugin that loops cannot be stopped from outside, and
/// restarting its connector would only add another thread that loops.
pub(crate) async fn left_behind(stop: &Stop) {
    stop.exit.cancelled().await;
    stop.abandon.cancelled().await;
    tokio::time::sleep(LEAVE_BEHIND_AFTER).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_abandoned_is_counted_and_promises_what_the_guarantee_does() {
        let cases = [
            (
                Guarantee::ExactlyOnce,
                312,
                "312 records in flight are replayed at the next start (no loss, no duplicates)",
            ),
            (
                Guarantee::ExactlyOnce,
                1,
                "1 record in flight is replayed at the next start (no loss, no duplicates)",
            ),
            (
                Guarantee::ExactlyOnceReadCommitted,
                2,
                "2 records in flight are replayed at the next start (no loss, no duplicates for readers of committed records)",
            ),
            (
                Guarantee::AtLeastOnce,
                2,
                "2 records in flight are replayed at the next start (no loss; some may be written twice)",
            ),
            (
                Guarantee::OnceFromPoll,
                0,
                "0 records in flight are polled again at the next start (no loss, no duplicates)",
            ),
        ];
        for (guarantee, in_flight, expected) in cases {
            let text = abandoned(Duration::from_secs(20), in_flight, guarantee);
            assert_eq!(text, format!("grace period of 20 s exceeded: {expected}"));
        }
    }
}
