//! What the two halves of a task tell each other: work goes to the writer, reports come back to the reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connect_kafka::GroupMetadata;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::assignment::Assigned;
use super::batch::Prepared;
use crate::sink_task::lane_positions::PartitionPositions;

/// From the reader to the writer.
pub(crate) enum Work {
    Batch(Box<Prepared>),
    /// Ask the sink where these partitions resume.
    Resume {
        partitions: Vec<Assigned>,
        /// The group moved them here; `false`: progress was superseded.
        after_rebalance: bool,
    },
    /// The group takes partitions: make durable what the sinks have accepted, and answer once that is tried.
    Flush {
        /// Closed: the reader no longer waits, the partitions are gone.
        tried: oneshot::Sender<()>,
    },
}

/// From the writer to the reader.
pub(crate) enum WriterReport {
    /// Everything below these positions is durable.
    Durable(Vec<PartitionPositions>),
    Resumed(Vec<Resumed>),
    /// The sink's progress is not what was expected, or an outcome is unclear, or what was accepted did not become
    /// durable: ask again where every partition resumes.
    Superseded,
}

/// What the sinks say about a partition that was assigned.
pub(crate) struct Resumed {
    pub(crate) assigned: Assigned,
    /// Of each lane.
    pub(crate) stored: Vec<Stored>,
}

/// Where a lane's progress is stored, and what its sink has of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// The consumer group has it.
    InGroup,
    /// The sink stores it: the next offset, if it has one yet.
    InSink(Option<i64>),
}

/// Whether a sink of the task accepts records that it makes durable later: once one did, a revocation waits for a flush.
#[derive(Clone, Default)]
pub(crate) struct Accepts(Arc<AtomicBool>);

impl Accepts {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The consumer group as the reader last saw it, for transactions that belong to no batch.
pub(crate) type SharedGroup = Arc<Mutex<Option<GroupMetadata>>>;
