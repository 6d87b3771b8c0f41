//! The writing half against a sink that keeps its promises and checks ours: progress moves by compare-and-set, each
//! record is written once, in order, and everything is accounted for.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod accepting;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

use async_trait::async_trait;
use connect_api::{
    Batch, Cause, Failure, Guarantee, Key, Origin, Progress, ProgressHome, Record, RejectedRecord,
    Result, Sink, TopicPartition, Written,
};
use connect_kafka::Generation;
use tokio::sync::mpsc;

use crate::backoff::Supersessions;
use crate::control::{Stop, TaskEnd};
use crate::records::dead_letter::DeadLetters;
use crate::records::rejection::{Rejection, RejectionStage};
use crate::sink_task::assignment::Generations;
use crate::sink_task::batch::{Input, LaneStart, Outcome, OwnedProgress, Prepared};
use crate::sink_task::halves::{Work, WriterReport};
use crate::sink_task::other_names::OtherNames;
use crate::sink_task::writer::Writer;
use crate::status::{Counters, Meters};
use crate::waiting::Waiting;
use connect_config::{Discard, ErrorsConfig, StopAfter, Tolerance};

mod lanes;
mod letters;
mod reader;
mod stop_after;
mod writers;

use letters::LetterTopic;
use writers::{TestLane, consumed, writer};

const TOPIC: &str = "sales";

/// How the fake sink says no.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Named,
    Somewhere,
    /// It refuses and names nothing, as no sink may.
    NoRecord,
    /// It names a record that is not in the batch, as no sink may.
    OutsideTheBatch,
}

/// What is durable.
#[derive(Default, Debug)]
struct Database {
    /// (partition, offset), in the order of writing.
    rows: Vec<(i32, i64)>,
    next: BTreeMap<i32, i64>,
    writes: usize,
}

struct FakeSink {
    database: Arc<Mutex<Database>>,
    bad: Vec<(i32, i64)>,
    says: Says,
    /// So many first writes end in an outage.
    outages: usize,
    /// More records than this are too much at once.
    too_much: usize,
    superseded: bool,
}

#[async_trait]
impl Sink for FakeSink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        let mut database = self.database.lock().unwrap();
        database.writes += 1;
        if self.outages > 0 {
            self.outages -= 1;
            return Err(Failure::Retry(Cause::new("the database is away")));
        }
        if self.superseded {
            return Err(Failure::Superseded(Cause::new("another owner")));
        }
        if batch.records.len() > self.too_much {
            return Err(Failure::TooMuch(Cause::new("statement timeout")));
        }
        let place = |record: &Record| (record.origin.partition, record.origin.offset);
        let refused: Vec<RejectedRecord> = batch
            .records
            .iter()
            .enumerate()
            .filter(|(_, record)| self.bad.contains(&place(record)))
            .map(|(record, _)| RejectedRecord {
                record,
                cause: Cause::new("does not fit"),
            })
            .collect();
        if !refused.is_empty() {
            return Err(match self.says {
                Says::Named => Failure::Refused(refused),
                Says::Somewhere => Failure::RefusedSomewhere(Cause::new("does not fit")),
                Says::NoRecord => Failure::Refused(Vec::new()),
                Says::OutsideTheBatch => Failure::Refused(vec![RejectedRecord {
                    record: batch.records.len(),
                    cause: Cause::new("does not fit"),
                }]),
            });
        }
        for progress in &batch.progress {
            let stored = database
                .next
                .entry(progress.partition.partition)
                .or_insert(0);
            assert_eq!(*stored, progress.expected, "progress does not chain");
            *stored = progress.next;
        }
        let places: Vec<(i32, i64)> = batch.records.iter().map(|record| place(record)).collect();
        database.rows.extend(places);
        Ok(Written::Durable)
    }
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition {
        topic: Arc::from(TOPIC),
        partition: number,
    }
}

/// Ten records, alternating between two partitions (five each); these places were rejected while preparing.
fn batch(generation: Generation, rejected: &[(i32, i64)]) -> Prepared {
    let mut inputs = Vec::new();
    let mut records = Vec::new();
    for index in 0..10 {
        let (number, offset) = (index % 2, i64::from(index / 2));
        let origin = Arc::new(Origin {
            topic: Arc::from(TOPIC),
            partition: number,
            offset,
            ..Origin::default()
        });
        let outcome = if rejected.contains(&(number, offset)) {
            Outcome::Rejected(Box::new(Rejection::plain(
                RejectionStage::ValueConverter,
                "json",
                "DecodeError",
                "not JSON",
            )))
        } else {
            let start = records.len();
            records.push(Record {
                origin: origin.clone(),
                key: Key::Absent,
                value: None,
                ordinal: 0,
                routed_topic: None,
            });
            Outcome::Records(start..start + 1)
        };
        inputs.push(Input { origin, outcome });
    }
    let progress = [0, 1].map(|number| OwnedProgress {
        progress: Progress {
            partition: partition(number),
            expected: 0,
            next: 5,
            last_timestamp_ms: None,
        },
        generation,
        starts: [LaneStart {
            offset: 0,
            store: false,
        }]
        .into(),
        is_first: true,
    });
    Prepared {
        inputs,
        records,
        selections: Vec::new(),
        progress: progress.into(),
        group: None,
        first_read: Instant::now(),
    }
}

