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
        let messages = letters
            .iter()
            .map(|(origin, reject)| writer.letter(origin, reject, true));
        let refused = deliver(&mut self.producer, messages.collect()).await?;
        let mut shortened = Vec::new();
        for (index, cause) in refused {
            let Some((origin, reject)) = letters.get(index) else {
                continue;
            };
            tracing::warn!(
                event = "dead_letter_shortened",
                connector = %self.connector,
                topic = %origin.topic,
                partition = origin.partition,
                offset = origin.offset,
                %cause,
            );
            shortened.push(writer.letter(origin, reject, false));
        }
        if shortened.is_empty() {
            return Ok(());
        }
        match deliver(&mut self.producer, shortened)
            .await?
            .into_iter()
            .next()
        {
            None => Ok(()),
            Some((_, cause)) => {
                let message = format!("{} takes no dead letters: {cause}", self.topic);
                Err(Failure::Retry(Cause::new(message)))
            }
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
    /// With its headers a letter may be larger than the topic allows: then the value stays where it is, and the headers
    /// say where.
    pub(crate) fn letter(self, origin: &Origin, reject: &Reject, with_value: bool) -> Outgoing {
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
        if !with_value {
            headers.push(header(
                "value.left.out",
                "too large for this topic together with its headers".to_owned(),
            ));
        }
        Outgoing {
            topic: self.topic.clone(),
            key: origin.key.clone(),
            value: origin.value.clone().filter(|_| with_value),
            headers,
            timestamp_ms: origin.timestamp_ms,
        }
    }
}

fn header(name: &str, text: String) -> Header {
    Header {
        name: format!("__connect.errors.{name}"),
        value: Some(Bytes::from(text)),
    }
}
