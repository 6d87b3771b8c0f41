//! From errors of the driver to the engine's words.

use std::time::Duration;

use connect_api::{Cause, Dependency, Failure, RejectedRecord, tls_error};
use sqlx::postgres::PgDatabaseError;

use crate::evidence::Evidence;
use crate::sqlstate::{self, Meaning};

/// Why a step of a write failed, before it is decided what follows.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The driver or the database said so, at work on this table if one is named.
    Driver {
        error: sqlx::Error,
        table: Option<String>,
    },
    /// No answer within the deadline.
    Deadline { step: &'static str, limit: Duration },
    /// The columns of this table are not what the rows were encoded for.
    StaleCatalog { table: String },
    /// The engine's word is known already.
    Decided(Failure),
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> WriteError {
        WriteError::Driver { error, table: None }
    }
}

impl From<Failure> for WriteError {
    fn from(failure: Failure) -> WriteError {
        WriteError::Decided(failure)
    }
}

impl WriteError {
    pub(crate) fn fatal(cause: Cause) -> WriteError {
        WriteError::Decided(Failure::Fatal(cause.with_dependency(Dependency::Database)))
    }

    pub(crate) fn refused(refusals: Vec<RejectedRecord>) -> WriteError {
        WriteError::Decided(Failure::Refused(refusals))
    }

    /// Names the table that was worked on.
    pub(crate) fn at(self, table: &str) -> WriteError {
        match self {
            WriteError::Driver { error, table: None } => WriteError::Driver {
                error,
                table: Some(table.to_owned()),
            },
            other => other,
        }
    }

    /// The database's own error, if there is one.
    pub(crate) fn database(&self) -> Option<&PgDatabaseError> {
        match self {
            WriteError::Driver {
                error: sqlx::Error::Database(error),
                ..
            } => error.try_downcast_ref::<PgDatabaseError>(),
            _ => None,
        }
    }

    /// What the database's error means; `None` if it is not one of the database.
    pub(crate) fn meaning(&self) -> Option<Meaning> {
        self.evidence().map(|evidence| evidence.meaning())
    }

