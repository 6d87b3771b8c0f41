//! Why a client cannot reach the cluster, in its own words: calls that fail only say that time was up.

use std::time::Duration;

use connect_api::Cause;
use parking_lot::{Mutex, MutexGuard};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::error::code_cause;
use crate::log::LogContext;

/// The last thing that a client said about its connections.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Option<Cause>>);

impl Trouble {
    /// "All brokers are down" follows every other trouble and explains none: it never replaces a better reason.
    pub(crate) fn hear(&self, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut heard = self.heard();
        match code {
            RDKafkaErrorCode::PartitionEOF => {}
            RDKafkaErrorCode::AllBrokersDown if heard.is_some() => {}
            _ => *heard = Some(code_cause("reaching Kafka", code, Some(reason))),
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

/// A better reason for a call that failed because nobody answered, if the client has one. What it said waits in its
/// queue until somebody polls.
pub(crate) fn explain(client: &BaseConsumer<LogContext>, cause: Cause) -> Cause {
    const SILENCE: &[&str] = &[
        "BrokerTransportFailure",
        "OperationTimedOut",
        "AllBrokersDown",
    ];
    const WAITING_EVENTS: usize = 200;
    if !cause
        .code
        .as_deref()
        .is_some_and(|code| SILENCE.contains(&code))
    {
        return cause;
    }
    for _ in 0..WAITING_EVENTS {
        client.poll(Duration::ZERO);
    }
    client.context().trouble.last().unwrap_or(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

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
