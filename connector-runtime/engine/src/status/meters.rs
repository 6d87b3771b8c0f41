//! The meters of a connector, into which its tasks write. One lock guards all counts and is taken once per batch.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use connect_api::{Cause, Counter, Dependency, Guarantee, TopicPartition, time};
use parking_lot::{Mutex, MutexGuard};

use super::partitions::{Partitions, ReadRange};
use super::{ConnectorState, ConnectorStatus, Counters, Histogram, LaneStatus, Reason};
use crate::records::rejection::Rejection;
use crate::records::rejection_log::RejectionLog;
use connect_config::Fingerprint;

/// Refusals that only the user can resolve. They are not outages, and the settings are reread.
pub(crate) const REFUSALS: [Dependency; 2] = [Dependency::Credentials, Dependency::Certificate];

/// The meters of one connector.
#[derive(Clone)]
pub(crate) struct Meters {
    pub(crate) rows: Counter,
    pub(crate) rejection_log: RejectionLog,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    status: ConnectorStatus,
    partitions: Partitions,
    waiting: BTreeMap<Waiter, Reason>,
    /// What the connector waits for while none of its tasks runs, and until one has opened its clients.
    refused: Option<Reason>,
    /// The rows or records that each lane wrote.
    lane_rows: Vec<Counter>,
}

/// A task or a lane that may wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiter {
    pub(crate) task: u32,
    /// One lane of the task; `None`: the task as a whole.
    pub(crate) lane: Option<usize>,
}

/// The ends of the input records of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BatchEnd {
    pub(crate) delivered: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) filtered: u64,
    pub(crate) given_back: u64,
}

impl BatchEnd {
    pub(crate) fn records(self) -> u64 {
        self.delivered + self.dead_lettered + self.filtered + self.given_back
    }

    pub(crate) fn add(&mut self, more: BatchEnd) {
        self.delivered += more.delivered;
        self.dead_lettered += more.dead_lettered;
        self.filtered += more.filtered;
        self.given_back += more.given_back;
    }
}

