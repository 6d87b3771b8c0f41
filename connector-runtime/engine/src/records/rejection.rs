//! Why one record cannot go on, for the dead letter queue and for the screen.

use std::borrow::Cow;

use connect_api::text::cut;
use connect_api::{Cause, Failure, Origin, RejectedRecord, time};
use connect_contracts::{FaultStage, Side};

/// Characters of a key that a message shows.
const LONGEST_KEY: usize = 60;

/// The stage at which a record was rejected; Kafka Connect's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RejectionStage {
    KeyConverter,
    ValueConverter,
    Transformation,
    TaskPut,
}

impl RejectionStage {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            RejectionStage::KeyConverter => "KEY_CONVERTER",
            RejectionStage::ValueConverter => "VALUE_CONVERTER",
            RejectionStage::Transformation => "TRANSFORMATION",
            RejectionStage::TaskPut => "TASK_PUT",
        }
    }
}

impl RejectionStage {
    /// As a label of metrics.
    pub(crate) fn as_word(self) -> &'static str {
        match self {
            RejectionStage::KeyConverter => "key-converter",
            RejectionStage::ValueConverter => "value-converter",
            RejectionStage::Transformation => "transformation",
            RejectionStage::TaskPut => "task-put",
        }
    }
}

/// A rejected record: its own fault, with the stage and the reason.
#[derive(Clone, Debug)]
pub(crate) struct Rejection {
    pub(crate) stage: RejectionStage,
    /// What rejected it: a contract, the transform's or the sink's type.
    pub(crate) by: String,
    /// The kind of problem, as a word: `DecodeError`, `ContractViolation`, `TransformError`, `SinkRefusal`.
    pub(crate) kind: &'static str,
    message: String,
    details: Box<Details>,
    /// `errors.show_values`: whether messages hold content of the record.
    shows_values: bool,
}

/// What is known besides the message; in a box, because results carry it.
#[derive(Clone, Debug, Default)]
struct Details {
    at: Option<String>,
    found: Option<String>,
    expected: Option<String>,
    /// The content that the message is about, apart from it.
    value: Option<String>,
}

impl Rejection {
    pub(crate) fn of_contract(side: Side, rejection: connect_contracts::ValueFault) -> Rejection {
        let stage = match side {
            Side::Key => RejectionStage::KeyConverter,
            Side::Value => RejectionStage::ValueConverter,
        };
        let kind = match rejection.stage {
            FaultStage::Decode => "DecodeError",
            FaultStage::Contract => "ContractViolation",
        };
        Rejection {
            stage,
            by: rejection.contract.unwrap_or_else(|| "format".to_owned()),
            kind,
            message: rejection.message,
            details: Box::new(Details {
                at: rejection.at,
                found: rejection.found,
                expected: rejection.expected,
                value: rejection.value,
            }),
            shows_values: false,
        }
    }

    pub(crate) fn plain(
        stage: RejectionStage,
        by: impl Into<String>,
        kind: &'static str,
        message: impl Into<String>,
    ) -> Rejection {
        let message = message.into();
        Rejection {
            stage,
            by: by.into(),
            kind,
            message,
            details: Box::default(),
            shows_values: false,
        }
    }

    pub(crate) fn of_sink(sink: &str, cause: &Cause) -> Rejection {
        Rejection::of_cause(RejectionStage::TaskPut, sink, "SinkRefusal", cause)
    }

    pub(crate) fn of_transform(transform: &str, cause: &Cause) -> Rejection {
        Rejection::of_cause(
            RejectionStage::Transformation,
            transform,
            "TransformError",
            cause,
        )
    }

    fn of_cause(stage: RejectionStage, by: &str, kind: &'static str, cause: &Cause) -> Rejection {
        let details = Details {
            value: cause.value.clone(),
            ..Details::default()
        };
        Rejection {
            details: Box::new(details),
            ..Rejection::plain(stage, by, kind, cause.to_string())
        }
    }

