//! The dead letter queue: original bytes, and Kafka Connect's headers that say what happened.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use connect_api::{Cause, Failure, Header, Origin, Outgoing, Result};
use connect_kafka::DeliveryOutcome;

use super::rejection::Rejection;
use crate::publisher::ConnectorProducer;

/// One rejected record.
pub(crate) struct Letter {
    /// Index of the source record in its batch.
    pub(crate) index: usize,
    pub(crate) origin: Arc<Origin>,
    pub(crate) rejection: Rejection,
    /// The lane that rejected it; `None`: it was rejected before it came to any.
    pub(crate) lane: Option<Arc<str>>,
}

/// Brings messages to the dead letter topic; the outcomes are in their order.
#[async_trait]
pub(crate) trait LetterProducer: Send {
    async fn deliver(&mut self, messages: Vec<Outgoing>) -> Result<Vec<DeliveryOutcome>>;
}

#[async_trait]
impl LetterProducer for ConnectorProducer {
    async fn deliver(&mut self, messages: Vec<Outgoing>) -> Result<Vec<DeliveryOutcome>> {
        ConnectorProducer::deliver(self, messages).await
    }
}

/// Delivers dead letters of one task.
pub(crate) struct DeadLetters {
    pub(crate) producer: Box<dyn LetterProducer>,
    pub(crate) topic: Arc<str>,
    pub(crate) connector: Arc<str>,
    pub(crate) task: u32,
}

/// How far a delivery came.
pub(crate) struct Delivered {
    /// For each letter, whether the topic has it.
    pub(crate) acknowledged: Vec<bool>,
    /// Why some are not there.
    pub(crate) failure: Option<Failure>,
}

impl DeadLetters {
    /// Sends all letters at once. Letters that are not acknowledged are the caller's to send again: one may then be there
    /// twice, with the same origin in its headers, but it is never missing.
    pub(crate) async fn deliver(&mut self, letters: &[Letter]) -> Delivered {
        let mut delivered = Delivered {
            acknowledged: vec![false; letters.len()],
            failure: None,
        };
        let mut pending: Vec<Pending<'_>> =
            letters.iter().enumerate().map(Pending::whole).collect();
        while !pending.is_empty() && delivered.failure.is_none() {
            let messages = pending.iter().map(|one| self.message(one)).collect();
            let outcomes = match self.producer.deliver(messages).await {
                Ok(outcomes) => outcomes,
                Err(failure) => {
                    delivered.failure = Some(failure);
                    break;
                }
            };
            assert_eq!(outcomes.len(), pending.len(), "each letter has an outcome");
            pending = self.sort_out(pending, outcomes, &mut delivered);
        }
        delivered
    }

    fn message(&self, pending: &Pending<'_>) -> Outgoing {
        let writer = LetterWriter {
            topic: &self.topic,
            connector: &self.connector,
            task: self.task,
            lane: pending.letter.lane.as_deref(),
        };
        let Letter {
            origin, rejection, ..
        } = pending.letter;
        writer.letter(origin, rejection, pending.form)
    }

    /// Returns what is sent again in a shorter form.
    fn sort_out<'a>(
        &self,
        sent: Vec<Pending<'a>>,
        outcomes: Vec<DeliveryOutcome>,
        delivered: &mut Delivered,
    ) -> Vec<Pending<'a>> {
        let mut again = Vec::new();
        for (one, outcome) in sent.into_iter().zip(outcomes) {
            let origin = &one.letter.origin;
            match outcome {
                DeliveryOutcome::Delivered { .. } => {
                    if let Some(acknowledged) = delivered.acknowledged.get_mut(one.index) {
                        *acknowledged = true;
                    }
                }
                DeliveryOutcome::Failed(cause) => {
                    delivered.failure.get_or_insert(Failure::Retry(cause));
                }
                DeliveryOutcome::Refused(cause) => {
                    match one.form.without_what_was_refused(&cause) {
                        Some(form) => {
                            tracing::warn!(
                                event = "dead_letter_shortened",
                                connector = %self.connector,
                                topic = %origin.topic,
                                partition = origin.partition,
                                offset = origin.offset,
                                %cause,
                            );
                            again.push(Pending { form, ..one });
                        }
                        // No later attempt differs from this one: it must be seen, also beside an outage.
                        None => {
                            delivered.failure =
                                Some(Failure::Fatal(self.unstorable(origin, cause)));
                        }
                    }
                }
            }
        }
        again
    }

    fn unstorable(&self, origin: &Origin, cause: Cause) -> Cause {
        let message = format!(
            "the dead letter topic {} refuses the letter of {} partition {} offset {}: {}",
            self.topic, origin.topic, origin.partition, origin.offset, cause.message
        );
        let help = if cause.code.as_deref() == Some("InvalidRecord") {
            format!(
                "a compacted topic stores no record without a key: {}",
                connect_kafka::keep_every_record(&self.topic)
            )
        } else {
            "correct the settings of the topic, or name another errors.dead_letter_topic".to_owned()
        };
        Cause {
            code: cause.code,
            ..Cause::new(message).with_help(help)
        }
    }
}

/// A letter on its way.
struct Pending<'a> {
    index: usize,
    letter: &'a Letter,
    form: LetterForm,
}

impl<'a> Pending<'a> {
    fn whole((index, letter): (usize, &'a Letter)) -> Pending<'a> {
        Pending {
            index,
            letter,
            form: LetterForm::WHOLE,
        }
    }
}

/// How much of the record a letter carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LetterForm {
    value: bool,
    timestamp: bool,
}

impl LetterForm {
    pub(crate) const WHOLE: LetterForm = LetterForm {
        value: true,
        timestamp: true,
    };

