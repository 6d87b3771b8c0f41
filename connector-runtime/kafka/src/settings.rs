//! How the cluster is reached, and which librdkafka settings are ours.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use connect_api::Cause;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::error::config_cause;

const PROGRESS: &str =
    "progress is committed by the engine, and only after the sink has written durably";
const MEMBERSHIP: &str = "group membership is the engine's: every connector is its own group";
const PRODUCER: &str = "the engine's producers are idempotent and wait for all replicas";
const MEMORY: &str = "prefetching follows `[batch] in_flight`";
const OBSERVED: &str = "the engine reads it for lag and progress";

/// The keys of `[kafka]` that the engine owns, each with the reason that a finding prints.
pub(crate) const OWNED: &[(&str, &str)] = &[
    ("acks", PRODUCER),
    (
        "allow.auto.create.topics",
        "topics are created by `[create_topics]` only",
    ),
    ("auto.commit.enable", PROGRESS),
    ("auto.commit.interval.ms", PROGRESS),
    (
        "auto.offset.reset",
        "where to begin is the connector's `start`; a missing range stops instead of being skipped",
    ),
    ("bootstrap.servers", "the address is `bootstrap_servers`"),
    (
        "client.id",
        "the engine names its clients after their connectors",
    ),
    ("delivery.timeout.ms", PRODUCER),
    ("enable.auto.commit", PROGRESS),
    ("enable.auto.offset.store", PROGRESS),
    ("enable.gapless.guarantee", PRODUCER),
    ("enable.idempotence", PRODUCER),
    ("enable.partition.eof", OBSERVED),
    ("fetch.max.bytes", MEMORY),
    ("fetch.queue.backoff.ms", MEMORY),
    ("group.id", MEMBERSHIP),
    ("group.instance.id", MEMBERSHIP),
    ("group.protocol", MEMBERSHIP),
    ("group.remote.assignor", MEMBERSHIP),
    ("heartbeat.interval.ms", MEMBERSHIP),
    (
        "isolation.level",
        "records of aborted transactions are never read",
    ),
    ("log.queue", OBSERVED),
    ("message.send.max.retries", PRODUCER),
    ("message.timeout.ms", PRODUCER),
    ("metadata.broker.list", "the address is `bootstrap_servers`"),
    ("partition.assignment.strategy", MEMBERSHIP),
    (
        "partitioner",
        "records with equal keys go to the partition that Java clients choose",
    ),
    ("queued.max.messages.kbytes", MEMORY),
    ("queued.min.messages", MEMORY),
    ("request.required.acks", PRODUCER),
    ("retries", PRODUCER),
    ("session.timeout.ms", MEMBERSHIP),
    ("statistics.interval.ms", OBSERVED),
    ("test.mock.broker.rtt", "the mock cluster is `--embedded`"),
    ("test.mock.num.brokers", "the mock cluster is `--embedded`"),
    ("topic.metadata.refresh.interval.ms", OBSERVED),
    ("transaction.timeout.ms", PRODUCER),
    ("transactional.id", PRODUCER),
];

/// A member that is silent for this long is dead. Also for clients that join no group: librdkafka refuses a
/// `max.poll.interval.ms` below it, and `[kafka]` may hold one.
pub(crate) const SESSION_TIMEOUT_MS: &str = "10000";

/// Whether `[kafka]` may hold this: not owned by the engine, known to librdkafka, and a value that it takes. The message
/// never holds the value, which may be a password.
pub fn check_setting(key: &str, value: &str) -> Result<(), Cause> {
    if let Some((_, why)) = OWNED.iter().find(|(owned, _)| *owned == key) {
        return Err(
            Cause::new(format!("`{key}` is set by the engine: {why}")).with_help("remove the key")
        );
    }
    ClientConfig::new()
        .set(key, value)
        .create_native_config()
        .map(drop)
        .map_err(|error| config_cause(&error))
}

/// Whether librdkafka has a setting of this name, whatever its value.
pub fn is_setting(key: &str) -> bool {
    let refused = ClientConfig::new()
        .set(key, "")
        .create_native_config()
        .err();
    !matches!(refused, Some(KafkaError::ClientConfig(_, description, ..)) if description.contains("No such configuration property"))
}

/// The settings that people write most, for suggesting the one that was meant: librdkafka lists its own to nobody.
pub fn usual_settings() -> impl Iterator<Item = &'static str> {
    USUAL.iter().copied()
}

