//! A task of a sink connector, and the path of a record through it.
//!
//! A task opens everything, joins two halves by two bounded channels, and closes everything. The *reader* ([`reader`]), a
//! thread of its own, owns the consumer: it collects a batch, prepares it ([`prepare`]: decode, contract, transforms;
//! [`batch`]: each sink's `when`) and sends it; it alone stores and commits what the writer reports. The *writer*
//! ([`writer`]), on the runtime, settles what was rejected and gives the batch to every *lane* ([`lane`]), one for each
//! `[[sinks]]` entry: the write (isolating refused records), then the report. While one batch is written the next is read
//! and prepared; backpressure is that the reader's channel holds one batch.

mod accepted;
mod assignment;
mod batch;
mod feed;
mod halves;
mod isolation;
mod lane;
mod lane_positions;
mod other_names;
mod prepare;
mod reader;
mod start_position;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use lane::LaneCommit;
pub(crate) use lane_positions::{GroupOffset, metadata};
pub(crate) use other_names::OtherNames;
pub(crate) use start_position::FirstSights;

use std::sync::Arc;

use connect_api::{Cause, Failure, ProgressHome, Sink};
use connect_contracts::Contracts;
use connect_kafka::{ConsumerOptions, SinkConsumer, Subscription};
use futures_util::future::{join_all, try_join_all};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, oneshot};

use self::assignment::Generations;
use self::halves::{Accepts, SharedGroup};
use self::lane::{Accepting, Lane};
use self::lane_positions::LanePositions;
use self::prepare::Preparer;
use self::reader::waits::Waits;
use self::reader::{Reader, ReaderLane, ReaderParts};
use self::writer::Writer;
use crate::backoff::Supersessions;
use crate::cluster::Cluster;
use crate::control::{CLOSE_WITHIN, Stop, TaskEnd, panic_cause};
use crate::open_sink::SinkOpener;
use crate::policy::Stage;
use crate::publisher::ConnectorProducer;
use crate::records::dead_letter::DeadLetters;
use crate::records::rejects::Rejects;
use crate::status::Meters;
use crate::waiting::Waiting;
use connect_config::{ConfiguredSink, Fingerprint, SinkConnector, Tolerance, Topics};

/// One task of a sink connector.
#[derive(Clone)]
pub(crate) struct SinkTask {
    pub(crate) name: Arc<str>,
    pub(crate) connector: Arc<SinkConnector>,
    pub(crate) task: u32,
    /// Part of the client id, so that other members of the group see it.
    pub(crate) fingerprint: Fingerprint,
    pub(crate) cluster: Cluster,
    pub(crate) contracts: Contracts,
    /// Random for each process; part of transactional ids.
    pub(crate) process_id: Arc<str>,
    /// For the reader's waits. No plugin runs there that could delay them.
    pub(crate) engine: Handle,
    pub(crate) first_sights: FirstSights,
    pub(crate) other_names: OtherNames,
    pub(crate) meters: Meters,
    pub(crate) stop: Stop,
}

/// What is open before the halves start.
struct Opened {
    /// In the order of the file.
    sinks: Vec<Box<dyn Sink>>,
    dead_letters: Option<DeadLetters>,
}

impl SinkTask {
    /// Runs the task to its end, and the writer on the current runtime.
    pub(crate) async fn run(self) -> TaskEnd {
        let opened = tokio::select! {
            opened = self.open() => opened,
            () = self.stop.drain.cancelled() => return TaskEnd::Stopped,
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(end) => return end,
        };
        self.waiting().opened();
        match self.start_halves(opened) {
            Ok((reader, writer)) => self.join(reader, writer).await,
            Err(end) => end,
        }
    }