    /// The topic of the letters may refuse what the topic of the records took: a time far from now, or bytes that are too
    /// many together with the headers. `None`: leaving something out does not help.
    fn without_what_was_refused(self, cause: &Cause) -> Option<LetterForm> {
        match cause.code.as_deref() {
            Some("InvalidTimestamp") if self.timestamp => Some(LetterForm {
                timestamp: false,
                ..self
            }),
            Some("MessageSizeTooLarge" | "InvalidMessageSize") if self.value => Some(LetterForm {
                value: false,
                ..self
            }),
            _ => None,
        }
    }
}

/// Writes letters in the name of one task.
#[derive(Clone, Copy)]
pub(crate) struct LetterWriter<'a> {
    pub(crate) topic: &'a Arc<str>,
    pub(crate) connector: &'a str,
    pub(crate) task: u32,
    /// The lane that rejected the record, if one did.
    pub(crate) lane: Option<&'a str>,
}

impl LetterWriter<'_> {
    /// What the form leaves out stays where it is, and the headers say where.
    pub(crate) fn letter(
        self,
        origin: &Origin,
        rejection: &Rejection,
        form: LetterForm,
    ) -> Outgoing {
        // Whoever reads a letter believes the first header of a name, and a producer may have written these.
        let is_of_record = |header: &&Header| !header.is_of_dead_letter();
        let mut headers: Vec<Header> = origin
            .headers
            .iter()
            .filter(is_of_record)
            .cloned()
            .collect();
        let details: String = rejection
            .details()
            .map(|(word, text)| format!("\n{word} {text}"))
            .collect();
        let said: [(&str, String); 10] = [
            ("topic", origin.topic.to_string()),
            ("partition", origin.partition.to_string()),
            ("offset", origin.offset.to_string()),
            ("connector.name", self.connector.to_string()),
            ("task.id", self.task.to_string()),
            ("stage", rejection.stage.as_str().to_owned()),
            ("class.name", rejection.by.clone()),
            (
                "exception.class.name",
                format!("connect.{}", rejection.kind),
            ),
            ("exception.message", rejection.message().into_owned()),
            (
                "exception.stacktrace",
                format!(
                    "connect.{}: {}{details}",
                    rejection.kind,
                    rejection.message()
                ),
            ),
        ];
        headers.extend(said.into_iter().map(|(name, text)| header(name, text)));
        if let Some(lane) = self.lane {
            headers.push(header("sink", lane.to_string()));
        }
        if let Some(milliseconds) = origin.timestamp_ms.filter(|_| !form.timestamp) {
            headers.push(header(
                "timestamp.left.out",
                format!("{milliseconds}, which this topic does not take"),
            ));
        }
        if !form.value {
            headers.push(header(
                "value.left.out",
                "too large for this topic together with its headers".to_owned(),
            ));
        }
        Outgoing {
            topic: self.topic.clone(),
            key: origin.key.clone(),
            value: origin.value.clone().filter(|_| form.value),
            headers,
            timestamp_ms: origin.timestamp_ms.filter(|_| form.timestamp),
        }
    }
}

fn header(name: &str, text: String) -> Header {
    Header {
        name: format!("{}{name}", Header::OF_DEAD_LETTERS),
        value: Some(Bytes::from(text)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::records::rejection::RejectionStage;

    #[test]
    fn what_a_topic_refuses_is_left_out_once() {
        let too_large = Cause::new("").with_code("MessageSizeTooLarge");
        let too_far = Cause::new("").with_code("InvalidTimestamp");
        let without_time = LetterForm::WHOLE
            .without_what_was_refused(&too_far)
            .unwrap();
        assert_eq!(without_time.without_what_was_refused(&too_far), None);
        let bare = without_time.without_what_was_refused(&too_large).unwrap();
        assert_eq!(bare.without_what_was_refused(&too_large), None);

        let origin = Origin {
            value: Some(Bytes::from_static(b"bytes")),
            timestamp_ms: Some(253_402_300_800_000),
            ..Origin::default()
        };
        let rejection = Rejection::plain(
            RejectionStage::KeyConverter,
            "key",
            "KeyError",
            String::new(),
        );
        let writer = LetterWriter {
            topic: &Arc::from("dlq"),
            connector: "c",
            task: 0,
            lane: None,
        };
        let letter = writer.letter(&origin, &rejection, without_time);
        assert_eq!((letter.timestamp_ms, &letter.value), (None, &origin.value));
        let said = letter
            .headers
            .iter()
            .find(|header| header.name == "__connect.errors.timestamp.left.out");
        let text = said.unwrap().value.clone().unwrap();
        assert!(text.starts_with(b"253402300800000"), "{text:?}");
    }

    #[test]
    fn headers_of_the_record_that_claim_to_be_ours_are_dropped() {
        let of_record = |name: &str| Header {
            name: name.to_owned(),
            value: Some(Bytes::from_static(b"forged")),
        };
        let origin = Origin {
            topic: Arc::from("sales"),
            headers: vec![of_record("trace"), of_record("__connect.errors.topic")],
            ..Origin::default()
        };
        let rejection = Rejection::plain(RejectionStage::KeyConverter, "key", "KeyError", "");
        let writer = LetterWriter {
            topic: &Arc::from("dlq"),
            connector: "c",
            task: 0,
            lane: None,
        };
        let letter = writer.letter(&origin, &rejection, LetterForm::WHOLE);
        let forged = |header: &&Header| header.value.as_deref() == Some(b"forged");
        let kept: Vec<_> = letter.headers.iter().filter(forged).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        let topics = letter
            .headers
            .iter()
            .filter(|header| header.name == "__connect.errors.topic");
        let topics: Vec<_> = topics.map(|header| header.value.as_deref()).collect();
        assert_eq!(topics, [Some(b"sales".as_slice())]);
    }
}
