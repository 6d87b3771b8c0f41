//! The dead letter queue: original bytes, and Kafka Connect's headers that say what happened.

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{Cause, Failure, Header, Origin, Outgoing, Result};
use connect_kafka::Producer;

use super::reject::Reject;
use crate::publisher::deliver;

/// Delivers dead letters of one task.
pub(crate) struct DeadLetters {
    pub(crate) producer: Producer,
    pub(crate) topic: Arc<str>,
    pub(crate) connector: Arc<str>,
    pub(crate) task: u32,
}

impl DeadLetters {
    /// Returns once every letter is acknowledged. After an error all of them are sent again: a dead letter may be
    /// there twice, with the same origin in its headers, but it is never missing.
    pub(crate) async fn deliver(&mut self, letters: &[(Arc<Origin>, Reject)]) -> Result<()> {
        let writer = LetterWriter {
            topic: &self.topic,
            connector: &self.connector,
            task: self.task,
        };
        let mut pending: Vec<(usize, Form)> = (0..letters.len())
            .map(|index| (index, Form::WHOLE))
            .collect();
        while !pending.is_empty() {
            let sent = std::mem::take(&mut pending);
            let messages = sent
                .iter()
                .filter_map(|(index, form)| {
                    let (origin, reject) = letters.get(*index)?;
                    Some(writer.letter(origin, reject, *form))
                })
                .collect();
            for (place, cause) in deliver(&mut self.producer, messages).await? {
                let Some((index, form)) = sent.get(place) else {
                    continue;
                };
                let Some((origin, _)) = letters.get(*index) else {
                    continue;
                };
                let Some(form) = form.without_what_was_refused(&cause) else {
                    let message = format!("{} takes no dead letters: {cause}", self.topic);
                    return Err(Failure::Retry(Cause::new(message)));
                };
                tracing::warn!(
                    event = "dead_letter_shortened",
                    connector = %self.connector,
                    topic = %origin.topic,
                    partition = origin.partition,
                    offset = origin.offset,
                    %cause,
                );
                pending.push((*index, form));
            }
        }
        Ok(())
    }
}

/// How much of the record a letter carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    value: bool,
    timestamp: bool,
}

impl Form {
    pub(crate) const WHOLE: Form = Form {
        value: true,
        timestamp: true,
    };

    /// The topic of the letters may refuse what the topic of the records took: a time far from now, or bytes that are too
    /// many together with the headers. `None`: there is nothing more to leave out.
    fn without_what_was_refused(self, cause: &Cause) -> Option<Form> {
        let is_timestamp = cause.code.as_deref() == Some("InvalidTimestamp");
        match is_timestamp {
            true if self.timestamp => Some(Form {
                timestamp: false,
                ..self
            }),
            false if self.value => Some(Form {
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
}

impl LetterWriter<'_> {
    /// What the form leaves out stays where it is, and the headers say where.
    pub(crate) fn letter(self, origin: &Origin, reject: &Reject, form: Form) -> Outgoing {
        let mut headers = origin.headers.clone();
        let detail = [
            ("at ", &reject.at),
            ("found ", &reject.found),
            ("expected ", &reject.expected),
        ]
        .into_iter()
        .filter_map(|(word, text)| text.as_ref().map(|text| format!("\n{word}{text}")))
        .collect::<String>();
        let said: [(&str, String); 10] = [
            ("topic", origin.topic.to_string()),
            ("partition", origin.partition.to_string()),
            ("offset", origin.offset.to_string()),
            ("connector.name", self.connector.to_string()),
            ("task.id", self.task.to_string()),
            ("stage", reject.stage.as_str().to_owned()),
            ("class.name", reject.by.clone()),
            ("exception.class.name", format!("connect.{}", reject.kind)),
            ("exception.message", reject.message.clone()),
            (
                "exception.stacktrace",
                format!("connect.{}: {}{detail}", reject.kind, reject.message),
            ),
        ];
        headers.extend(said.into_iter().map(|(name, text)| header(name, text)));
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
        name: format!("__connect.errors.{name}"),
        value: Some(Bytes::from(text)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::pipeline::reject::Stage;

    #[test]
    fn what_a_topic_refuses_is_left_out_once() {
        let too_large = Cause::new("").with_code("MessageSizeTooLarge");
        let too_far = Cause::new("").with_code("InvalidTimestamp");
        let without_time = Form::WHOLE.without_what_was_refused(&too_far).unwrap();
        assert_eq!(without_time.without_what_was_refused(&too_far), None);
        let bare = without_time.without_what_was_refused(&too_large).unwrap();
        assert_eq!(bare.without_what_was_refused(&too_large), None);

        let origin = Origin {
            value: Some(Bytes::from_static(b"bytes")),
            timestamp_ms: Some(253_402_300_800_000),
            ..Origin::default()
        };
        let reject = Reject::plain(Stage::KeyConverter, "key", "KeyError", String::new());
        let writer = LetterWriter {
            topic: &Arc::from("dlq"),
            connector: "c",
            task: 0,
        };
        let letter = writer.letter(&origin, &reject, without_time);
        assert_eq!((letter.timestamp_ms, &letter.value), (None, &origin.value));
        let said = letter
            .headers
            .iter()
            .find(|header| header.name == "__connect.errors.timestamp.left.out");
        let text = said.unwrap().value.clone().unwrap();
        assert!(text.starts_with(b"253402300800000"), "{text:?}");
    }
}
