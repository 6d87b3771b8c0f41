//! Several sinks of one connector: each has its own positions, and none makes another write twice.

use super::*;
use crate::records::rejection::RejectionStage;
use crate::sink_task::batch::Selection;

fn sink(database: &Arc<Mutex<Database>>) -> FakeSink {
    FakeSink {
        database: database.clone(),
        bad: Vec::new(),
        says: Says::Named,
        outages: 0,
        too_much: usize::MAX,
        superseded: false,
    }
}

fn with_dead_letters() -> ErrorsConfig {
    ErrorsConfig {
        tolerance: Tolerance::All,
        dead_letter_topic: Some("dlq".to_owned()),
        ..ErrorsConfig::default()
    }
}

/// The batch for so many lanes, each of which starts at its offset in both partitions.
fn prepared(starts: &[i64]) -> Prepared {
    let mut prepared = batch(Generation::for_tests(1), &[]);
    for owned in &mut prepared.progress {
        let starts = starts.iter();
        owned.starts = starts
            .map(|offset| LaneStart {
                offset: *offset,
                store: false,
            })
            .collect();
    }
    prepared
}

struct Outcomes {
    end: TaskEnd,
    /// The rows of each lane, and how often it was asked to write.
    lanes: Vec<Database>,
    /// Of the last report of each partition: the smallest position, and those of the lanes.
    reported: BTreeMap<i32, (i64, Vec<i64>)>,
    starts_over: bool,
    meters: Meters,
}

async fn run(sinks: Vec<FakeSink>, homes: &[ProgressHome], prepared: Prepared) -> Outcomes {
    run_with(sinks, homes, prepared, ErrorsConfig::default(), None).await
}

async fn run_with(
    sinks: Vec<FakeSink>,
    homes: &[ProgressHome],
    prepared: Prepared,
    errors: ErrorsConfig,
    letters: Option<LetterTopic>,
) -> Outcomes {
    let databases: Vec<_> = sinks.iter().map(|sink| sink.database.clone()).collect();
    // They expect to find where the lane starts.
    for (lane, database) in databases.iter().enumerate() {
        for owned in &prepared.progress {
            let number = owned.progress.partition.partition;
            let begin = owned.starts[lane].offset;
            database.lock().unwrap().next.insert(number, begin);
        }
    }
    let names = ["first", "second", "third"];
    let lanes = sinks.into_iter().zip(names).zip(homes);
    let lanes = lanes.map(|((sink, name), home)| TestLane {
        home: *home,
        ..TestLane::new(name, sink)
    });
    let mut joined = writer(lanes.collect(), errors, letters);
    let count = prepared.inputs.len() as u64;
    joined.meters.consumed(count);
    for lane in 0..databases.len() {
        let starts = crate::sink_task::batch::starts_of(&prepared.progress, lane);
        let is_new = |input: &&Input| {
            let begin = starts.get(&(&input.origin.topic, input.origin.partition));
            begin.is_none_or(|begin| input.origin.offset >= *begin)
        };
        let new = prepared.inputs.iter().filter(is_new).count() as u64;
        joined.meters.lane(lane).consumed(new);
    }
    let (work, to_do) = mpsc::channel(1);
    work.send(Work::Batch(Box::new(prepared))).await.unwrap();
    drop(work);
    let end = joined.writer.run(to_do).await;
    drop(joined.writer);
    let mut reported = BTreeMap::new();
    let mut starts_over = false;
    while let Some(report) = joined.reports.recv().await {
        match report {
            WriterReport::Durable(positions) => {
                for reached in positions {
                    let position = reached.smallest();
                    let of_partition = (position.next, reached.lanes.to_vec());
                    reported.insert(position.partition.partition, of_partition);
                }
            }
            WriterReport::Superseded => starts_over = true,
            WriterReport::Resumed(_) => panic!("nobody asked"),
        }
    }
    for lane in &joined.meters.status().lanes {
        assert_eq!(
            accounted(lane.counters),
            lane.counters.consumed,
            "{}",
            lane.name
        );
    }
    let status = joined.meters.status().counters;
    assert_eq!(accounted(status), status.consumed);
    Outcomes {
        end,
        lanes: databases
            .iter()
            .map(|database| std::mem::take(&mut *database.lock().unwrap()))
            .collect(),
        reported,
        starts_over,
        meters: joined.meters,
    }
}

const TWO: [ProgressHome; 2] = [ProgressHome::Sink, ProgressHome::Group];

