//! The idempotent producer: dead letters, and whatever else is not part of a transaction.

use std::time::{Duration, Instant};

use connect_api::{Cause, Failure, Outgoing};
use parking_lot::Mutex;
use rdkafka::producer::BaseProducer;

use crate::blocking::SharedClient;
use crate::delivery::{BatchDelivery, DeliveryContext, DeliveryOutcome, trouble};
use crate::error::cause;
use crate::settings::ClientSettings;

/// Sends batches, one at a time, each message once: idempotent, waits for all replicas, retries without end.
pub struct Producer {
    inner: SharedClient<Inner>,
}

struct Inner {
    client: BaseProducer<DeliveryContext>,
    /// The batch in delivery, if the last wait ended before it.
    under_way: Mutex<Option<BatchDelivery>>,
}

impl Producer {
    pub fn open(settings: &ClientSettings, client_id: &str) -> Result<Producer, Cause> {
        let mut config = settings.producer(client_id);
        // The caller waits for the end of an outage. A message that was given up could still arrive, and would then be
        // delivered twice.
        config.set("message.timeout.ms", "0");
        let client = config
            .create_with_context(DeliveryContext::default())
            .map_err(|error| cause("making the producer", &error))?;
        Ok(Producer {
            inner: SharedClient::new(Inner {
                client,
                under_way: Mutex::new(None),
            }),
        })
    }

    /// Sends all and waits for every report; outcomes are in the order of the messages. `Retry` after the timeout means that
    /// the batch is still in delivery: call `wait`, do not send it again.
    pub async fn send_all(
        &mut self,
        messages: Vec<Outgoing>,
        timeout: Duration,
    ) -> Result<Vec<DeliveryOutcome>, Failure> {
        self.inner
            .call(move |inner| inner.send_all(messages, timeout))
            .await
            .map_err(Failure::Fatal)?
    }

    /// Continues to wait for the batch whose `send_all` or `wait` ended with `Retry`, or whose future was dropped. Without such
    /// a batch there are no outcomes.
    pub async fn wait(&mut self, timeout: Duration) -> Result<Vec<DeliveryOutcome>, Failure> {
        self.inner
            .call(move |inner| inner.wait(timeout))
            .await
            .map_err(Failure::Fatal)?
    }

    /// Closes the client off the runtime. `false`: that took longer than the deadline.
    pub fn close(self, deadline: Duration) -> bool {
        self.inner.close(deadline)
    }
}

impl Inner {
    fn send_all(
        &self,
        messages: Vec<Outgoing>,
        timeout: Duration,
    ) -> Result<Vec<DeliveryOutcome>, Failure> {
        let mut under_way = self.under_way.lock();
        if under_way.is_some() {
            return Err(Failure::Fatal(Cause::new(
                "a batch is still under way: wait for it before sending the next",
            )));
        }
        *under_way = Some(BatchDelivery::begin(&self.client, messages));
        self.drive(&mut under_way, timeout)
    }

    fn wait(&self, timeout: Duration) -> Result<Vec<DeliveryOutcome>, Failure> {
        let mut under_way = self.under_way.lock();
        self.drive(&mut under_way, timeout)
    }

    fn drive(
        &self,
        under_way: &mut Option<BatchDelivery>,
        timeout: Duration,
    ) -> Result<Vec<DeliveryOutcome>, Failure> {
        let Some(delivery) = under_way else {
            return Ok(Vec::new());
        };
        let deadline = Instant::now() + timeout;
        let Some(reports) = delivery.drive_fairly(&self.client, deadline) else {
            return Err(Failure::Retry(trouble(&self.client, timeout)));
        };
        let delivered = under_way
            .take()
            .expect("the batch whose reports are here is under way");
        Ok(delivered
            .into_messages()
            .iter()
            .zip(reports)
            .map(|(message, report)| report.outcome(&message.topic))
            .collect())
    }
}
