//! The writing half against a sink that accepts records and makes them durable later.

mod revocation;

use std::time::Duration;

use connect_api::Position;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::writers::Joined;
use super::*;

/// What the sink does with a batch, and what was asked of it.
#[derive(Default)]
struct Archive {
    /// Accepted and not durable: (partition, offset).
    open: Vec<(i32, i64)>,
    /// Durable.
    finished: Vec<(i32, i64)>,
    flushes: Vec<Duration>,
    forgotten: Vec<i32>,
    /// How far each partition is accepted.
    next: BTreeMap<i32, i64>,
    /// So many flushes fail.
    outages: usize,
}

struct AcceptingSink {
    archive: Arc<Mutex<Archive>>,
    answers: Answers,
    opened: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    /// `flush_by` of each write, from when it is answered.
    flush_within: Option<Duration>,
    /// With each write, everything below this offset of each partition becomes durable.
    rolls_at: Option<i64>,
    /// Every write is durable, and all before it.
    durable: bool,
    /// Says that more is durable than was accepted.
    exaggerates: bool,
    /// Flushes, and says nothing of it.
    is_silent: bool,
}

impl Archive {
    fn finish(&mut self, is_finished: impl Fn(&(i32, i64)) -> bool) {
        let (finished, open) = self.open.drain(..).partition(is_finished);
        self.open = open;
        self.finished.extend::<Vec<_>>(finished);
    }
}

#[async_trait]
impl Sink for AcceptingSink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        let mut archive = self.archive.lock().unwrap();
        let records = batch.records.iter();
        let places = records.map(|record| (record.origin.partition, record.origin.offset));
        archive.open.extend(places);
        for progress in &batch.progress {
            let known = archive
                .next
                .insert(progress.partition.partition, progress.next);
            assert!(known.is_none_or(|known| known == progress.expected));
        }
        if self.answers.durable {
            archive.finish(|_| true);
            return Ok(Written::Durable);
        }
        let mut durable = Vec::new();
        if let Some(next) = self.answers.rolls_at {
            archive.finish(|(_, offset)| *offset < next);
            durable = [0, 1].map(|number| at(number, next)).into();
        }
        if self.answers.exaggerates {
            durable.push(at(0, 1_000));
        }
        Ok(Written::Accepted {
            durable,
            flush_by: self
                .answers
                .flush_within
                .map(|within| (Instant::now() + within).into_std()),
        })
    }

    async fn flush(&mut self) -> Result<Vec<Position>> {
        let mut archive = self.archive.lock().unwrap();
        archive.flushes.push(self.opened.elapsed());
        if archive.outages > 0 {
            archive.outages -= 1;
            return Err(Failure::Retry(Cause::new("the store is away")));
        }
        archive.finish(|_| true);
        let next = std::mem::take(&mut archive.next);
        if self.answers.is_silent {
            return Ok(Vec::new());
        }
        Ok(next
            .into_iter()
            .map(|(number, next)| at(number, next))
            .collect())
    }

    async fn forget(&mut self, partitions: &[TopicPartition]) {
        let mut archive = self.archive.lock().unwrap();
        for partition in partitions {
            let number = partition.partition;
            archive.forgotten.push(number);
            archive.open.retain(|(of, _)| *of != number);
            archive.next.remove(&number);
        }
    }
}

fn at(number: i32, next: i64) -> Position {
    Position {
        partition: partition(number),
        next,
    }
}

/// A writer that runs.
struct Running {
    archive: Arc<Mutex<Archive>>,
    work: mpsc::Sender<Work>,
    reports: mpsc::Receiver<WriterReport>,
    generations: Generations,
    meters: Meters,
    stop: Stop,
    ended: JoinHandle<TaskEnd>,
}

fn start(answers: Answers, limit: u64) -> Running {
    start_with(answers, limit, ProgressHome::Group)
}

