//! Compiling a schema on a thread of its own: compiling recurses through the schema, which a registry or a stranger wrote, and
//! must end in time. What is still at work after the deadline ends by itself, for every schema is bounded.

use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::oneshot;

/// Pages of it that are not used are never taken from the system.
const STACK_BYTES: usize = 64 << 20;
/// For one schema, with all that it refers to.
const DEADLINE: Duration = Duration::from_secs(30);

const PANICKED: &str = "the compiler of schemas panicked";

/// What `compile` makes within [`DEADLINE`], or why it made nothing. Blocks the thread that calls.
pub(crate) fn apart<T: Send + 'static>(
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

/// As [`apart`], while the worker of tokio that calls does other work. Not on tokio's threads for blocking work: a runtime
/// waits for these when it ends.
pub(crate) async fn apart_from_the_runtime<T: Send + 'static>(
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
        .map_err(|error| format!("no thread can be started for it: {error}"))
}

fn late(deadline: Duration) -> String {
    format!("it is not compiled after {} s", deadline.as_secs())
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_compiled_within_a_deadline_on_a_stack_of_its_own_and_a_panic_is_its_fault() {
        fn deep(levels: usize) -> usize {
            let page = std::hint::black_box([0_u8; 1024]);
            match levels {
                0 => usize::from(page[0]),
                _ => 1 + deep(levels - 1),
            }
        }
        // About 40 MB: the 2 MiB of a test's thread are not enough.
        assert_eq!(apart(|| deep(20_000)), Ok(20_000));

        let (release, hold) = mpsc::channel::<()>();
        let late = within(Duration::ZERO, move || hold.recv());
        assert_eq!(late, Err("it is not compiled after 0 s".to_owned()));
        drop(release);

        let panicked: Result<(), String> = apart(|| panic!("of a test"));
        assert_eq!(panicked, Err("the compiler of schemas panicked".to_owned()));
    }

    #[tokio::test]
    async fn the_runtime_goes_on_while_a_schema_is_compiled() {
        let (release, hold) = mpsc::channel();
        // This runtime has one thread: it has to poll the second future while the first waits.
        let compiled = apart_from_the_runtime(move || hold.recv());
        let (compiled, sent) = tokio::join!(compiled, async move { release.send(7) });
        assert_eq!((compiled, sent), (Ok(Ok(7)), Ok(())));
    }
}