struct Ran {
    end: TaskEnd,
    rows: Vec<(i32, i64)>,
    next: BTreeMap<i32, i64>,
    writes: usize,
    reported: BTreeMap<i32, i64>,
    superseded: bool,
    counters: Counters,
}

#[derive(Clone)]
struct Case {
    bad: Vec<(i32, i64)>,
    rejected: Vec<(i32, i64)>,
    says: Says,
    tolerance: Tolerance,
    outages: usize,
    too_much: usize,
    superseded: bool,
    /// This partition went to somebody else before the write.
    lost: Option<i32>,
    stop_after: StopAfter,
}

impl Default for Case {
    fn default() -> Case {
        Case {
            bad: Vec::new(),
            rejected: Vec::new(),
            says: Says::Named,
            tolerance: Tolerance::All,
            outages: 0,
            too_much: usize::MAX,
            superseded: false,
            lost: None,
            stop_after: StopAfter::default(),
        }
    }
}

async fn run(case: Case) -> Ran {
    run_with(case, None).await
}

async fn run_with(case: Case, letters: Option<LetterTopic>) -> Ran {
    let database = Arc::new(Mutex::new(Database::default()));
    let sink = FakeSink {
        database: database.clone(),
        bad: case.bad,
        says: case.says,
        outages: case.outages,
        too_much: case.too_much,
        superseded: case.superseded,
    };
    let errors = ErrorsConfig {
        tolerance: case.tolerance,
        dead_letter_topic: letters.is_some().then(|| "dlq".to_owned()),
        dead_letter: letters.is_none().then_some(Discard::Discard),
        stop_after: case.stop_after,
        ..ErrorsConfig::default()
    };
    let mut joined = writer(vec![TestLane::new("fake", sink)], errors, letters);
    if let Some(number) = case.lost {
        let later = Generation::for_tests(2);
        joined.generations.set(partition(number), later);
    }
    consumed(&joined.meters, 10);
    let (work, to_do) = mpsc::channel(1);
    let generation = Generation::for_tests(1);
    work.send(Work::Batch(Box::new(batch(generation, &case.rejected))))
        .await
        .unwrap();
    drop(work);
    let end = joined.writer.run(to_do).await;
    drop(joined.writer);
    let (meters, mut reported) = (joined.meters, joined.reports);
    let mut next = BTreeMap::new();
    let mut superseded = false;
    while let Some(report) = reported.recv().await {
        match report {
            WriterReport::Durable(positions) => {
                next.extend(positions.into_iter().map(|reached| {
                    let position = reached.smallest();
                    (position.partition.partition, position.next)
                }));
            }
            WriterReport::Superseded => superseded = true,
            WriterReport::Resumed(_) => panic!("nobody asked"),
        }
    }
    let Database {
        rows,
        next: stored,
        writes,
    } = std::mem::take(&mut *database.lock().unwrap());
    Ran {
        end,
        rows,
        next: stored,
        writes,
        reported: next,
        superseded,
        counters: meters.status().counters,
    }
}

fn all_but(left_out: &[(i32, i64)]) -> Vec<(i32, i64)> {
    (0..10)
        .map(|index| (index % 2, i64::from(index / 2)))
        .filter(|place| !left_out.contains(place))
        .collect()
}

/// The inputs of a batch.
const EVERY: [(i32, i64); 10] = [
    (0, 0),
    (1, 0),
    (0, 1),
    (1, 1),
    (0, 2),
    (1, 2),
    (0, 3),
    (1, 3),
    (0, 4),
    (1, 4),
];

fn accounted(counters: Counters) -> u64 {
    counters.delivered
        + counters.dead_lettered
        + counters.filtered
        + counters.given_back
        + counters.in_flight
}

