//! Stopping: drain, let go at the grace deadline, and leave behind what cannot be let go of.

use std::convert::Infallible;
use std::time::Duration;

use crate::control::Stop;

/// How long what was let go of may take to end.
const LEAVE_BEHIND_AFTER: Duration = Duration::from_secs(2);

/// Cancels `abandon` once `drain` is cancelled and the grace period has passed; never returns.
pub(crate) async fn enforce_grace(connector: &str, stop: &Stop, grace: Duration) -> Infallible {
    stop.drain.cancelled().await;
    tokio::select! {
        () = tokio::time::sleep(grace) => {
            tracing::warn!(event = "grace_passed", %connector, grace_seconds = grace.as_secs());
            stop.abandon.cancel();
        }
        () = stop.abandon.cancelled() => {}
    }
    std::future::pending().await
}

/// Returns once nothing is waited for any more, because the process ends. A plugin that loops cannot be stopped from
/// outside, and to start its connector again beside it would only make one more thread that loops.
pub(crate) async fn left_behind(stop: &Stop) {
    stop.exit.cancelled().await;
    stop.abandon.cancelled().await;
    tokio::time::sleep(LEAVE_BEHIND_AFTER).await;
}
