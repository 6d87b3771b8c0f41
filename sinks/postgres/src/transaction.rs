//! One transaction a batch, bounded on both sides: the server's timeouts end a statement or a session that hangs, the
//! client's deadlines end waiting for a server or a network that is gone.

use std::future::Future;
use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::PgConnection;

use crate::config::Config;
use crate::failure::WriteError;

/// What an answer may take beyond what the server allows itself.
const MARGIN: Duration = Duration::from_secs(20);
/// A frozen owner holds its locks no longer than this: the server ends its session. Nothing is done between two statements
/// of a transaction (rows are encoded before it begins), so a live owner is never idle for long.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// Whatever the role's or the database's default is: the compare-and-set of progress and the proof that a table has not
/// changed both need to see what was committed since the transaction began.
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

/// The limits of a transaction, worked out once.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// What a transaction sets for itself, in one round trip with its beginning.
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

    /// Begins a transaction that writes.
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

    /// An error of the database ends the transaction: nothing is written. After any other error, or when the deadline
    /// passes, nobody knows.
    pub(crate) async fn commit(&self, connection: &mut SinkConnection) -> Result<(), WriteError> {
        within("COMMIT", self.short, async {
            let committed = connection.driver.execute("COMMIT").await;
            let is_answered = matches!(committed, Ok(_) | Err(sqlx::Error::Database(_)));
            connection.is_in_transaction &= !is_answered;
            Ok(committed.map(|_| ())?)
        })
        .await
    }

    /// Checks now what COMMIT would check.
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

    /// Leaves the transaction, if one is open.
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

/// Waits for a step no longer than its limit. The connection must not be used after the limit has passed.
pub(crate) async fn within<T>(
    step: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T, WriteError>>,
) -> Result<T, WriteError> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or(Err(WriteError::Deadline { step, limit }))
}
