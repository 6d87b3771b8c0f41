//! Why a client cannot reach the cluster: failed calls report only a timeout, but the client logs the reason.

use std::time::{Duration, Instant};

use connect_api::{Cause, Dependency};
use parking_lot::{Mutex, MutexGuard};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::blocking::SharedClient;
use crate::error::code_cause;
use crate::log::LogContext;
use crate::offsets::ANSWER_WITHIN;

/// The last error that a client reported about its connections.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Option<Cause>>);

impl Trouble {
    /// "All brokers are down" follows every other error and explains none: it never replaces a better reason.
    pub(crate) fn hear(&self, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut heard = self.heard();
        match code {
            RDKafkaErrorCode::PartitionEOF => {}
            RDKafkaErrorCode::AllBrokersDown if heard.is_some() => {}
            _ => {
                *heard = Some(code_cause(
                    "reaching Kafka",
                    code,
                    Some(&in_our_words(reason)),
                ))
            }
        }
    }

    pub(crate) fn last(&self) -> Option<Cause> {
        self.heard().clone()
    }

    pub(crate) fn forget(&self) {
        *self.heard() = None;
    }

    fn heard(&self) -> MutexGuard<'_, Option<Cause>> {
        self.0.lock()
    }
}

/// Explains what the other side is if librdkafka's message reveals it but misleads: our explanation first, its message after
/// it.
fn in_our_words(reason: &str) -> String {
    const KNOWN: [(&str, &str); 2] = [
        (
            "connecting to a SSL listener",
            "the listener does not answer without TLS: write \"security.protocol\" = \"SSL\" (or \"SASL_SSL\") in [kafka]",
        ),
        (
            "connecting to a PLAINTEXT broker listener",
            "the listener does not speak TLS: write its TLS port in bootstrap.servers, or another security.protocol",
        ),
    ];
    let known = KNOWN.iter().find(|(part, _)| reason.contains(part));
    let words = known.map(|(_, words)| *words);
    let foreign = || {
        speaks_another_protocol(reason).then_some(
            "the other side does not speak Kafka's protocol: is this the port of another server, or one that wants TLS?",
        )
    };
    match words.or_else(foreign) {
        Some(words) => format!("{words} (librdkafka: {reason})"),
        None => reason.to_owned(),
    }
}

/// Other protocols start with letters or a TLS record where Kafka has the length of its response: no response is that long.
fn speaks_another_protocol(reason: &str) -> bool {
    const SHORTEST: i64 = 0x1000_0000;
    let length = reason
        .split_once("Invalid response size ")
        .and_then(|(_, rest)| {
            let (number, _) = rest.split_once(' ')?;
            number.parse::<i64>().ok()
        });
    length.is_some_and(|length| !(0..SHORTEST).contains(&length))
}

/// How often the errors of an unconnected client are checked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl SharedClient<BaseConsumer<LogContext>> {
    /// Sends a request from a blocking thread, once the client has reached the cluster. If no answer comes, the error is the
    /// best reason that the client has given.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        question: impl FnOnce(&BaseConsumer<LogContext>) -> Result<R, Cause> + Send + 'static,
    ) -> Result<R, Cause> {
        self.call(move |client| {
            cluster_id(client, ANSWER_WITHIN)?;
            question(client).map_err(|cause| explain(client, cause))
        })
        .await?
    }
}

/// The cluster's identity. A client that has reached the cluster answers it from memory, so this also tells whether it has. If
/// it has not, it reports the reason within milliseconds (a refused certificate, a wrong password), while a call would only
/// report a timeout.
pub(crate) fn cluster_id(
    client: &BaseConsumer<LogContext>,
    timeout: Duration,
) -> Result<String, Cause> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if let Some(id) = client.client().fetch_cluster_id(left.min(LOOK_EVERY)) {
            client.context().trouble.forget();
            return Ok(id);
        }
        listen(client);
        if let Some(trouble) = client.context().trouble.last() {
            return Err(trouble);
        }
        if left.is_zero() {
            return Err(no_answer(&client.context().bootstrap, timeout));
        }
    }
}

fn no_answer(bootstrap: &str, timeout: Duration) -> Cause {
    let milliseconds = timeout.as_millis();
    let message = format!("Kafka at {bootstrap} did not answer within {milliseconds} ms");
    Cause::new(message)
        .with_code("BrokerTransportFailure")
        .with_dependency(Dependency::Kafka)
        .with_help("is the broker up, and are the bootstrap servers right?")
}

/// The reason for a call that failed without an answer: the client's own, if it has one.
pub(crate) fn explain(client: &BaseConsumer<LogContext>, cause: Cause) -> Cause {
    const SILENCE: &[&str] = &[
        "BrokerTransportFailure",
        "OperationTimedOut",
        "AllBrokersDown",
    ];
    if !cause
        .code
        .as_deref()
        .is_some_and(|code| SILENCE.contains(&code))
    {
        return cause;
    }
    listen(client);
    client.context().trouble.last().unwrap_or(cause)
}

/// Errors of a client are queued until it is polled.
fn listen(client: &BaseConsumer<LogContext>) {
    const WAITING_EVENTS: usize = 200;
    for _ in 0..WAITING_EVENTS {
        client.poll(Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_side_is_named() {
        for (reason, expected) in [
            (
                "127.0.0.1:5432/bootstrap: Receive failed: Invalid response size 1375731712 (0..100000000): increase receive.message.max.bytes",
                "does not speak Kafka's protocol",
            ),
            (
                "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10",
                "does not answer without TLS",
            ),
            (
                "SSL handshake failed: SSL syscall error: connecting to a PLAINTEXT broker listener?",
                "does not speak TLS",
            ),
        ] {
            let words = in_our_words(reason);
            assert!(words.starts_with("the "), "{words}");
            assert!(
                words.contains(expected) && words.contains(reason),
                "{words}"
            );
        }
        for reason in [
            "Connection refused",
            "Invalid response size 120000000 (0..100000000): increase receive.message.max.bytes",
        ] {
            assert_eq!(in_our_words(reason), reason);
        }
    }

    #[test]
    fn the_better_reason_stays() {
        let down = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        let refused = KafkaError::Global(RDKafkaErrorCode::Authentication);
        let end = KafkaError::Global(RDKafkaErrorCode::PartitionEOF);
        let check = |said: &[(&KafkaError, &str)], expected: Option<&str>| {
            let trouble = Trouble::default();
            for (error, reason) in said {
                trouble.hear(error, reason);
            }
            let code = trouble.last().and_then(|cause| cause.code);
            assert_eq!(code.as_deref(), expected, "{said:?}");
            trouble.forget();
            assert_eq!(trouble.last(), None);
        };
        check(&[], None);
        check(&[(&down, "1/1 brokers are down")], Some("AllBrokersDown"));
        check(&[(&refused, "no"), (&down, "1/1")], Some("Authentication"));
        check(&[(&down, "1/1"), (&refused, "no")], Some("Authentication"));
        check(&[(&end, "end")], None);
    }
}