#[tokio::test(start_paused = true)]
async fn whatever_is_bad_the_rest_is_written_once_and_in_order() {
    let sets: [&[(i32, i64)]; 6] = [
        &[],
        &[(0, 0)],
        &[(1, 4)],
        &[(0, 2), (1, 2)],
        &EVERY[..9],
        &EVERY,
    ];
    for bad in sets {
        for says in [Says::Named, Says::Somewhere] {
            for (outages, too_much) in [(0, usize::MAX), (3, usize::MAX), (0, 3), (2, 1)] {
                for rejected in [vec![], vec![(0, 1), (1, 3)]] {
                    let what = format!("{bad:?} {says:?} {outages} {too_much} {rejected:?}");
                    let case = Case {
                        bad: bad.to_vec(),
                        rejected: rejected.clone(),
                        says,
                        outages,
                        too_much,
                        ..Case::default()
                    };
                    let ran = run(case).await;
                    let left_out = [bad, &rejected].concat();
                    assert!(matches!(ran.end, TaskEnd::Stopped), "{what}: {:?}", ran.end);
                    assert_eq!(ran.rows, all_but(&left_out), "{what}");
                    assert_eq!(ran.next, BTreeMap::from([(0, 5), (1, 5)]), "{what}");
                    assert_eq!(ran.reported, ran.next, "{what}");
                    assert_eq!(ran.counters.delivered, ran.rows.len() as u64, "{what}");
                    assert_eq!(ran.counters.in_flight, 0, "{what}");
                    assert_eq!(accounted(ran.counters), 10, "{what}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_tolerance_everything_below_the_first_bad_record_is_committed() {
    // (bad by the sink, rejected before, first bad record in arrival order)
    let cases = [
        (vec![(1, 2)], vec![], (1, 2)),
        (vec![(0, 0)], vec![], (0, 0)),
        (vec![], vec![(0, 3)], (0, 3)),
        (vec![(0, 1)], vec![(1, 3)], (0, 1)),
        (vec![(0, 4), (1, 1)], vec![], (1, 1)),
    ];
    for (bad, rejected, first) in cases {
        for says in [Says::Named, Says::Somewhere] {
            let case = Case {
                bad: bad.clone(),
                rejected: rejected.clone(),
                says,
                tolerance: Tolerance::None,
                ..Case::default()
            };
            let ran = run(case).await;
            let before: Vec<(i32, i64)> = all_but(&[])
                .into_iter()
                .take_while(|place| *place != first)
                .collect();
            assert_eq!(ran.rows, before, "{first:?} {says:?}");
            let expected =
                [0, 1].map(|number| before.iter().filter(|place| place.0 == number).count() as i64);
            for number in [0, 1] {
                let stored = ran.next.get(&number).copied().unwrap_or(0);
                assert_eq!(stored, expected[number as usize], "{first:?} {says:?}");
            }
            assert_eq!(accounted(ran.counters), 10);
            assert_eq!(ran.counters.in_flight, 0, "{first:?} {says:?}");
            let TaskEnd::Failed(text) = ran.end else {
                panic!("{:?}", ran.end)
            };
            assert!(
                text.contains(&format!("partition {} offset {}", first.0, first.1)),
                "{text}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_went_away_is_given_back_and_the_other_goes_on() {
    let ran = run(Case {
        lost: Some(0),
        ..Case::default()
    })
    .await;
    assert!(ran.rows.iter().all(|place| place.0 == 1));
    assert_eq!(ran.next, BTreeMap::from([(1, 5)]));
    assert_eq!((ran.counters.delivered, ran.counters.given_back), (5, 5));
}

#[tokio::test(start_paused = true)]
async fn superseded_progress_gives_everything_back_and_asks_again() {
    let ran = run(Case {
        superseded: true,
        ..Case::default()
    })
    .await;
    assert!(ran.superseded && ran.rows.is_empty() && ran.reported.is_empty());
    assert_eq!(ran.counters.given_back, 10);
}

#[tokio::test(start_paused = true)]
async fn one_unnamed_bad_record_costs_few_writes() {
    let ran = run(Case {
        bad: vec![(1, 2)],
        says: Says::Somewhere,
        ..Case::default()
    })
    .await;
    assert!(
        ran.writes <= 9,
        "{} writes for one bad record of ten",
        ran.writes
    );
}

#[tokio::test(start_paused = true)]
async fn the_breaker_stops_before_anything_of_the_batch_is_written() {
    let stop_after = StopAfter::Rejects {
        rejects: 2,
        in_last: 10,
    };
    let ran = run(Case {
        rejected: vec![(0, 1), (1, 3)],
        stop_after,
        ..Case::default()
    })
    .await;
    assert!(matches!(ran.end, TaskEnd::Failed(text) if text.contains("stop_after")));
    assert!(ran.rows.is_empty());
    assert_eq!(ran.counters.given_back, 10);
}
