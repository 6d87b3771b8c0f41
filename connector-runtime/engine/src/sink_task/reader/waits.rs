//! Waits of the reader: a send, a question to a sink, a schema that is fetched.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::{POLL, Reader};
use crate::sink_task::feed::Feed;
use crate::sink_task::halves::WriterReport;

/// After this time a wait pauses the partitions and continues to poll.
pub(super) const LONG_WAIT: Duration = Duration::from_secs(5);

/// The runtime of the reader's timers. The reader has a thread of its own, so it blocks while it waits.
#[derive(Clone)]
pub(crate) enum Waits {
    Of(Handle),
    /// A runtime that runs only while the reader waits, which makes the order of events deterministic.
    #[cfg(test)]
    On(std::sync::Arc<tokio::runtime::Runtime>),
}

impl Waits {
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        match self {
            Waits::Of(engine) => engine.block_on(future),
            #[cfg(test)]
            Waits::On(runtime) => runtime.block_on(future),
        }
    }

    /// From here on the clock is that of the runtime, so that tests can pause it.
    pub(super) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        match self {
            Waits::Of(engine) => engine.enter(),
            #[cfg(test)]
            Waits::On(runtime) => runtime.enter(),
        }
    }
}

impl<F: Feed> Reader<F> {
    /// Every wait goes through this function. It takes reports meanwhile, and a long wait pauses the partitions and continues
    /// to poll, so that the group does not expel this member. `None`: abandoned.
    pub(super) fn wait_for<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        enum Next<T> {
            Done(T),
            WriterReport(WriterReport),
            Abandoned,
            Slice,
        }
        let runtime = self.parts.runtime.clone();
        let abandon = self.parts.stop.abandon.clone();
        let started = Instant::now();
        let mut paused = false;
        let mut future = pin!(future);
        let done = loop {
            let slice = if paused {
                Duration::from_millis(1)
            } else {
                LONG_WAIT
            };
            let reports = &mut self.parts.reports;
            let next = runtime.block_on(async {
                tokio::select! {
                    biased;
                    value = &mut future => Next::Done(value),
                    Some(report) = reports.recv() => Next::WriterReport(report),
                    () = abandon.cancelled() => Next::Abandoned,
                    () = tokio::time::sleep(slice) => Next::Slice,
                }
            });
            match next {
                Next::Done(value) => break Some(value),
                Next::Abandoned => break None,
                Next::WriterReport(report) => self.take_report(report),
                Next::Slice => {}
            }
            if !paused && started.elapsed() >= LONG_WAIT {
                self.pause(true);
                paused = true;
            }
            if paused && let Some(event) = self.parts.feed.poll(POLL) {
                self.handle(event);
            }
            self.commit_now_and_then();
        };
        if paused {
            self.pause(false);
        }
        done
    }

    fn pause(&mut self, on: bool) {
        self.waits_long = on;
        let feed = &mut self.parts.feed;
        let done = if on {
            feed.pause_all()
        } else {
            feed.resume_all()
        };
        if let Err(cause) = done {
            tracing::warn!(event = "pause_failed", connector = %self.parts.connector, %cause);
        }
    }
}
