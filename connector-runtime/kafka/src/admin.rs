//! Requests to the cluster about topics and groups, and the creation of topics.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use connect_api::{Cause, Failure, StartAt, TopicPartition};
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::blocking::{SharedClient, off_the_runtime};
use crate::error::{cause, code_cause};
use crate::group_offsets::{self, GroupMember};
use crate::log::LogContext;
use crate::offsets;
use crate::settings::{ClientSettings, SESSION_TIMEOUT_MS};
use crate::trouble;

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

/// A client for requests to the cluster. It is a consumer, because a request of a producer would make the mock cluster create a
/// topic.
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
            .create_with_context(LogContext::of(settings))
            .map_err(|error| cause("making the admin client", &error))?;
        Ok(Admin {
            settings: settings.clone(),
            client: SharedClient::new(client),
        })
    }

    /// The cluster's identity, which stored progress is bound to.
    pub async fn cluster_id(&self, timeout: Duration) -> Result<String, Cause> {
        self.client
            .call(move |client| trouble::cluster_id(client, timeout))
            .await?
    }

    /// The topic's partitions; `None` if there is no such topic.
    pub async fn partitions(
        &self,
        topic: &str,
        timeout: Duration,
    ) -> Result<Option<Vec<i32>>, Cause> {
        let topic = topic.to_owned();
        self.client
            .ask(move |client| offsets::partitions(client, &topic, timeout))
            .await
    }

    pub async fn topic_exists(&self, topic: &str, timeout: Duration) -> Result<bool, Cause> {
        Ok(self.partitions(topic, timeout).await?.is_some())
    }

    /// The offset of this start in each partition. A partition without an answer is left out.
    pub async fn offsets(
        &self,
        partitions: Vec<TopicPartition>,
        start: StartAt,
    ) -> Result<HashMap<TopicPartition, i64>, Cause> {
        let asked = partitions.clone();
        let offsets = self
            .client
            .ask(move |client| offsets::resolve_kind(client, &asked, start))
            .await?;
        let offsets = partitions.into_iter().zip(offsets);
        Ok(offsets
            .filter_map(|(partition, offset)| Some((partition, offset.ok()?)))
            .collect())
    }

    /// The members of a group. The mock cluster cannot list them: none.
    pub async fn members(&self, group: &str) -> Result<Vec<GroupMember>, Cause> {
        if self.settings.is_embedded() {
            return Ok(Vec::new());
        }
        let group = group.to_owned();
        self.client
            .ask(move |client| group_offsets::members(client, &group))
            .await
    }

    /// All topics that we may see, with their partitions: one request.
    pub async fn topics(&self, timeout: Duration) -> Result<BTreeMap<String, Vec<i32>>, Cause> {
        self.client
            .ask(move |client| {
                let metadata = client
                    .fetch_metadata(None, timeout)
                    .map_err(|error| cause("listing topics", &error))?;
                let topics = metadata.topics().iter().map(|topic| {
                    let partitions = topic.partitions().iter().map(|partition| partition.id());
                    (topic.name().to_owned(), partitions.collect())
                });
                Ok(topics.collect())
            })
            .await
    }

    /// Creates the topics, leaving existing ones as they are. Returns the names of the created topics. The mock cluster has no
    /// such call: use [`crate::Embedded::create_topic`]. `Fatal`: the user must change something.
    pub async fn create_topics(
        &self,
        topics: &NewTopics,
        timeout: Duration,
    ) -> Result<Vec<String>, Failure> {
        if self.settings.is_embedded() {
            return Err(Failure::Fatal(Cause::new(
                "the embedded Kafka creates topics in process, not by request",
            )));
        }
        let admin = self.admin_client()?;
        let new: Vec<NewTopic<'_>> = topics.names.iter().map(|name| topics.one(name)).collect();
        let answered = admin.create_topics(&new, &within(timeout)).await;
        // Dropping joins the client's thread, which must not block the runtime.
        off_the_runtime(move || drop(admin))
            .await
            .map_err(Failure::Fatal)?;
        let mut made = Vec::new();
        for result in answered.map_err(|error| not_asked(&error))? {
            match result {
                Ok(name) => made.push(name),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(topics.refused(&name, code)),
            }
        }
        Ok(made)
    }

    /// The `cleanup.policy` of topics. `None` if the broker does not return it: we lack the right, or the broker does not know
    /// the topic yet (the client does not tell which). The mock cluster has no such call.
    pub async fn cleanup_policies(
        &self,
        topics: &[String],
        timeout: Duration,
    ) -> Result<Vec<Option<String>>, Failure> {
        if self.settings.is_embedded() || topics.is_empty() {
            return Ok(vec![None; topics.len()]);
        }
        let admin = self.admin_client()?;
        let resources: Vec<ResourceSpecifier<'_>> = topics
            .iter()
            .map(|topic| ResourceSpecifier::Topic(topic))
            .collect();
        let answered = admin.describe_configs(&resources, &within(timeout)).await;
        // Dropping joins the client's thread, which must not block the runtime.
        off_the_runtime(move || drop(admin))
            .await
            .map_err(Failure::Fatal)?;
        let doing = "asking for the settings of topics";
        let answered = answered.map_err(|error| Failure::Retry(cause(doing, &error)))?;
        if answered.len() != topics.len() {
            let message = format!("{doing}: {} of {} answers", answered.len(), topics.len());
            return Err(Failure::Retry(Cause::new(message)));
        }
        let policy = |resource: Result<ConfigResource, RDKafkaErrorCode>| {
            let resource = resource.ok()?;
            resource.get("cleanup.policy")?.value.clone()
        };
        Ok(answered.into_iter().map(policy).collect())
    }

    fn admin_client(&self) -> Result<AdminClient<LogContext>, Failure> {
        self.settings
            .client("connect-admin")
            .create_with_context(LogContext::of(&self.settings))
            .map_err(|error| Failure::Fatal(cause("making the admin client", &error)))
    }
}

