//! A consumer group from outside: its offsets and its members.

use std::collections::HashMap;
use std::fmt;

use connect_api::{Cause, Position, StartAt, TopicPartition};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::blocking::SharedClient;
use crate::error::{cause, code_cause, is_rebalance};
use crate::log::LogContext;
use crate::offsets::{self, ANSWER_WITHIN, Committed, Watermarks};
use crate::settings::ClientSettings;

/// Reads and writes a group's offsets without joining it, for `connect offsets`.
pub struct GroupOffsets {
    client: SharedClient<BaseConsumer<LogContext>>,
    group: String,
    embedded: bool,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub client_id: String,
    pub host: String,
}

impl fmt::Display for GroupMember {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.client_id, self.host)
    }
}

pub(crate) fn members<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    group: &str,
) -> Result<Vec<GroupMember>, Cause> {
    let list = client
        .fetch_group_list(Some(group), ANSWER_WITHIN)
        .map_err(|error| cause("listing the members of the group", &error))?;
    let members = list.groups().iter().flat_map(|group| group.members());
    let members = members.map(|member| GroupMember {
        client_id: member.client_id().to_owned(),
        host: member.client_host().to_owned(),
    });
    Ok(members.collect())
}

impl GroupOffsets {
    pub fn open(settings: &ClientSettings, group: &str) -> Result<GroupOffsets, Cause> {
        let client: BaseConsumer<LogContext> = settings
            .consumer("connect-offsets", group)
            .create_with_context(LogContext::of(settings))
            .map_err(|error| cause("making a client for the group's offsets", &error))?;
        Ok(GroupOffsets {
            client: SharedClient::new(client),
            group: group.to_owned(),
            embedded: settings.is_embedded(),
        })
    }

    /// What the group has committed. `None`: nothing.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<i64>>, Cause> {
        let partitions = partitions.to_vec();
        self.client
            .ask(move |client| offsets::committed(client, &partitions))
            .await
    }

    /// As `committed`, with the metadata of each offset.
    pub async fn committed_with_metadata(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<Committed>>, Cause> {
        let partitions = partitions.to_vec();
        self.client
            .ask(move |client| offsets::committed_with_metadata(client, &partitions))
            .await
    }

    /// The watermarks of these partitions, in their order.
    pub async fn watermarks(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Watermarks>, Cause> {
        let partitions = partitions.to_vec();
        self.client
            .ask(move |client| {
                offsets::watermarks(client, &partitions)?
                    .into_iter()
                    .collect()
            })
            .await
    }

    /// The offset of this start in each partition.
    pub async fn resolve(
        &self,
        partitions: &[TopicPartition],
        start: StartAt,
    ) -> Result<HashMap<TopicPartition, i64>, Cause> {
        let starts = partitions
            .iter()
            .map(|partition| (partition.clone(), start));
        let starts: Vec<(TopicPartition, StartAt)> = starts.collect();
        self.client
            .ask(move |client| {
                let resolved = offsets::resolve(client, &starts)?;
                let resolved = starts.into_iter().zip(resolved);
                resolved
                    .map(|((partition, _), offset)| Ok((partition, offset?)))
                    .collect()
            })
            .await
    }

    /// The group's members. The mock cluster cannot list them: none.
    pub async fn members(&self) -> Result<Vec<GroupMember>, Cause> {
        if self.embedded {
            return Ok(Vec::new());
        }
        let group = self.group.clone();
        self.client.ask(move |client| members(client, &group)).await
    }

    /// Writes the group's offsets. Kafka refuses this while the group has members, which would not notice it.
    pub async fn set(&self, positions: &[Position]) -> Result<(), Cause> {
        self.set_with_metadata(positions, |_| String::new()).await
    }

    /// As `set`, with metadata for each offset.
    pub async fn set_with_metadata(
        &self,
        positions: &[Position],
        metadata: impl Fn(&TopicPartition) -> String,
    ) -> Result<(), Cause> {
        let mut list = TopicPartitionList::new();
        for Position { partition, next } in positions {
            let mut element = list.add_partition(&partition.topic, partition.partition);
            element
                .set_offset(Offset::Offset(*next))
                .map_err(|error| cause("writing the group's offsets", &error))?;
            element.set_metadata(metadata(partition));
        }
        let members = self.members().await?;
        if !members.is_empty() {
            let names: Vec<String> = members.iter().map(ToString::to_string).collect();
            return Err(self.group_is_active(&names.join(", ")));
        }
        let committed = self
            .client
            .call(move |client| client.commit(&list, CommitMode::Sync))
            .await?;
        match committed {
            Ok(()) => Ok(()),
            Err(KafkaError::ConsumerCommit(code)) if is_rebalance(code) => {
                Err(self.group_is_active("a member that joined just now"))
            }
            Err(error) => Err(cause("writing the group's offsets", &error)),
        }
    }

    fn group_is_active(&self, members: &str) -> Cause {
        code_cause(
            "writing the group's offsets",
            RDKafkaErrorCode::NonEmptyGroup,
            Some(&format!("group {} is in use by {members}", self.group)),
        )
        .with_help("stop every `connect run` of this connector first, then set the offsets again")
    }
}
