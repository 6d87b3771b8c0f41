//! Offsets as Kafka knows them: the group's committed ones, a partition's ends, the first one at a time.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use connect_api::{Cause, Position, StartAt, TopicPartition};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use crate::blocking::SharedClient;
use crate::consumer_context::list_of;
use crate::error::{cause, code_cause, is_rebalance};
use crate::log::LogContext;
use crate::settings::ClientSettings;

/// How long one question to the cluster may take.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A position as the group has committed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub next: i64,
    /// The text that was stored beside it; empty where there was none.
    pub metadata: String,
}

/// What the group has committed, `None` where nothing is.
pub(crate) fn committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[TopicPartition],
) -> Result<HashMap<TopicPartition, Option<i64>>, Cause> {
    let committed = committed_with_metadata(client, partitions)?.into_iter();
    Ok(committed
        .map(|(partition, committed)| (partition, committed.map(|committed| committed.next)))
        .collect())
}

pub(crate) fn committed_with_metadata<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[TopicPartition],
) -> Result<HashMap<TopicPartition, Option<Committed>>, Cause> {
    let doing = "reading the group's offsets";
    let answer = client
        .committed_offsets(list_of(partitions), ANSWER_WITHIN)
        .map_err(|error| cause(doing, &error))?;
    let answer = ByPartition::of(&answer);
    partitions
        .iter()
        .map(|partition| {
            let element = answer.answer(partition, doing)?;
            let committed = match element.offset() {
                Offset::Offset(next) => Some(Committed {
                    next,
                    metadata: element.metadata().to_owned(),
                }),
                _ => None,
            };
            Ok((partition.clone(), committed))
        })
        .collect()
}

/// librdkafka's answer for many partitions: looked up one by one, its list would be searched from the start each time.
pub(crate) struct ByPartition<'a>(HashMap<TopicPartition, TopicPartitionListElem<'a>>);

impl<'a> ByPartition<'a> {
    pub(crate) fn of(list: &'a TopicPartitionList) -> ByPartition<'a> {
        let elements = list.elements().into_iter();
        let named = elements.map(|element| {
            let partition = TopicPartition {
                topic: element.topic().into(),
                partition: element.partition(),
            };
            (partition, element)
        });
        ByPartition(named.collect())
    }

    pub(crate) fn get(&self, partition: &TopicPartition) -> Option<&TopicPartitionListElem<'a>> {
        self.0.get(partition)
    }

    /// The answer for a partition; `Err`: why there is none.
    fn answer(
        &self,
        partition: &TopicPartition,
        doing: &str,
    ) -> Result<&TopicPartitionListElem<'a>, Cause> {
        let element = self.get(partition);
        let element =
            element.ok_or_else(|| Cause::new(format!("{doing}: no answer for {partition}")))?;
        let answered = element.error();
        answered.map_err(|error| cause(&format!("{doing} of {partition}"), &error))?;
        Ok(element)
    }
}

/// One question for many partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The first offset that Kafka has.
    First,
    /// The one after the last that readers of committed records get.
    End,
}

impl Bound {
    /// As times, these mean the bounds: https://kafka.apache.org/protocol#The_Messages_ListOffsets
    fn as_offset(self) -> Offset {
        match self {
            Bound::First => Offset::Beginning,
            Bound::End => Offset::End,
        }
    }
}

/// What Kafka has of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset.
    pub low: i64,
    /// The offset after the last record that readers of committed records get.
    pub high: i64,
}

impl Watermarks {
    /// Whether a consumer can read from this offset on.
    pub fn contain(self, offset: i64) -> bool {
        (self.low..=self.high).contains(&offset)
    }
}

/// The watermarks of these partitions, in their order: two requests per broker, however many partitions there are. An error
/// in the list is of one partition alone.
pub(crate) fn watermarks<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[TopicPartition],
) -> Result<Vec<Result<Watermarks, Cause>>, Cause> {
    let lows = resolve_kind(client, partitions, StartAt::Earliest)?;
    let highs = resolve_kind(client, partitions, StartAt::Latest)?;
    let both = lows.into_iter().zip(highs);
    let watermarks = both.map(|(low, high)| {
        Ok(Watermarks {
            low: low?,
            high: high?,
        })
    });
    Ok(watermarks.collect())
}

/// The watermarks of one partition.
pub(crate) fn watermarks_of<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partition: &TopicPartition,
) -> Result<Watermarks, Cause> {
    let mut watermarks = watermarks(client, std::slice::from_ref(partition))?;
    watermarks.pop().expect("one answer for one partition")
}

/// The bound of each partition, in one request per broker. A partition without an answer is left out.
pub(crate) fn bounds<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[TopicPartition],
    bound: Bound,
) -> Result<HashMap<TopicPartition, i64>, Cause> {
    let asked = bound.as_offset();
    let answers = list_offsets(client, partitions, asked)?.into_iter();
    let known = partitions.iter().zip(answers);
    Ok(known
        .filter_map(|(partition, answer)| Some((partition.clone(), answer.ok()??)))
        .collect())
}

