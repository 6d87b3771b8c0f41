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

/// The limits of a transaction, worked out once.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// `BEGIN` with its settings, one round trip.
    begin: String,
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
            begin: format!(
                "BEGIN; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; \
                 SET LOCAL idle_in_transaction_session_timeout = {}",
                statement.as_millis(),
                lock.as_millis(),
                IDLE_LIMIT.as_millis()
            ),
            short: lock + MARGIN,
            long: statement + MARGIN,
        }
    }

    pub(crate) async fn begin(&self, connection: &mut PgConnection) -> Result<(), WriteError> {
        within("BEGIN", self.short, async {
            connection.execute(self.begin.as_str()).await?;
            Ok(())
        })
        .await
    }

    /// After an error, or when the deadline passes, nobody knows whether it is committed.
    pub(crate) async fn commit(&self, connection: &mut PgConnection) -> Result<(), WriteError> {
        within("COMMIT", self.short, async {
            connection.execute("COMMIT").await?;
            Ok(())
        })
        .await
    }

    pub(crate) async fn roll_back(&self, connection: &mut PgConnection) -> Result<(), WriteError> {
        within("ROLLBACK", self.short, async {
            connection.execute("ROLLBACK").await?;
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
