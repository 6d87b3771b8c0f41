//! What follows when the tasks of a connector have ended: a pure decision.

use std::time::Duration;

use connect_api::Cause;

use crate::control::TaskEnd;

/// The next thing to do with a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// STOPPED.
    Stopped,
    /// FAILED, until a person acts.
    Failed(String),
    /// FAILED (or WAITING for credentials), then tried again after this long with its file read again.
    TryAgain { after: Duration, cause: Cause },
    /// RESTARTING, then RUNNING again after this long.
    Restart { after: Duration, reason: String },
}

/// The worst of several ends counts: one that needs the user before one that is retried.
pub(crate) fn worst(ends: Vec<TaskEnd>) -> TaskEnd {
    let rank = |end: &TaskEnd| match end {
        TaskEnd::Failed(_) => 4,
        TaskEnd::Unready(_) => 3,
        TaskEnd::Crashed(_) => 2,
        TaskEnd::Finished => 1,
        TaskEnd::Stopped => 0,
    };
    ends.into_iter()
        .max_by_key(rank)
        .unwrap_or(TaskEnd::Stopped)
}

/// `ends` counts the consecutive unexpected ends, including this one.
pub(crate) fn next(end: TaskEnd, stopping: bool, ends: u32) -> Next {
    match end {
        TaskEnd::Stopped | TaskEnd::Finished => Next::Stopped,
        TaskEnd::Failed(text) => Next::Failed(text),
        TaskEnd::Unready(cause) if stopping => Next::Failed(cause.to_string()),
        TaskEnd::Unready(cause) => {
            let seconds = 5u64 << ends.saturating_sub(1).min(6);
            Next::TryAgain {
                after: Duration::from_secs(seconds.min(300)),
                cause,
            }
        }
        TaskEnd::Crashed(_) if stopping => Next::Stopped,
        TaskEnd::Crashed(cause) => {
            let seconds = 1u64 << ends.saturating_sub(1).min(6);
            Next::Restart {
                after: Duration::from_secs(seconds.min(60)),
                reason: cause.to_string(),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_end_counts() {
        let crashed = || TaskEnd::Crashed(Cause::new("panic"));
        let failed = || TaskEnd::Failed("bad record".to_owned());
        let check =
            |ends: Vec<TaskEnd>, expected: Next| assert_eq!(next(worst(ends), false, 1), expected);
        check(vec![TaskEnd::Stopped, TaskEnd::Finished], Next::Stopped);
        check(
            vec![crashed(), failed(), TaskEnd::Stopped],
            Next::Failed("bad record".to_owned()),
        );
        let restart = Next::Restart {
            after: Duration::from_secs(1),
            reason: "panic".to_owned(),
        };
        check(vec![TaskEnd::Stopped, crashed()], restart);
        let unready = || TaskEnd::Unready(Cause::new("no table"));
        let try_again = Next::TryAgain {
            after: Duration::from_secs(5),
            cause: Cause::new("no table"),
        };
        check(vec![crashed(), unready(), TaskEnd::Stopped], try_again);
        check(
            vec![unready(), failed()],
            Next::Failed("bad record".to_owned()),
        );
        check(Vec::new(), Next::Stopped);
    }

    #[test]
    fn what_is_not_ready_is_tried_again_after_five_seconds_to_five_minutes() {
        let delay = |ends| match next(TaskEnd::Unready(Cause::new("x")), false, ends) {
            Next::TryAgain { after, .. } => after.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!([1, 2, 6, 7, 100].map(delay), [5, 10, 160, 300, 300]);
        assert_eq!(
            next(TaskEnd::Unready(Cause::new("x")), true, 1),
            Next::Failed("x".to_owned())
        );
    }

    #[test]
    fn crashes_back_off_to_a_minute_and_a_stop_ends_them() {
        let delay = |crashes| match next(TaskEnd::Crashed(Cause::new("x")), false, crashes) {
            Next::Restart { after, .. } => after.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!([1, 2, 3, 7, 100].map(delay), [1, 2, 4, 60, 60]);
        assert_eq!(
            next(TaskEnd::Crashed(Cause::new("x")), true, 1),
            Next::Stopped
        );
    }
}
