//! librdkafka's mock cluster, in this process: what `--embedded` runs on.
//!
//! It keeps 5 MiB of batches per partition and drops the oldest beyond that; its transactions are not transactional and throw
//! offsets away; it serves no admin requests (one of them ends the process). [`ClientSettings::is_embedded`] tells.

use connect_api::Cause;
use rdkafka::producer::{BaseProducer, Producer};

use crate::error::cause;
use crate::log::LogContext;
use crate::settings::ClientSettings;

/// A running mock cluster of one broker on a free port of 127.0.0.1. Ends when it is dropped.
pub struct Embedded {
    /// The cluster lives inside a client.
    client: BaseProducer<LogContext>,
}

impl Embedded {
    /// What a partition keeps, in bytes as sent. Older batches are dropped beyond that.
    pub const BYTES_PER_PARTITION: u64 = 5 * 1024 * 1024;

    pub fn start() -> Result<Embedded, Cause> {
        let client: BaseProducer<LogContext> = rdkafka::ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .create_with_context(LogContext::default())
            .map_err(|error| cause("starting the embedded Kafka", &error))?;
        let embedded = Embedded { client };
        embedded.cluster()?;
        Ok(embedded)
    }

    /// Where it listens.
    pub fn bootstrap(&self) -> Result<String, Cause> {
        Ok(self.cluster()?.bootstrap_servers())
    }

    /// Settings of clients of this cluster.
    pub fn settings(&self) -> Result<ClientSettings, Cause> {
        Ok(ClientSettings::for_mock(self.bootstrap()?))
    }

    /// Creates a topic. `false`: it exists already.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<bool, Cause> {
        use rdkafka::error::{KafkaError, RDKafkaErrorCode};
        match self.cluster()?.create_topic(name, partitions, 1) {
            Ok(()) => Ok(true),
            Err(KafkaError::MockCluster(RDKafkaErrorCode::TopicAlreadyExists)) => Ok(false),
            Err(error) => Err(cause(&format!("creating topic {name}"), &error)),
        }
    }

    pub(crate) fn cluster(&self) -> Result<rdkafka::mocking::MockCluster<'_, LogContext>, Cause> {
        self.client
            .client()
            .mock_cluster()
            .ok_or_else(|| Cause::new("the embedded Kafka did not start"))
    }
}