    /// Where the database's error was raised; `None` if it is not one of the database.
    pub(crate) fn evidence(&self) -> Option<Evidence<'_>> {
        self.database().map(Evidence::of)
    }

    /// Whether reading the catalog again may help.
    pub(crate) fn is_stale_catalog(&self) -> bool {
        matches!(self, WriteError::StaleCatalog { .. })
            || self.meaning() == Some(Meaning::CatalogChanged)
    }

    /// Whether the batch might be written, or fail otherwise, if the tables were not what they were when they were read.
    /// An outage says nothing about them.
    pub(crate) fn may_depend_on_tables(&self) -> bool {
        match self {
            WriteError::Decided(failure) => matches!(failure, Failure::Refused(_)),
            WriteError::StaleCatalog { .. } => true,
            WriteError::Deadline { .. } => false,
            WriteError::Driver { .. } => self.meaning().is_some_and(|meaning| {
                !matches!(meaning, Meaning::Outage | Meaning::TooMuchIfRepeated)
            }),
        }
    }

    /// Whether some record of the batch is to blame, which the error does not name.
    pub(crate) fn is_of_record(&self) -> bool {
        use Meaning::{CatalogChanged, MissingParent, Refused, RefusedIfRepeated};
        self.evidence()
            .is_some_and(|evidence| match evidence.meaning() {
                Refused | RefusedIfRepeated | MissingParent => true,
                CatalogChanged => evidence.may_be_of_a_row(),
                _ => false,
            })
    }

    /// Whether it names the records that are to blame.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self, WriteError::Decided(Failure::Refused(_)))
    }

    /// Whether somebody else held what was to be locked, for too long.
    pub(crate) fn is_lock_timeout(&self) -> bool {
        self.database().is_some_and(|error| error.code() == "55P03")
    }

    /// Whether an answer has other columns than were asked for.
    pub(crate) fn is_unreadable(&self) -> bool {
        use sqlx::Error::{ColumnDecode, ColumnNotFound, Decode};
        matches!(
            self,
            WriteError::Driver {
                error: ColumnDecode { .. } | ColumnNotFound(_) | Decode(_),
                ..
            }
        )
    }

    /// Whether a row's parent is missing, or a parent that goes still has children.
    pub(crate) fn is_foreign_key(&self) -> bool {
        self.meaning() == Some(Meaning::MissingParent)
    }

    /// Whether a trigger or another function of the database was at work.
    pub(crate) fn is_in_function(&self) -> bool {
        self.evidence()
            .is_some_and(|evidence| evidence.is_in_function())
    }

    /// Of these errors, whether a row that goes is still named by another.
    pub(crate) fn is_still_referenced(&self) -> bool {
        let WriteError::Driver { table, .. } = self else {
            return false;
        };
        let is_referenced = |error| sqlstate::is_still_referenced(error, table.as_deref());
        self.database().is_some_and(is_referenced)
    }

    /// Whether the connection can be used on. After anything but a plain error of the database nobody knows what is
    /// still under way on it.
    pub(crate) fn leaves_connection_usable(&self) -> bool {
        match self {
            WriteError::Decided(_) | WriteError::StaleCatalog { .. } => true,
            WriteError::Deadline { .. } => false,
            WriteError::Driver { .. } => self.database().is_some_and(|error| {
                let code = error.code();
                let is_gone = ["08", "57P", "25006", "25P03", "25P04", "58", "XX"];
                Evidence::of(error).is_raise()
                    || !is_gone.iter().any(|prefix| code.starts_with(prefix))
            }),
        }
    }

    /// The message, safe to log.
    pub(crate) fn cause(&self) -> Cause {
        match self {
            WriteError::Decided(failure) => failure.cause(),
            WriteError::StaleCatalog { table } => {
                Cause::new(format!("table `{table}` changes while it is written to"))
            }
            WriteError::Deadline { step, limit } => Cause::new(format!(
                "no answer from the database to {step} within {}",
                connect_api::Duration::from_millis(limit.as_millis() as u64)
            ))
            .with_dependency(Dependency::Database),
            WriteError::Driver { error, table } => match self.database() {
                Some(database) => sqlstate::cause(database, table.as_deref()),
                None => driver_cause(error).with_dependency(match error {
                    sqlx::Error::Tls(_) => Dependency::Certificate,
                    _ => Dependency::Database,
                }),
            },
        }
    }

    /// The engine's word where the batch at hand does not matter: opening, resuming, reading the catalog.
    pub(crate) fn into_failure(self) -> Failure {
        let cause = self.cause();
        match self {
            WriteError::Decided(failure) => failure,
            WriteError::Deadline { .. } | WriteError::StaleCatalog { .. } => Failure::Retry(cause),
            WriteError::Driver { ref error, .. } => match self.meaning() {
                Some(Meaning::Outage | Meaning::TooMuchIfRepeated) => Failure::Retry(cause),
                Some(_) => Failure::Fatal(cause),
                None if is_outage(error) => Failure::Retry(cause),
                None => Failure::Fatal(cause),
            },
        }
    }
}

/// Broken connections, in all the ways in which the driver tells of them. A handshake may break off in an outage as well;
/// that the other side is not trusted, or has no TLS at all, stays so.
fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => true,
        sqlx::Error::Tls(error) => {
            let message = error.to_string();
            let is_lasting = ["certificate", "does not support"];
            !is_lasting.iter().any(|words| message.contains(words))
        }
        _ => false,
    }
}

/// The driver's words without what may hold a URL or values.
fn driver_cause(error: &sqlx::Error) -> Cause {
    match error {
        sqlx::Error::Io(error) => {
            Cause::new(format!("the connection to the database failed: {error}"))
        }
        sqlx::Error::Tls(error) => {
            let reason = tls_error(&**error).unwrap_or_else(|| error.to_string());
            Cause::new(format!("no connection to the database: {reason}")).with_help(
                "`sslmode` says how far the server's certificate is checked, and `ca` names the authority that signed it",
            )
        }
        sqlx::Error::Configuration(_) => Cause::new("the database's URL or keys cannot be used"),
        sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            Cause::new("an answer of the database could not be read")
        }
        other => Cause::new(other.to_string()),
    }
}
