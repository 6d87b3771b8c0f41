//! Polling: returns one event at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use connect_api::{Cause, Header, Origin, TopicPartition};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::SinkConsumer;
use crate::consumer_context::{PendingEvent, SharedConsumerState};
use crate::error::{cause, code_cause};
use crate::event::{Event, Rebalance};
use crate::payload::Payloads;
use crate::topic_pattern::Look;

/// After this many consecutive records, ranges, topics and the clock are checked again.
const STREAK: u32 = 64;

impl SinkConsumer {
    /// One event, or none within the timeout. Must be called at least every five minutes, or the group expels us.
    pub fn poll(&mut self, timeout: Duration) -> Option<Event> {
        if self.gives_back {
            self.give_back();
        }
        // Queued records are returned without checking the clock, which costs as much as a record.
        while self.streak > 0 {
            self.streak -= 1;
            if let Some(event) = self.next_pending() {
                return Some(event);
            }
            match self.client.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    if let Some(event) = record(&self.shared, &mut self.payloads, &message) {
                        return Some(event);
                    }
                }
                Some(Err(error)) => {
                    if let Some(event) = self.problem(&error) {
                        return Some(event);
                    }
                }
                None => self.streak = 0,
            }
        }
        self.wait(timeout)
    }

    fn wait(&mut self, timeout: Duration) -> Option<Event> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(event) = self.next_pending() {
                return Some(event);
            }
            self.check_ranges();
            self.look_for_topics();
            let remaining = deadline.saturating_duration_since(Instant::now());
            match self.client.poll(remaining) {
                Some(Ok(message)) => {
                    if let Some(event) = record(&self.shared, &mut self.payloads, &message) {
                        drop(message);
                        self.is_well();
                        self.streak = STREAK;
                        return Some(event);
                    }
                }
                Some(Err(error)) => {
                    if let Some(event) = self.problem(&error) {
                        return Some(event);
                    }
                }
                None if remaining.is_zero() => return self.next_pending(),
                None => {}
            }
        }
    }

    fn next_pending(&mut self) -> Option<Event> {
        let mut state = self.shared.lock();
        loop {
            match state.pending.pop_front()? {
                PendingEvent::Other(event) => {
                    self.gives_back |= matches!(event, Event::Rebalance(Rebalance::Revoked(_)));
                    return Some(event);
                }
                PendingEvent::Assigned(given) => {
                    let still: Vec<TopicPartition> = given
                        .into_iter()
                        .filter(|(partition, generation)| {
                            state.assignment.announce(partition, *generation)
                        })
                        .map(|(partition, _)| partition)
                        .collect();
                    if !still.is_empty() {
                        return Some(Event::Rebalance(Rebalance::Assigned(still)));
                    }
                }
            }
        }
    }

    /// What an error of a poll means.
    fn problem(&mut self, error: &KafkaError) -> Option<Event> {
        let reason = self.shared.lock().reason.take().unwrap_or_default();
        match error {
            KafkaError::PartitionEOF(partition) => self.end_reached(*partition, &reason),
            KafkaError::MessageConsumptionFatal(code) => {
                Some(Event::Fatal(code_cause("consuming", *code, Some(&reason))))
            }
            KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) => {
                self.check_range_at = Some(Instant::now());
                None
            }
            KafkaError::MessageConsumption(code @ RDKafkaErrorCode::BadCompression) => {
                let cause = code_cause("consuming", *code, Some(&reason));
                Some(match self.unreadable.report(&reason) {
                    Some(offset) => Event::Unreadable {
                        offset,
                        partitions: self.shared.lock().assignment.not_beyond(offset),
                        largest: self.largest_batch,
                        cause,
                    },
                    None => Event::Waiting(cause),
                })
            }
            KafkaError::MessageConsumption(code) => Some(match missing_topic(&reason) {
                Some(topic) if *code == RDKafkaErrorCode::UnknownTopicOrPartition => {
                    Event::TopicMissing { topic }
                }
                _ => Event::Waiting(self.trouble(*code, &reason)),
            }),
            other => Some(Event::Waiting(cause("consuming", other))),
        }
    }

    /// "All brokers are down" is reported repeatedly and explains nothing: the previous reason is repeated instead.
    fn trouble(&mut self, code: RDKafkaErrorCode, reason: &str) -> Cause {
        self.troubled = true;
        let heard = match code {
            RDKafkaErrorCode::AllBrokersDown => self.client.context().trouble.last(),
            _ => None,
        };
        heard.unwrap_or_else(|| code_cause("consuming", code, Some(reason)))
    }

    fn is_well(&mut self) {
        if self.troubled {
            self.troubled = false;
            self.client.context().trouble.forget();
        }
    }

    fn end_reached(&self, number: i32, reason: &str) -> Option<Event> {
        let end = end_in(reason)?;
        let (partition, generation) = self.shared.lock().assignment.end_reached(number, end)?;
        Some(Event::EndOfPartition {
            partition,
            next: end,
            generation,
        })
    }

    /// Subscribes to the topics that match the pattern, if a check is due and they have changed.
    fn look_for_topics(&mut self) {
        let Some(pattern) = &mut self.pattern else {
            return;
        };
        match pattern.look(&self.client) {
            Ok(Look::Done) => {}
            Ok(Look::TooMany(found)) => self.push(Event::TooManyTopics { found }),
            Err(cause) => self.push(Event::Waiting(cause)),
        }
    }
}

/// The record as the engine has it, copied out of librdkafka's memory once; `None` if it is not to be delivered.
fn record(
    shared: &SharedConsumerState,
    payloads: &mut Payloads,
    message: &BorrowedMessage<'_>,
) -> Option<Event> {
    let (topic, generation) =
        shared
            .lock()
            .assignment
            .deliver(message.topic(), message.partition(), message.offset())?;
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|header| Header {
                name: header.key.to_owned(),
                value: header.value.map(Bytes::copy_from_slice),
            })
            .collect()
    });
    Some(Event::Record {
        origin: Arc::new(Origin {
            topic,
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(|key| payloads.copy(key)),
            value: message.payload().map(|value| payloads.copy(value)),
            headers,
        }),
        generation,
    })
}

/// The offset in "Fetch from broker 1 reached end of partition at offset 15 (HighwaterMark 15)".
fn end_in(reason: &str) -> Option<i64> {
    let (_, after) = reason.split_once(" at offset ")?;
    after.split_whitespace().next()?.parse().ok()
}

/// The topic in "Subscribed topic not available: sales: Broker: Unknown topic or partition". Names hold no colon.
fn missing_topic(reason: &str) -> Option<String> {
    let names = reason.strip_prefix("Subscribed topic not available: ")?;
    names.split(':').next().map(str::to_owned)
}
