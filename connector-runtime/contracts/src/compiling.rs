//! Runs schema compilers on a thread of their own, with a large stack and a deadline.
//!
//! Compiling recurses through the schema, which is untrusted. A compilation that exceeds the deadline continues in the
//! background and ends, because the size of every schema is bounded.

use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::oneshot;

/// The system allocates only the pages that are used.
const STACK_BYTES: usize = 64 << 20;
/// For one schema with everything that it refers to.
const DEADLINE: Duration = Duration::from_secs(30);

const PANICKED: &str = "the schema compiler panicked";

/// Returns the result of `compile`, or why there is none within [`DEADLINE`]. Blocks the calling thread.
pub(crate) fn on_own_thread<T: Send + 'static>(
    compile: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    within(DEADLINE, compile)
}

fn within<T: Send + 'static>(
    deadline: Duration,
    compile: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, compiled) = mpsc::channel();
    // After the deadline the receiver is gone.
    start(move || drop(sender.send(compile())))?;
    compiled
        .recv_timeout(deadline)
        .map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => late(deadline),
            mpsc::RecvTimeoutError::Disconnected => PANICKED.to_owned(),
        })
}

/// As [`on_own_thread`], without blocking the runtime. Not `spawn_blocking`, because a runtime waits for its blocking threads
/// when it shuts down.
pub(crate) async fn on_own_thread_async<T: Send + 'static>(
    compile: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, compiled) = oneshot::channel();
    start(move || drop(sender.send(compile())))?;
    match tokio::time::timeout(DEADLINE, compiled).await {
        Ok(compiled) => compiled.map_err(|_| PANICKED.to_owned()),
        Err(_) => Err(late(DEADLINE)),
    }
}

fn start(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    std::thread::Builder::new()
        .name("schema".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(work)
        .map(drop)
        .map_err(|error| format!("the thread that compiles it cannot be started: {error}"))
}

fn late(deadline: Duration) -> String {
    format!("compiling it takes longer than {} s", deadline.as_secs())
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_compiled_within_a_deadline_on_a_large_stack_and_a_panic_is_an_error() {
        fn deep(levels: usize) -> usize {
            let page = std::hint::black_box([0_u8; 1024]);
            match levels {
                0 => usize::from(page[0]),
                _ => 1 + deep(levels - 1),
            }
        }
        // About 40 MB: the 2 MiB of a test's thread are not enough.
        assert_eq!(on_own_thread(|| deep(20_000)), Ok(20_000));

        let (release, hold) = mpsc::channel::<()>();
        let late = within(Duration::ZERO, move || hold.recv());
        assert_eq!(late, Err("compiling it takes longer than 0 s".to_owned()));
        drop(release);

        let panicked: Result<(), String> = on_own_thread(|| panic!("of a test"));
        assert_eq!(panicked, Err("the schema compiler panicked".to_owned()));
    }

    #[tokio::test]
    async fn the_runtime_is_not_blocked_while_a_schema_is_compiled() {
        let (release, hold) = mpsc::channel();
        // This runtime has one thread: it has to poll the second future while the first waits.
        let compiled = on_own_thread_async(move || hold.recv());
        let (compiled, sent) = tokio::join!(compiled, async move { release.send(7) });
        assert_eq!((compiled, sent), (Ok(Ok(7)), Ok(())));
    }
}