#[tokio::test(start_paused = true)]
async fn every_lane_gets_every_record_once_whatever_the_others_need() {
    // (outages of the first lane, records at a time of the first)
    for (outages, too_much) in [(0, usize::MAX), (5, usize::MAX), (0, 1), (3, 2)] {
        let databases = [(); 2].map(|()| Arc::<Mutex<Database>>::default());
        let mut first = sink(&databases[0]);
        first.outages = outages;
        first.too_much = too_much;
        let ran = run(vec![first, sink(&databases[1])], &TWO, prepared(&[0, 0])).await;
        assert!(matches!(ran.end, TaskEnd::Stopped), "{:?}", ran.end);
        for lane in &ran.lanes {
            assert_eq!(lane.rows, all_but(&[]), "{outages} {too_much}");
        }
        assert_eq!(
            ran.lanes[1].writes, 1,
            "an outage of a neighbour repeats nothing"
        );
        let both = (5, vec![5, 5]);
        assert_eq!(ran.reported, BTreeMap::from([(0, both.clone()), (1, both)]));
        assert_eq!(ran.meters.status().counters.delivered, 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_skips_what_it_has_and_the_group_keeps_the_smallest_position() {
    // (starts of the lanes, rows of each, the smallest position once all is written)
    for (starts, counts, smallest) in [
        ([0, 3], [10, 4], 5),
        ([5, 0], [0, 10], 5),
        ([2, 4], [6, 2], 5),
        ([0, 9], [10, 0], 5),
    ] {
        let databases = [(); 2].map(|()| Arc::<Mutex<Database>>::default());
        let sinks = databases.iter().map(sink).collect();
        let mut batch = prepared(&starts);
        let read_from = *starts.iter().min().unwrap();
        for owned in &mut batch.progress {
            owned.progress.expected = read_from;
        }
        batch
            .inputs
            .retain(|input| input.origin.offset >= read_from);
        let ran = run(sinks, &TWO, batch).await;
        for (lane, (begin, count)) in ran.lanes.iter().zip(starts.iter().zip(counts)) {
            assert_eq!(lane.rows.len(), count, "{starts:?}");
            assert!(
                lane.rows.iter().all(|(_, offset)| offset >= begin),
                "{starts:?}"
            );
        }
        for (next, lanes) in ran.reported.values() {
            assert_eq!(
                (*next, lanes.iter().min()),
                (smallest, Some(next)),
                "{starts:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_one_lane_refuses_is_one_dead_letter_and_the_others_keep_it() {
    let databases = [(); 3].map(|()| Arc::<Mutex<Database>>::default());
    let mut sinks: Vec<FakeSink> = databases.iter().map(sink).collect();
    sinks[1].bad = vec![(0, 2)];
    let homes = [ProgressHome::Sink, ProgressHome::Group, ProgressHome::Group];
    let errors = with_dead_letters();
    let letters = LetterTopic::default();
    let sent = letters.clone();
    let ran = run_with(sinks, &homes, prepared(&[0, 0, 0]), errors, Some(letters)).await;
    assert_eq!(ran.lanes[0].rows, all_but(&[]));
    assert_eq!(ran.lanes[1].rows, all_but(&[(0, 2)]));
    assert_eq!(ran.lanes[2].rows, all_but(&[]));
    assert_eq!(sent.sinks(), ["second"]);
    let counters = ran.meters.status().counters;
    assert_eq!((counters.delivered, counters.dead_lettered), (9, 1));
    let lanes = ran.meters.status().lanes;
    let dead_lettered: Vec<u64> = lanes
        .iter()
        .map(|lane| lane.counters.dead_lettered)
        .collect();
    assert_eq!(dead_lettered, [0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_preparing_rejects_is_one_dead_letter_for_all_lanes() {
    let databases = [(); 2].map(|()| Arc::<Mutex<Database>>::default());
    let sinks = databases.iter().map(sink).collect();
    let mut rejected = batch(Generation::for_tests(1), &[(1, 3)]);
    for (owned, of_lanes) in rejected.progress.iter_mut().zip(prepared(&[0, 0]).progress) {
        owned.starts = of_lanes.starts;
    }
    let errors = with_dead_letters();
    let letters = LetterTopic::default();
    let sent = letters.clone();
    let ran = run_with(sinks, &TWO, rejected, errors, Some(letters)).await;
    for lane in &ran.lanes {
        assert_eq!(lane.rows, all_but(&[(1, 3)]));
    }
    assert_eq!(sent.sinks(), [""], "no lane rejected it");
    let lanes = ran.meters.status().lanes;
    assert!(lanes.iter().all(|lane| lane.counters.dead_lettered == 1));
    assert_eq!(ran.meters.status().counters.dead_lettered, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lane_takes_what_its_condition_selects() {
    let databases = [(); 2].map(|()| Arc::<Mutex<Database>>::default());
    let sinks = databases.iter().map(sink).collect();
    let mut batch = prepared(&[0, 0]);
    let when = connect_api::Predicate::parse("offset >= 3").unwrap();
    let selection = Selection::of(&when, &batch.inputs, &batch.records);
    batch.selections = vec![None, Some(selection)];
    let ran = run(sinks, &TWO, batch).await;
    assert_eq!(ran.lanes[0].rows, all_but(&[]));
    assert_eq!(ran.lanes[1].rows.len(), 4);
    let lanes = ran.meters.status().lanes;
    assert_eq!(
        (lanes[1].counters.delivered, lanes[1].counters.filtered),
        (4, 6)
    );
    assert_eq!(ran.meters.status().counters.delivered, 10);
    // Progress passes what is filtered.
    assert_eq!(ran.reported[&0], (5, vec![5, 5]));
}

#[tokio::test(start_paused = true)]
async fn a_condition_without_an_answer_rejects_the_record_for_its_lane_only() {
    let databases = [(); 2].map(|()| Arc::<Mutex<Database>>::default());
    let sinks = databases.iter().map(sink).collect();
    let mut batch = prepared(&[0, 0]);
    let rejection = Rejection::plain(
        RejectionStage::Transformation,
        "sinks.when",
        "X",
        "no member",
    );
    let mut selection = Selection::of(
        &connect_api::Predicate::parse("true").unwrap(),
        &batch.inputs,
        &batch.records,
    );
    selection.rejected.insert(4, rejection);
    batch.selections = vec![None, Some(selection)];
    let errors = with_dead_letters();
    let letters = LetterTopic::default();
    let sent = letters.clone();
    let ran = run_with(sinks, &TWO, batch, errors, Some(letters)).await;
    assert_eq!(ran.lanes[0].rows, all_but(&[]));
    assert_eq!(ran.lanes[1].rows.len(), 9);
    assert_eq!(sent.sinks(), ["second"]);
}

#[tokio::test(start_paused = true)]
async fn without_tolerance_each_lane_keeps_what_is_durable_in_it() {
    let databases = [(); 2].map(|()| Arc::<Mutex<Database>>::default());
    let mut sinks: Vec<FakeSink> = databases.iter().map(sink).collect();
    sinks[1].bad = vec![(0, 2)];
    let ran = run(sinks, &TWO, prepared(&[0, 0])).await;
    assert!(matches!(ran.end, TaskEnd::Failed(_)), "{:?}", ran.end);
    assert_eq!(ran.lanes[0].rows, all_but(&[]));
    assert_eq!(ran.lanes[1].rows, [(0, 0), (1, 0), (0, 1), (1, 1)]);
    assert_eq!(ran.reported[&0], (2, vec![5, 2]));
}

#[tokio::test(start_paused = true)]
async fn one_lane_that_is_superseded_makes_every_lane_begin_again() {
    let databases = [(); 2].map(|()| Arc::<Mutex<Database>>::default());
    let mut sinks: Vec<FakeSink> = databases.iter().map(sink).collect();
    sinks[0].superseded = true;
    let ran = run(sinks, &TWO, prepared(&[0, 0])).await;
    assert!(ran.starts_over);
    assert_eq!(ran.lanes[1].rows, all_but(&[]));
    assert_eq!(
        ran.reported[&0],
        (0, vec![0, 5]),
        "the other lane's writes count"
    );
    assert_eq!(ran.meters.status().counters.given_back, 10);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_fails_ends_the_wait_of_another() {
    let databases = [(); 2].map(|()| Arc::<Mutex<Database>>::default());
    let mut sinks: Vec<FakeSink> = databases.iter().map(sink).collect();
    sinks[0].outages = usize::MAX;
    sinks[1].bad = vec![(0, 0)];
    let errors = ErrorsConfig {
        tolerance: Tolerance::All,
        dead_letter: Some(Discard::Discard),
        stop_after: StopAfter::Rejects {
            rejects: 1,
            in_last: 10,
        },
        ..ErrorsConfig::default()
    };
    let ran = run_with(sinks, &TWO, prepared(&[0, 0]), errors, None).await;
    assert!(matches!(ran.end, TaskEnd::Failed(_)), "{:?}", ran.end);
}

/// A record that no lane takes is neither good nor bad: all the others are rejected, and that is a wrong setting.
#[tokio::test(start_paused = true)]
async fn a_record_that_no_lane_takes_does_not_disarm_stop_after() {
    // (what the second lane takes, whether the connector stops)
    for (when, stops) in [("false", true), ("true", false)] {
        let databases = [(); 2].map(|()| Arc::<Mutex<Database>>::default());
        let sinks = databases.iter().map(sink).collect();
        let mut batch = prepared(&[0, 0]);
        for input in &mut batch.inputs[1..] {
            let rejection = Rejection::plain(
                RejectionStage::ValueConverter,
                "json",
                "DecodeError",
                "not JSON",
            );
            input.outcome = Outcome::Rejected(Box::new(rejection));
        }
        batch.selections = ["false", when]
            .map(|when| {
                let when = connect_api::Predicate::parse(when).unwrap();
                Some(Selection::of(&when, &batch.inputs, &batch.records))
            })
            .into();
        let errors = ErrorsConfig {
            tolerance: Tolerance::All,
            dead_letter: Some(Discard::Discard),
            stop_after: StopAfter::AllOfFirst(9),
            ..ErrorsConfig::default()
        };
        let ran = run_with(sinks, &TWO, batch, errors, None).await;
        let has_failed = matches!(&ran.end, TaskEnd::Failed(text) if text.contains("stop_after"));
        assert_eq!(has_failed, stops, "{when}: {:?}", ran.end);
    }
}
