//! What is asked of the cluster, and topics that are made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connect_api::Cause;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use crate::blocking::{SharedClient, off_the_runtime};
use crate::error::{cause, code_cause};
use crate::log::LogContext;
use crate::offsets;
use crate::settings::{ClientSettings, SESSION_TIMEOUT_MS};
use crate::trouble::explain;

/// Topics to make, all alike.
#[derive(Clone, Debug, Default)]
pub struct NewTopics {
    pub names: Vec<String>,
    /// `None` takes the broker's default.
    pub partitions: Option<i32>,
    /// `None` takes the broker's default.
    pub replication: Option<i32>,
    /// Settings of the topics, such as `cleanup.policy`.
    pub config: BTreeMap<String, String>,
}

/// Questions to the cluster. Asks as a consumer does: a producer's question would make the mock cluster create a topic.
pub struct Admin {
    settings: ClientSettings,
    client: SharedClient<BaseConsumer<LogContext>>,
}

impl Admin {
    pub fn open(settings: &ClientSettings) -> Result<Admin, Cause> {
        let client: BaseConsumer<LogContext> = settings
            .client("connect-admin")
            .set("allow.auto.create.topics", "false")
            .set("session.timeout.ms", SESSION_TIMEOUT_MS)
            .create_with_context(LogContext::default())
            .map_err(|error| cause("making the admin client", &error))?;
        Ok(Admin {
            settings: settings.clone(),
            client: SharedClient::new(client),
        })
    }

    /// The cluster's identity, which stored progress is bound to.
    pub async fn cluster_id(&self, timeout: Duration) -> Result<String, Cause> {
        let bootstrap = self.settings.bootstrap().to_owned();
        self.ask(move |client| {
            client.client().fetch_cluster_id(timeout).ok_or_else(|| {
                Cause::new(format!(
                    "Kafka at {bootstrap} did not answer within {} ms",
                    timeout.as_millis()
                ))
                .with_code("BrokerTransportFailure")
                .with_help("is the broker up, and are the bootstrap servers right?")
            })
        })
        .await
    }

    /// The topic's partitions; `None` if there is no such topic.
    pub async fn partitions(
        &self,
        topic: &str,
        timeout: Duration,
    ) -> Result<Option<Vec<i32>>, Cause> {
        let topic = topic.to_owned();
        self.ask(move |client| offsets::partitions(client, &topic, timeout))
            .await
    }

    pub async fn topic_exists(&self, topic: &str, timeout: Duration) -> Result<bool, Cause> {
        Ok(self.partitions(topic, timeout).await?.is_some())
    }

    /// The names of all topics that we may see, in order.
    pub async fn topics(&self, timeout: Duration) -> Result<Vec<String>, Cause> {
        self.ask(move |client| {
            let metadata = client
                .fetch_metadata(None, timeout)
                .map_err(|error| cause("listing topics", &error))?;
            let names: BTreeSet<String> = metadata
                .topics()
                .iter()
                .map(|topic| topic.name().to_owned())
                .collect();
            Ok(names.into_iter().collect())
        })
        .await
    }

    /// Makes the topics; those that exist already are left as they are. Returns the names of those that were made. The
    /// mock cluster has no such call: use [`crate::Embedded::create_topic`].
    pub async fn create_topics(
        &self,
        topics: &NewTopics,
        timeout: Duration,
    ) -> Result<Vec<String>, Cause> {
        if self.settings.is_embedded() {
            return Err(Cause::new(
                "the embedded Kafka creates topics in process, not by request",
            ));
        }
        let admin: AdminClient<LogContext> = self
            .settings
            .client("connect-admin")
            .create_with_context(LogContext::default())
            .map_err(|error| cause("making the admin client", &error))?;
        let new: Vec<NewTopic<'_>> = topics.names.iter().map(|name| topics.one(name)).collect();
        let options = AdminOptions::new()
            .request_timeout(Some(timeout))
            .operation_timeout(Some(timeout));
        let answered = admin.create_topics(&new, &options).await;
        // Its own thread is joined at the end: not on the runtime.
        off_the_runtime(move || drop(admin)).await?;
        let mut made = Vec::new();
        for result in answered.map_err(|error| cause("creating topics", &error))? {
            match result {
                Ok(name) => made.push(name),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    return Err(code_cause(&format!("creating topic {name}"), code, None));
                }
            }
        }
        Ok(made)
    }

    /// Asks off the runtime; no answer is explained as well as the client can.
    async fn ask<R: Send + 'static>(
        &self,
        question: impl FnOnce(&BaseConsumer<LogContext>) -> Result<R, Cause> + Send + 'static,
    ) -> Result<R, Cause> {
        self.client
            .call(move |client| question(client).map_err(|cause| explain(client, cause)))
            .await?
    }
}

impl NewTopics {
    fn one<'a>(&'a self, name: &'a str) -> NewTopic<'a> {
        // -1 is the protocol's word for the broker's default.
        let new = NewTopic::new(
            name,
            self.partitions.unwrap_or(-1),
            TopicReplication::Fixed(self.replication.unwrap_or(-1)),
        );
        self.config
            .iter()
            .fold(new, |new, (key, value)| new.set(key, value))
    }
}