/// Asks each broker once for all of its partitions. The answers are in the order of the partitions; `Ok(None)`: there is no
/// such offset.
fn list_offsets<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[TopicPartition],
    asked: Offset,
) -> Result<Vec<Result<Option<i64>, Cause>>, Cause> {
    let doing = "asking for the offsets";
    let mut question = list_of(partitions);
    question
        .set_all_offsets(asked)
        .map_err(|error| cause(doing, &error))?;
    let answer = client
        .offsets_for_times(question, ANSWER_WITHIN)
        .map_err(|error| cause(doing, &error))?;
    let answer = ByPartition::of(&answer);
    let offset_of = |partition| match answer.answer(partition, doing)?.offset() {
        Offset::Offset(offset) => Ok(Some(offset)),
        _ => Ok(None),
    };
    Ok(partitions.iter().map(offset_of).collect())
}

/// The topic's partitions; `None` if there is no such topic.
pub(crate) fn partitions<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    timeout: Duration,
) -> Result<Option<Vec<i32>>, Cause> {
    let doing = format!("asking for topic {topic}");
    let metadata = client
        .fetch_metadata(Some(topic), timeout)
        .map_err(|error| cause(&doing, &error))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(None);
    };
    match found.error() {
        None => {}
        Some(
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
        ) => return Ok(None),
        Some(error) => return Err(code_cause(&doing, error.into(), None)),
    }
    let partitions: Vec<i32> = found
        .partitions()
        .iter()
        .map(rdkafka::metadata::MetadataPartition::id)
        .collect();
    Ok((!partitions.is_empty()).then_some(partitions))
}

/// Where these starts are, as offsets in their order: one question for all of a kind, however many partitions they are. An
/// error in the list is of one partition alone.
pub(crate) fn resolve<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    starts: &[(TopicPartition, StartAt)],
) -> Result<Vec<Result<i64, Cause>>, Cause> {
    let mut resolved: BTreeMap<usize, Result<i64, Cause>> = BTreeMap::new();
    let mut kinds: Vec<(StartAt, Vec<usize>)> = Vec::new();
    for (index, (_, start)) in starts.iter().enumerate() {
        if let StartAt::Offset(offset) = start {
            resolved.insert(index, Ok(*offset));
        } else if let Some((_, indexes)) = kinds.iter_mut().find(|(kind, _)| kind == start) {
            indexes.push(index);
        } else {
            kinds.push((*start, vec![index]));
        }
    }
    for (kind, indexes) in kinds {
        let asked = indexes.iter().filter_map(|index| starts.get(*index));
        let asked: Vec<TopicPartition> = asked.map(|(partition, _)| partition.clone()).collect();
        resolved.extend(indexes.into_iter().zip(resolve_kind(client, &asked, kind)?));
    }
    Ok(resolved.into_values().collect())
}

/// The same start for many partitions.
fn resolve_kind<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[TopicPartition],
    start: StartAt,
) -> Result<Vec<Result<i64, Cause>>, Cause> {
    let asked = match start {
        StartAt::Offset(offset) => return Ok(vec![Ok(offset); partitions.len()]),
        StartAt::Earliest => Bound::First.as_offset(),
        StartAt::Latest => Bound::End.as_offset(),
        // librdkafka takes no time before 1970, and every record is younger anyway.
        StartAt::Time(time) => Offset::Offset(time.as_millisecond().max(0)),
        StartAt::Committed => return resolve_committed(client, partitions),
    };
    let answers = list_offsets(client, partitions, asked)?;
    // Where all records are older than a time, it means the end.
    let all_older = partitions.iter().zip(&answers);
    let all_older = all_older.filter(|(_, answer)| matches!(answer, Ok(None)));
    let all_older: Vec<TopicPartition> = all_older.map(|(one, _)| one.clone()).collect();
    let ends = if all_older.is_empty() {
        HashMap::new()
    } else {
        bounds(client, &all_older, Bound::End)?
    };
    let answers = partitions.iter().zip(answers);
    Ok(answers
        .map(|(partition, answer)| {
            let offset = answer?.or_else(|| ends.get(partition).copied());
            offset
                .ok_or_else(|| Cause::new(format!("asking for the end of {partition}: no answer")))
        })
        .collect())
}

fn resolve_committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[TopicPartition],
) -> Result<Vec<Result<i64, Cause>>, Cause> {
    let committed = committed(client, partitions)?;
    let next = partitions.iter().map(|partition| {
        let next = committed.get(partition).copied().flatten();
        next.ok_or_else(|| Cause::new(format!("the consumer group has no offset for {partition}")))
    });
    Ok(next.collect())
}

/// A group's offsets from outside: reads and writes them without joining, for `connect offsets`.
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

    /// What the group has committed, `None` where nothing is.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<i64>>, Cause> {
        let partitions = partitions.to_vec();
        self.client
            .ask(move |client| committed(client, &partitions))
            .await
    }

    /// As `committed`, with the text that was stored beside each offset.
    pub async fn committed_with_metadata(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<Committed>>, Cause> {
        let partitions = partitions.to_vec();
        self.client
            .ask(move |client| committed_with_metadata(client, &partitions))
            .await
    }

    /// The watermarks of these partitions, in their order.
    pub async fn watermarks(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Watermarks>, Cause> {
        let partitions = partitions.to_vec();
        self.client
            .ask(move |client| watermarks(client, &partitions)?.into_iter().collect())
            .await
    }

    /// Where this start is in each partition, as a number.
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
                let resolved = resolve(client, &starts)?;
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

    /// Writes the group's offsets. Refused by Kafka while the group has members, which would not notice.
    pub async fn set(&self, positions: &[Position]) -> Result<(), Cause> {
        self.set_with_metadata(positions, |_| String::new()).await
    }

    /// As `set`, with a text beside each offset.
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
