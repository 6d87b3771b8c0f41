//! The messages and the state that the halves of a task share: the reader sends work, the writer sends reports.

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
        /// The group assigned them. `false`: their progress was superseded.
        after_rebalance: bool,
    },
    /// The group revokes partitions: make durable what the sinks have accepted, and answer after the attempt.
    Flush {
        /// Closed if the reader does not wait any more, because the partitions are lost.
        tried: oneshot::Sender<()>,
    },
}

/// From the writer to the reader.
pub(crate) enum WriterReport {
    /// Everything below these positions is durable.
    Durable(Vec<PartitionPositions>),
    Resumed(Vec<Resumed>),
    /// The sink's progress is not the expected one, a result is unclear, or accepted records did not become durable: ask again
    /// where every partition resumes.
    Superseded,
}

/// The answers of all sinks about an assigned partition.
pub(crate) struct Resumed {
    pub(crate) assigned: Assigned,
    /// Of each lane.
    pub(crate) stored: Vec<Stored>,
}

/// The stored progress of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// The consumer group stores it.
    InGroup,
    /// The sink stores it. `None`: it has none yet.
    InSink(Option<i64>),
}

/// Whether a sink of the task has accepted records without making them durable. From then on a revocation waits for a flush.
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
