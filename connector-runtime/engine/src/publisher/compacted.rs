//! Compacted target topics: rejects records without a key before they are sent, because the broker would refuse the whole
//! batch.
//!
//! The broker's refusal covers the whole transaction. Halving it takes a transaction for each half, and thousands of records
//! without a key would take minutes.

use std::sync::Arc;

use async_trait::async_trait;
use connect_api::{Batch, Cause, Failure, Outgoing, Publisher, RejectedRecord, Result};

/// A publisher to topics some of which are compacted.
pub(super) struct ToCompacted {
    inner: Box<dyn Publisher>,
    compacted: Vec<Arc<str>>,
}

impl ToCompacted {
    /// Wraps `inner` if one of its topics is compacted.
    pub(super) fn around(
        inner: Box<dyn Publisher>,
        compacted: Vec<Arc<str>>,
    ) -> Box<dyn Publisher> {
        if compacted.is_empty() {
            return inner;
        }
        for topic in &compacted {
            tracing::info!(
                event = "target_topic_compacted",
                %topic,
                "a record without a key is rejected, and of records with one key the last is kept"
            );
        }
        Box::new(ToCompacted { inner, compacted })
    }

    fn is_unstorable(&self, message: &Outgoing) -> bool {
        message.key.is_none() && self.compacted.contains(&message.topic)
    }
}

#[async_trait]
impl Publisher for ToCompacted {
    async fn publish(&mut self, messages: Vec<Outgoing>, batch: &Batch<'_>) -> Result<()> {
        let refusals: Vec<RejectedRecord> = messages
            .iter()
            .enumerate()
            .filter(|(_, message)| self.is_unstorable(message))
            .map(|(record, message)| RejectedRecord {
                record,
                cause: no_key(&message.topic),
            })
            .collect();
        if refusals.is_empty() {
            self.inner.publish(messages, batch).await
        } else {
            Err(Failure::Refused(refusals))
        }
    }
}

fn no_key(topic: &str) -> Cause {
    Cause::new(format!(
        "the record has no key, and the topic {topic} is compacted: it stores none without a key"
    ))
    .with_code("InvalidRecord")
    .with_help("set `key` of the sink to what names the record")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Taken(Arc<Mutex<usize>>);

    #[async_trait]
    impl Publisher for Taken {
        async fn publish(&mut self, messages: Vec<Outgoing>, _: &Batch<'_>) -> Result<()> {
            *self.0.lock().unwrap() += messages.len();
            Ok(())
        }
    }

    #[tokio::test]
    async fn only_a_record_without_a_key_for_a_compacted_topic_is_refused() {
        let message = |topic: &str, key: Option<&'static str>| Outgoing {
            topic: Arc::from(topic),
            key: key.map(Into::into),
            value: None,
            headers: Vec::new(),
            timestamp_ms: None,
        };
        // (messages, indexes of the refused)
        let cases = [
            (
                vec![message("compacted", Some("k")), message("plain", None)],
                vec![],
            ),
            (vec![message("compacted", Some(""))], vec![]),
            (
                vec![
                    message("compacted", None),
                    message("plain", None),
                    message("compacted", Some("k")),
                    message("compacted", None),
                ],
                vec![0, 3],
            ),
            (vec![], vec![]),
        ];
        for (messages, expected) in cases {
            let taken = Arc::new(Mutex::new(0));
            let inner = Box::new(Taken(taken.clone()));
            let mut publisher = ToCompacted::around(inner, vec![Arc::from("compacted")]);
            let count = messages.len();
            match publisher
                .publish(messages, &Batch::new(Vec::new(), Vec::new()))
                .await
            {
                Ok(()) => assert_eq!((expected.len(), *taken.lock().unwrap()), (0, count)),
                Err(Failure::Refused(refusals)) => {
                    let refused: Vec<usize> = refusals.iter().map(|one| one.record).collect();
                    assert_eq!(refused, expected);
                    assert_eq!(*taken.lock().unwrap(), 0, "nothing of the batch counts");
                }
                Err(other) => unreachable!("{other}"),
            }
        }
    }
}
