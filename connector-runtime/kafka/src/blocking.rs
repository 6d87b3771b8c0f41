//! Runs blocking calls of librdkafka on threads that may block.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use connect_api::Cause;

/// Runs a blocking call on a thread that may block.
pub(crate) async fn off_the_runtime<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Cause> {
    tokio::task::spawn_blocking(call).await.map_err(|error| {
        Cause::new(format!(
            "the Kafka client call was cancelled or panicked: {error}"
        ))
    })
}

/// Closes a client on a thread of its own, and waits at most until the deadline. A client that does not return in time is left
/// behind: a hanging broker must not keep a process alive.
pub(crate) fn with_deadline(deadline: Duration, end: impl FnOnce() + Send + 'static) -> bool {
    let (ended, wait) = mpsc::channel();
    let spawned = std::thread::Builder::new()
        .name("kafka-close".to_owned())
        .spawn(move || {
            end();
            // The caller may have stopped waiting.
            let _ = ended.send(());
        });
    spawned.is_ok() && wait.recv_timeout(deadline).is_ok()
}

/// A client that is shared by calls on other threads. Dropping the last handle does not wait for the client's end.
pub(crate) struct SharedClient<T: Send + Sync + 'static>(Option<Arc<T>>);

impl<T: Send + Sync + 'static> SharedClient<T> {
    pub(crate) fn new(client: T) -> SharedClient<T> {
        SharedClient(Some(Arc::new(client)))
    }

    /// Runs a blocking call with the client on a thread that may block.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        call: impl FnOnce(&T) -> R + Send + 'static,
    ) -> Result<R, Cause> {
        let client = self.0.clone();
        off_the_runtime(move || client.as_deref().map(call))
            .await?
            .ok_or_else(|| Cause::new("the Kafka client is closed"))
    }

    /// Waits for the client's end, no longer than this. A running call ends first.
    pub(crate) fn close(mut self, deadline: Duration) -> bool {
        let client = self.0.take();
        with_deadline(deadline, move || drop(client))
    }
}

impl<T: Send + Sync + 'static> Drop for SharedClient<T> {
    fn drop(&mut self) {
        if let Some(last) = self.0.take().and_then(Arc::into_inner) {
            with_deadline(Duration::ZERO, move || drop(last));
        }
    }
}
