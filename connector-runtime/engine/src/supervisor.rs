//! Starts, stops and restarts connectors, on a thread of its own.

pub(crate) mod access;
pub(crate) mod attention;
pub(crate) mod shutdown;
pub(crate) mod state;
pub(crate) mod tasks;
pub(crate) mod workers;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_api::Cause;
use connect_contracts::Contracts;
use connect_kafka::{Admin, ClientSettings, Embedded};
use tokio::runtime::Handle;
use tokio::sync::watch;

pub use self::access::Reread;
use self::access::{Access, AccessHash};
use self::attention::Attention;
use crate::backlog::Backlog;
use crate::cluster::{Cluster, InProcess};
use crate::control::Stop;
use crate::lag;
use crate::peers;
use crate::status::{ConnectorState, ConnectorStatus, Meters};
use connect_config::{Connector, ProcessConfig};

/// Options of the engine that are not in files.
pub struct EngineOptions {
    pub clients: ClientSettings,
    pub admin: Admin,
    /// The in-process cluster of `--embedded`.
    pub embedded: Option<Arc<Embedded>>,
    /// Names of connectors that are not run because their files are broken.
    pub broken: Vec<Arc<str>>,
    /// The grace period: how long a stop may drain before everything is abandoned.
    pub grace: Duration,
    /// Rereads the file of a connector before a retry: it may have been corrected, and files with secrets change.
    pub reload: Reload,
    /// Rereads `connect.toml` while Kafka or the registry refuses access. `None`: there is no such file.
    pub reread: Option<Reread>,
}

/// Rereads the files. `None`: the connector of this name has no file, or a broken one.
pub type Reload = Arc<dyn Fn(&str) -> Option<Connector> + Send + Sync>;

/// Running connectors.
pub struct Engine {
    attention: Attention,
    meters: Vec<Meters>,
    stop: Stop,
    finished: watch::Receiver<Option<Summary>>,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// From the stop to the end of the last connector; zero if none was asked for.
    pub drained_in: Duration,
    /// The grace period passed: some work was abandoned, and the next start replays it.
    pub abandoned: bool,
    pub connectors: Vec<ConnectorStatus>,
}

impl Summary {
    /// Connectors that ended FAILED.
    pub fn failed(&self) -> impl Iterator<Item = &ConnectorStatus> {
        self.connectors
            .iter()
            .filter(|status| status.state == ConnectorState::Failed)
    }
}

/// What the connectors of a process share.
#[derive(Clone)]
pub(crate) struct ProcessContext {
    pub(crate) access: Arc<Access>,
    pub(crate) process_id: Arc<str>,
    /// Of every connector file there is.
    pub(crate) names: Arc<HashSet<Arc<str>>>,
    /// For the engine's own waits and calls; no plugin runs there.
    pub(crate) engine: Handle,
    pub(crate) attention: Attention,
    pub(crate) reload: Reload,
    pub(crate) grace: Duration,
}

