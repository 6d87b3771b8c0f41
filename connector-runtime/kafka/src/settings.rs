//! How the cluster is reached: the `[kafka]` table and what the engine sets for each client.

mod fetching;
mod keys;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use connect_api::Cause;
use rdkafka::ClientConfig;

pub(crate) use fetching::FetchSizes;
#[cfg(test)]
pub(crate) use keys::{ALLOWED, OWNED};
pub use keys::{allowed_settings, check_setting, check_setting_name, is_setting, of_java};

/// A member that is silent for this long is dead. Also for clients that join no group: librdkafka refuses a
/// `max.poll.interval.ms` below it, and `[kafka]` may hold one.
pub(crate) const SESSION_TIMEOUT_MS: &str = "10000";

/// How long the owner of a consumer may hold revoked partitions without polling: well below the session timeout, and so below
/// every `max.poll.interval.ms`, which is how long the group waits for us.
pub const REVOCATION_WITHIN: Duration = Duration::from_secs(4);

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

    /// The settings of every client.
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

    /// The settings of every consumer, whether it joins its group or only uses its name.
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

    /// The settings of every producer. It retries as long as its caller waits: an outage is not a message's fault.
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

    /// The sizes of fetches for a client that may prefetch this much.
    pub(crate) fn fetch_sizes(&self, queue_bytes: u64) -> FetchSizes {
        FetchSizes::new(queue_bytes, &self.pass_through)
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