fn start_with(answers: Answers, limit: u64, home: ProgressHome) -> Running {
    let archive = Arc::new(Mutex::new(Archive::default()));
    let sink = AcceptingSink {
        archive: archive.clone(),
        answers,
        opened: Instant::now(),
    };
    let lane = TestLane {
        home,
        limit,
        ..TestLane::new("archive", sink)
    };
    let Joined {
        writer: mut to_run,
        reports,
        generations,
        meters,
        stop,
    } = writer(vec![lane], ErrorsConfig::default(), None);
    let (work, to_do) = mpsc::channel(1);
    Running {
        archive,
        work,
        reports,
        generations,
        meters,
        stop,
        ended: tokio::spawn(async move { to_run.run(to_do).await }),
    }
}

impl Running {
    /// Ten records, five of each partition, after `batches` like it; and waits until the writer is done with them.
    async fn send(&self, batches: i64) {
        consumed(&self.meters, 10);
        let prepared = shifted(batch(Generation::for_tests(1), &[]), batches * 5);
        self.work
            .send(Work::Batch(Box::new(prepared)))
            .await
            .unwrap();
        settle().await;
    }

    /// What was reported since the last look: the durable positions by partition, and whether everything begins again.
    fn reported(&mut self) -> (BTreeMap<i32, i64>, bool) {
        let mut durable = BTreeMap::new();
        let mut start_over = false;
        while let Ok(report) = self.reports.try_recv() {
            match report {
                WriterReport::Durable(positions) => {
                    durable.extend(positions.into_iter().map(|reached| {
                        let position = reached.smallest();
                        (position.partition.partition, position.next)
                    }));
                }
                WriterReport::Superseded => start_over = true,
                WriterReport::Resumed(_) => panic!("nobody asked"),
            }
        }
        (durable, start_over)
    }

    fn counters(&self) -> Counters {
        let counters = self.meters.status().counters;
        assert_eq!(accounted(counters), counters.consumed, "{counters:?}");
        counters
    }

    /// Asks for a flush as the reader does when the group takes partitions; the answer comes once it is tried.
    async fn flush(&self) -> oneshot::Receiver<()> {
        let (tried, over) = oneshot::channel();
        let flush = Work::Flush { tried };
        self.work.send(flush).await.unwrap();
        over
    }

    async fn end(self) -> (TaskEnd, BTreeMap<i32, i64>, Archive, Counters) {
        let mut running = self;
        let (closed, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut running.work, closed));
        let end = (&mut running.ended).await.unwrap();
        let (durable, _) = running.reported();
        let counters = running.counters();
        let archive = std::mem::take(&mut *running.archive.lock().unwrap());
        (end, durable, archive, counters)
    }
}

/// Lets the writer do what it can do now. The clock is paused: it moves only when everybody waits for it.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// The same batch at later offsets; each record takes ten bytes.
fn shifted(mut prepared: Prepared, by: i64) -> Prepared {
    for input in &mut prepared.inputs {
        let origin = Arc::make_mut(&mut input.origin);
        origin.offset += by;
        origin.value = Some(bytes::Bytes::from_static(&[0; 10]));
        if let Outcome::Records(range) = &input.outcome {
            for record in &mut prepared.records[range.clone()] {
                record.origin = input.origin.clone();
            }
        }
    }
    for owned in &mut prepared.progress {
        owned.progress.expected += by;
        owned.progress.next += by;
    }
    prepared
}