impl Engine {
    /// Starts every connector. Connectors wait for what is unreachable; only what can never work is an error.
    pub fn start(
        connectors: Vec<Connector>,
        process: &ProcessConfig,
        options: EngineOptions,
    ) -> Result<Engine, Cause> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name("connect-engine")
            .build()
            .map_err(|error| Cause::new(format!("no thread for the engine: {error}")))?;
        let in_process = options.embedded.clone().map(|kafka| InProcess {
            id: format!("embedded-{}", uuid::Uuid::new_v4()).into(),
            kafka,
            backlog: Backlog::default(),
        });
        let cluster = Cluster::new(options.clients, options.admin, in_process);
        let contracts = Contracts::new(process.registry.as_ref())?;
        let shared = ProcessContext {
            access: Arc::new(Access::new(cluster.clone(), contracts)),
            names: Arc::new(
                connectors
                    .iter()
                    .map(|connector| connector.name.clone())
                    .chain(options.broken)
                    .collect(),
            ),
            process_id: uuid::Uuid::new_v4().to_string().into(),
            engine: runtime.handle().clone(),
            attention: Attention::new(),
            reload: options.reload,
            grace: options.grace,
        };
        let meters: Vec<Meters> = connectors
            .iter()
            .map(|connector| tasks::meters(connector, &cluster))
            .collect();
        let stop = Stop::default();
        let attention = shared.attention.clone();
        let (tell, finished) = watch::channel(None);
        let supervisor = Supervisor {
            connectors: connectors
                .into_iter()
                .map(Arc::new)
                .zip(meters.clone())
                .collect(),
            shared,
            fresh: options.reread.map(|reread| Fresh {
                reread,
                known: AccessHash::of(process),
            }),
            stop: stop.clone(),
            runtime,
        };
        std::thread::Builder::new()
            .name("connect-supervisor".to_owned())
            .spawn(move || supervisor.run(&tell))
            .map_err(|error| Cause::new(format!("no supervisor thread: {error}")))?;
        Ok(Engine {
            attention,
            meters,
            stop,
            finished,
        })
    }

    /// A snapshot of every connector, in the order of their files.
    pub fn status(&self) -> Vec<ConnectorStatus> {
        self.meters.iter().map(Meters::status).collect()
    }

    /// Retries the connectors that have failed, and no others.
    pub fn try_failed_again(&self) {
        self.attention.ask();
    }

    /// Drains: accepts no new work, and finishes what is in flight within the grace period.
    pub fn stop(&self) {
        self.stop.exit.cancel();
        self.stop.drain.cancel();
    }

    /// Abandons everything immediately; the next start replays harmlessly what was in flight.
    pub fn stop_now(&self) {
        self.stop.exit.cancel();
        self.stop.drain.cancel();
        self.stop.abandon.cancel();
    }

    /// Returns once every connector is STOPPED or FAILED.
    pub async fn finished(&self) -> Summary {
        let mut finished = self.finished.clone();
        match finished.wait_for(Option::is_some).await {
            Ok(summary) => summary.clone().unwrap_or_default(),
            // The supervisor's thread ended without a result: return the last state of the connectors.
            Err(_) => Summary {
                connectors: self.status(),
                ..Summary::default()
            },
        }
    }
}

struct Supervisor {
    connectors: Vec<(Arc<Connector>, Meters)>,
    shared: ProcessContext,
    fresh: Option<Fresh>,
    stop: Stop,
    runtime: tokio::runtime::Runtime,
}

/// How to reread the settings of the process.
struct Fresh {
    reread: Reread,
    /// The settings at the start.
    known: AccessHash,
}

impl Supervisor {
    fn run(self, tell: &watch::Sender<Option<Summary>>) {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(event = "supervisor_failed", %error);
                return;
            }
        };
        let (drained_in, abandoned) = runtime.block_on(self.supervise());
        self.runtime.shutdown_background();
        let connectors = self
            .connectors
            .iter()
            .map(|(_, meters)| meters.status())
            .collect();
        let _ = tell.send(Some(Summary {
            drained_in,
            abandoned,
            connectors,
        }));
    }

    /// Returns how long the stop took, and whether something was abandoned.
    async fn supervise(&self) -> (Duration, bool) {
        let mut stopping = None;
        let mut abandoned = false;
        let mut supervised = tokio::task::JoinSet::new();
        for (connector, meters) in &self.connectors {
            let (connector, meters) = (connector.clone(), meters.clone());
            supervised.spawn(tasks::supervise(
                connector,
                self.shared.clone(),
                meters,
                self.stop.clone(),
                self.shared.attention.work(),
            ));
        }
        let cluster = &self.shared.access.cluster;
        let measuring = lag::measure(cluster.clone(), self.connectors.clone());
        let comparing = peers::compare(cluster.clone(), self.connectors.clone());
        let mut beside = tokio::task::JoinSet::new();
        beside.spawn_on(measuring, self.runtime.handle());
        beside.spawn_on(comparing, self.runtime.handle());
        if let Some(Fresh { reread, known }) = &self.fresh {
            let meters = self.connectors.iter().map(|(_, meters)| meters.clone());
            let access = self.shared.access.clone();
            let reading = access.keep_fresh(reread.clone(), meters.collect(), *known);
            beside.spawn_on(reading, self.runtime.handle());
        }
        loop {
            tokio::select! {
                ended = supervised.join_next() => match ended {
                    Some(let_go) => abandoned |= let_go.unwrap_or(false),
                    None => break,
                },
                () = self.stop.drain.cancelled(), if stopping.is_none() => stopping = Some(Instant::now()),
            }
        }
        beside.abort_all();
        let drained_in = stopping.map_or(Duration::ZERO, |since: Instant| since.elapsed());
        (drained_in, abandoned)
    }
}
