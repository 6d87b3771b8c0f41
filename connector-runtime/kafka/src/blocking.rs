//! librdkafka's calls block; here they leave the runtime.

use std::sync::mpsc;
use std::time::Duration;

use connect_api::Cause;

/// Runs a blocking call on a thread that may block.
pub(crate) async fn off_the_runtime<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Cause> {
    tokio::task::spawn_blocking(call)
        .await
        .map_err(|error| Cause::new(format!("a call of the Kafka client broke off: {error}")))
}

/// Runs the end of a client on a thread of its own and waits no longer than this. Who does not come back in time is left
/// behind: a hanging broker must not keep a process alive.
pub(crate) fn with_deadline(deadline: Duration, end: impl FnOnce() + Send + 'static) -> bool {
    let (ended, wait) = mpsc::channel();
    let spawned = std::thread::Builder::new()
        .name("kafka-close".to_owned())
        .spawn(move || {
            end();
            // Nobody may be waiting any more.
            let _ = ended.send(());
        });
    spawned.is_ok() && wait.recv_timeout(deadline).is_ok()
}
