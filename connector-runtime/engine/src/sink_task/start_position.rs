//! The start position of each lane in a partition: one pure decision.
//!
//! [`known`] collects what is known of a lane, [`decide`] decides. The positions of lanes: [`super::lane_positions`]. The
//! reader asks, resolves and seeks: `reader/start.rs`.

mod first_sights;

use super::halves::Stored;
use super::lane_positions::GroupOffset;
use connect_api::StartAt;

pub(crate) use first_sights::FirstSights;

/// What is known about a partition when it is assigned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// The stored progress.
    pub(crate) stored: Stored,
    /// The position in the consumer group, or the durable position that is not committed yet.
    pub(crate) committed: Option<i64>,
    /// The `start` of the connector's file.
    pub(crate) start: Option<StartAt>,
    /// The connector had already begun with other partitions of the topic when this process started, or this process
    /// saw the topic without this partition: it is a later partition, and everything in it is new.
    pub(crate) later: bool,
}

/// Where a lane starts in a newly assigned partition, before Kafka is asked which offset that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneStartAt {
    pub(crate) at: StartAt,
    /// No position is stored yet: the start is stored at once, so that it is a position from now on.
    pub(crate) store: bool,
    /// The group's offset differs from the stored progress, which wins. Logged once.
    pub(crate) group_differs: Option<i64>,
}

/// A stored position always wins. Without one, `start` decides. `Err`: a question to the user, if `start` is not set although
/// the group has an offset, or asks for an offset that the group does not have.
pub(crate) fn decide(connector: &str, known: Known) -> Result<LaneStartAt, String> {
    let first = |at| LaneStartAt {
        at,
        store: true,
        group_differs: None,
    };
    Ok(match (known.stored, known.committed, known.start) {
        (Stored::InSink(Some(offset)), committed, _) => LaneStartAt {
            at: StartAt::Offset(offset),
            store: false,
            group_differs: committed.filter(|group| *group != offset),
        },
        (Stored::InGroup, Some(offset), _) => LaneStartAt {
            at: StartAt::Offset(offset),
            store: false,
            group_differs: None,
        },
        (Stored::InSink(None), Some(offset), Some(StartAt::Committed)) => {
            first(StartAt::Offset(offset))
        }
        (Stored::InSink(None), Some(offset), None) => {
            return Err(format!(
                "the sink has no progress, but the consumer group connect-{connector} is at offset {offset}: a new database, or a group taken over from another tool? Write start = \"group\" to go on from the group's offset, or start = \"earliest\" to begin with the oldest record"
            ));
        }
        (_, None, Some(StartAt::Committed)) if !known.later => {
            return Err(format!(
                "start = \"group\", but the consumer group connect-{connector} has no offset for this partition: write start = \"earliest\" or \"latest\""
            ));
        }
        _ if known.later => first(StartAt::Earliest),
        (_, _, start) => first(start.unwrap_or(StartAt::Earliest)),
    })
}

/// What is known about one lane of a partition. A lane that was not there when the group's offset was committed is new:
/// that offset is no answer and no question, and the partition is not later than the lane.
pub(crate) fn known(
    stored: Stored,
    group: Option<&GroupOffset>,
    durable: Option<i64>,
    lane: &str,
    start: Option<StartAt>,
    is_later: bool,
) -> Known {
    let is_new = durable.is_none() && group.is_some_and(|group| group.is_new(lane));
    let next = group.map(|group| group.next);
    let committed = match (stored, start) {
        (_, Some(StartAt::Committed)) if is_new => next,
        _ if is_new => None,
        (Stored::InGroup, _) => group.and_then(|group| group.of_lane(lane)).max(durable),
        (Stored::InSink(_), _) => next,
    };
    Known {
        stored,
        committed,
        start,
        later: is_later && !is_new,
    }
}

#[cfg(test)]
mod tests;