const USUAL: [&str; 41] = [
    "bootstrap_servers",
    "broker.address.family",
    "client.dns.lookup",
    "client.rack",
    "compression.type",
    "connections.max.idle.ms",
    "debug",
    "enable.ssl.certificate.verification",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "linger.ms",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "message.max.bytes",
    "metadata.max.age.ms",
    "receive.message.max.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.ms",
    "sasl.kerberos.keytab",
    "sasl.kerberos.principal",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.keystore.location",
];

/// What names of the Java client, which librdkafka knows only to refuse them, are there.
pub fn of_java(key: &str) -> Option<&'static str> {
    Some(match key {
        "sasl.jaas.config" => "`sasl.username` and `sasl.password`",
        "ssl.truststore.location" | "ssl.truststore.certificates" => {
            "`ssl.ca.location`, a PEM file"
        }
        "ssl.truststore.password" | "ssl.truststore.type" => {
            "not needed: `ssl.ca.location` is a PEM file without a password"
        }
        _ => return None,
    })
}

/// How to reach the cluster: bootstrap servers and the `[kafka]` table, which goes to librdkafka as it is.
#[derive(Clone)]
pub struct ClientSettings {
    bootstrap: String,
    pass_through: BTreeMap<String, String>,
    embedded: bool,
}

impl ClientSettings {
    /// Refuses keys that the engine owns and what librdkafka would refuse.
    pub fn new(
        bootstrap: impl Into<String>,
        pass_through: BTreeMap<String, String>,
    ) -> Result<ClientSettings, Cause> {
        for (key, value) in &pass_through {
            check_setting(key, value)?;
        }
        Ok(ClientSettings {
            bootstrap: bootstrap.into(),
            pass_through,
            embedded: false,
        })
    }

    /// For the in-process mock cluster, see [`crate::Embedded`]: groups join in 0.1 s (KIP-848), fetches answer at once.
    pub fn for_mock(bootstrap: impl Into<String>) -> ClientSettings {
        ClientSettings {
            bootstrap: bootstrap.into(),
            pass_through: BTreeMap::new(),
            embedded: true,
        }
    }

    /// The cluster is the in-process mock: its transactions are not transactional, it has no admin calls.
    pub fn is_embedded(&self) -> bool {
        self.embedded
    }

    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// What every client has.
    pub(crate) fn client(&self, client_id: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in &self.pass_through {
            config.set(key, value);
        }
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", client_id);
        self.set_unless_given(&mut config, "reconnect.backoff.max.ms", "2000");
        config
    }

    /// What every consumer has, whether it joins its group or only asks with its name.
    pub(crate) fn consumer(&self, client_id: &str, group: &str) -> ClientConfig {
        let mut config = self.client(client_id);
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // librdkafka's default is the end: a first start would skip history, and retention loss would jump.
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false");
        if self.embedded {
            config.set("fetch.wait.max.ms", "10");
        } else {
            config.set("session.timeout.ms", SESSION_TIMEOUT_MS);
        }
        config
    }

    /// A consumer that joins its group.
    pub(crate) fn member(
        &self,
        client_id: &str,
        group: &str,
        metadata_refresh: Duration,
    ) -> ClientConfig {
        let mut config = self.consumer(client_id, group);
        config.set(
            "topic.metadata.refresh.interval.ms",
            metadata_refresh.as_millis().to_string(),
        );
        if self.embedded {
            config.set("group.protocol", "consumer");
        } else {
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        config
    }

    /// What every producer has. It retries for as long as its caller waits: an outage is not a message's fault.
    pub(crate) fn producer(&self, client_id: &str) -> ClientConfig {
        let mut config = self.client(client_id);
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // As Java: the same key goes to the same partition.
            .set("partitioner", "murmur2_random");
        self.set_unless_given(&mut config, "linger.ms", "5");
        self.set_unless_given(&mut config, "compression.type", "lz4");
        config
    }

    fn set_unless_given(&self, config: &mut ClientConfig, key: &str, value: &str) {
        if !self.pass_through.contains_key(key) {
            config.set(key, value);
        }
    }
}

/// Values are masked: any of them may be a secret.
impl fmt::Debug for ClientSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientSettings")
            .field("bootstrap", &self.bootstrap)
            .field("keys", &self.pass_through.keys().collect::<Vec<_>>())
            .field("embedded", &self.embedded)
            .finish()
    }
}
