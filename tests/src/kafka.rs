//! Topics with random names, and reading them to the end.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message as _};
use rdkafka::topic_partition_list::Offset;
use rdkafka::{ClientConfig, TopicPartitionList};
use uuid::Uuid;

use crate::servers;

const PATIENCE: Duration = Duration::from_secs(30);

/// One message as the broker has it.
#[derive(Clone, Debug)]
pub struct Message {
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Message {
    /// The last header with this name, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().rev().find(|(known, _)| known == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.value.as_deref().expect("a value")).expect("JSON")
    }
}

/// Which messages of transactions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    Committed,
    Uncommitted,
}

/// A topic with a random name.
#[derive(Clone, Debug)]
pub struct Topic {
    name: String,
}

impl Topic {
    /// Only a name: the topic does not exist yet.
    pub fn not_created(word: &str) -> Topic {
        let name = format!("{word}-{}", &Uuid::new_v4().simple().to_string()[..12]);
        Topic { name }
    }

    pub async fn create(word: &str, partitions: i32) -> Topic {
        let topic = Topic::not_created(word);
        topic.create_now(partitions).await;
        topic
    }

    pub async fn create_now(&self, partitions: i32) {
        self.create_with(partitions, &[]).await;
    }

    /// Creates the topic with settings such as `max.message.bytes`.
    pub async fn create_with(&self, partitions: i32, settings: &[(&str, &str)]) {
        let topic = NewTopic::new(&self.name, partitions, TopicReplication::Fixed(1));
        let topic = settings
            .iter()
            .fold(topic, |topic, (key, value)| topic.set(key, value));
        let results = administrator()
            .create_topics([&topic], &options())
            .await
            .expect("the broker answers");
        for result in results {
            result.expect("create topic");
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub async fn grow_to(&self, partitions: usize) {
        let results = administrator()
            .create_partitions([&NewPartitions::new(&self.name, partitions)], &options())
            .await
            .expect("the broker answers");
        for result in results {
            result.expect("add partitions");
        }
    }

    /// Deletes the messages below an offset, as retention does.
    pub async fn forget_before(&self, partition: i32, offset: i64) {
        let mut places = TopicPartitionList::new();
        places
            .add_partition_offset(&self.name, partition, Offset::Offset(offset))
            .expect("a place");
        administrator()
            .delete_records(&places, &options())
            .await
            .expect("delete records");
    }

    /// Every message from start to end, each partition in order. A topic that does not exist is empty.
    pub async fn read(&self, isolation: Isolation) -> Vec<Message> {
        let name = self.name.clone();
        tokio::task::spawn_blocking(move || read_to_end(&name, isolation))
            .await
            .expect("the reader ends")
    }
}

fn read_to_end(topic: &str, isolation: Isolation) -> Vec<Message> {
    let consumer: BaseConsumer = client()
        .set("group.id", "connect-test-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.queue.backoff.ms", "10")
        .set(
            "isolation.level",
            match isolation {
                Isolation::Committed => "read_committed",
                Isolation::Uncommitted => "read_uncommitted",
            },
        )
        .create()
        .expect("a consumer");
    let metadata = consumer
        .fetch_metadata(Some(topic), PATIENCE)
        .expect("the broker answers");
    let partitions = metadata.topics()[0].partitions();
    let mut assignment = TopicPartitionList::new();
    // While a producer writes, the end keeps moving, because each fetch returns more. So we read to the end of this
    // moment.
    let mut open = BTreeMap::new();
    for partition in partitions {
        assignment
            .add_partition_offset(topic, partition.id(), Offset::Beginning)
            .expect("a place");
        let (_, end) = consumer
            .fetch_watermarks(topic, partition.id(), PATIENCE)
            .expect("the broker answers");
        open.insert(partition.id(), end);
    }
    consumer.assign(&assignment).expect("assign");
    let mut messages = Vec::new();
    while !open.is_empty() {
        match consumer.poll(PATIENCE) {
            Some(Ok(message)) => {
                let is_last = |end: &i64| message.offset() + 1 >= *end;
                if open.get(&message.partition()).is_some_and(is_last) {
                    open.remove(&message.partition());
                }
                messages.push(owned(&message));
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
            Some(Err(error)) => panic!("reading {topic}: {error}"),
            None => panic!("reading {topic}: nothing came for {PATIENCE:?}"),
        }
    }
    messages
}

fn owned(message: &impl rdkafka::Message) -> Message {
    let headers = message.headers().map(|headers| {
        headers
            .iter()
            .map(|header| {
                (
                    header.key.to_owned(),
                    header.value.unwrap_or_default().to_vec(),
                )
            })
            .collect()
    });
    Message {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}

fn administrator() -> AdminClient<DefaultClientContext> {
    client().create().expect("an admin client")
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE))
}

/// Settings to connect to the cluster.
pub fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers::kafka());
    config
}
