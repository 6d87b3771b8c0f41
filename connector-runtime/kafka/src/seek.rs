//! Where partitions begin: seeking them, and finding those whose offset Kafka does not have.

use std::time::{Duration, Instant};

use connect_api::{Cause, StartAt, TopicPartition};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use crate::consumer::SinkConsumer;
use crate::consumer_context::list_of;
use crate::error::cause;
use crate::event::Event;
use crate::offsets::{self, ByPartition};

/// How long a seek may take altogether, and how long it rests before it asks again.
const SEEK_WITHIN: Duration = Duration::from_secs(10);
const SEEK_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// How long to rest before the ends of partitions are asked for again.
const RANGE_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl SinkConsumer {
    /// Begins the partitions at these offsets. Partitions whose result is an error stay paused: ask again. Nothing of a
    /// partition is delivered before, and nothing below its offset after.
    pub fn begin_at(
        &mut self,
        starts: &[(TopicPartition, StartAt)],
    ) -> Vec<(TopicPartition, Result<i64, Cause>)> {
        let mut results = Vec::with_capacity(starts.len());
        let mut may_begin = Vec::with_capacity(starts.len());
        for (partition, start) in starts {
            if self.shared.lock().assignment.may_begin(partition) {
                may_begin.push((partition.clone(), *start));
            } else {
                let gone = Cause::new(format!("{partition} was revoked or reassigned"));
                results.push((partition.clone(), Err(gone)));
            }
        }
        let resolved = offsets::resolve(&self.client, &may_begin)
            .unwrap_or_else(|cause| vec![Err(cause); may_begin.len()]);
        let mut wanted = Vec::with_capacity(may_begin.len());
        for ((partition, _), offset) in may_begin.into_iter().zip(resolved) {
            match offset {
                Ok(offset) => wanted.push((partition, offset)),
                Err(cause) => results.push((partition, Err(cause))),
            }
        }
        let mut begun = Vec::with_capacity(wanted.len());
        for (partition, offset, sought) in self.seek(wanted) {
            match sought {
                Ok(()) => {
                    self.shared.lock().assignment.begin(&partition, offset);
                    begun.push((partition, offset));
                }
                Err(cause) => results.push((partition, Err(cause))),
            }
        }
        let names: Vec<TopicPartition> = begun.iter().map(|(name, _)| name.clone()).collect();
        let resumed = self.resume_running(&names);
        results.extend(begun.into_iter().map(|(partition, offset)| {
            let result = resumed.clone().map(|()| offset);
            (partition, result)
        }));
        results
    }

    /// Every partition that was announced stands still, under a new generation, until `begin_at`: for who found that its
    /// positions are not what it thought. Nothing that was read before counts any more.
    pub fn start_over(&mut self) -> Vec<TopicPartition> {
        let all = self.shared.lock().assignment.start_over();
        if let Err(error) = self.client.pause(&list_of(&all)) {
            self.push(Event::Waiting(cause("pausing", &error)));
        }
        all
    }

    /// Seeks each partition, checks each result, asks again where librdkafka is not ready yet. Where it has given a
    /// partition up (its offset was out of range) a seek never succeeds, and the partition is taken anew instead.
    fn seek(
        &self,
        wanted: Vec<(TopicPartition, i64)>,
    ) -> Vec<(TopicPartition, i64, Result<(), Cause>)> {
        let give_up = Instant::now() + SEEK_WITHIN;
        let mut results = Vec::with_capacity(wanted.len());
        let mut rest = wanted;
        let mut attempts = 0;
        while !rest.is_empty() {
            attempts += 1;
            let mut again = Vec::new();
            for (partition, offset, result) in self.seek_once(&rest) {
                match result {
                    Ok(()) => results.push((partition, offset, Ok(()))),
                    Err(_) if attempts == 3 && self.take_anew(&partition, offset).is_ok() => {
                        results.push((partition, offset, Ok(())));
                    }
                    Err(_) if Instant::now() < give_up => again.push((partition, offset)),
                    Err(error) => {
                        let cause = cause(&format!("seeking {partition} to {offset}"), &error);
                        results.push((partition, offset, Err(cause)));
                    }
                }
            }
            rest = again;
            if !rest.is_empty() {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "short, few, and on the reader's own thread"
                )]
                std::thread::sleep(SEEK_AGAIN_AFTER);
            }
        }
        results
    }

    fn seek_once(
        &self,
        wanted: &[(TopicPartition, i64)],
    ) -> Vec<(TopicPartition, i64, KafkaResult<()>)> {
        let mut list = TopicPartitionList::new();
        let added = wanted.iter().try_for_each(|(partition, offset)| {
            list.add_partition_offset(
                &partition.topic,
                partition.partition,
                Offset::Offset(*offset),
            )
        });
        let sought = added.and_then(|()| self.client.seek_partitions(list, SEEK_WITHIN));
        let answer = sought.as_ref().map(ByPartition::of);
        wanted
            .iter()
            .map(|(partition, offset)| {
                let result = match &answer {
                    Err(error) => Err((*error).clone()),
                    Ok(answer) => answer
                        .get(partition)
                        .map_or(Ok(()), |element| element.error()),
                };
                (partition.clone(), *offset, result)
            })
            .collect()
    }

    fn take_anew(&self, partition: &TopicPartition, offset: i64) -> KafkaResult<()> {
        let mut list = list_of([partition]);
        self.client.incremental_unassign(&list)?;
        list.set_all_offsets(Offset::Offset(offset))?;
        self.client.incremental_assign(&list)?;
        self.client.pause(&list)
    }

    /// Finds out which partitions are out of range: librdkafka only says that one is, and has stopped fetching it. One
    /// that turns out to be within its range begins again where it was.
    pub(crate) fn check_ranges(&mut self) {
        let Some(at) = self.check_range_at else {
            return;
        };
        if Instant::now() < at {
            return;
        }
        self.check_range_at = None;
        let running = self.shared.lock().assignment.running();
        for partition in running {
            let Some(wanted) = self.position(&partition) else {
                continue;
            };
            match offsets::watermarks(&self.client, &partition, offsets::ANSWER_WITHIN) {
                Ok((low, high)) if (low..=high).contains(&wanted) => {
                    self.seek(vec![(partition.clone(), wanted)]);
                    // A failure is seen again as a partition that stands still, and asked about again.
                    if let Err(cause) = self.resume_running(std::slice::from_ref(&partition)) {
                        self.push(Event::Waiting(cause));
                    }
                }
                Ok((low, high)) => {
                    self.shared.lock().assignment.out_of_range(&partition);
                    self.push(Event::OutOfRange {
                        partition,
                        wanted,
                        low,
                        high,
                    });
                }
                Err(cause) => {
                    self.check_range_at = Some(Instant::now() + RANGE_AGAIN_AFTER);
                    self.push(Event::Waiting(cause));
                    return;
                }
            }
        }
    }
}
