//! Writers to test, with fakes for everything outside.

use super::*;
use crate::records::rejects::Rejects;
use crate::sink_task::halves::{Accepts, SharedGroup};
use crate::sink_task::lane::{Accepting, Lane};
use crate::sink_task::lane_positions::LanePositions;
use crate::status::LaneStatus;

/// A sink, and what the engine knows of it.
pub(super) struct TestLane {
    pub(super) name: &'static str,
    pub(super) sink: Box<dyn Sink>,
    pub(super) home: ProgressHome,
    /// How many bytes it may have accepted.
    pub(super) limit: u64,
}

impl TestLane {
    pub(super) fn new(name: &'static str, sink: impl Sink + 'static) -> TestLane {
        TestLane {
            name,
            sink: Box::new(sink),
            home: ProgressHome::Sink,
            limit: u64::MAX,
        }
    }
}

/// A writer, and the ends of what it is joined to.
pub(super) struct Joined {
    pub(super) writer: Writer,
    pub(super) reports: mpsc::Receiver<WriterReport>,
    pub(super) generations: Generations,
    pub(super) meters: Meters,
    pub(super) stop: Stop,
}

pub(super) fn writer(
    lanes: Vec<TestLane>,
    errors: ErrorsConfig,
    letters: Option<LetterTopic>,
) -> Joined {
    let generations = Generations::default();
    for number in [0, 1] {
        generations.set(partition(number), Generation::for_tests(1));
    }
    let status = |lane: &TestLane| LaneStatus {
        name: Arc::from(lane.name),
        plugin: "fake",
        guarantee: lane.home.guarantee(),
        counters: Counters::default(),
        reason: None,
    };
    let meters = Meters::new(Arc::from("test"), "sink", "fake", Guarantee::ExactlyOnce, 1)
        .with_lanes(lanes.iter().map(status).collect());
    let (reports, reported) = mpsc::channel(64);
    let stop = Stop::default();
    let lanes_stop = stop.child();
    let names = lanes.iter().map(|lane| Arc::from(lane.name));
    let positions = Arc::new(parking_lot::Mutex::new(LanePositions::new(names.collect())));
    let waiting = |lane, stop: &Stop| Waiting {
        connector: Arc::from("test"),
        task: 0,
        lane,
        meters: meters.clone(),
        stop: stop.clone(),
    };
    let dead_letters = letters.map(|producer| DeadLetters {
        producer: Box::new(producer),
        topic: Arc::from("dlq"),
        connector: Arc::from("test"),
        task: 0,
    });
    let rejects = Rejects::new(errors.clone(), dead_letters);
    let rejects = Arc::new(tokio::sync::Mutex::new(rejects));
    let lanes = lanes.into_iter().enumerate().map(|(index, lane)| Lane {
        index,
        name: Arc::from(lane.name),
        kind: "fake",
        sink: lane.sink,
        home: lane.home,
        errors: errors.clone(),
        rejects: rejects.clone(),
        generations: generations.clone(),
        meters: meters.lane(index),
        accepting: Accepting::up_to(lane.limit, Accepts::default()),
        positions: positions.clone(),
        reports: reports.clone(),
        waiting: waiting(Some(index), &lanes_stop),
        supersessions: Supersessions::default(),
    });
    let writer = Writer {
        lanes: lanes.collect(),
        errors: errors.clone(),
        rejects: rejects.clone(),
        generations: generations.clone(),
        meters: meters.clone(),
        positions: positions.clone(),
        reports: reports.clone(),
        waiting: waiting(None, &stop),
        lanes_stop: lanes_stop.clone(),
        other_names: OtherNames::default(),
        group: SharedGroup::default(),
        to_resume: Vec::new(),
    };
    Joined {
        writer,
        reports: reported,
        generations,
        meters,
        stop,
    }
}

/// As the reader counts a batch of so many records.
pub(super) fn consumed(meters: &Meters, records: u64) {
    meters.consumed(records);
    for lane in 0..meters.status().lanes.len() {
        meters.lane(lane).consumed(records);
    }
}
