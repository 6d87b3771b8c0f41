//! The signals that stop a task, and how a task ended.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use connect_api::Cause;

/// How long a plugin or a client may take to close its connections.
pub(crate) const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The two ways to stop, in this order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    /// Drain: accept no new work, finish what is in flight.
    pub(crate) drain: CancellationToken,
    /// Abandon what is in flight: the next start replays it harmlessly.
    pub(crate) abandon: CancellationToken,
    /// The whole process ends, not only this connector.
    pub(crate) exit: CancellationToken,
}

impl Stop {
    /// A stop for a part of this task, which stops with the whole or alone.
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
    /// Everything read is durable, or given back if it was abandoned.
    Stopped,
    /// A source has no more records.
    Finished,
    /// The connector stays stopped until the user acts. The text can have several lines.
    Failed(String),
    /// Something outside is not ready: a table, a grant, a password. The connector is retried periodically, after its file is
    /// reread.
    Unready(Cause),
    /// An unexpected end: the connector restarts after a delay.
    Crashed(Cause),
}

impl From<Cause> for TaskEnd {
    /// A client or a plugin that cannot be opened.
    fn from(cause: Cause) -> TaskEnd {
        TaskEnd::Unready(cause)
    }
}

/// The message of a panic of a thread or task.
pub(crate) fn panic_cause(doing: &str, panic: &(dyn std::any::Any + Send)) -> Cause {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Cause::new(format!("panic while {doing}: {text}"))
}
