//! Conformance suites: the promises of the plugin traits as checks. A crate runs them in a few lines:
//!
//! ```
//! use connect_api::{Result, Sink, async_trait};
//! use connect_testkit::conformance::{SinkUnderTest, check_sink};
//! use connect_testkit::{Memory, record};
//!
//! struct MySink(Memory);
//!
//! #[async_trait]
//! impl SinkUnderTest for MySink {
//!     async fn open(&mut self) -> Result<Box<dyn Sink>> {
//!         Ok(Box::new(self.0.sink()))
//!     }
//!
//!     async fn delivered(&mut self) -> Vec<i64> {
//!         self.0.offsets()
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(
//! check_sink(&mut MySink(Memory::default()))
//! # );
//! ```

mod accepting;
mod progress_store;
mod sink;
mod source;

pub use accepting::{AcceptingSinkUnderTest, check_accepting_sink};
pub use progress_store::{ProgressStoreUnderTest, check_progress_store};
pub use sink::{SinkUnderTest, check_sink};
pub use source::{SourceUnderTest, check_source};

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// Runs a check on a plugin that breaks a promise, and returns the text with which the check fails: for tests of the suites.
///
/// # Panics
///
/// If the check passes.
pub fn broken_promise(check: impl Future<Output = ()>) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without threads");
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(check)));
    let panic = ended.expect_err("a broken promise is found");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a panic with a text")).to_owned(),
    }
}

/// Runs a future up to its n-th wait and drops it there, as a shutdown at its deadline does. `Some` if it ends
/// earlier.
async fn cancelled<F: Future>(future: F, waits: u32) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = waits;
    std::future::poll_fn(|context| match Pin::as_mut(&mut future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            left = left.saturating_sub(1);
            match left {
                0 => Poll::Ready(None),
                _ => Poll::Pending,
            }
        }
    })
    .await
}
