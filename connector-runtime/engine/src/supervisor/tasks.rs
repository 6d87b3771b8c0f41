//! One connector: runs its tasks, and restarts them if that helps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_api::text::one_line;
use connect_api::{Cause, Guarantee, time};
use tokio::task::JoinSet;

use super::attention::Working;
use super::shutdown;
use super::state::{Next, next, worst};
use super::workers::Workers;
use crate::cluster::Cluster;
use crate::control::{Stop, TaskEnd, panic_cause};
use crate::sink_task::{FirstSights, OtherNames, SinkTask};
use crate::source_task::SourceTask;
use crate::status::{ConnectorState, Counters, LaneStatus, Meters, REFUSALS};
use crate::supervisor::ProcessContext;
use connect_config::{ConfiguredSink, Connector, ConnectorKind};

/// After a run of this length a crash counts as the first one.
const HEALTHY: Duration = Duration::from_secs(60);

/// The meters of a connector as it is configured.
pub(crate) fn meters(connector: &Connector, cluster: &Cluster) -> Meters {
    let name = connector.name.clone();
    match &connector.kind {
        ConnectorKind::Sink(sink) => {
            let lane = |configured: &ConfiguredSink| {
                let home = cluster.progress_home(configured.factory.progress_home());
                LaneStatus {
                    name: configured.name.clone(),
                    plugin: configured.kind,
                    guarantee: home.guarantee(),
                    counters: Counters::default(),
                    reason: None,
                }
            };
            let lanes: Vec<LaneStatus> = sink.sinks.iter().map(lane).collect();
            let first = lanes.first().expect("a connector has a sink");
            // A connector promises what its weakest lane does.
            let weakest = lanes.iter().map(|lane| lane.guarantee).min();
            let weakest = weakest.expect("a connector has a sink");
            Meters::new(name, "sink", first.plugin, weakest, sink.tasks).with_lanes(lanes)
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

/// Runs until the connector is STOPPED or FAILED. `true`: it was abandoned, not drained.
pub(crate) async fn supervise(
    connector: Arc<Connector>,
    shared: ProcessContext,
    meters: Meters,
    stop: Stop,
    working: Working,
) -> bool {
    let let_go = match Workers::new(&connector.name, task_count(&connector)) {
        Ok(workers) => {
            let running = keep_running(
                connector.clone(),
                &shared,
                &workers,
                &meters,
                &stop,
                working,
            );
            running.await
        }
        Err(cause) => {
            fail(&connector, &meters, cause.to_string());
            false
        }
    };
    if let Some(backlog) = shared.access.cluster.backlog() {
        backlog.forget(&connector.name);
    }
    let_go
}

/// The name and the type of each sink.
fn sinks(connector: &Connector) -> impl Iterator<Item = (Arc<str>, &'static str)> {
    let sinks = match &connector.kind {
        ConnectorKind::Sink(sink) => sink.sinks.as_slice(),
        ConnectorKind::Source(_) => &[],
    };
    sinks.iter().map(|sink| (sink.name.clone(), sink.kind))
}

async fn keep_running(
    mut connector: Arc<Connector>,
    shared: &ProcessContext,
    workers: &Workers,
    meters: &Meters,
    stop: &Stop,
    mut working: Working,
) -> bool {
    let first_sights = FirstSights::default();
    let other_names = OtherNames::new(
        shared.names.clone(),
        sinks(&connector).map(|(name, _)| name),
    );
    let mut ends = 0;
    loop {
        let started = Instant::now();
        let run = Run {
            connector: &connector,
            shared,
            workers,
            meters,
            first_sights: &first_sights,
            other_names: &other_names,
            stop: stop.child(),
        };
        let ended = run.once().await;
        if ended.has_new_access && ended.end == TaskEnd::Stopped && !stop.is_draining() {
            continue;
        }
        ends = if started.elapsed() >= HEALTHY {
            1
        } else {
            ends + 1
        };
        let abandoned = run.stop.abandon.is_cancelled();
        match next(ended.end, stop.is_draining(), ends) {
            Next::Stopped => {
                tracing::info!(event = "connector_stopped", connector = %connector.name);
                meters.set_state(ConnectorState::Stopped, None, None);
                return abandoned;
            }
            Next::Failed(reason) => {
                fail(&connector, meters, reason);
                let again = put_aside(working, &connector, shared, None, stop).await;
                let Some(again) = again else {
                    return false;
                };
                working = again;
                connector = reloaded(connector, shared).await;
            }
            Next::TryAgain { after, cause } if is_refusal(&cause) => {
                wait_for_access(&connector, meters, &cause, after);
                if !tried_again(shared, Some(after), stop).await {
                    meters.set_state(ConnectorState::Stopped, None, None);
                    return false;
                }
                connector = reloaded(connector, shared).await;
            }
            Next::TryAgain { after, cause } => {
                fail_for_now(&connector, meters, &cause, after);
                let again = put_aside(working, &connector, shared, Some(after), stop).await;
                let Some(again) = again else {
                    return false;
                };
                working = again;
                connector = reloaded(connector, shared).await;
            }
            Next::Restart { after, reason } => {
                tracing::error!(
                    event = "connector_restarting",
                    connector = %connector.name,
                    delay_ms = after.as_millis() as u64,
                    "{}",
                    one_line(&reason)
                );
                let at_ms = time::now_ms() + after.as_millis() as i64;
                meters.set_state(ConnectorState::Restarting, Some(reason), Some(at_ms));
                tokio::select! {
                    () = tokio::time::sleep(after) => {}
                    () = stop.drain.cancelled() => {
                        meters.set_state(ConnectorState::Stopped, None, None);
                        return false;
                    }
                }
            }
        }
    }
}

/// A failed connector does not count as working, and delays no source. `None`: it is not retried.
async fn put_aside(
    working: Working,
    connector: &Connector,
    shared: &ProcessContext,
    after: Option<Duration>,
    stop: &Stop,
) -> Option<Working> {
    drop(working);
    if let Some(backlog) = shared.access.cluster.backlog() {
        backlog.forget(&connector.name);
    }
    let again = tried_again(shared, after, stop).await;
    again.then(|| shared.attention.work())
}

/// `false`: the process ends, or no other connector works.
async fn tried_again(shared: &ProcessContext, after: Option<Duration>, stop: &Stop) -> bool {
    tokio::select! {
        again = shared.attention.again(after) => again,
        () = stop.drain.cancelled() => false,
    }
}

/// The connector from its current file. Its sinks and tasks must be the same, because meters and threads are made for them.
/// Otherwise, or if the file is broken, the known connector is used.
async fn reloaded(known: Arc<Connector>, shared: &ProcessContext) -> Arc<Connector> {
    let (reload, name) = (shared.reload.clone(), known.name.clone());
    let read = tokio::task::spawn_blocking(move || reload(&name)).await;
    let is_alike =
        |new: &Connector| task_count(new) == task_count(&known) && sinks(new).eq(sinks(&known));
    match read.ok().flatten().filter(is_alike) {
        Some(new) => Arc::new(new),
        None => {
            tracing::warn!(
                event = "connector_not_reloaded",
                connector = %known.name,
                "its file was deleted, is broken, or has other sinks or tasks; the connector is retried as it was at the start of the process"
            );
            known
        }
    }
}

fn is_refusal(cause: &Cause) -> bool {
    let dependency = cause.dependency;
    dependency.is_some_and(|dependency| REFUSALS.contains(&dependency))
}

/// A connector waits while its password is refused or a certificate is not trusted, on whichever side the mistake is.
fn wait_for_access(connector: &Connector, meters: &Meters, cause: &Cause, after: Duration) {
    tracing::warn!(
        event = "connector_waits",
        connector = %connector.name,
        delay_ms = after.as_millis() as u64,
        %cause,
    );
    meters.set_reason(ConnectorState::Waiting, cause, Some(after));
}

fn fail_for_now(connector: &Connector, meters: &Meters, cause: &Cause, after: Duration) {
    tracing::error!(
        event = "connector_failed",
        connector = %connector.name,
        delay_ms = after.as_millis() as u64,
        "{}",
        one_line(&cause.to_string())
    );
    meters.set_reason(ConnectorState::Failed, cause, Some(after));
}

fn fail(connector: &Connector, meters: &Meters, reason: String) {
    let text = one_line(&reason);
    tracing::error!(event = "connector_failed", connector = %connector.name, "{text}");
    meters.set_state(ConnectorState::Failed, Some(reason), None);
}

fn task_count(connector: &Connector) -> u32 {
    match &connector.kind {
        ConnectorKind::Sink(sink) => sink.tasks,
        ConnectorKind::Source(_) => 1,
    }
}

/// One run of a connector: from its start to its stop, its failure or its next crash.
struct Run<'a> {
    connector: &'a Connector,
    shared: &'a ProcessContext,
    workers: &'a Workers,
    meters: &'a Meters,
    first_sights: &'a FirstSights,
    other_names: &'a OtherNames,
    /// For this run only.
    stop: Stop,
}

/// How a run has ended.
struct Ended {
    end: TaskEnd,
    /// It was stopped because it was refused access, and the settings have changed.
    has_new_access: bool,
}

impl Run<'_> {
    async fn once(&self) -> Ended {
        let Run {
            connector, meters, ..
        } = self;
        meters.run_begins(connector.fingerprint);
        meters.set_state(ConnectorState::Running, None, None);
        tracing::info!(
            event = "connector_started",
            connector = %connector.name,
            fingerprint = %connector.fingerprint,
        );
        let access = &self.shared.access;
        let version = access.version();
        let running = self.to_its_end();
        tokio::pin!(running);
        let mut has_new_access = false;
        let end = loop {
            tokio::select! {
                end = &mut running => break end,
                never = shutdown::enforce_grace(&connector.name, meters, &self.stop, self.shared.grace) => match never {},
                never = meters.rejection_log.say_what_is_left_out(&connector.name) => match never {},
                () = access.renewed(version, meters), if !has_new_access => {
                    has_new_access = true;
                    tracing::info!(event = "connector_reconnects", connector = %connector.name);
                    self.stop.drain.cancel();
                }
            }
        };
        meters.rejection_log.end(&connector.name);
        meters.give_back_in_flight();
        if has_new_access {
            meters.starts_again();
        }
        Ended {
            end,
            has_new_access,
        }
    }

    /// Runs all tasks. The first that ends by itself stops the others, which drain.
    async fn to_its_end(&self) -> TaskEnd {
        let mut tasks = JoinSet::new();
        self.start(&mut tasks);
        let mut ends = Vec::new();
        loop {
            let ended = tokio::select! {
                ended = tasks.join_next() => ended,
                () = shutdown::left_behind(&self.stop) => {
                    tracing::warn!(event = "task_left_behind", connector = %self.connector.name);
                    break;
                }
            };
            let end = match ended {
                None => break,
                Some(Ok(end)) => end,
                Some(Err(error)) if error.is_panic() => {
                    TaskEnd::Crashed(panic_cause("running", error.into_panic().as_ref()))
                }
                Some(Err(_)) => TaskEnd::Stopped,
            };
            if let TaskEnd::Crashed(cause) = &end {
                // Reported immediately, because the other tasks may take long to stop.
                self.meters
                    .set_state(ConnectorState::Restarting, Some(cause.to_string()), None);
            }
            self.stop.drain.cancel();
            ends.push(end);
        }
        worst(ends)
    }

    fn start(&self, tasks: &mut JoinSet<TaskEnd>) {
        let (connector, shared) = (self.connector, self.shared);
        match &connector.kind {
            ConnectorKind::Sink(sink) => {
                let sink = Arc::new(sink.clone());
                for task in 0..sink.tasks {
                    let task = SinkTask {
                        name: connector.name.clone(),
                        connector: sink.clone(),
                        task,
                        fingerprint: connector.fingerprint,
                        cluster: shared.access.cluster.clone(),
                        contracts: shared.access.contracts(),
                        process_id: shared.process_id.clone(),
                        engine: shared.engine.clone(),
                        first_sights: self.first_sights.clone(),
                        other_names: self.other_names.clone(),
                        meters: self.meters.clone(),
                        stop: self.stop.clone(),
                    };
                    self.workers.spawn(tasks, task.run());
                }
            }
            ConnectorKind::Source(source) => {
                let task = SourceTask {
                    name: connector.name.clone(),
                    connector: Arc::new(source.clone()),
                    fingerprint: connector.fingerprint,
                    cluster: shared.access.cluster.clone(),
                    contracts: shared.access.contracts(),
                    engine: shared.engine.clone(),
                    meters: self.meters.clone(),
                    stop: self.stop.clone(),
                };
                self.workers.spawn(tasks, task.run());
            }
        }
    }
}
