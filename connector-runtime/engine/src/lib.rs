//! The engine: loads connectors, runs them, and decides what follows from each failure. It names no plugin.

mod backlog;
mod backoff;
mod cluster;
mod control;
mod lag;
pub mod offsets;
mod open_sink;
mod peers;
mod policy;
mod publisher;
mod records;
mod sink_task;
mod source_task;
mod status;
mod supervisor;
mod waiting;

pub use cluster::client_settings;
pub use status::{
    ConnectorState, ConnectorStatus, Counters, HISTOGRAM_BOUNDS, Histogram, LaneStatus,
    PartitionStatus, Reason,
};
pub use supervisor::{Engine, EngineOptions, Reload, Reread, Summary};
