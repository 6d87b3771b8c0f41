//! One task of a sink connector: opens everything, joins its two halves, and closes everything.

use std::sync::Arc;
use std::time::Duration;

use connect_api::{Cause, Failure, Sink};
use connect_contracts::Contracts;
use connect_kafka::{ConsumerOptions, SinkConsumer, Subscription};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::Generations;
use super::breaker::Breaker;
use super::dead_letter::DeadLetters;
use super::other_names::OtherNames;
use super::prepare::Preparer;
use super::reader::{Reader, ReaderParts};
use super::start::FirstSights;
use super::writer::{Accepting, Writer};
use crate::backoff::Supersessions;
use crate::cluster::Cluster;
use crate::config::{SinkConnector, Tolerance, Topics};
use crate::control::{Stop, TaskEnd, panic_cause};
use crate::open_sink::SinkOpener;
use crate::policy::Stage;
use crate::status::Meters;
use crate::waiting::Waiting;

/// What the tasks of one connector share.
#[derive(Clone)]
pub(crate) struct SinkTask {
    pub(crate) name: Arc<str>,
    pub(crate) connector: Arc<SinkConnector>,
    pub(crate) task: u32,
    pub(crate) cluster: Cluster,
    pub(crate) contracts: Contracts,
    /// Random, one a process: part of transactional ids.
    pub(crate) process_id: Arc<str>,
    /// For the reader's waits: it never runs a plugin, so that none can hold them up.
    pub(crate) engine: Handle,
    pub(crate) first_sights: FirstSights,
    pub(crate) other_names: OtherNames,
    pub(crate) meters: Meters,
    pub(crate) stop: Stop,
}

/// What is open before the halves start.
struct Opened {
    sink: Box<dyn Sink>,
    dead_letters: Option<DeadLetters>,
}

impl SinkTask {
    /// Runs the task to its end. Call it on the runtime that shall run the writer.
    pub(crate) async fn run(self) -> TaskEnd {
        let opened = tokio::select! {
            opened = self.open() => opened,
            () = self.stop.drain.cancelled() => return TaskEnd::Stopped,
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(cause) => return TaskEnd::Failed(cause.to_string()),
        };
        match self.start_halves(opened) {
            Ok((reader, writer)) => self.join(reader, writer).await,
            Err(end) => end,
        }
    }

    /// Opens clients and sink; whatever cannot be reached is waited for.
    async fn open(&self) -> Result<Opened, Cause> {
        let waiting = self.waiting();
        waiting.insist(Stage::Open, || self.make_topics()).await?;
        let dead_letters = waiting
            .insist(Stage::Open, || self.open_dead_letters())
            .await?;
        let opener = SinkOpener {
            connector: &self.name,
            task: self.task,
            cluster: &self.cluster,
            create_topics: self.connector.create_topics.as_ref(),
            transactional_id: format!("connect-{}-{}-{}", self.name, self.process_id, self.task),
            rows_written: self.meters.rows.clone(),
            contracts: self.contracts.clone(),
            engine: self.engine.clone(),
        };
        let sink = waiting
            .insist(Stage::Open, || opener.open(&self.connector.sink))
            .await?;
        Ok(Opened { sink, dead_letters })
    }

    fn waiting(&self) -> Waiting {
        Waiting {
            connector: self.name.clone(),
            task: self.task,
            meters: self.meters.clone(),
            stop: self.stop.clone(),
        }
    }

    async fn make_topics(&self) -> Result<(), Failure> {
        let Topics::Named(names) = &self.connector.topics else {
            return Ok(());
        };
        let create = self.connector.create_topics.as_ref();
        if create.is_none() && self.cluster.in_process.is_none() {
            // Whoever writes the topic makes it: it is waited for.
            return Ok(());
        }
        let names: Vec<Arc<str>> = names.iter().map(|name| Arc::from(name.as_str())).collect();
        self.cluster.ensure_topics(&names, create).await
    }

    /// The topic is made (or proven to exist) before the first record is read.
    async fn open_dead_letters(&self) -> Result<Option<DeadLetters>, Failure> {
        let Some(topic) = &self.connector.errors.dead_letter_topic else {
            return Ok(None);
        };
        let topic: Arc<str> = Arc::from(topic.as_str());
        if self.connector.errors.tolerance == Tolerance::None {
            return Ok(None);
        }
        self.cluster.make_letter_topic(&topic).await?;
        Ok(Some(DeadLetters {
            producer: Box::new(
                self.cluster
                    .producer(&format!("connect-{}-{}-dead-letters", self.name, self.task))?,
            ),
            topic,
            connector: self.name.clone(),
            task: self.task,
        }))
    }

