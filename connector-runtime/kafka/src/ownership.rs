//! The ownership of a source: the member of its group that is assigned partition 0 of one topic runs it.

use std::sync::Arc;
use std::time::Duration;

use connect_api::Cause;
use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use crate::blocking::with_deadline;
use crate::consumer_context::{assign_paused, unassign};
use crate::error::cause;
use crate::log::LogFilter;
use crate::settings::ClientSettings;

/// What one member of a source's group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerOptions {
    /// The consumer group whose members compete for the partition.
    pub group: String,
    /// Shown by the broker's tools and in log lines.
    pub client_id: String,
    /// The member that is assigned its partition 0 owns the source.
    pub topic: String,
}

/// A member of a source's group. It reads nothing, it only holds the partition. Poll it at least every few seconds, so that it
/// remains a member.
pub struct PartitionOwner {
    client: BaseConsumer<OwnerContext>,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    now: bool,
    /// The group assigned nothing to this member, so another has the partition.
    elsewhere: bool,
    taken_over: bool,
}

/// The rebalance protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Eager,
    Cooperative,
}

impl PartitionOwner {
    /// Joins the group; does not wait for the cluster.
    pub fn open(
        settings: &ClientSettings,
        options: &OwnerOptions,
    ) -> Result<PartitionOwner, Cause> {
        let held = Arc::new(Mutex::new(Held::default()));
        let context = OwnerContext {
            held: held.clone(),
            log: LogFilter::default(),
        };
        let client: BaseConsumer<OwnerContext> = settings
            .member(&options.client_id, &options.group, Duration::from_secs(5))
            .create_with_context(context)
            .map_err(|error| cause("joining the source's group", &error))?;
        client
            .subscribe(&[options.topic.as_str()])
            .map_err(|error| cause("joining the source's group", &error))?;
        Ok(PartitionOwner { client, held })
    }

    /// Serves the group until something happens, no longer than the timeout. `Some`: the group cannot be reached, and the
    /// ownership stays as it was.
    pub fn poll(&mut self, timeout: Duration) -> Option<Cause> {
        let polled = self.client.poll(timeout)?;
        let error = polled.err()?;
        Some(cause("polling the source's group", &error))
    }

    /// Whether the partition is held as of the last poll.
    pub fn owns(&self) -> bool {
        self.held.lock().now
    }

    /// Whether another member had the partition before this one got it.
    pub fn has_taken_over(&self) -> bool {
        self.held.lock().taken_over
    }

    /// Leaves the group, so that another takes over immediately. `false`: that took longer than the deadline.
    pub fn close(self, deadline: Duration) -> bool {
        with_deadline(deadline, move || drop(self.client))
    }
}

impl Held {
    /// The group has assigned or revoked partitions. `holds_it`: partition 0 is among them.
    fn rebalanced(&mut self, assigned: bool, holds_it: bool, protocol: Protocol) {
        if holds_it {
            self.now = assigned;
            self.taken_over = assigned && std::mem::take(&mut self.elsewhere);
            // An eager group revokes everything at every rebalance. A cooperative one revokes only what another member gets,
            // and sends nothing more about it.
            self.elsewhere = !assigned && protocol == Protocol::Cooperative;
        } else if assigned && !self.now {
            self.elsewhere = true;
        }
    }
}

struct OwnerContext {
    held: Arc<Mutex<Held>>,
    log: LogFilter,
}

impl ClientContext for OwnerContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.log.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
    }
}

impl ConsumerContext for OwnerContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let holds_it = list
            .elements()
            .iter()
            .any(|element| element.partition() == 0);
        let taken = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        // Its records are read elsewhere: the partition stays paused.
        let done = if taken {
            assign_paused(consumer, list)
        } else {
            unassign(consumer, list)
        };
        if let Err(error) = done {
            tracing::warn!(%error, "changing the source's owner");
        }
        let protocol = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => Protocol::Cooperative,
            RebalanceProtocol::None | RebalanceProtocol::Eager => Protocol::Eager,
        };
        self.held.lock().rebalanced(taken, holds_it, protocol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether partitions are assigned, and whether the source's is among them.
    type Rebalances<'a> = &'a [(bool, bool)];

    #[test]
    fn a_partition_is_taken_over_if_the_group_gave_it_to_another_before() {
        // Owned, taken over.
        let cases: [(&str, Protocol, Rebalances<'_>, (bool, bool)); 7] = [
            ("nothing yet", Protocol::Eager, &[], (false, false)),
            (
                "the first member",
                Protocol::Eager,
                &[(true, true)],
                (true, false),
            ),
            (
                "another has it",
                Protocol::Eager,
                &[(true, false)],
                (false, false),
            ),
            (
                "the other is gone",
                Protocol::Eager,
                &[(true, false), (true, true)],
                (true, true),
            ),
            (
                "a rebalance that changes nothing for the owner",
                Protocol::Cooperative,
                &[(true, true), (true, false)],
                (true, false),
            ),
            (
                "revoked, then back without another owner",
                Protocol::Eager,
                &[(true, false), (true, true), (false, true), (true, true)],
                (true, false),
            ),
            (
                "revoked for another member, which is gone",
                Protocol::Cooperative,
                &[(true, true), (false, true), (true, true)],
                (true, true),
            ),
        ];
        for (name, protocol, rebalances, expected) in cases {
            let mut held = Held::default();
            for (assigned, holds_it) in rebalances {
                held.rebalanced(*assigned, *holds_it, protocol);
            }
            assert_eq!((held.now, held.taken_over), expected, "{name}");
        }
    }
}
