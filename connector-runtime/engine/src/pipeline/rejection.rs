//! Why one record cannot go on, for the dead letter queue and for the screen.

use connect_api::{Cause, Failure, Origin, Refusal, time};
use connect_contracts::{Side, Stage as ContractStage};

/// The stage at which a record was rejected; Kafka Connect's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    KeyConverter,
    ValueConverter,
    Transformation,
    TaskPut,
}

impl Stage {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Stage::KeyConverter => "KEY_CONVERTER",
            Stage::ValueConverter => "VALUE_CONVERTER",
            Stage::Transformation => "TRANSFORMATION",
            Stage::TaskPut => "TASK_PUT",
        }
    }
}

/// A rejected record: its own fault, with the stage and the reason.
#[derive(Clone, Debug)]
pub(crate) struct Rejection {
    pub(crate) stage: Stage,
    /// What rejected it: a contract, the transform's or the sink's type.
    pub(crate) by: String,
    /// The kind of problem, as a word: `DecodeError`, `ContractViolation`, `TransformError`, `SinkRefusal`.
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    pub(crate) at: Option<String>,
    pub(crate) found: Option<String>,
    pub(crate) expected: Option<String>,
}

impl Rejection {
    pub(crate) fn of_contract(side: Side, rejection: connect_contracts::ValueFault) -> Rejection {
        let stage = match side {
            Side::Key => Stage::KeyConverter,
            Side::Value => Stage::ValueConverter,
        };
        let kind = match rejection.stage {
            ContractStage::Decode => "DecodeError",
            ContractStage::Contract => "ContractViolation",
        };
        Rejection {
            stage,
            by: rejection.contract.unwrap_or_else(|| "format".to_owned()),
            kind,
            message: rejection.message,
            at: rejection.at,
            found: rejection.found,
            expected: rejection.expected,
        }
    }

    pub(crate) fn plain(
        stage: Stage,
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
            at: None,
            found: None,
            expected: None,
        }
    }

    pub(crate) fn of_sink(sink: &str, cause: &Cause) -> Rejection {
        Rejection::plain(Stage::TaskPut, sink, "SinkRefusal", cause.to_string())
    }

    /// What the policy is asked about.
    pub(crate) fn failure(&self) -> Failure {
        let message = format!("{} {}: {}", self.stage.as_str(), self.by, self.message);
        Failure::Refused(vec![Refusal {
            record: 0,
            cause: Cause::new(message),
        }])
    }

    /// The screen of a connector that stopped at its first bad record.
    pub(crate) fn explain(&self, connector: &str, origin: &Origin) -> String {
        let key = match origin.key.as_deref().map(printable) {
            Some(key) => format!(", key \"{key}\""),
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
        let details = [
            ("at", &self.at),
            ("found", &self.found),
            ("expected", &self.expected),
        ];
        let known = details
            .iter()
            .filter_map(|(word, text)| text.as_ref().map(|text| (word, text)));
        lines.extend(known.map(|(word, text)| format!("  {word:<8} {text}")));
        if self.at.is_none() {
            lines.push(format!("  problem  {}", self.message));
        }
        lines.push(
            "  next     set errors.tolerance = \"all\" and errors.dead_letter_topic to keep going; nothing after this record was skipped"
                .to_owned(),
        );
        lines.join("\n")
    }
}

/// Bytes as one short line that cannot move the cursor.
fn printable(bytes: &[u8]) -> String {
    const LONGEST: usize = 60;
    let text = String::from_utf8_lossy(bytes);
    let mut line: String = text
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().count() > LONGEST {
        line.push('…');
    }
    line
}
