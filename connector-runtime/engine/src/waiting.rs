//! The waits of a task in an outage: it asks the policy, shows and logs the cause, and waits.

use std::sync::Arc;
use std::time::Duration;

use connect_api::{Cause, Failure, Result, time};

use crate::backoff::Backoff;
use crate::control::{Stop, TaskEnd};
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::status::{Meters, Reason, Waiter};
use connect_config::ErrorsConfig;

/// The waits of one task.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) connector: Arc<str>,
    pub(crate) task: u32,
    /// The lane that waits. `None`: the task as a whole.
    pub(crate) lane: Option<usize>,
    pub(crate) meters: Meters,
    pub(crate) stop: Stop,
}

impl Waiting {
    /// Repeats `attempt` until it succeeds, or until the policy does not retry. A stop does not end it: select on the stop.
    pub(crate) async fn insist<T, F: Future<Output = Result<T>>>(
        &self,
        stage: Stage,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, TaskEnd> {
        let errors = ErrorsConfig::default();
        let mut backoff = Backoff::new();
        loop {
            let failure = match attempt().await {
                Ok(done) => {
                    self.over();
                    return Ok(done);
                }
                Err(failure) => failure,
            };
            let attempts = Attempts {
                next_delay: backoff.next_delay(),
                ..Attempts::default()
            };
            match decide(stage, &failure, &errors, &attempts) {
                Directive::RetryIn(delay) => {
                    self.show("connector_waits", &failure.cause(), Some(delay));
                    backoff.grow();
                    tokio::time::sleep(delay).await;
                }
                Directive::End(end) => return Err(end),
                other => unreachable!("no record takes part in {stage:?}, so not {other:?}"),
            }
        }
    }

    /// Shows and logs the cause of a wait. `delay` is `None` if the client itself retries.
    pub(crate) fn show(&self, event: &'static str, why: &Cause, delay: Option<Duration>) {
        let retry_at_ms = delay.map(|delay| time::now_ms() + delay.as_millis() as i64);
        self.meters.waiting(self.waiter(), why, retry_at_ms);
        tracing::warn!(
            event,
            connector = %self.connector,
            task = self.task,
            delay_ms = delay.map(|delay| delay.as_millis() as u64),
            cause = %why,
        );
    }

    /// Shows, logs and waits; a stop ends the wait, and with it the task.
    pub(crate) async fn wait(
        &self,
        event: &'static str,
        why: &Failure,
        delay: Duration,
    ) -> std::result::Result<(), TaskEnd> {
        self.show(event, &why.cause(), Some(delay));
        tokio::select! {
            () = tokio::time::sleep(delay) => Ok(()),
            () = self.stop.drain.cancelled() => Err(TaskEnd::Stopped),
        }
    }

    /// As [`Waiting::wait`], before a write that is tried again.
    pub(crate) async fn retry(
        &self,
        event: &'static str,
        why: &Failure,
        delay: Duration,
    ) -> std::result::Result<(), TaskEnd> {
        self.meters.retried(self.lane);
        self.wait(event, why, delay).await
    }

    fn waiter(&self) -> Waiter {
        Waiter {
            task: self.task,
            lane: self.lane,
        }
    }

    /// The wait is over, which is logged.
    pub(crate) fn over(&self) {
        if let Some(reason) = self.meters.not_waiting(self.waiter()) {
            self.log_recovered(&reason);
        }
    }

    /// The task has opened its clients. If the connector was stopped because access was refused, that wait is over.
    pub(crate) fn opened(&self) {
        if let Some(reason) = self.meters.recovered() {
            self.log_recovered(&reason);
        }
    }

    fn log_recovered(&self, reason: &Reason) {
        let waited_ms = time::now_ms().saturating_sub(reason.since_ms).max(0);
        tracing::info!(
            event = "recovered",
            connector = %self.connector,
            task = self.task,
            waited_ms,
            code = reason.code,
            cause = reason.text,
        );
    }
}
