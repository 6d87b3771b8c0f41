//! The reading half on a scripted feed, joined to a real writer whose sink waits at a gate. Everything runs on one thread and
//! on a paused clock: the writer gets on whenever the reader polls or waits, and time passes once nothing else can happen.

mod batches;
mod rebalances;
mod scripted;
mod starting;
mod stopping;

use std::time::Duration;

use bytes::Bytes;
use connect_api::{OtherProgress, Position, ProgressStore, Size, StartAt};
use connect_config::{BatchConfig, SinkConnector, Topics};
use connect_contracts::{Contracts, FormatConfig};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::writers::Joined;
use super::*;
use crate::sink_task::halves::{Accepts, SharedGroup};
use crate::sink_task::prepare::Preparer;
use crate::sink_task::reader::waits::Waits;
use crate::sink_task::reader::{Reader, ReaderLane, ReaderParts};
use crate::sink_task::start_position::FirstSights;
use scripted::{Answers, Log, ScriptedFeed, Step};

/// Records and progress in one place, behind a gate: each write waits for a permit.
struct GatedSink {
    table: Arc<Mutex<Table>>,
    gate: Arc<Semaphore>,
    /// Hears of each write that begins.
    begins: mpsc::Sender<()>,
    behaves: Behaves,
    /// Accepted and not durable.
    accepted: BTreeMap<i32, i64>,
}

#[derive(Default)]
struct Table {
    /// The offsets of each write, by partition.
    writes: Vec<Vec<(i32, i64)>>,
    next: BTreeMap<i32, i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Behaves {
    /// The group has the progress.
    #[default]
    InGroup,
    /// The sink stores it.
    StoresProgress,
    /// As the first, and each write is only accepted.
    Accepts,
    /// It stores progress, and says that its first write is superseded.
    SupersededOnce,
    /// It stores progress and cannot say yet which.
    CannotSayWhereToResume,
}

#[async_trait]
impl Sink for GatedSink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        let _ = self.begins.try_send(());
        self.gate.acquire().await.unwrap().forget();
        if self.behaves == Behaves::SupersededOnce {
            self.behaves = Behaves::StoresProgress;
            return Err(Failure::Superseded(Cause::new("another owner")));
        }
        let mut table = self.table.lock().unwrap();
        let records = batch.records.iter();
        let offsets = records.map(|record| (record.origin.partition, record.origin.offset));
        table.writes.push(offsets.collect());
        for progress in &batch.progress {
            let number = progress.partition.partition;
            let known = table.next.insert(number, progress.next);
            let stores = self.behaves == Behaves::StoresProgress;
            assert!(!stores || known.is_none_or(|known| known == progress.expected));
            self.accepted.insert(number, progress.next);
        }
        Ok(if self.behaves == Behaves::Accepts {
            Written::Accepted {
                durable: Vec::new(),
                flush_by: None,
            }
        } else {
            Written::Durable
        })
    }

    async fn flush(&mut self) -> Result<Vec<Position>> {
        let _ = self.begins.try_send(());
        self.gate.acquire().await.unwrap().forget();
        let accepted = std::mem::take(&mut self.accepted).into_iter();
        let positions = accepted.map(|(number, next)| Position {
            partition: partition(number),
            next,
        });
        Ok(positions.collect())
    }

    async fn forget(&mut self, partitions: &[TopicPartition]) {
        self.accepted
            .retain(|number, _| !partitions.contains(&partition(*number)));
    }

    fn progress_store(&mut self) -> Option<&mut dyn ProgressStore> {
        match self.behaves {
            Behaves::InGroup | Behaves::Accepts => None,
            _ => Some(self),
        }
    }
}

#[async_trait]
impl ProgressStore for GatedSink {
    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        if self.behaves == Behaves::CannotSayWhereToResume {
            return Err(Failure::Retry(Cause::new("a predecessor holds the rows")));
        }
        let table = self.table.lock().unwrap();
        let next = partitions.iter();
        let next = next.map(|partition| table.next.get(&partition.partition).copied());
        Ok(next.collect())
    }

    async fn stored(&mut self, _partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        panic!("only `connect offsets` asks")
    }

    async fn store(&mut self, _positions: &[Position]) -> Result<()> {
        panic!("only `connect offsets` stores")
    }

    async fn of_other_names(&mut self, _topics: &[Arc<str>]) -> Result<Vec<OtherProgress>> {
        Ok(Vec::new())
    }

    async fn erase(&mut self, _topics: &[Arc<str>]) -> Result<()> {
        panic!("only `connect offsets` erases")
    }
}

/// What a test sets up before the reader runs.
struct Scene {
    runtime: Arc<Runtime>,
    stop: Stop,
    /// Writes and flushes wait here.
    gate: Arc<Semaphore>,
    begins: Option<mpsc::Receiver<()>>,
    sink: GatedSink,
    batch: BatchConfig,
    start: Option<StartAt>,
    value: FormatConfig,
    registry: Option<connect_contracts::RegistryConfig>,
    answers: Answers,
    log: Log,
}

/// What became of it.
struct Ran {
    end: TaskEnd,
    /// The offsets of each write, by partition.
    writes: Vec<Vec<(i32, i64)>>,
    log: Log,
    counters: Counters,
    took: Duration,
}