fn both(next: i64) -> BTreeMap<i32, i64> {
    BTreeMap::from([(0, next), (1, next)])
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_is_in_flight_and_not_reported_until_the_stop_makes_it_durable() {
    let mut running = start(Answers::default(), u64::MAX);
    running.send(0).await;
    running.send(1).await;
    assert_eq!(running.reported(), (BTreeMap::new(), false));
    let counters = running.counters();
    assert_eq!((counters.delivered, counters.in_flight), (0, 20));
    let (end, durable, archive, counters) = running.end().await;
    assert!(matches!(end, TaskEnd::Stopped), "{end:?}");
    assert_eq!(durable, both(10));
    assert_eq!((archive.flushes.len(), archive.finished.len()), (1, 20));
    assert_eq!((counters.delivered, counters.in_flight), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn a_position_inside_a_batch_is_reported_at_once_and_only_whole_writes_are_counted() {
    // (durable below, reported, delivered)
    let cases = [(3, 3, 0), (5, 5, 10), (0, 0, 0)];
    for (rolls_at, reported, delivered) in cases {
        let answers = Answers {
            rolls_at: Some(rolls_at),
            ..Answers::default()
        };
        let mut running = start(answers, u64::MAX);
        running.send(0).await;
        assert_eq!(running.reported(), (both(reported), false), "{rolls_at}");
        assert_eq!(running.counters().delivered, delivered, "{rolls_at}");
        let (_, _, archive, counters) = running.end().await;
        assert_eq!(archive.finished.len(), 10, "{rolls_at}");
        assert_eq!(counters.delivered, 10, "{rolls_at}");
    }
}

#[tokio::test(start_paused = true)]
async fn flush_by_flushes_without_new_input_and_only_once() {
    let answers = Answers {
        flush_within: Some(Duration::from_secs(60)),
        ..Answers::default()
    };
    let mut running = start(answers, u64::MAX);
    running.send(0).await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(running.reported().0, BTreeMap::new());
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(running.reported(), (both(5), false));
    assert_eq!(running.counters().delivered, 10);
    let (_, _, archive, _) = running.end().await;
    let flushes: Vec<u64> = archive.flushes.iter().map(Duration::as_secs).collect();
    assert_eq!(flushes, [60], "nothing is open at the end");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_durable_settles_all_that_was_accepted_before() {
    let answers = Answers {
        flush_within: Some(Duration::from_secs(60)),
        ..Answers::default()
    };
    let mut running = start(answers, u64::MAX);
    running.send(0).await;
    assert_eq!(running.reported().0, BTreeMap::new());
    drop(running);
    let durable = Answers {
        durable: true,
        ..answers
    };
    let mut running = start(durable, u64::MAX);
    running.send(0).await;
    running.send(1).await;
    assert_eq!(running.reported(), (both(10), false));
    let (_, _, archive, counters) = running.end().await;
    assert!(archive.flushes.is_empty());
    assert_eq!(counters.delivered, 20);
}

#[tokio::test(start_paused = true)]
async fn a_failed_flush_gives_everything_back_and_begins_again_after_a_wait() {
    for flush_within in [None, Some(Duration::from_secs(1))] {
        let answers = Answers {
            flush_within,
            ..Answers::default()
        };
        // A limit below one batch: the second write needs a flush first.
        let limit = if flush_within.is_some() { u64::MAX } else { 1 };
        let mut running = start(answers, limit);
        running.archive.lock().unwrap().outages = 1;
        running.send(0).await;
        if flush_within.is_none() {
            running.send(1).await;
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(
            running.reported(),
            (BTreeMap::new(), true),
            "{flush_within:?}"
        );
        let counters = running.counters();
        assert_eq!(counters.given_back, counters.consumed, "{flush_within:?}");
        {
            let archive = running.archive.lock().unwrap();
            assert_eq!(archive.forgotten, [0, 1], "{flush_within:?}");
            assert!(archive.open.is_empty(), "{flush_within:?}");
        }
        // As the reader begins again: the same records under a new generation.
        for number in [0, 1] {
            running
                .generations
                .set(partition(number), Generation::for_tests(2));
        }
        consumed(&running.meters, 10);
        let again = Work::Batch(Box::new(batch(Generation::for_tests(2), &[])));
        running.work.send(again).await.unwrap();
        settle().await;
        let (_, durable, archive, counters) = running.end().await;
        assert_eq!(durable, both(5), "{flush_within:?}");
        assert_eq!(archive.finished.len(), 10, "{flush_within:?}");
        assert_eq!(counters.delivered, 10, "{flush_within:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_fails_at_the_stop_reports_nothing() {
    let running = start(Answers::default(), u64::MAX);
    running.archive.lock().unwrap().outages = 1;
    running.send(0).await;
    let (end, durable, archive, counters) = running.end().await;
    assert!(matches!(end, TaskEnd::Stopped), "{end:?}");
    assert_eq!(durable, BTreeMap::new());
    assert!(archive.finished.is_empty());
    assert_eq!((counters.delivered, counters.given_back), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_wait_for_a_failed_flush_ends_the_task() {
    let answers = Answers {
        flush_within: Some(Duration::from_secs(1)),
        ..Answers::default()
    };
    let running = start(answers, u64::MAX);
    running.archive.lock().unwrap().outages = 1;
    running.send(0).await;
    tokio::time::sleep(Duration::from_millis(1_010)).await;
    running.stop.drain.cancel();
    let (end, durable, _, counters) = running.end().await;
    assert!(matches!(end, TaskEnd::Stopped), "{end:?}");
    assert_eq!(durable, BTreeMap::new());
    assert_eq!(counters.given_back, 10);
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_of_a_partition_that_goes_is_forgotten_and_the_rest_stays() {
    // Assigned elsewhere, or given back under a new generation.
    for given_back in [false, true] {
        let mut running = start(Answers::default(), u64::MAX);
        running.send(0).await;
        running.generations.forget(&partition(0));
        if given_back {
            running
                .generations
                .set(partition(0), Generation::for_tests(2));
        }
        settle().await;
        assert_eq!(
            running.archive.lock().unwrap().forgotten,
            [0],
            "{given_back}"
        );
        let counters = running.counters();
        assert_eq!(
            (counters.given_back, counters.in_flight),
            (5, 5),
            "{given_back}"
        );
        assert_eq!(running.reported(), (BTreeMap::new(), false));
        let (_, durable, archive, _) = running.end().await;
        assert_eq!(durable, BTreeMap::from([(1, 5)]), "{given_back}");
        assert_eq!(archive.finished.len(), 5, "{given_back}");
    }
}

#[tokio::test(start_paused = true)]
async fn accepted_bytes_stay_below_their_limit() {
    // A batch takes a hundred bytes. (limit, flushes before the fourth batch is accepted)
    for (limit, flushes) in [(100, 3), (200, 1), (299, 1), (300, 1), (400, 0), (0, 3)] {
        let running = start(Answers::default(), limit);
        for batches in 0..4 {
            running.send(batches).await;
            let open = 10 * running.archive.lock().unwrap().open.len() as u64;
            assert!(open <= limit.max(100), "{limit}: {open}");
        }
        assert_eq!(
            running.archive.lock().unwrap().flushes.len(),
            flushes,
            "{limit}"
        );
        let (_, durable, archive, _) = running.end().await;
        assert_eq!((durable.len(), archive.finished.len()), (2, 40), "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_breaks_the_contract_ends_its_task_and_nothing_is_reported() {
    let exaggerates = Answers {
        exaggerates: true,
        ..Answers::default()
    };
    let is_silent = Answers {
        is_silent: true,
        flush_within: Some(Duration::from_secs(1)),
        ..Answers::default()
    };
    let cases = [
        (exaggerates, ProgressHome::Group, "up to offset 1000"),
        (is_silent, ProgressHome::Group, "has flushed"),
        (
            Answers::default(),
            ProgressHome::KafkaTransaction,
            "has already moved",
        ),
    ];
    for (answers, home, expected) in cases {
        let running = start_with(answers, u64::MAX, home);
        running.send(0).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (end, durable, _, _) = running.end().await;
        match end {
            TaskEnd::Crashed(cause) => assert!(cause.message.contains(expected), "{cause}"),
            other => panic!("{answers:?}: {other:?}"),
        }
        assert_eq!(durable, BTreeMap::new(), "{answers:?}");
    }
}
