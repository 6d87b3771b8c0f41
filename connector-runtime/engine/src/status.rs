//! The status of a connector, as screens, HTTP and metrics see it.
//!
//! Tasks write into [`Meters`]; readers take one consistent [`ConnectorStatus`]. One lock guards all counts of a connector and
//! is taken once per batch, so that in every snapshot (P8) consumed = delivered + dead-lettered + filtered + given back + in
//! flight.

mod meters;
mod partitions;

use std::collections::BTreeMap;
use std::sync::Arc;

use connect_api::Guarantee;

pub(crate) use meters::{BatchEnd, LaneMeters, Meters, REFUSALS, Waiter};
pub use partitions::PartitionStatus;
pub(crate) use partitions::ReadRange;

use connect_config::Fingerprint;

/// States of a connector, in Kafka Connect's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConnectorState {
    Running,
    /// Runs, but waits for what the reason names, and then continues by itself.
    Waiting,
    /// Stopped by an error, until the user acts or a file changes.
    Failed,
    /// Waits before it is started again after an unexpected failure.
    Restarting,
    /// Another process owns this source.
    Unassigned,
    Stopped,
}

impl ConnectorState {
    /// The name in the REST API and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectorState::Running => "RUNNING",
            ConnectorState::Waiting => "WAITING",
            ConnectorState::Failed => "FAILED",
            ConnectorState::Restarting => "RESTARTING",
            ConnectorState::Unassigned => "UNASSIGNED",
            ConnectorState::Stopped => "STOPPED",
        }
    }

    /// Whether the connector will not do anything more in this run.
    pub fn is_final(self) -> bool {
        matches!(self, ConnectorState::Failed | ConnectorState::Stopped)
    }
}

/// What a connector waits for, or why it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A machine-readable word: a [`connect_api::Dependency`] while the connector waits, otherwise the cause of its state.
    pub code: &'static str,
    pub text: String,
    /// Milliseconds since 1970.
    pub since_ms: i64,
    /// When the next attempt is made, in milliseconds since 1970.
    pub retry_at_ms: Option<i64>,
}

/// Counts in source records, except `rows`, `retries` and `batches`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub consumed: u64,
    pub delivered: u64,
    pub dead_lettered: u64,
    /// Filtered, ignored or discarded on purpose.
    pub filtered: u64,
    /// Read, then left to the next owner of the partition, or to the next start.
    pub given_back: u64,
    pub in_flight: u64,
    pub batches: u64,
    /// Writes that were tried again.
    pub retries: u64,
    /// Rows or records that the sink wrote.
    pub rows: u64,
}

/// A snapshot of one connector.
#[derive(Clone, Debug)]
pub struct ConnectorStatus {
    pub name: Arc<str>,
    /// `sink` or `source`.
    pub kind: &'static str,
    /// The plugin: the value of `type`.
    pub plugin: &'static str,
    pub state: ConnectorState,
    pub reason: Option<Reason>,
    pub guarantee: Guarantee,
    pub tasks: u32,
    pub counters: Counters,
    /// The partitions that this process reads; of a failed connector, all. None of a source.
    pub partitions: Vec<PartitionStatus>,
    /// Milliseconds since 1970 at which progress was last stored.
    pub last_commit_ms: Option<i64>,
    /// Seconds that durable batches took from the first record read to progress stored.
    pub batch_seconds: Histogram,
    /// Seconds from a record's own time to its batch being durable (the batch's last record).
    pub end_to_end_seconds: Histogram,
    /// Each `[[sinks]]` entry, in the order of the file; none of a source.
    pub lanes: Vec<LaneStatus>,
    /// Of the connector's file as it was read for this run.
    pub fingerprint: Fingerprint,
    /// Another process runs a connector of this name with another file.
    pub differs: bool,
    /// Records that were rejected, by stage and reason, each in words.
    pub rejections: BTreeMap<(&'static str, &'static str), u64>,
}

impl ConnectorStatus {
    /// Records between the position and the end of all partitions; `None` where there is none (sources) or it is unknown.
    pub fn lag_records(&self) -> Option<u64> {
        let known = self.partitions.iter().filter_map(|one| one.lag_records);
        known.reduce(|sum, lag| sum + lag)
    }

    /// The age of the oldest record between the two in any partition.
    pub fn lag_seconds(&self) -> Option<f64> {
        let known = self.partitions.iter().filter_map(|one| one.lag_seconds);
        known.reduce(f64::max)
    }
}

/// A snapshot of one `[[sinks]]` entry of a connector.
#[derive(Clone, Debug)]
pub struct LaneStatus {
    pub name: Arc<str>,
    /// The plugin: the value of `type`.
    pub plugin: &'static str,
    pub guarantee: Guarantee,
    /// Counts only records that were new to this lane when they were read.
    pub counters: Counters,
    /// What it waits for.
    pub reason: Option<Reason>,
}

/// Upper bounds in seconds of [`Histogram`]'s buckets.
pub const HISTOGRAM_BOUNDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0,
];

/// Observations in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Observations at or below each bound of [`HISTOGRAM_BOUNDS`] (not cumulative).
    pub buckets: [u64; HISTOGRAM_BOUNDS.len()],
    pub count: u64,
    pub sum: f64,
}

impl Histogram {
    fn observe(&mut self, seconds: f64) {
        let seconds = seconds.max(0.0);
        let bucket = HISTOGRAM_BOUNDS
            .iter()
            .zip(&mut self.buckets)
            .find(|(bound, _)| seconds <= **bound);
        if let Some((_, count)) = bucket {
            *count += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }
}