    fn start_halves(&self, opened: Opened) -> Result<(ReaderHalf, WriterHalf), TaskEnd> {
        let preparer = Preparer::new(&self.connector, &self.contracts)
            .map_err(|cause| TaskEnd::Failed(cause.to_string()))?;
        let consumer = SinkConsumer::open(&self.cluster.settings, &self.consumer_options())
            .map_err(|cause| TaskEnd::Failed(cause.to_string()))?;
        let (work, work_to_do) = mpsc::channel(1);
        let (reports, reported) = mpsc::channel(64);
        let generations = Generations::default();
        let declared = self.connector.sink.factory.progress_home();
        let home = self.cluster.progress_home(declared);
        let writer = Writer {
            sink_kind: self.connector.sink.kind,
            errors: self.connector.errors.clone(),
            dead_letters: opened.dead_letters,
            breaker: self.connector.errors.stop_after.map(Breaker::new),
            generations: generations.clone(),
            meters: self.meters.clone(),
            home,
            accepting: Accepting::up_to(self.connector.batch.may_be_accepted()),
            reports,
            waiting: self.waiting(),
            other_names: self.other_names.clone(),
            supersessions: Supersessions::default(),
            to_resume: Vec::new(),
        };
        let backlog = self.cluster.backlog().map(|backlog| {
            let topics = match &self.connector.topics {
                Topics::Named(names) => names.as_slice(),
                Topics::Pattern(_) => &[],
            };
            backlog.reader(&self.name, topics)
        });
        let reader = Reader::new(ReaderParts {
            connector: self.name.clone(),
            task: self.task,
            consumer,
            preparer,
            batch: self.connector.batch,
            start: self.connector.start,
            home,
            generations,
            first_sights: self.first_sights.clone(),
            backlog,
            meters: self.meters.clone(),
            work,
            reports: reported,
            stop: self.stop.clone(),
            runtime: self.engine.clone(),
        });
        let reader = self.spawn_reader(reader)?;
        let mut sink = opened.sink;
        let writer = tokio::spawn(async move {
            let end = writer.run(sink.as_mut(), work_to_do).await;
            close(sink).await;
            end
        });
        Ok((reader, writer))
    }

    fn consumer_options(&self) -> ConsumerOptions {
        let subscription = match &self.connector.topics {
            Topics::Named(names) => Subscription::Topics(names.clone()),
            Topics::Pattern(pattern) => Subscription::Pattern(pattern.as_str().to_owned()),
        };
        ConsumerOptions::new(
            format!("connect-{}", self.name),
            format!("connect-{}-{}", self.name, self.task),
            subscription,
            self.connector.batch.in_flight.bytes() / 2,
            self.connector.batch.max_records,
        )
    }

    fn spawn_reader(&self, reader: Reader) -> Result<ReaderHalf, TaskEnd> {
        let (tell, ended) = oneshot::channel();
        let name = format!("read-{}-{}", self.name, self.task);
        let spawned = std::thread::Builder::new().name(name).spawn(move || {
            let _ = tell.send(reader.run());
        });
        match spawned {
            Ok(_) => Ok(ended),
            Err(error) => Err(TaskEnd::Crashed(Cause::new(format!(
                "no thread for reading: {error}"
            )))),
        }
    }

    /// Both halves end, whichever ends first: a reader that ends closes the work channel, a writer that ends fails the
    /// reader's next send. At the grace deadline the writer's future and its sink are dropped together. Whether a half
    /// ever comes back is not this task's care: a loop may keep its very thread.
    async fn join(&self, reader: ReaderHalf, mut writer: WriterHalf) -> TaskEnd {
        let written = tokio::select! {
            ended = &mut writer => ended,
            () = self.stop.abandon.cancelled() => {
                writer.abort();
                writer.await
            }
        };
        let written = match written {
            Ok(end) => end,
            Err(error) if error.is_panic() => {
                TaskEnd::Crashed(panic_cause("writing", error.into_panic().as_ref()))
            }
            Err(_) => TaskEnd::Stopped,
        };
        let read = reader
            .await
            .unwrap_or_else(|_| TaskEnd::Crashed(Cause::new("the thread that reads is gone")));
        match (written, read) {
            (TaskEnd::Stopped, read) => read,
            (written, _) => written,
        }
    }
}

type ReaderHalf = oneshot::Receiver<TaskEnd>;
type WriterHalf = tokio::task::JoinHandle<TaskEnd>;

/// How long a plugin may take to let go of its connections.
pub(crate) const CLOSE_WITHIN: Duration = Duration::from_secs(5);

async fn close(mut sink: Box<dyn Sink>) {
    match tokio::time::timeout(CLOSE_WITHIN, sink.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => tracing::warn!(event = "close_failed", %failure),
        Err(_) => tracing::warn!(event = "close_failed", "the sink did not close in time"),
    }
}
