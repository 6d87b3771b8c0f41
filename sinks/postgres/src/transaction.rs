//! Transactions with time limits on both sides: the server's timeouts end a hanging statement or session, the client's deadlines
//! end waiting for an unreachable server.

use std::future::Future;
use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::PgConnection;

use crate::config::Config;
use crate::failure::WriteError;

/// The client's deadline beyond the server's timeout.
const MARGIN: Duration = Duration::from_secs(20);
/// The server terminates the session of a frozen owner after this time. Rows are encoded before a transaction begins, so a live
/// owner is never idle for long between statements.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// Independent of the defaults of role and database, because the compare-and-set of progress and the check of tables must see what
/// was committed since the transaction began.
const WRITING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// A connection, and whether a transaction is open on it.
pub(crate) struct SinkConnection {
    pub(crate) driver: PgConnection,
    is_in_transaction: bool,
}

impl SinkConnection {
    pub(crate) fn new(driver: PgConnection) -> SinkConnection {
        SinkConnection {
            driver,
            is_in_transaction: false,
        }
    }
}

/// The limits of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The settings of a transaction, sent together with BEGIN.
    settings: String,
    /// For statements that only wait for locks.
    pub(crate) short: Duration,
    /// For statements that write rows.
    pub(crate) long: Duration,
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Limits {
        let statement = config.statement_timeout.get();
        let lock = config.lock_timeout.get();
        Limits {
            settings: format!(
                "SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; \
                 SET LOCAL idle_in_transaction_session_timeout = {}",
                statement.as_millis(),
                lock.as_millis(),
                IDLE_LIMIT.as_millis()
            ),
            short: lock + MARGIN,
            long: statement + MARGIN,
        }
    }

    /// Begins a writing transaction.
    pub(crate) async fn begin(&self, connection: &mut SinkConnection) -> Result<(), WriteError> {
        self.begin_with(connection, WRITING).await
    }

    /// Begins a transaction whose statements all see the same state.
    pub(crate) async fn begin_reading(
        &self,
        connection: &mut SinkConnection,
    ) -> Result<(), WriteError> {
        self.begin_with(connection, READING).await
    }

    async fn begin_with(
        &self,
        connection: &mut SinkConnection,
        begin: &'static str,
    ) -> Result<(), WriteError> {
        within("BEGIN", self.short, async {
            connection.is_in_transaction = true;
            let statement = format!("{begin}; {}", self.settings);
            connection.driver.execute(statement.as_str()).await?;
            Ok(())
        })
        .await
    }

    /// An error of the database ends the transaction without effect. After any other error, or after the deadline, the outcome is
    /// unknown.
    pub(crate) async fn commit(&self, connection: &mut SinkConnection) -> Result<(), WriteError> {
        within("COMMIT", self.short, async {
            let committed = connection.driver.execute("COMMIT").await;
            let is_answered = matches!(committed, Ok(_) | Err(sqlx::Error::Database(_)));
            connection.is_in_transaction &= !is_answered;
            Ok(committed.map(|_| ())?)
        })
        .await
    }

    /// Checks the constraints that COMMIT would check.
    pub(crate) async fn check_constraints(
        &self,
        connection: &mut SinkConnection,
    ) -> Result<(), WriteError> {
        within("check constraints", self.long, async {
            let check = "SET CONSTRAINTS ALL IMMEDIATE";
            connection.driver.execute(check).await?;
            Ok(())
        })
        .await
    }

    /// Rolls back the transaction, if one is open.
    pub(crate) async fn roll_back(
        &self,
        connection: &mut SinkConnection,
    ) -> Result<(), WriteError> {
        if !connection.is_in_transaction {
            return Ok(());
        }
        within("ROLLBACK", self.short, async {
            connection.driver.execute("ROLLBACK").await?;
            connection.is_in_transaction = false;
            Ok(())
        })
        .await
    }
}

/// Runs a step with a deadline. The connection must not be used after the deadline has passed.
pub(crate) async fn within<T>(
    step: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T, WriteError>>,
) -> Result<T, WriteError> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or(Err(WriteError::Deadline { step, limit }))
}