fn within(timeout: Duration) -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(timeout))
        .operation_timeout(Some(timeout))
}

impl NewTopics {
    fn one<'a>(&'a self, name: &'a str) -> NewTopic<'a> {
        // In the protocol -1 is the broker's default.
        let new = NewTopic::new(
            name,
            self.partitions.unwrap_or(-1),
            TopicReplication::Fixed(self.replication.unwrap_or(-1)),
        );
        self.config
            .iter()
            .fold(new, |new, (key, value)| new.set(key, value))
    }

    /// If there are too few brokers for the replication, some may not be up yet. Every other refusal needs a change by the
    /// user.
    fn refused(&self, name: &str, code: RDKafkaErrorCode) -> Failure {
        use RDKafkaErrorCode as Code;
        let keys = |keys: &BTreeMap<String, String>| {
            if keys.is_empty() {
                String::new()
            } else {
                format!(": {}", keys.keys().cloned().collect::<Vec<_>>().join(", "))
            }
        };
        let cause = code_cause(&format!("creating topic {name}"), code, None);
        match code {
            Code::InvalidReplicationFactor => Failure::Retry(cause.with_help(
                "the cluster has fewer brokers up than copies are wanted: start them, or lower `replication` in [create_topics]",
            )),
            Code::InvalidConfig => Failure::Fatal(cause.with_help(format!(
                "Kafka does not know a setting in `config` of [create_topics], or not its value{}",
                keys(&self.config)
            ))),
            Code::InvalidPartitions | Code::InvalidReplicaAssignment => {
                Failure::Fatal(cause.with_help("correct `partitions` in [create_topics]"))
            }
            Code::InvalidTopic => Failure::Fatal(cause.with_help(
                "a name has at most 249 letters, digits, `.`, `_` and `-`",
            )),
            Code::PolicyViolation => Failure::Fatal(cause.with_help(
                "the cluster has a policy for new topics: change [create_topics], or have the topic created",
            )),
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => Failure::Fatal(
                cause.with_help("grant CREATE on the topic or the cluster, or have the topic created"),
            ),
            _ => Failure::Retry(cause),
        }
    }
}

/// The client itself refuses numbers that no cluster would accept.
fn not_asked(error: &KafkaError) -> Failure {
    let cause = cause("creating topics", error);
    match error {
        KafkaError::AdminOpCreation(_) => {
            Failure::Fatal(cause.with_help("correct [create_topics]"))
        }
        _ => Failure::Retry(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_must_change_is_final_and_says_what() {
        use RDKafkaErrorCode as Code;
        let topics = NewTopics {
            config: BTreeMap::from([("cleanup.policy".to_owned(), "never".to_owned())]),
            ..NewTopics::default()
        };
        let cases = [
            (Code::InvalidConfig, true, "cleanup.policy"),
            (Code::InvalidPartitions, true, "`partitions`"),
            (Code::InvalidTopic, true, "249"),
            (Code::PolicyViolation, true, "policy"),
            (Code::TopicAuthorizationFailed, true, "grant CREATE"),
            (Code::ClusterAuthorizationFailed, true, "grant CREATE"),
            (Code::InvalidReplicationFactor, false, "`replication`"),
            (Code::NotController, false, "t"),
            (Code::RequestTimedOut, false, "t"),
            (Code::BrokerTransportFailure, false, "t"),
        ];
        for (code, is_final, word) in cases {
            let failure = topics.refused("t", code);
            assert_eq!(matches!(failure, Failure::Fatal(_)), is_final, "{failure}");
            assert!(failure.to_string().contains(word), "{failure}");
        }
    }
}