impl Scene {
    /// A sink that is never waited for, and the defaults of a connector.
    fn new(behaves: Behaves) -> Scene {
        let (begins, begun) = mpsc::channel(100);
        let gate = Arc::new(Semaphore::new(1_000));
        let sink = GatedSink {
            table: Arc::default(),
            gate: gate.clone(),
            begins,
            behaves,
            accepted: BTreeMap::new(),
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        Scene {
            runtime: Arc::new(runtime),
            stop: Stop::default(),
            gate,
            begins: Some(begun),
            sink,
            batch: BatchConfig::default(),
            start: None,
            value: FormatConfig::text(),
            registry: None,
            answers: Answers::default(),
            log: Log::default(),
        }
    }

    /// Writes wait until [`Scene::open_gate`].
    fn gated(behaves: Behaves) -> Scene {
        let scene = Scene::new(behaves);
        scene.gate.forget_permits(1_000);
        scene
    }

    /// Something that the sink does (a write or a flush) has begun. Once in a script.
    fn sink_begins(&mut self) -> Step {
        Step::Await(self.begins.take().expect("once in a script"))
    }

    fn open_gate(&self) -> Step {
        let gate = self.gate.clone();
        Step::Do(Box::new(move || gate.add_permits(1_000)))
    }

    fn drain(&self) -> Step {
        let stop = self.stop.clone();
        Step::Do(Box::new(move || stop.drain.cancel()))
    }

    fn abandon(&self) -> Step {
        let stop = self.stop.clone();
        Step::Do(Box::new(move || {
            stop.drain.cancel();
            stop.abandon.cancel();
        }))
    }

    /// Runs both halves to their ends.
    fn run(self, steps: Vec<Step>) -> Ran {
        let runtime = self.runtime.clone();
        let _clock = runtime.enter();
        let feed = ScriptedFeed::new(steps, &self);
        let began = Instant::now();
        let home = match self.sink.behaves {
            Behaves::InGroup | Behaves::Accepts => ProgressHome::Group,
            _ => ProgressHome::Sink,
        };
        let accepts = Accepts::default();
        if self.sink.behaves == Behaves::Accepts {
            accepts.set();
        }
        let table = self.sink.table.clone();
        let lane = TestLane {
            home,
            ..TestLane::new("rows", self.sink)
        };
        let Joined {
            mut writer,
            reports,
            generations,
            meters,
            ..
        } = writer(vec![lane], ErrorsConfig::default(), None);
        let connector = SinkConnector {
            topics: Topics::Named(vec![TOPIC.to_owned()]),
            tasks: 1,
            key: None,
            value: self.value,
            transforms: Vec::new(),
            sinks: Vec::new(),
            batch: self.batch,
            errors: ErrorsConfig::default(),
            create_topics: None,
        };
        let contracts = Contracts::new(self.registry.as_ref()).unwrap();
        let (work, to_do) = mpsc::channel(1);
        let reader = Reader::new(ReaderParts {
            connector: Arc::from("test"),
            task: 0,
            feed,
            preparer: Preparer::new(&connector, &contracts).unwrap(),
            batch: self.batch,
            lanes: vec![ReaderLane {
                name: Arc::from("rows"),
                when: None,
                start: self.start,
                meters: meters.lane(0),
            }],
            moves_group: true,
            generations,
            accepts,
            group: SharedGroup::default(),
            first_sights: FirstSights::default(),
            backlog: None,
            meters: meters.clone(),
            work,
            reports,
            stop: self.stop.clone(),
            runtime: Waits::On(runtime.clone()),
        });
        let abandon = self.stop.abandon.clone();
        let writing = runtime.spawn(async move {
            tokio::select! {
                end = writer.run(to_do) => end,
                () = abandon.cancelled() => TaskEnd::Stopped,
            }
        });
        let end = reader.run();
        let written = runtime.block_on(writing).unwrap();
        let end = if written == TaskEnd::Stopped {
            end
        } else {
            written
        };
        let writes = std::mem::take(&mut table.lock().unwrap().writes);
        Ran {
            end,
            writes,
            log: self.log,
            counters: meters.status().counters,
            took: began.elapsed(),
        }
    }
}

impl Ran {
    /// The offsets of a partition in the order of writing.
    fn rows(&self, number: i32) -> Vec<i64> {
        let rows = self.writes.iter().flatten();
        let of_partition = rows.filter(|(partition, _)| *partition == number);
        of_partition.map(|(_, offset)| *offset).collect()
    }

    /// Stopped, and every record that was read is accounted for.
    fn assert_stopped(&self, what: &str) {
        assert_eq!(self.end, TaskEnd::Stopped, "{what}");
        assert_eq!(self.counters.in_flight, 0, "{what}: {:?}", self.counters);
        assert_eq!(accounted(self.counters), self.counters.consumed, "{what}");
        assert_eq!(self.log.lines().last().unwrap(), "close", "{what}");
    }
}

/// Records of ten bytes.
fn records(number: i32, offsets: std::ops::Range<i64>) -> Step {
    Step::Records(number, offsets, Bytes::from_static(b"0123456789"))
}

fn nothing(milliseconds: u64) -> Step {
    Step::Nothing(Duration::from_millis(milliseconds))
}
