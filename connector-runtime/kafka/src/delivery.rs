//! Sending messages and waiting for each one's report.
//!
//! rdkafka's `flush`, and all that calls it, waits in slices of 100 ms even if the last report comes after five. So reports
//! are drained by short polls first, and such a call is made only when nothing is in flight.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use connect_api::{Cause, Outgoing};
use parking_lot::{Mutex, MutexGuard};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use crate::error::{code_cause, is_fault_of_message};
use crate::log::LogFilter;
use crate::trouble::Trouble;

/// How long one poll for reports takes at most.
const SHORT_POLL: Duration = Duration::from_millis(1);

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Acknowledged by all required replicas.
    Delivered { partition: i32, offset: i64 },
    /// Kafka will never accept it, by its own fault: it is too large, for example.
    Refused(Cause),
    /// Not accepted; it can be sent again.
    Failed(Cause),
}

/// What librdkafka reports of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DeliveryReport {
    Delivered {
        partition: i32,
        offset: i64,
    },
    Failed {
        code: RDKafkaErrorCode,
        by_broker: bool,
    },
}

impl DeliveryReport {
    /// Whether another message may be at fault: the broker refuses the whole batch of a bad message, and librdkafka names the
    /// bad ones only if there are several.
    pub(crate) fn may_be_anothers_fault(self) -> bool {
        matches!(
            self,
            DeliveryReport::Failed {
                code: RDKafkaErrorCode::MessageSizeTooLarge
                    | RDKafkaErrorCode::MessageBatchTooLarge
                    | RDKafkaErrorCode::InvalidTimestamp
                    | RDKafkaErrorCode::InvalidRecord,
                by_broker: true,
            } | DeliveryReport::Failed {
                code: RDKafkaErrorCode::InvalidDifferentRecord,
                ..
            }
        )
    }

    pub(crate) fn outcome(self, topic: &str) -> DeliveryOutcome {
        match self {
            DeliveryReport::Delivered { partition, offset } => {
                DeliveryOutcome::Delivered { partition, offset }
            }
            DeliveryReport::Failed { code, .. } => {
                let cause = code_cause(&format!("producing to {topic}"), code, None);
                if is_fault_of_message(code) {
                    DeliveryOutcome::Refused(cause)
                } else {
                    DeliveryOutcome::Failed(cause)
                }
            }
        }
    }
}

/// Gathers the reports of the one batch that is in flight.
#[derive(Default)]
pub(crate) struct DeliveryContext {
    reports: Mutex<Vec<Option<DeliveryReport>>>,
    pub(crate) trouble: Trouble,
    log: LogFilter,
}

impl DeliveryContext {
    fn reports(&self) -> MutexGuard<'_, Vec<Option<DeliveryReport>>> {
        self.reports.lock()
    }

    fn set(&self, index: usize, report: DeliveryReport) {
        if let Some(slot) = self.reports().get_mut(index) {
            *slot = Some(report);
        }
    }
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.log.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
        self.trouble.hear(&error, reason);
    }
}

impl ProducerContext for DeliveryContext {
    /// The message's index in its batch.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        let report = match result {
            Ok(message) => DeliveryReport::Delivered {
                partition: message.partition(),
                offset: message.offset(),
            },
            Err((error, _)) => DeliveryReport::Failed {
                code: error
                    .rdkafka_error_code()
                    .unwrap_or(RDKafkaErrorCode::Unknown),
                by_broker: true,
            },
        };
        self.set(index, report);
    }
}

/// One batch in delivery: how much of it was passed to librdkafka.
pub(crate) struct BatchDelivery {
    messages: Vec<Outgoing>,
    handed_over: usize,
    /// Messages that were refused together and are sent again, each alone. `None`: not known yet.
    retrials: Option<VecDeque<usize>>,
}

impl BatchDelivery {
    /// Begins a batch. Nothing may be in flight: indexes of two batches would mix.
    pub(crate) fn begin(
        producer: &BaseProducer<DeliveryContext>,
        messages: Vec<Outgoing>,
    ) -> BatchDelivery {
        let mut reports = producer.context().reports();
        reports.clear();
        reports.resize(messages.len(), None);
        drop(reports);
        producer.context().trouble.forget();
        BatchDelivery {
            messages,
            handed_over: 0,
            retrials: None,
        }
    }