    /// Opens clients and sinks, waiting until they are reachable.
    async fn open(&self) -> Result<Opened, TaskEnd> {
        let waiting = self.waiting();
        waiting.insist(Stage::Open, || self.make_topics()).await?;
        let dead_letters = waiting
            .insist(Stage::Open, || self.open_dead_letters())
            .await?;
        let sinks = self.connector.sinks.iter().enumerate();
        let opening = sinks.map(|(index, sink)| async move {
            let several = self.connector.sinks.len() > 1;
            let suffix = if several {
                format!("-{}", sink.name)
            } else {
                String::new()
            };
            let opener = SinkOpener {
                connector: &self.name,
                task: self.task,
                cluster: &self.cluster,
                create_topics: self.connector.create_topics.as_ref(),
                transactional_id: format!(
                    "connect-{}-{}-{}{suffix}",
                    self.name, self.process_id, self.task
                ),
                rows_written: self.meters.lane(index).rows,
                contracts: self.contracts.clone(),
                engine: self.engine.clone(),
            };
            let waiting = self.waiting_in(Some(index), &self.stop);
            waiting.insist(Stage::Open, || opener.open(sink)).await
        });
        Ok(Opened {
            sinks: try_join_all(opening).await?,
            dead_letters,
        })
    }

    fn waiting(&self) -> Waiting {
        self.waiting_in(None, &self.stop)
    }

    fn waiting_in(&self, lane: Option<usize>, stop: &Stop) -> Waiting {
        Waiting {
            connector: self.name.clone(),
            task: self.task,
            lane,
            meters: self.meters.clone(),
            stop: stop.clone(),
        }
    }

    async fn make_topics(&self) -> Result<(), Failure> {
        let Topics::Named(names) = &self.connector.topics else {
            return Ok(());
        };
        let create = self.connector.create_topics.as_ref();
        if create.is_none() && self.cluster.in_process.is_none() {
            // The producer of the topic creates it: the consumer waits until it exists.
            return Ok(());
        }
        let names: Vec<Arc<str>> = names.iter().map(|name| Arc::from(name.as_str())).collect();
        self.cluster.ensure_topics(&names, create).await
    }

