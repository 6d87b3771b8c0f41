//! Produces records and keeps the ledger of the acknowledged ones.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use crate::checker::{Digest, Entry, Ledger, Place};
use crate::kafka::{self, Topic};

/// The ledger's data about a message, for its delivery report.
struct Sent {
    id: String,
    digest: Digest,
}

#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Ledger>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        let mut ledger = self.0.lock().expect("the ledger");
        match result {
            Ok(message) => {
                let place = Place::new(message.topic(), message.partition(), message.offset());
                ledger.acknowledged(Entry::new(sent.id, place, sent.digest));
            }
            Err(_) => ledger.unacknowledged(sent.id),
        }
    }
}

/// Sends to the real broker with `acks=all`.
pub struct Producer {
    client: ThreadedProducer<Reports>,
    reports: Reports,
    /// The header of every message.
    header: Option<Vec<u8>>,
}

impl Producer {
    pub fn new() -> Producer {
        let reports = Reports::default();
        let client = kafka::client()
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("compression.type", "lz4")
            .set("queue.buffering.max.messages", "1000000")
            // The topic decides what is too large.
            .set("message.max.bytes", "100000000")
            .set("topic.metadata.refresh.interval.ms", "1000")
            .create_with_context(reports.clone())
            .expect("a producer");
        Producer {
            client,
            reports,
            header: None,
        }
    }

    /// Adds this header to every message.
    pub fn with_header(self, header: Vec<u8>) -> Producer {
        let header = Some(header);
        Producer { header, ..self }
    }

    /// Sends one message with its id as the key; `content` must arrive unaltered.
    pub fn send(&self, topic: &Topic, partition: i32, id: &str, value: &[u8], content: &[u8]) {
        self.send_keyed(topic, partition, id, Some(id), value, content);
    }

    /// Sends one message without a key.
    pub fn send_without_key(&self, topic: &Topic, partition: i32, id: &str, value: &[u8]) {
        self.send_keyed(topic, partition, id, None, value, value);
    }

    fn send_keyed(
        &self,
        topic: &Topic,
        partition: i32,
        id: &str,
        key: Option<&str>,
        value: &[u8],
        content: &[u8],
    ) {
        let mut record = BaseRecord::with_opaque_to(
            topic.name(),
            Box::new(Sent {
                id: id.to_owned(),
                digest: Digest::of(content),
            }),
        )
        .partition(partition)
        .payload(value);
        record.key = key;
        if let Some(header) = &self.header {
            let header = Header {
                key: "header",
                value: Some(header),
            };
            record = record.headers(OwnedHeaders::new().insert(header));
        }
        // The queue may be full, or the client may not know an added partition yet.
        let later = |code| {
            matches!(
                code,
                RDKafkaErrorCode::QueueFull | RDKafkaErrorCode::UnknownPartition
            )
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.client.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(code), back))
                    if later(code) && Instant::now() < deadline =>
                {
                    record = back;
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "the queue is full, on a thread of the load's own"
                    )]
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((error, _)) => panic!("produce: {error}"),
            }
        }
    }

    /// Waits for every delivery report.
    pub fn finish(self) -> Ledger {
        self.client
            .flush(Duration::from_secs(60))
            .expect("every message is acknowledged");
        std::mem::take(&mut *self.reports.0.lock().expect("the ledger"))
    }
}

impl Default for Producer {
    fn default() -> Producer {
        Producer::new()
    }
}

/// Payments: small records with an exact amount and a random note, generated from a seed.
pub struct Payments {
    random: ChaCha8Rng,
    next: u64,
}

/// One payment.
#[derive(Clone, Debug)]
pub struct Payment {
    pub id: String,
    pub sequence: u64,
    pub account: String,
    pub cents: i64,
    pub note: String,
}

impl Payments {
    pub fn seeded(seed: u64) -> Payments {
        Payments {
            random: ChaCha8Rng::seed_from_u64(seed),
            next: 0,
        }
    }

