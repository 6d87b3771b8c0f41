//! The Kafka cluster as the engine's parts see it: its identity, its topics, and clients for it.

use std::sync::Arc;
use std::time::Duration;

use connect_api::{Cause, Dependency, Failure, ProgressHome, Result, TopicPartition};
use connect_kafka::{
    ANSWER_WITHIN, Admin, ClientSettings, Embedded, NewTopics, Producer, TransactionalProducer,
};

use parking_lot::RwLock;

use crate::backlog::Backlog;
use crate::publisher::failure_of;
use connect_config::{CreateTopics, ProcessConfig, Topics};

/// Settings of the clients, from `connect.toml` or the environment.
pub fn client_settings(process: &ProcessConfig) -> std::result::Result<ClientSettings, Cause> {
    let settings = process
        .kafka
        .iter()
        .map(|(name, value)| (name.clone(), value.expose().to_owned()));
    ClientSettings::new(process.bootstrap_servers.clone(), settings.collect())
}

/// Shared by everything that talks to Kafka.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// Shared by all clones, because access can be renewed.
    clients: Arc<RwLock<Clients>>,
    pub(crate) in_process: Option<InProcess>,
}

struct Clients {
    settings: ClientSettings,
    admin: Arc<Admin>,
}

/// The cluster of `--embedded`.
#[derive(Clone)]
pub(crate) struct InProcess {
    /// Of this run alone: a kept database must not continue at offsets of a cluster that has forgotten everything.
    pub(crate) id: Arc<str>,
    pub(crate) kafka: Arc<Embedded>,
    pub(crate) backlog: Backlog,
}

impl Cluster {
    pub(crate) fn new(
        settings: ClientSettings,
        admin: Admin,
        in_process: Option<InProcess>,
    ) -> Cluster {
        let admin = Arc::new(admin);
        Cluster {
            clients: Arc::new(RwLock::new(Clients { settings, admin })),
            in_process,
        }
    }

    /// Clients that are made from now on have these settings; those that exist keep theirs.
    pub(crate) fn replace_clients(&self, settings: ClientSettings, admin: Admin) {
        let admin = Arc::new(admin);
        *self.clients.write() = Clients { settings, admin };
    }

    pub(crate) fn settings(&self) -> ClientSettings {
        self.clients.read().settings.clone()
    }

    pub(crate) fn admin(&self) -> Arc<Admin> {
        self.clients.read().admin.clone()
    }

    /// The effective progress home: the in-process broker drops the offsets of transactions.
    pub(crate) fn progress_home(&self, declared: ProgressHome) -> ProgressHome {
        match declared {
            ProgressHome::KafkaTransaction if self.in_process.is_some() => ProgressHome::Group,
            kept => kept,
        }
    }

    /// Part of the identity of stored progress: another cluster's offsets mean something else.
    pub(crate) async fn id(&self) -> Result<Arc<str>> {
        if let Some(in_process) = &self.in_process {
            return Ok(in_process.id.clone());
        }
        self.admin()
            .cluster_id(ANSWER_WITHIN)
            .await
            .map(Arc::from)
            .map_err(Failure::Retry)
    }

    /// Every partition of the topics that exist, in order.
    pub(crate) async fn partitions_of(
        &self,
        topics: &Topics,
    ) -> std::result::Result<Vec<TopicPartition>, Cause> {
        let admin = self.admin();
        let mut of_topics = Vec::new();
        match topics {
            Topics::Named(names) => {
                for name in names {
                    let partitions = admin.partitions(name, ANSWER_WITHIN).await?;
                    of_topics.push((name.clone(), partitions.unwrap_or_default()));
                }
            }
            Topics::Pattern(pattern) => {
                of_topics.extend(admin.topics(ANSWER_WITHIN).await?);
                of_topics.retain(|(topic, _)| pattern.is_match(topic));
            }
        }
        let mut partitions = Vec::new();
        for (topic, numbers) in of_topics {
            let topic: Arc<str> = topic.into();
            partitions.extend(numbers.into_iter().map(|partition| TopicPartition {
                topic: topic.clone(),
                partition,
            }));
        }
        partitions.sort();
        Ok(partitions)
    }

    pub(crate) fn producer(&self, client_id: &str) -> Result<Producer> {
        Producer::open(&self.settings(), client_id).map_err(Failure::Fatal)
    }

    /// Fences and aborts what an earlier producer of this id left open.
    pub(crate) async fn transactional_producer(&self, id: &str) -> Result<TransactionalProducer> {
        let opened = TransactionalProducer::open(&self.settings(), id, ANSWER_WITHIN).await;
        opened.map_err(failure_of)
    }

