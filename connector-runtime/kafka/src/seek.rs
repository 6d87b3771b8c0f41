//! Starting partitions: seeks them, and finds those whose offset Kafka does not have.

use std::time::{Duration, Instant};

use connect_api::{Cause, StartAt, TopicPartition};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use crate::consumer::SinkConsumer;
use crate::consumer_context::list_of;
use crate::error::cause;
use crate::event::Event;
use crate::offsets::{self, ByPartition, Watermarks};

/// How long a seek may take altogether, and the pause between two attempts.
const SEEK_WITHIN: Duration = Duration::from_secs(10);
const SEEK_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// The pause before the watermarks are requested again.
const RANGE_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl SinkConsumer {
    /// Starts the partitions at these offsets. A partition whose result is an error stays paused: try again. No record of a
    /// partition is delivered before, and none below its offset afterwards.
    pub fn start_at(
        &mut self,
        starts: &[(TopicPartition, StartAt)],
    ) -> Vec<(TopicPartition, Result<i64, Cause>)> {
        let mut results = Vec::with_capacity(starts.len());
        let mut may_start = Vec::with_capacity(starts.len());
        for (partition, start) in starts {
            if self.shared.lock().assignment.may_start(partition) {
                may_start.push((partition.clone(), *start));
            } else {
                let gone = Cause::new(format!("{partition} was revoked or reassigned"));
                results.push((partition.clone(), Err(gone)));
            }
        }
        let resolved = offsets::resolve(&self.client, &may_start)
            .unwrap_or_else(|cause| vec![Err(cause); may_start.len()]);
        let mut wanted = Vec::with_capacity(may_start.len());
        for ((partition, _), offset) in may_start.into_iter().zip(resolved) {
            match offset {
                Ok(offset) => wanted.push((partition, offset)),
                Err(cause) => results.push((partition, Err(cause))),
            }
        }
        let mut begun = Vec::with_capacity(wanted.len());
        for (partition, offset, sought) in self.seek(wanted) {
            match sought {
                Ok(()) => {
                    self.shared.lock().assignment.start(&partition, offset);
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

    /// Pauses every announced partition, under a new generation, until `start_at`: for an owner whose positions were
    /// superseded. Records read before do not count any more.
    pub fn start_over(&mut self) -> Vec<TopicPartition> {
        let all = self.shared.lock().assignment.start_over();
        if let Err(error) = self.client.pause(&list_of(&all)) {
            self.push(Event::Waiting(cause("pausing", &error)));
        }
        all
    }

    /// Seeks each partition, checks each result, and retries if librdkafka is not ready yet. After librdkafka has given up a
    /// partition whose offset was out of range, a seek never succeeds: that partition is reassigned to the client instead.
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

    /// Finds the partitions that are out of range: librdkafka reports that one is, but not which one, and has stopped fetching
    /// it. All are asked about at once. Those that turn out to be within their range start again where they were.
    pub(crate) fn check_ranges(&mut self) {
        if self.check_range_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        self.check_range_at = None;
        let running = self.shared.lock().assignment.running();
        let watermarks = offsets::watermarks(&self.client, &running)
            .unwrap_or_else(|cause| vec![Err(cause); running.len()]);
        let mut in_range = Vec::with_capacity(running.len());
        let mut unanswered = None;
        for (partition, watermarks) in running.into_iter().zip(watermarks) {
            let Some(wanted) = self.position(&partition) else {
                continue;
            };
            match watermarks {
                Ok(watermarks) if watermarks.contain(wanted) => in_range.push((partition, wanted)),
                Ok(Watermarks { low, high }) => {
                    self.shared.lock().assignment.out_of_range(&partition);
                    self.push(Event::OutOfRange {
                        partition,
                        wanted,
                        low,
                        high,
                    });
                }
                Err(cause) => unanswered = Some(cause),
            }
        }
        if let Some(cause) = unanswered {
            self.check_range_at = Some(Instant::now() + RANGE_AGAIN_AFTER);
            self.push(Event::Waiting(cause));
        }
        let names: Vec<TopicPartition> = in_range.iter().map(|(name, _)| name.clone()).collect();
        // librdkafka reports a partition whose seek failed as out of range again.
        self.seek(in_range);
        if let Err(cause) = self.resume_running(&names) {
            self.push(Event::Waiting(cause));
        }
    }
}
