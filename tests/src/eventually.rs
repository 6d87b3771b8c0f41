//! Waits for a condition, never for a time.

use std::time::{Duration, Instant};

/// Calls `probe` until it returns a value. At the deadline the test fails with `what` it waited for.
pub async fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(
            started.elapsed() < deadline,
            "waited {deadline:?} in vain: {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