    /// Lets messages hold content of the record: `errors.show_values` of its connector.
    pub(crate) fn showing_values(self, shows_values: bool) -> Rejection {
        Rejection {
            shows_values,
            ..self
        }
    }

    pub(crate) fn message(&self) -> Cow<'_, str> {
        self.with_value(&self.message)
    }

    fn with_value<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.details.value.as_ref().filter(|_| self.shows_values) {
            Some(value) => Cow::Owned(format!("{text}; value: {value}")),
            None => Cow::Borrowed(text),
        }
    }

    /// What the policy is asked about.
    pub(crate) fn failure(&self) -> Failure {
        let message = format!("{} {}: {}", self.stage.as_str(), self.by, self.message());
        Failure::Refused(vec![RejectedRecord {
            record: 0,
            cause: Cause::new(message),
        }])
    }

    /// The screen of a connector that stopped at its first bad record.
    pub(crate) fn explain(&self, connector: &str, origin: &Origin) -> String {
        let key = match origin.key.as_deref().filter(|_| self.shows_values) {
            Some(key) => format!(
                ", key \"{}\"",
                cut(&String::from_utf8_lossy(key), LONGEST_KEY)
            ),
            None => String::new(),
        };
        let time = match origin.timestamp_ms {
            Some(milliseconds) => format!(", {}", time::format_ms(milliseconds)),
            None => String::new(),
        };
        let mut lines = vec![
            format!(
                "connector {connector} stopped at the first bad record (errors.tolerance = \"none\")"
            ),
            format!(
                "  record   {} partition {} offset {}{key}{time}",
                origin.topic, origin.partition, origin.offset
            ),
            format!(
                "  stage    {} {}",
                self.stage.as_str().to_lowercase().replace('_', " "),
                self.by
            ),
        ];
        lines.extend(
            self.details()
                .map(|(word, text)| format!("  {word:<8} {text}")),
        );
        if self.details.at.is_none() {
            lines.push(format!("  problem  {}", self.message()));
        }
        lines.push(
            "  next     set errors.tolerance = \"all\" and errors.dead_letter_topic to keep going; nothing after this record was skipped"
                .to_owned(),
        );
        lines.join("\n")
    }

    /// What is known of the place, the value there and what was expected.
    pub(crate) fn details(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        let Details {
            at,
            found,
            expected,
            ..
        } = &*self.details;
        let details = [
            ("at", at.as_deref().map(Cow::Borrowed)),
            (
                "found",
                found.as_deref().map(|found| self.with_value(found)),
            ),
            ("expected", expected.as_deref().map(Cow::Borrowed)),
        ];
        details
            .into_iter()
            .filter_map(|(word, text)| Some((word, text?)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use connect_api::Found;

    use super::*;

    /// Everything that is said of a rejection, in logs, on the screen and in headers.
    fn said(rejection: &Rejection) -> String {
        let origin = Origin {
            key: Some(Bytes::from_static(b"canary-key")),
            ..Origin::default()
        };
        let details: Vec<_> = rejection
            .details()
            .map(|(_, text)| text.into_owned())
            .collect();
        format!(
            "{}\n{}\n{}",
            rejection.message(),
            rejection.explain("c", &origin),
            details.join("\n")
        )
    }

    #[test]
    fn content_of_a_record_is_said_only_where_the_connector_shows_values() {
        let cause = Cause::new("a string of 12 characters does not fit")
            .about(Found::string("canary-value"));
        let by_sink = Rejection::of_sink("postgres", &cause);
        let by_transform = Rejection::of_transform("cast", &cause);
        for rejection in [by_sink, by_transform] {
            let hidden = said(&rejection);
            assert!(!hidden.contains("canary"), "{hidden}");
            let shown = said(&rejection.showing_values(true));
            assert!(shown.contains("canary-value"), "{shown}");
            assert!(shown.contains("canary-key"), "{shown}");
        }
    }
}