    /// The topic is created or checked before the first record is read.
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
            producer: Box::new(ConnectorProducer {
                connector: self.name.clone(),
                producer: self
                    .cluster
                    .producer(&format!("connect-{}-{}-dead-letters", self.name, self.task))?,
            }),
            topic,
            connector: self.name.clone(),
            task: self.task,
        }))
    }

    fn start_halves(&self, opened: Opened) -> Result<(ReaderHalf, WriterHalf), TaskEnd> {
        let preparer = Preparer::new(&self.connector, &self.contracts)
            .map_err(|cause| TaskEnd::Failed(cause.to_string()))?;
        let feed = SinkConsumer::open(&self.cluster.settings(), &self.consumer_options())
            .map_err(|cause| TaskEnd::Failed(cause.to_string()))?;
        let (work, work_to_do) = mpsc::channel(1);
        let (reports, reported) = mpsc::channel(64);
        let generations = Generations::default();
        let names = self.connector.sinks.iter().map(|sink| sink.name.clone());
        let positions = Arc::new(parking_lot::Mutex::new(LanePositions::new(names.collect())));
        let errors = self.connector.errors.clone();
        let rejects = Arc::new(Mutex::new(Rejects::new(errors, opened.dead_letters)));
        let (accepts, group) = (Accepts::default(), SharedGroup::default());
        let lanes_stop = self.stop.child();
        let count = opened.sinks.len() as u64;
        let sinks = self.connector.sinks.iter().zip(opened.sinks).enumerate();
        let lanes = sinks.map(|(index, (configured, sink))| Lane {
            index,
            name: configured.name.clone(),
            kind: configured.kind,
            sink,
            home: self.home_of(configured),
            errors: self.connector.errors.clone(),
            rejects: rejects.clone(),
            generations: generations.clone(),
            meters: self.meters.lane(index),
            accepting: Accepting::up_to(
                self.connector.batch.may_be_accepted() / count,
                accepts.clone(),
            ),
            positions: positions.clone(),
            reports: reports.clone(),
            waiting: self.waiting_in(Some(index), &lanes_stop),
            supersessions: Supersessions::default(),
        });
        let mut writer = Writer {
            lanes: lanes.collect(),
            errors: self.connector.errors.clone(),
            rejects: rejects.clone(),
            generations: generations.clone(),
            meters: self.meters.clone(),
            positions: positions.clone(),
            reports,
            waiting: self.waiting(),
            lanes_stop,
            other_names: self.other_names.clone(),
            to_resume: Vec::new(),
            group: group.clone(),
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
            feed,
            preparer,
            batch: self.connector.batch,
            lanes: self.reader_lanes(),
            moves_group: self.moves_group(),
            generations,
            accepts,
            group,
            first_sights: self.first_sights.clone(),
            backlog,
            meters: self.meters.clone(),
            work,
            reports: reported,
            stop: self.stop.clone(),
            runtime: Waits::Of(self.engine.clone()),
        });
        let reader = self.spawn_reader(reader)?;
        let writer = tokio::spawn(async move {
            let end = writer.run(work_to_do).await;
            let lanes = writer.lanes.into_iter();
            join_all(lanes.map(|lane| close(lane.waiting.connector, lane.sink))).await;
            end
        });
        Ok((reader, writer))
    }

    fn reader_lanes(&self) -> Vec<ReaderLane> {
        let sinks = self.connector.sinks.iter().enumerate();
        sinks
            .map(|(index, sink)| ReaderLane {
                name: sink.name.clone(),
                when: sink.when.clone(),
                start: sink.start,
                meters: self.meters.lane(index),
            })
            .collect()
    }

    fn home_of(&self, sink: &ConfiguredSink) -> ProgressHome {
        self.cluster.progress_home(sink.factory.progress_home())
    }

    /// If a sink publishes in Kafka transactions, only these move the group: a commit of the reader could arrive late and move
    /// it back.
    fn moves_group(&self) -> bool {
        let sinks = &self.connector.sinks;
        !sinks
            .iter()
            .any(|sink| self.home_of(sink) == ProgressHome::KafkaTransaction)
    }

    fn consumer_options(&self) -> ConsumerOptions {
        let subscription = match &self.connector.topics {
            Topics::Named(names) => Subscription::Topics(names.clone()),
            Topics::Pattern(pattern) => Subscription::Pattern(pattern.as_str().to_owned()),
        };
        ConsumerOptions::new(
            format!("connect-{}", self.name),
            format!("connect-{}-{}.{}", self.name, self.task, self.fingerprint),
            subscription,
            self.connector.batch.in_flight.bytes() / 2,
            self.connector.batch.max_records,
        )
    }

    fn spawn_reader(&self, reader: Reader<SinkConsumer>) -> Result<ReaderHalf, TaskEnd> {
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

    /// Both halves end, whichever ends first: a reader that ends closes the work channel, a writer that ends fails the reader's
    /// next send. At the grace deadline the writer's future and its sink are dropped together. The task does not wait for a
    /// half that never returns, such as one that loops on its thread.
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
        let read = reader.await.unwrap_or_else(|_| {
            TaskEnd::Crashed(Cause::new("the reader thread ended without a result"))
        });
        match (written, read) {
            (TaskEnd::Stopped, read) => read,
            (written, _) => written,
        }
    }
}

type ReaderHalf = oneshot::Receiver<TaskEnd>;
type WriterHalf = tokio::task::JoinHandle<TaskEnd>;

async fn close(connector: Arc<str>, mut sink: Box<dyn Sink>) {
    match tokio::time::timeout(CLOSE_WITHIN, sink.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => tracing::warn!(event = "close_failed", %connector, %failure),
        Err(_) => {
            tracing::warn!(event = "close_failed", %connector, "the sink did not close in time");
        }
    }
}
