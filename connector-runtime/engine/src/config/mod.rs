//! Configuration: every problem of every file at once, then the connectors that are meant.

mod finding;
mod resolve;

pub use finding::{Findings, Place, PlacedFinding};
pub use resolve::{
    BatchConfig, BrokenConnector, ConfiguredSink, ConfiguredSource, ConfiguredTransform, Connector,
    ConnectorKind, CreateTopics, Discard, ErrorsConfig, HttpAddress, HttpConfig, Loaded,
    ProcessConfig, SinkConnector, SourceConnector, Start, StopAfter, Tolerance, Topics,
};
