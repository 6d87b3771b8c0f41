//! Converts the driver's errors to the engine's failures.

use std::time::Duration;

use connect_api::{Cause, Dependency, Failure, RejectedRecord, tls_error};
use sqlx::postgres::PgDatabaseError;

use crate::evidence::Evidence;
use crate::sqlstate::{self, Meaning};

/// Why a step of a write failed, before the consequence is decided.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// An error of the driver or the database, while writing to `table`.
    Driver {
        error: sqlx::Error,
        table: Option<String>,
    },
    /// No response within the deadline.
    Deadline { step: &'static str, limit: Duration },
    /// The columns of this table are not what the rows were encoded for.
    StaleCatalog { table: String },
    /// The engine's failure is already determined.
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

    /// Adds the table that was being written to.
    pub(crate) fn at(self, table: &str) -> WriteError {
        match self {
            WriteError::Driver { error, table: None } => WriteError::Driver {
                error,
                table: Some(table.to_owned()),
            },
            other => other,
        }
    }

    /// The database's error, if it is one.
    pub(crate) fn database(&self) -> Option<&PgDatabaseError> {
        match self {
            WriteError::Driver {
                error: sqlx::Error::Database(error),
                ..
            } => error.try_downcast_ref::<PgDatabaseError>(),
            _ => None,
        }
    }

    /// The meaning of the database's error; `None` for other errors.
    pub(crate) fn meaning(&self) -> Option<Meaning> {
        self.evidence().map(|evidence| evidence.meaning())
    }

    /// Where the database's error was raised; `None` for other errors.
    pub(crate) fn evidence(&self) -> Option<Evidence<'_>> {
        self.database().map(Evidence::of)
    }

    /// Whether reading the catalog again may help.
    pub(crate) fn is_stale_catalog(&self) -> bool {
        matches!(self, WriteError::StaleCatalog { .. })
            || self.meaning() == Some(Meaning::CatalogChanged)
    }

    /// Whether changed tables could be the cause, so that the batch might succeed after they are read again. An outage is never.
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

    /// Whether some record of the batch is at fault, which the error does not identify.
    pub(crate) fn is_of_record(&self) -> bool {
        use Meaning::{CatalogChanged, MissingParent, Refused, RefusedIfRepeated};
        self.evidence()
            .is_some_and(|evidence| match evidence.meaning() {
                Refused | RefusedIfRepeated | MissingParent => true,
                CatalogChanged => evidence.may_be_of_a_row(),
                _ => false,
            })
    }

    /// Whether it identifies the records at fault.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self, WriteError::Decided(Failure::Refused(_)))
    }

    /// Whether a lock was not granted in time.
    pub(crate) fn is_lock_timeout(&self) -> bool {
        self.database().is_some_and(|error| error.code() == "55P03")
    }

    /// Whether a result has unexpected columns.
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

    /// Whether a row's parent is missing, or a deleted parent still has children.
    pub(crate) fn is_foreign_key(&self) -> bool {
        self.meaning() == Some(Meaning::MissingParent)
    }

    /// Whether it was raised in a trigger or another function of the database.
    pub(crate) fn is_in_function(&self) -> bool {
        self.evidence()
            .is_some_and(|evidence| evidence.is_in_function())
    }

    /// Of foreign key errors, whether a deleted row is still referenced.
    pub(crate) fn is_still_referenced(&self) -> bool {
        let WriteError::Driver { table, .. } = self else {
            return false;
        };
        let is_referenced = |error| sqlstate::is_still_referenced(error, table.as_deref());
        self.database().is_some_and(is_referenced)
    }

    /// Whether the connection remains usable. After anything but a plain error of the database its state is unknown.
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

    /// The cause, safe to log.
    pub(crate) fn cause(&self) -> Cause {
        match self {
            WriteError::Decided(failure) => failure.cause(),
            WriteError::StaleCatalog { table } => {
                Cause::new(format!("table `{table}` changed while it was written to"))
            }
            WriteError::Deadline { step, limit } => Cause::new(format!(
                "no response from the database to {step} within {}",
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

    /// The engine's failure if no batch is involved: opening, resuming, reading the catalog.
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

/// Whether the connection is broken, in all forms of the driver's error. An outage may interrupt a TLS handshake, too; an
/// untrusted certificate or a server without TLS is permanent.
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

/// The driver's message, without parts that may contain a URL or values.
fn driver_cause(error: &sqlx::Error) -> Cause {
    match error {
        sqlx::Error::Io(error) => {
            Cause::new(format!("the connection to the database failed: {error}"))
        }
        sqlx::Error::Tls(error) => {
            let reason = tls_error(&**error).unwrap_or_else(|| error.to_string());
            Cause::new(format!("no connection to the database: {reason}")).with_help(
                "`sslmode` determines how the server's certificate is verified, and `ca` names the authority that signed it",
            )
        }
        sqlx::Error::Configuration(_) => Cause::new("the database's URL or keys cannot be used"),
        sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            Cause::new("a response of the database could not be read")
        }
        other => Cause::new(other.to_string()),
    }
}