impl Meters {
    pub(crate) fn new(
        name: Arc<str>,
        kind: &'static str,
        plugin: &'static str,
        guarantee: Guarantee,
        tasks: u32,
    ) -> Meters {
        let status = ConnectorStatus {
            name,
            kind,
            plugin,
            state: ConnectorState::Running,
            reason: None,
            guarantee,
            tasks,
            counters: Counters::default(),
            partitions: Vec::new(),
            last_commit_ms: None,
            batch_seconds: Histogram::default(),
            end_to_end_seconds: Histogram::default(),
            lanes: Vec::new(),
            fingerprint: Fingerprint::default(),
            differs: false,
            rejections: BTreeMap::new(),
        };
        let shared = Shared {
            status,
            partitions: Partitions::default(),
            waiting: BTreeMap::new(),
            refused: None,
            lane_rows: Vec::new(),
        };
        Meters {
            rows: Counter::default(),
            rejection_log: RejectionLog::default(),
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    /// A connector with these `[[sinks]]` entries.
    pub(crate) fn with_lanes(self, lanes: Vec<LaneStatus>) -> Meters {
        {
            let mut shared = self.lock();
            shared.lane_rows = lanes.iter().map(|_| Counter::default()).collect();
            shared.status.lanes = lanes;
        }
        self
    }

    pub(crate) fn lane(&self, lane: usize) -> LaneMeters {
        let rows = self.lock().lane_rows.get(lane).cloned();
        LaneMeters {
            rows: rows.expect("the meters know every lane"),
            meters: self.clone(),
            lane,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A panic elsewhere leaves plain numbers behind, which remain usable.
        self.shared.lock()
    }

    /// A consistent snapshot.
    pub(crate) fn status(&self) -> ConnectorStatus {
        let shared = self.lock();
        let mut status = shared.status.clone();
        status.counters.rows = self.rows.get();
        for (index, (lane, rows)) in status.lanes.iter_mut().zip(&shared.lane_rows).enumerate() {
            lane.counters.rows = rows.get();
            status.counters.rows += rows.get();
            let of_lane = |(waiter, _): &(&Waiter, &Reason)| waiter.lane == Some(index);
            let mut waiting = shared.waiting.iter();
            lane.reason = waiting.find(of_lane).map(|(_, reason)| reason.clone());
        }
        status.counters = of_connector(status.counters, &status.lanes);
        status.partitions = shared.partitions.look(time::now_ms());
        if status.state == ConnectorState::Running
            && let Some(reason) = shared.waiting.values().next()
        {
            status.state = ConnectorState::Waiting;
            status.reason = Some(reason.clone());
        }
        status
    }

    pub(crate) fn set_state(
        &self,
        state: ConnectorState,
        reason: Option<String>,
        retry_at_ms: Option<i64>,
    ) {
        let code = match state {
            ConnectorState::Restarting => "crashed",
            ConnectorState::Unassigned => "owned-elsewhere",
            ConnectorState::Running
            | ConnectorState::Waiting
            | ConnectorState::Failed
            | ConnectorState::Stopped => "failed",
        };
        let mut shared = self.lock();
        shared.status.state = state;
        shared.status.reason = reason.map(|text| Reason {
            code,
            text,
            since_ms: time::now_ms(),
            retry_at_ms,
        });
        if state != ConnectorState::Running {
            shared.waiting.clear();
        }
        if state.is_final() {
            shared.refused = None;
        }
    }

    /// The connector does not run because of this, and is retried after a delay.
    pub(crate) fn set_reason(&self, state: ConnectorState, why: &Cause, after: Option<Duration>) {
        let retry_at_ms = after.map(|after| time::now_ms() + after.as_millis() as i64);
        self.set_state(state, Some(why.to_string()), retry_at_ms);
        let mut shared = self.lock();
        let since_ms = shared.refused.as_ref().map(|refused| refused.since_ms);
        if let Some(reason) = &mut shared.status.reason {
            reason.code = why.dependency.map_or(reason.code, Dependency::as_str);
            // The same wait as before the attempt.
            reason.since_ms = since_ms.unwrap_or(reason.since_ms);
        }
        if state == ConnectorState::Waiting {
            shared.refused = shared.status.reason.clone();
        }
    }

    /// Whether a task waits for access.
    pub(crate) fn is_refused(&self) -> bool {
        let shared = self.lock();
        let mut reasons = shared.waiting.values();
        reasons.any(|reason| REFUSALS.iter().any(|word| word.as_str() == reason.code))
    }

    /// The tasks restart with new access. Their waits are over once they have opened their clients.
    pub(crate) fn starts_again(&self) {
        let mut shared = self.lock();
        let waiting = std::mem::take(&mut shared.waiting);
        let longest = waiting.into_values().min_by_key(|reason| reason.since_ms);
        shared.refused = shared.refused.take().or(longest);
    }

    /// A task has opened its clients. Returns what kept the connector from running until now.
    pub(crate) fn recovered(&self) -> Option<Reason> {
        self.lock().refused.take()
    }

    /// A wait starts, or continues with another text or time; then `since` stays.
    pub(crate) fn waiting(&self, waiter: Waiter, why: &Cause, retry_at_ms: Option<i64>) {
        let mut shared = self.lock();
        let known = shared.waiting.get(&waiter);
        let since_ms = known.map_or_else(time::now_ms, |reason| reason.since_ms);
        let reason = Reason {
            code: why.dependency.map_or("other", Dependency::as_str),
            text: why.to_string(),
            since_ms,
            retry_at_ms,
        };
        shared.waiting.insert(waiter, reason);
    }

    /// A wait ends. Returns what was waited for.
    pub(crate) fn not_waiting(&self, waiter: Waiter) -> Option<Reason> {
        self.lock().waiting.remove(&waiter)
    }

    /// A run starts: the group assigns every partition again.
    pub(crate) fn run_begins(&self, fingerprint: Fingerprint) {
        let mut shared = self.lock();
        shared.partitions.clear();
        shared.status.fingerprint = fingerprint;
    }

    /// Whether another member of the group runs another file. Returns whether that changed.
    pub(crate) fn set_differs(&self, differs: bool) -> bool {
        std::mem::replace(&mut self.lock().status.differs, differs) != differs
    }

    pub(crate) fn assigned(&self, task: u32, partitions: &[TopicPartition]) {
        self.lock().partitions.assigned(task, partitions);
    }

    pub(crate) fn revoked(&self, partitions: &[TopicPartition]) {
        self.lock().partitions.revoked(partitions);
    }

    /// Everything below `next` is durable in every lane.
    pub(crate) fn reached(&self, partition: &TopicPartition, next: i64) {
        self.lock().partitions.reached(partition, next);
    }

    /// The expected start of a partition, before the sinks are asked.
    pub(crate) fn starts(&self, partition: &TopicPartition, next: i64) {
        self.lock().partitions.starts(partition, next);
    }

    pub(crate) fn read(&self, partition: &TopicPartition, range: ReadRange) {
        self.lock().partitions.read(partition, range);
    }

    /// The group's position for a connector that has failed. `None`: the group has none.
    pub(crate) fn committed(&self, partition: &TopicPartition, next: Option<i64>) {
        self.lock().partitions.committed(partition, next);
    }

    /// The current ends of partitions.
    pub(crate) fn ends(&self, ends: &HashMap<TopicPartition, i64>) {
        let now_ms = time::now_ms();
        let mut shared = self.lock();
        for (partition, end) in ends {
            shared.partitions.ends(partition, *end, now_ms);
        }
    }

    /// The partitions, and whether their position is known.
    pub(crate) fn partitions(&self) -> Vec<(TopicPartition, bool)> {
        self.lock().partitions.names()
    }

    pub(crate) fn state(&self) -> ConnectorState {
        self.lock().status.state
    }

    pub(crate) fn rejected(&self, rejection: &Rejection) {
        let place = (rejection.stage.as_word(), rejection.kind);
        *self.lock().status.rejections.entry(place).or_default() += 1;
    }

    pub(crate) fn consumed(&self, records: u64) {
        let counters = &mut self.lock().status.counters;
        counters.consumed += records;
        counters.in_flight += records;
    }

    pub(crate) fn retried(&self, lane: Option<usize>) {
        let mut shared = self.lock();
        shared.status.counters.retries += 1;
        if let Some(lane) = lane.and_then(|lane| shared.status.lanes.get_mut(lane)) {
            lane.counters.retries += 1;
        }
    }

    /// Some of the records in flight have ended.
    pub(crate) fn ended(&self, end: BatchEnd) {
        self.lock().status.counters.end(end);
    }

    /// A batch is durable, `seconds` after its first record was read. `last_timestamp_ms` is the time of its last record.
    pub(crate) fn batch_durable(&self, seconds: f64, last_timestamp_ms: Option<i64>) {
        let mut shared = self.lock();
        let now_ms = time::now_ms();
        shared.status.counters.batches += 1;
        shared.status.last_commit_ms = Some(now_ms);
        shared.status.batch_seconds.observe(seconds);
        if let Some(timestamp_ms) = last_timestamp_ms {
            let age_seconds = (now_ms - timestamp_ms) as f64 / 1_000.0;
            shared.status.end_to_end_seconds.observe(age_seconds);
        }
    }

    /// After a task died: its records in flight are given back.
    pub(crate) fn give_back_in_flight(&self) {
        let mut shared = self.lock();
        shared.status.counters.give_back_in_flight();
        let lanes = shared.status.lanes.iter_mut();
        lanes.for_each(|lane| lane.counters.give_back_in_flight());
    }
}

impl Counters {
    fn end(&mut self, end: BatchEnd) {
        self.delivered += end.delivered;
        self.dead_lettered += end.dead_lettered;
        self.filtered += end.filtered;
        self.given_back += end.given_back;
        self.in_flight = self.in_flight.saturating_sub(end.records());
    }

    fn give_back_in_flight(&mut self) {
        self.given_back += self.in_flight;
        self.in_flight = 0;
    }
}

/// The counts of a connector. With one lane they are that lane's. With several, a record has ended when its batch has ended in
/// every lane; a record that some lane has only accepted is still in flight.
fn of_connector(counters: Counters, lanes: &[LaneStatus]) -> Counters {
    let [only] = lanes else {
        let accepted = lanes.iter().map(|lane| lane.counters.in_flight).max();
        let accepted = accepted.unwrap_or(0).saturating_sub(counters.in_flight);
        let accepted = accepted.min(counters.delivered);
        return Counters {
            delivered: counters.delivered - accepted,
            in_flight: counters.in_flight + accepted,
            ..counters
        };
    };
    Counters {
        rows: counters.rows,
        retries: counters.retries,
        ..only.counters
    }
}

/// The meters of one lane, which also count for its connector.
#[derive(Clone)]
pub(crate) struct LaneMeters {
    pub(crate) rows: Counter,
    meters: Meters,
    lane: usize,
}

impl LaneMeters {
    fn with(&self, change: impl FnOnce(&mut Counters)) {
        let mut shared = self.meters.lock();
        let lane = shared.status.lanes.get_mut(self.lane);
        change(&mut lane.expect("the meters know every lane").counters);
    }

    pub(crate) fn consumed(&self, records: u64) {
        self.with(|counters| {
            counters.consumed += records;
            counters.in_flight += records;
        });
    }

    pub(crate) fn ended(&self, end: BatchEnd) {
        self.with(|counters| counters.end(end));
    }

    /// A batch is durable in this lane.
    pub(crate) fn batch_durable(&self, seconds: f64, last_timestamp_ms: Option<i64>) {
        self.with(|counters| counters.batches += 1);
        self.meters.batch_durable(seconds, last_timestamp_ms);
    }
}