    /// The schema of payments in a topic.
    pub fn schema() -> &'static str {
        r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "id": { "type": "string", "minLength": 1 },
    "sequence": { "type": "integer", "minimum": 0 },
    "account": { "type": "string" },
    "amount": { "type": "number" },
    "note": { "type": "string" }
  },
  "required": ["id", "sequence", "account", "amount", "note"],
  "additionalProperties": false
}"#
    }
}

impl Iterator for Payments {
    type Item = Payment;

    fn next(&mut self) -> Option<Payment> {
        let sequence = self.next;
        self.next += 1;
        Some(Payment {
            id: format!("payment-{sequence}"),
            sequence,
            account: format!("account-{}", self.random.random_range(0..500)),
            cents: self.random.random_range(-1_000_000..1_000_000_000),
            note: format!("{:032x}", self.random.random::<u128>()),
        })
    }
}

impl Payment {
    /// With two decimals, as `numeric(12,2)` prints it.
    pub fn amount(&self) -> String {
        let sign = if self.cents < 0 { "-" } else { "" };
        let cents = self.cents.unsigned_abs();
        format!("{sign}{}.{:02}", cents / 100, cents % 100)
    }

    pub fn json(&self) -> String {
        format!(
            r#"{{"id":"{}","sequence":{},"account":"{}","amount":{},"note":"{}"}}"#,
            self.id,
            self.sequence,
            self.account,
            self.amount(),
            self.note
        )
    }

    /// The expected content of the database's columns, as one text.
    pub fn content(&self) -> String {
        format!(
            "{}|{}|{}|{}",
            self.sequence,
            self.account,
            self.amount(),
            self.note
        )
    }

    /// Sends it to the partition that follows from the sequence number.
    pub fn send(&self, producer: &Producer, topic: &Topic, partitions: u64) {
        let partition = i32::try_from(self.sequence % partitions).expect("few partitions");
        let content = self.content();
        producer.send(
            topic,
            partition,
            &self.id,
            self.json().as_bytes(),
            content.as_bytes(),
        );
    }
}

/// Sends `count` payments and waits until all are acknowledged.
pub async fn produce_payments(topic: &Topic, partitions: u64, count: usize) -> Ledger {
    produce_payments_of(topic, partitions, 0..count).await
}

/// Like [`produce_payments`], with these sequence numbers.
pub async fn produce_payments_of(
    topic: &Topic,
    partitions: u64,
    sequences: Range<usize>,
) -> Ledger {
    let topic = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        let payments = Payments::seeded(7).skip(sequences.start);
        for payment in payments.take(sequences.len()) {
            payment.send(&producer, &topic, partitions);
        }
        producer.finish()
    })
    .await
    .expect("the load ends")
}

/// Payments at a steady rate, on their own thread, until they are stopped.
pub struct SteadyLoad {
    stop: Arc<AtomicBool>,
    partitions: Arc<Mutex<u64>>,
    thread: JoinHandle<Ledger>,
}

impl SteadyLoad {
    pub fn start(topic: &Topic, partitions: u64, a_second: f64) -> SteadyLoad {
        let stop = Arc::new(AtomicBool::new(false));
        let partitions = Arc::new(Mutex::new(partitions));
        let (topic, stopped, shared) = (topic.clone(), stop.clone(), partitions.clone());
        let thread = std::thread::spawn(move || {
            let producer = Producer::new();
            let started = Instant::now();
            let mut payments = Payments::seeded(11);
            while !stopped.load(Ordering::Relaxed) {
                let due = started.elapsed().as_secs_f64() * a_second;
                while (payments.next as f64) < due {
                    let partitions = *shared.lock().expect("partitions");
                    let payment = payments.next().expect("payments never end");
                    payment.send(&producer, &topic, partitions);
                }
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the pace of the load, on a thread of its own"
                )]
                std::thread::sleep(Duration::from_millis(10));
            }
            producer.finish()
        });
        SteadyLoad {
            stop,
            partitions,
            thread,
        }
    }

    /// From now on, sends to this many partitions.
    pub fn spread_over(&self, partitions: u64) {
        *self.partitions.lock().expect("partitions") = partitions;
    }

    pub async fn stop(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || self.thread.join().expect("the load ends"))
            .await
            .expect("the load ends")
    }
}