    /// Passes the messages to librdkafka and waits until every message has its report. `None` at the deadline; it can be called
    /// again. Waits while the queue is full.
    pub(crate) fn drive(
        &mut self,
        producer: &BaseProducer<DeliveryContext>,
        deadline: Instant,
    ) -> Option<Vec<DeliveryReport>> {
        while self.handed_over < self.messages.len() {
            if !self.hand_over(producer, self.handed_over, deadline) {
                return None;
            }
            self.handed_over += 1;
        }
        drain(producer, deadline).then(|| all_reports(producer))
    }

    /// As `drive`, but sends each message of a refused batch again, alone, so that every report concerns its own message: a
    /// broker refuses the whole batch of a bad message.
    pub(crate) fn drive_fairly(
        &mut self,
        producer: &BaseProducer<DeliveryContext>,
        deadline: Instant,
    ) -> Option<Vec<DeliveryReport>> {
        let reports = self.drive(producer, deadline)?;
        let retrials = self.retrials.get_or_insert_with(|| {
            let suspects: VecDeque<usize> = (0..)
                .zip(&reports)
                .filter(|(_, report)| report.may_be_anothers_fault())
                .map(|(index, _)| index)
                .collect();
            if suspects.len() > 1 {
                suspects
            } else {
                VecDeque::new()
            }
        });
        let mut retrials = std::mem::take(retrials);
        let mut in_time = true;
        while in_time && let Some(index) = retrials.pop_front() {
            if self.hand_over(producer, index, deadline) {
                in_time = drain(producer, deadline);
            } else {
                retrials.push_front(index);
                in_time = false;
            }
        }
        self.retrials = Some(retrials);
        in_time.then(|| all_reports(producer))
    }

    /// Puts one message into librdkafka's queue, or its refusal into its report. `false`: there was no room in time.
    fn hand_over(
        &self,
        producer: &BaseProducer<DeliveryContext>,
        index: usize,
        deadline: Instant,
    ) -> bool {
        let message = self.messages.get(index);
        let message = message.expect("what is handed over is a message of this delivery");
        loop {
            match producer.send(to_record(message, index)) {
                Ok(()) => return true,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    if Instant::now() >= deadline {
                        return false;
                    }
                    producer.poll(SHORT_POLL);
                }
                Err((error, _)) => {
                    let code = error
                        .rdkafka_error_code()
                        .unwrap_or(RDKafkaErrorCode::InvalidArgument);
                    let report = DeliveryReport::Failed {
                        code,
                        by_broker: false,
                    };
                    producer.context().set(index, report);
                    return true;
                }
            }
        }
    }

    pub(crate) fn into_messages(self) -> Vec<Outgoing> {
        self.messages
    }
}

fn all_reports(producer: &BaseProducer<DeliveryContext>) -> Vec<DeliveryReport> {
    let reports = producer.context().reports();
    let reports: Option<Vec<DeliveryReport>> = reports.iter().copied().collect();
    reports.expect("once nothing is in flight every message has its report")
}

/// Polls until nothing is in flight. False at the deadline.
pub(crate) fn drain(producer: &BaseProducer<DeliveryContext>, deadline: Instant) -> bool {
    while producer.in_flight_count() > 0 {
        if Instant::now() >= deadline {
            return false;
        }
        producer.poll(SHORT_POLL);
    }
    true
}

/// Why a delivery takes long: the client's last error, if there is one.
pub(crate) fn trouble(producer: &BaseProducer<DeliveryContext>, waited: Duration) -> Cause {
    producer.context().trouble.last().unwrap_or_else(|| {
        Cause::new(format!(
            "Kafka has not taken all messages within {} ms",
            waited.as_millis()
        ))
    })
}

fn to_record(message: &Outgoing, index: usize) -> BaseRecord<'_, [u8], [u8], usize> {
    let mut record = BaseRecord::with_opaque_to(&message.topic, index);
    record.key = message.key.as_deref();
    record.payload = message.value.as_deref();
    record.timestamp = message.timestamp_ms;
    if !message.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(message.headers.len());
        record.headers = Some(message.headers.iter().fold(headers, |headers, header| {
            headers.insert(Header {
                key: &header.name,
                value: header.value.as_deref(),
            })
        }));
    }
    record
}
