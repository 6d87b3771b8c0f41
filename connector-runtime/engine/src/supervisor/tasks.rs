//! One connector: runs its tasks, and starts them again where that helps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_api::{Guarantee, time};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::state::{Next, next, worst};
use crate::config::{Connector, ConnectorKind};
use crate::control::{Stop, TaskEnd};
use crate::pipeline::other_names::OtherNames;
use crate::pipeline::start::FirstSights;
use crate::pipeline::task::{SinkTask, panic_cause};
use crate::source::SourceTask;
use crate::status::{Meters, State};
use crate::supervisor::Shared;

/// A run of this long without a crash makes the next crash the first one.
const HEALTHY: Duration = Duration::from_secs(60);

/// The meters of a connector as it is configured.
pub(crate) fn meters(connector: &Connector, embedded: bool) -> Meters {
    let name = connector.name.clone();
    match &connector.kind {
        ConnectorKind::Sink(sink) => {
            let guarantee = match sink.sink.factory.guarantee() {
                Guarantee::ExactlyOnceReadCommitted if embedded => Guarantee::AtLeastOnce,
                other => other,
            };
            Meters::new(name, "sink", sink.sink.kind, guarantee, sink.tasks)
        }
        ConnectorKind::Source(source) => Meters::new(
            name,
            "source",
            source.source.kind,
            Guarantee::OnceFromPoll,
            1,
        ),
    }
}

/// Runs until the connector is STOPPED or FAILED.
pub(crate) async fn supervise(
    connector: Arc<Connector>,
    shared: Shared,
    meters: Meters,
    stop: Stop,
) {
    let first_sights = FirstSights::default();
    let other_names = OtherNames::new(shared.names.clone());
    let mut crashes = 0;
    loop {
        meters.set_state(State::Running, None, None);
        tracing::info!(event = "connector_started", connector = %connector.name);
        let started = Instant::now();
        let end = run_once(
            &connector,
            &shared,
            &meters,
            &stop,
            &first_sights,
            &other_names,
        )
        .await;
        meters.give_back_in_flight();
        crashes = if started.elapsed() >= HEALTHY {
            1
        } else {
            crashes + 1
        };
        match next(end, stop.is_draining(), crashes) {
            Next::Stopped => {
                tracing::info!(event = "connector_stopped", connector = %connector.name);
                meters.set_state(State::Stopped, None, None);
                break;
            }
            Next::Failed(reason) => {
                tracing::error!(event = "connector_failed", connector = %connector.name, "{reason}");
                meters.set_state(State::Failed, Some(reason), None);
                break;
            }
            Next::Restart { after, reason } => {
                tracing::error!(event = "connector_restarting", connector = %connector.name, "{reason}");
                let at_ms = time::now_ms() + after.as_millis() as i64;
                meters.set_state(State::Restarting, Some(reason), Some(at_ms));
                tokio::select! {
                    () = tokio::time::sleep(after) => {}
                    () = stop.drain.cancelled() => {
                        meters.set_state(State::Stopped, None, None);
                        break;
                    }
                }
            }
        }
    }
    if let Some(backlog) = shared.cluster.backlog() {
        backlog.forget(&connector.name);
    }
}

/// Runs all tasks; the first that ends by itself takes the others with it, drained.
async fn run_once(
    connector: &Connector,
    shared: &Shared,
    meters: &Meters,
    stop: &Stop,
    first_sights: &FirstSights,
    other_names: &OtherNames,
) -> TaskEnd {
    let stop = Stop {
        drain: stop.drain.child_token(),
        ..stop.clone()
    };
    let mut tasks = JoinSet::new();
    match &connector.kind {
        ConnectorKind::Sink(sink) => {
            let sink = Arc::new(sink.clone());
            for task in 0..sink.tasks {
                let task = SinkTask {
                    name: connector.name.clone(),
                    connector: sink.clone(),
                    task,
                    cluster: shared.cluster.clone(),
                    contracts: shared.contracts.clone(),
                    process_id: shared.process_id.clone(),
                    first_sights: first_sights.clone(),
                    other_names: other_names.clone(),
                    meters: meters.clone(),
                    stop: stop.clone(),
                };
                spawn(&mut tasks, &shared.workers, task.run());
            }
        }
        ConnectorKind::Source(source) => {
            let task = SourceTask {
                name: connector.name.clone(),
                connector: Arc::new(source.clone()),
                cluster: shared.cluster.clone(),
                contracts: shared.contracts.clone(),
                meters: meters.clone(),
                stop: stop.clone(),
            };
            spawn(&mut tasks, &shared.workers, task.run());
        }
    }
    let mut ends = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        stop.drain.cancel();
        ends.push(match ended {
            Ok(end) => end,
            Err(error) if error.is_panic() => {
                TaskEnd::Crashed(panic_cause("running", error.into_panic().as_ref()))
            }
            Err(_) => TaskEnd::Stopped,
        });
    }
    worst(ends)
}

/// Tasks run on the workers' runtime, the supervisor on its own thread: a busy task delays no look at the others.
fn spawn(
    tasks: &mut JoinSet<TaskEnd>,
    workers: &Handle,
    task: impl Future<Output = TaskEnd> + Send + 'static,
) {
    tasks.spawn_on(task, workers);
}
