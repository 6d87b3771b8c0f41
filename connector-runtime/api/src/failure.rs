//! The errors that a plugin can report: six cases. The engine decides what follows from each.

use std::fmt;

use crate::found::Found;
use crate::value::EditError;

/// What happened, as a message that is safe to log: no secrets, no record values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// A stable code to search for, for example an SQLSTATE.
    pub code: Option<String>,
    /// One sentence without a full stop.
    pub message: String,
    /// What to do about it, if known.
    pub help: Option<String>,
    /// The value of the record that the message is about. Not displayed: see [`Found`].
    pub value: Option<String>,
    /// The dependency that is unavailable or refuses us, if known.
    pub dependency: Option<Dependency>,
}

/// What a connector depends on. Its name is the machine-readable reason why a connector waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    Kafka,
    /// A topic that does not exist, or not yet.
    Topic,
    Registry,
    Database,
    /// A user, password or token that any of the others refuses.
    Credentials,
    /// A certificate that either side does not trust.
    Certificate,
    /// A name that a plugin chooses, in lower case.
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

    /// Attaches the content of the found value. The message itself may contain `found.description`, never the content.
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

/// A record that cannot be written, through its own fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Index into `Batch::records`.
    pub record: usize,
    pub cause: Cause,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An outage: the call had no effect, and the same call may succeed later. Never a record's fault.
    Retry(Cause),
    /// These records cannot be written, and nothing of the batch was. The engine removes them and sends the rest again.
    Refused(Vec<RejectedRecord>),
    /// Some record of the batch cannot be written, and it is unknown which: the engine halves the batch until it is found.
    RefusedSomewhere(Cause),
    /// The batch is too large, although each record may be fine: it is halved, and a single record is retried.
    TooMuch(Cause),
    /// The stored progress is not the expected one: another owner moved it. Nothing of the batch was written; the engine asks
    /// the group and `resume` again.
    Superseded(Cause),
    /// A retry cannot help: the connector stops with this cause.
    Fatal(Cause),
}

impl Failure {
    /// The cause; of several rejected records the first, and how many there are.
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

/// The result of a plugin's calls.
pub type Result<T, E = Failure> = std::result::Result<T, E>;