    /// Checks that the topics exist, or creates them if `[create_topics]` asks for it, and always with `--embedded`.
    pub(crate) async fn ensure_topics(
        &self,
        topics: &[Arc<str>],
        create: Option<&CreateTopics>,
    ) -> Result<()> {
        let missing = self.missing(topics).await?;
        let Some(first) = missing.first() else {
            return Ok(());
        };
        if create.is_none() && self.in_process.is_none() {
            let help = format!(
                "create it, or add [create_topics] to the connector's file: {}",
                missing.join(", ")
            );
            let cause = Cause::new(format!("topic {first} does not exist"))
                .with_help(help)
                .with_dependency(Dependency::Topic);
            return Err(Failure::Retry(cause));
        }
        self.create(&missing, create).await
    }

    async fn missing(&self, topics: &[impl AsRef<str>]) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for topic in topics.iter().map(AsRef::as_ref) {
            let exists = self.admin().topic_exists(topic, ANSWER_WITHIN).await;
            if !exists.map_err(Failure::Retry)? {
                missing.push(topic.to_owned());
            }
        }
        Ok(missing)
    }

    /// Creates missing topics. A topic that exists is left as it is.
    pub(crate) async fn create(
        &self,
        topics: &[String],
        create: Option<&CreateTopics>,
    ) -> Result<()> {
        self.create_as(&NewTopics {
            names: topics.to_vec(),
            partitions: create.map(|create| i32::try_from(create.partitions).unwrap_or(i32::MAX)),
            replication: create.and_then(|create| create.replication).map(i32::from),
            config: create
                .map(|create| create.config.clone())
                .unwrap_or_default(),
        })
        .await
    }

    pub(crate) async fn create_as(&self, topics: &NewTopics) -> Result<()> {
        if let Some(in_process) = &self.in_process {
            let partitions = topics.partitions.unwrap_or(1);
            for topic in &topics.names {
                in_process
                    .kafka
                    .create_topic(topic, partitions)
                    .map_err(Failure::Retry)?;
            }
            return Ok(());
        }
        // A topic that exists must not require the right to create it.
        let missing = NewTopics {
            names: self.missing(&topics.names).await?,
            ..topics.clone()
        };
        if missing.names.is_empty() {
            return Ok(());
        }
        let made = self.admin().create_topics(&missing, ANSWER_WITHIN).await;
        made.map(drop)
    }

    /// Creates the dead letter topic, or checks that it exists and keeps every letter.
    pub(crate) async fn make_letter_topic(&self, topic: &str) -> Result<()> {
        self.create(&[topic.to_owned()], None).await?;
        if self.compacted(&[topic.to_owned()]).await?.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the dead letter topic {topic} is compacted: of letters with one key it keeps only the last, and it stores none without a key"
        );
        let help = connect_kafka::keep_every_record(topic);
        Err(Failure::Fatal(Cause::new(message).with_help(help)))
    }

    /// The topics that are compacted. If the settings of a topic are not visible, its records are refused by the broker
    /// instead.
    pub(crate) async fn compacted(&self, topics: &[String]) -> Result<Vec<Arc<str>>> {
        if self.in_process.is_some() {
            return Ok(Vec::new());
        }
        let policies = self.cleanup_policies(topics).await?;
        let mut compacted = Vec::new();
        for (topic, policy) in topics.iter().zip(policies) {
            match policy {
                None => tracing::warn!(
                    event = "topic_settings_hidden",
                    %topic,
                    "grant DESCRIBE_CONFIGS on the topic to have its cleanup.policy checked at the start"
                ),
                Some(policy) if policy.contains("compact") => {
                    compacted.push(Arc::from(topic.as_str()));
                }
                Some(_) => {}
            }
        }
        Ok(compacted)
    }

    /// A new topic takes a moment to reach every broker, so missing answers are requested again.
    async fn cleanup_policies(&self, topics: &[String]) -> Result<Vec<Option<String>>> {
        const AGAIN_AFTER: Duration = Duration::from_millis(200);
        let mut policies = self.admin().cleanup_policies(topics, ANSWER_WITHIN).await?;
        for _ in 0..3 {
            if policies.iter().all(Option::is_some) {
                break;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
            policies = self.admin().cleanup_policies(topics, ANSWER_WITHIN).await?;
        }
        Ok(policies)
    }

    pub(crate) fn backlog(&self) -> Option<&Backlog> {
        self.in_process
            .as_ref()
            .map(|in_process| &in_process.backlog)
    }
}
