//! How a running task is told to stop, and what it says when it ends.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use connect_api::Cause;

/// How long a plugin or a client may take to close its connections.
pub(crate) const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The two ways to stop, in this order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    /// Take nothing new, finish what is there.
    pub(crate) drain: CancellationToken,
    /// Let go at once: a restart repeats it harmlessly.
    pub(crate) abandon: CancellationToken,
    /// The whole process ends, not only this connector.
    pub(crate) exit: CancellationToken,
}

impl Stop {
    /// For a part of what runs: it is stopped with the rest, or alone.
    pub(crate) fn child(&self) -> Stop {
        Stop {
            drain: self.drain.child_token(),
            abandon: self.abandon.child_token(),
            exit: self.exit.clone(),
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.drain.is_cancelled() || self.abandon.is_cancelled()
    }
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TaskEnd {
    /// Everything taken is durable (or given back, if it was abandoned).
    Stopped,
    /// A source has nothing more to say.
    Finished,
    /// It stays stopped until a person acts. The text may have several lines.
    Failed(String),
    /// Something outside is not as it must be: a table, a grant, a password. It is tried again now and then, with its file
    /// read again.
    Unready(Cause),
    /// Nobody expected this: it is started again after a while.
    Crashed(Cause),
}

impl From<Cause> for TaskEnd {
    /// What clients and plugins say while they are opened.
    fn from(cause: Cause) -> TaskEnd {
        TaskEnd::Unready(cause)
    }
}

/// What a panic of a thread or task was about.
pub(crate) fn panic_cause(doing: &str, panic: &(dyn std::any::Any + Send)) -> Cause {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Cause::new(format!("panic while {doing}: {text}"))
}
