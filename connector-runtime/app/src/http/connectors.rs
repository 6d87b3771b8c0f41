//! The JSON of `GET /connectors`. It contains no configuration and therefore no secret.

use connect_api::time::format_ms;
use connect_engine::{ConnectorState, ConnectorStatus, Counters, LaneStatus, PartitionStatus};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct ConnectorView {
    name: String,
    /// `sink` or `source`.
    #[serde(rename = "type")]
    kind: &'static str,
    plugin: &'static str,
    state: ConnectorState,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    guarantee: String,
    /// The digest of its file: equal in all processes that run it.
    fingerprint: String,
    /// Another process runs a different file under this name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    differs: bool,
    tasks: u32,
    /// Records between the position and the end of the topics, if known.
    lag: Option<u64>,
    /// The age of the oldest of these records.
    lag_seconds: Option<f64>,
    last_commit: Option<String>,
    records: Records,
    /// Empty for a source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sinks: Vec<Sink>,
    /// The partitions that this process reads; empty for a source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    partitions: Vec<Partition>,
}

#[derive(Serialize)]
struct Partition {
    topic: String,
    partition: i32,
    task: Option<u32>,
    position: Option<i64>,
    end: Option<i64>,
    lag: Option<u64>,
    lag_seconds: Option<f64>,
}

impl Partition {
    fn of(one: &PartitionStatus) -> Partition {
        Partition {
            topic: one.topic.to_string(),
            partition: one.partition,
            task: one.task,
            position: one.position,
            end: one.end,
            lag: one.lag_records,
            lag_seconds: one.lag_seconds,
        }
    }
}

#[derive(Serialize)]
struct Reason {
    code: &'static str,
    text: String,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    again_at: Option<String>,
}

/// One `[[sinks]]` entry.
#[derive(Serialize)]
struct Sink {
    name: String,
    plugin: &'static str,
    guarantee: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    records: Records,
}

impl Sink {
    fn of(lane: &LaneStatus) -> Sink {
        Sink {
            name: lane.name.to_string(),
            plugin: lane.plugin,
            guarantee: lane.guarantee.to_string(),
            reason: lane.reason.as_ref().map(Reason::of),
            records: Records::of(lane.counters),
        }
    }
}

/// consumed = delivered + dead_lettered + filtered + given_back + in_flight.
#[derive(Serialize)]
struct Records {
    consumed: u64,
    delivered: u64,
    dead_lettered: u64,
    filtered: u64,
    given_back: u64,
    in_flight: u64,
    rows: u64,
    retries: u64,
}

/// Hides the reason's text and keeps its existence and start time.
pub(super) fn hide_reasons(status: &mut ConnectorStatus) {
    let of_lanes = status.lanes.iter_mut().map(|lane| &mut lane.reason);
    for reason in of_lanes.chain([&mut status.reason]).flatten() {
        "see the log of the process".clone_into(&mut reason.text);
    }
}

impl Reason {
    fn of(reason: &connect_engine::Reason) -> Reason {
        Reason {
            code: reason.code,
            text: reason.text.clone(),
            since: format_ms(reason.since_ms),
            again_at: reason.retry_at_ms.map(format_ms),
        }
    }
}

impl Records {
    fn of(counters: Counters) -> Records {
        Records {
            consumed: counters.consumed,
            delivered: counters.delivered,
            dead_lettered: counters.dead_lettered,
            filtered: counters.filtered,
            given_back: counters.given_back,
            in_flight: counters.in_flight,
            rows: counters.rows,
            retries: counters.retries,
        }
    }
}

impl ConnectorView {
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name == name
    }

    pub(super) fn of(status: &ConnectorStatus) -> ConnectorView {
        let counters = status.counters;
        ConnectorView {
            name: status.name.to_string(),
            kind: status.kind,
            plugin: status.plugin,
            state: status.state,
            reason: status.reason.as_ref().map(Reason::of),
            guarantee: status.guarantee.to_string(),
            fingerprint: status.fingerprint.to_string(),
            differs: status.differs,
            tasks: status.tasks,
            lag: status.lag_records(),
            lag_seconds: status.lag_seconds(),
            last_commit: status.last_commit_ms.map(format_ms),
            records: Records::of(counters),
            sinks: status.lanes.iter().map(Sink::of).collect(),
            partitions: status.partitions.iter().map(Partition::of).collect(),
        }
    }
}
