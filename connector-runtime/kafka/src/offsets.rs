//! Requests for offsets: a group's committed offsets, a partition's bounds, the first offset at a time.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use connect_api::{Cause, StartAt, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use crate::consumer_context::list_of;
use crate::error::{cause, code_cause};

/// The timeout of one request to the cluster.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A position as the group has committed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub next: i64,
    /// Empty if it was committed without metadata.
    pub metadata: String,
}

/// What the group has committed. `None`: nothing.
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

/// librdkafka's answer for many partitions, as a map: librdkafka searches its list from the start for each partition.
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

/// The watermarks of these partitions, in their order: two requests per broker, however many partitions there are. An error in
/// the list concerns one partition only.
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

/// Sends each broker one request for all of its partitions. The answers are in the order of the partitions; `Ok(None)`: there
/// is no such offset.
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

/// The offsets of these starts, in their order: one request for all of a kind, however many partitions there are. An error in
/// the list concerns one partition only.
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

/// The offsets of one start in many partitions: one request per broker.
pub(crate) fn resolve_kind<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &[TopicPartition],
    start: StartAt,
) -> Result<Vec<Result<i64, Cause>>, Cause> {
    let asked = match start {
        StartAt::Offset(offset) => return Ok(vec![Ok(offset); partitions.len()]),
        // As times, these mean the first offset and the end: https://kafka.apache.org/protocol#The_Messages_ListOffsets
        StartAt::Earliest => Offset::Beginning,
        StartAt::Latest => Offset::End,
        // librdkafka accepts no time before 1970, and every record is younger anyway.
        StartAt::Time(time) => Offset::Offset(time.as_millisecond().max(0)),
        StartAt::Committed => return resolve_committed(client, partitions),
    };
    let mut offsets = list_offsets(client, partitions, asked)?;
    // If all records are older than the time, the end is meant.
    let all_older = partitions.iter().zip(&offsets);
    let all_older = all_older.filter(|(_, answer)| matches!(answer, Ok(None)));
    let all_older: Vec<TopicPartition> = all_older.map(|(one, _)| one.clone()).collect();
    if !all_older.is_empty() {
        let mut ends = list_offsets(client, &all_older, Offset::End)?.into_iter();
        let older = offsets
            .iter_mut()
            .filter(|answer| matches!(answer, Ok(None)));
        older.zip(&mut ends).for_each(|(answer, end)| *answer = end);
    }
    let offsets = partitions.iter().zip(offsets);
    Ok(offsets
        .map(|(partition, offset)| {
            offset?
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
