//! Stopping: drain, and let go at the grace deadline.

use std::time::Duration;

use crate::control::Stop;

/// Cancels `abandon` once `drain` is cancelled and the grace period has passed.
pub(crate) async fn enforce_grace(stop: Stop, grace: Duration) {
    stop.drain.cancelled().await;
    tokio::select! {
        () = tokio::time::sleep(grace) => {
            tracing::warn!(event = "grace_passed", grace_seconds = grace.as_secs());
            stop.abandon.cancel();
        }
        () = stop.abandon.cancelled() => {}
    }
}
