//! How a plugin says that something went wrong. Six words; the engine decides what follows from each.

use std::fmt;

use crate::found::Found;
use crate::value::EditError;

/// What happened, in words that are safe to log: no secrets, no record values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// A stable word or number to search for, for example an SQLSTATE.
    pub code: Option<String>,
    /// One sentence without a full stop.
    pub message: String,
    /// What to do about it, if that is known.
    pub help: Option<String>,
    /// The value of the record that the message is about. Not displayed: see [`Found`].
    pub value: Option<String>,
    /// What is away or refuses, where that is known.
    pub dependency: Option<Dependency>,
}

/// What a connector depends on, as the word by which machines see why it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    Kafka,
    /// A topic that does not exist (yet).
    Topic,
    Registry,
    Database,
    /// A user, password or token that the other side does not take, wherever it is.
    Credentials,
    /// A certificate that is not trusted, on either side.
    Certificate,
    /// What a plugin names itself, in lower case.
    Named(&'static str),
}

impl Dependency {
    pub fn as_str(self) -> &'static str {
        match self {
            Dependency::Kafka => "kafka",
            Dependency::Topic => "topic",
            Dependency::Registry => "registry",
            Dependency::Database => "database",
            Dependency::Credentials => "credentials",
            Dependency::Certificate => "certificate",
            Dependency::Named(word) => word,
        }
    }
}

impl Cause {
    pub fn new(message: impl Into<String>) -> Cause {
        Cause {
            code: None,
            message: message.into(),
            help: None,
            value: None,
            dependency: None,
        }
    }

    pub fn with_code(mut self, code: impl Into<String>) -> Cause {
        self.code = Some(code.into());
        self
    }

    pub fn with_help(mut self, help: impl Into<String>) -> Cause {
        self.help = Some(help.into());
        self
    }

    pub fn with_dependency(mut self, dependency: Dependency) -> Cause {
        self.dependency = Some(dependency);
        self
    }

    /// Keeps the content of what was found apart from the message, which holds `found.description` at most.
    pub fn about(mut self, found: Found) -> Cause {
        self.value = found.value;
        self
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = &self.code {
            write!(formatter, "{code}: ")?;
        }
        formatter.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(formatter, " ({help})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Cause {}

impl From<EditError> for Cause {
    fn from(error: EditError) -> Cause {
        Cause::new(error.message)
    }
}

/// One record that cannot be written, by its own fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Index into `Batch::records`.
    pub record: usize,
    pub cause: Cause,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An outage: nothing of the call counts, and the same call may succeed later. Never a record's fault.
    Retry(Cause),
    /// These records cannot be written; nothing of the batch counts. They are taken out and the rest is sent again.
    Refused(Vec<RejectedRecord>),
    /// Some record of the batch cannot be written and nobody knows which: the batch is halved down to it.
    RefusedSomewhere(Cause),
    /// The batch is too much at once, although each record may be fine: it is halved, and a single record is retried.
    TooMuch(Cause),
    /// Progress is not what was expected: somebody else owns these partitions or did. Nothing of the batch counts;
    /// the engine asks the group and `resume` again.
    Superseded(Cause),
    /// It will not get better by itself: the connector stops and says so.
    Fatal(Cause),
}

impl Failure {
    /// What happened; of several refusals the first, and how many there are.
    pub fn cause(&self) -> Cause {
        match self {
            Failure::Retry(cause)
            | Failure::RefusedSomewhere(cause)
            | Failure::TooMuch(cause)
            | Failure::Superseded(cause)
            | Failure::Fatal(cause) => cause.clone(),
            Failure::Refused(refusals) => match refusals.as_slice() {
                [only] => only.cause.clone(),
                _ => Cause::new(self.to_string()),
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Retry(cause)
            | Failure::RefusedSomewhere(cause)
            | Failure::TooMuch(cause)
            | Failure::Superseded(cause)
            | Failure::Fatal(cause) => cause.fmt(formatter),
            Failure::Refused(refusals) => match refusals.first() {
                Some(first) => write!(
                    formatter,
                    "{} records refused, first: {}",
                    refusals.len(),
                    first.cause
                ),
                None => formatter.write_str("no records refused"),
            },
        }
    }
}

impl std::error::Error for Failure {}

/// What calls of a plugin return.
pub type Result<T, E = Failure> = std::result::Result<T, E>;
