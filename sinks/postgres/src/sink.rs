//! The open sink: one connection, one transaction per batch.
//!
//! A failure before COMMIT leaves nothing written. If the response to COMMIT is lost, the connection is dropped, and the next call
//! reads the outcome from the progress table before it writes.

mod search;
mod write;

use std::sync::Arc;
use std::time::Duration;

use connect_api::{
    Batch, Cause, Failure, OtherProgress, Position, Progress, ProgressStore, SinkContext,
    TopicPartition, Written, async_trait,
};
use sqlx::Connection;
use sqlx::postgres::PgConnectOptions;

use crate::config::{Config, Delivery};
use crate::failure::WriteError;
use crate::identifier::TableName;
use crate::mapping::Plan;
use crate::progress::ProgressTable;
use crate::sqlstate::Meaning;
use crate::transaction::{Limits, SinkConnection, within};
use crate::verdict::Patience;
use crate::{connect, migrate, verdict};

use write::read_plan;

/// A sink that is ready to write.
pub struct PostgresSink {
    config: Config,
    context: SinkContext,
    options: PgConnectOptions,
    limits: Limits,
    /// `None` after an outage, until the next call.
    connection: Option<SinkConnection>,
    plan: Plan,
    /// `None` if the consumer group stores progress.
    progress: Option<ProgressTable>,
    /// The batch whose COMMIT was sent and got no response.
    doubt: Option<Doubt>,
    patience: Patience,
    scratch: Vec<u8>,
}

/// A batch that may have been committed: the progress table contains the outcome.
struct Doubt {
    progress: Vec<Progress>,
    rows: u64,
}

impl PostgresSink {
    /// Connects, runs migrations, creates the progress table, reads the tables.
    pub(crate) async fn open(
        config: &Config,
        context: SinkContext,
    ) -> Result<PostgresSink, Failure> {
        let options = connect::options(config, &context.connector)?;
        let limits = Limits::new(config);
        if let Some(folder) = &config.migrations {
            let elsewhere = connect::migration_options(config, &context.connector)?;
            let mut session = connect::open(elsewhere.as_ref().unwrap_or(&options))
                .await
                .map_err(WriteError::into_failure)?;
            migrate::run(&mut session, folder.as_path()).await?;
            // The migrations are done; an error while closing does not matter.
            let _ = session.close().await;
        }
        let connection = connect::open(&options)
            .await
            .map_err(WriteError::into_failure)?;
        let mut connection = SinkConnection::new(connection);
        let progress = match config.delivery {
            Delivery::AtLeastOnce => None,
            Delivery::ExactlyOnce => {
                let table = table_name(&config.progress_table)?;
                let identity = [
                    context.cluster_id.clone(),
                    context.connector.clone(),
                    context.sink.clone(),
                ];
                let mut progress = ProgressTable::new(table, identity, !config.pooler);
                within(
                    "find or create the progress table",
                    limits.short,
                    progress.open(&mut connection.driver),
                )
                .await
                .map_err(WriteError::into_failure)?;
                Some(progress)
            }
        };
        let plan = read_plan(config, &limits, &mut connection)
            .await
            .map_err(WriteError::into_failure)?;
        Ok(PostgresSink {
            config: config.clone(),
            context,
            options,
            limits,
            connection: Some(connection),
            plan,
            progress,
            doubt: None,
            patience: Patience::new(config.missing_parent),
            scratch: Vec::new(),
        })
    }

    /// The connection, or a new one, on which the outcome of the last write is read first.
    ///
    /// A call takes it out of the sink, so that a call that fails or is cancelled drops it.
    async fn connected(&mut self) -> Result<SinkConnection, WriteError> {
        if let Some(mut connection) = self.connection.take() {
            if self
                .progress
                .as_ref()
                .is_some_and(ProgressTable::is_doubted)
            {
                connection.driver.clear_cached_statements().await?;
                self.verify_progress(&mut connection).await?;
            }
            return Ok(connection);
        }
        let mut connection = SinkConnection::new(connect::open(&self.options).await?);
        self.verify_progress(&mut connection).await?;
        if let Some(progress) = &mut self.progress {
            self.limits.begin(&mut connection).await?;
            let confirm = progress.confirm(&mut connection.driver);
            let confirmed = within("read progress", self.limits.short, confirm).await;
            if let Err(error) = confirmed {
                // The old connection may have been cut off in the middle of a COPY: to the server it is a frozen client.
                if error.is_lock_timeout() {
                    self.limits.roll_back(&mut connection).await?;
                    let owned = progress.owned();
                    let _ = end_frozen(&mut connection, &self.limits, progress, &owned).await;
                }
                return Err(progress.doubt(error));
            }
            self.limits.commit(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Verifies that the progress table is unchanged since the sink was opened.
    async fn verify_progress(&mut self, connection: &mut SinkConnection) -> Result<(), WriteError> {
        let Some(progress) = &mut self.progress else {
            return Ok(());
        };
        let verifying = progress.verify(&mut connection.driver);
        within("verify the progress table", self.limits.short, verifying).await
    }

    /// Keeps the connection after a call, unless the call's error makes it unusable.
    async fn release<T>(&mut self, mut connection: SinkConnection, result: &Result<T, WriteError>) {
        let is_usable = match result {
            Ok(_) => true,
            Err(error) if error.leaves_connection_usable() => {
                self.limits.roll_back(&mut connection).await.is_ok()
            }
            Err(_) => false,
        };
        self.connection = Some(connection).filter(|_| is_usable);
    }

    /// After a lock on these partitions was not granted: whether a frozen predecessor held them and was terminated, so that another
    /// attempt is worthwhile.
    async fn has_ended_frozen(&mut self, partitions: &[TopicPartition]) -> bool {
        let Some((progress, mut connection)) = self.progress.as_mut().zip(self.connection.take())
        else {
            return false;
        };
        let ended = end_frozen(&mut connection, &self.limits, progress, partitions).await;
        let is_usable = ended
            .as_ref()
            .map_or_else(WriteError::leaves_connection_usable, |_| true);
        self.connection = Some(connection).filter(|_| is_usable);
        ended.unwrap_or(false)
    }

    /// The failure of an error for which no batch is at fault.
    fn decide(&self, error: WriteError) -> Failure {
        match error.meaning() {
            Some(Meaning::Privilege) if error.is_in_function() => {
                let help = "a trigger or another function of the table needs the privilege: grant it to this role, or make the function SECURITY DEFINER";
                Failure::Fatal(error.cause().with_help(help))
            }
            Some(Meaning::Privilege) => {
                let grants = verdict::grants(
                    self.options.get_username(),
                    &self.plan,
                    self.progress.as_ref(),
                );
                Failure::Fatal(error.cause().with_help(grants))
            }
            _ => error.into_failure(),
        }
    }
}

fn table_name(text: &str) -> Result<TableName, Failure> {
    TableName::parse(text).map_err(|reason| Failure::Fatal(Cause::new(reason)))
}

/// Takes partitions over, in a separate transaction that bounds the wait for a predecessor.
async fn take_over(
    connection: &mut SinkConnection,
    limits: &Limits,
    progress: &mut ProgressTable,
    partitions: &[TopicPartition],
) -> Result<Vec<Option<i64>>, WriteError> {
    limits.begin(connection).await?;
    let taking = progress.take_over(&mut connection.driver, partitions);
    let resumed = within("resume", limits.short, taking)
        .await
        .map_err(|error| progress.doubt(error))?;
    limits.commit(connection).await?;
    Ok(resumed)
}

/// Terminates a frozen predecessor that holds these partitions. If the server cannot report it (before PostgreSQL 14, or a
/// PostgreSQL-compatible server), its `statement_timeout` ends the session.
async fn end_frozen(
    connection: &mut SinkConnection,
    limits: &Limits,
    progress: &mut ProgressTable,
    partitions: &[TopicPartition],
) -> Result<bool, WriteError> {
    let looking = progress.end_frozen(&mut connection.driver, partitions);
    let ended = within(
        "find the session that holds progress",
        limits.short,
        looking,
    )
    .await;
    if let Err(error) = &ended {
        tracing::debug!(event = "frozen_session_unknown", cause = %error.cause());
    }
    ended
}

#[async_trait]
impl connect_api::Sink for PostgresSink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written, Failure> {
        let rows = self.write_batch(batch).await?;
        self.context.rows_written.add(rows);
        self.patience.written();
        Ok(Written::Durable)
    }

    fn progress_store(&mut self) -> Option<&mut dyn ProgressStore> {
        self.progress.is_some().then_some(self as _)
    }

    async fn close(&mut self) -> Result<(), Failure> {
        const GOODBYE: Duration = Duration::from_secs(2);
        if let Some(connection) = self.connection.take() {
            // Everything is committed, so a connection that does not respond can be dropped.
            let _ = tokio::time::timeout(GOODBYE, connection.driver.close()).await;
        }
        Ok(())
    }
}

const HAS_PROGRESS: &str = "the sink is a progress store only where it has a progress table";

#[async_trait]
impl ProgressStore for PostgresSink {
    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, Failure> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.connected().await.map_err(|error| self.decide(error))?;
        // The engine continues from the position returned here, and does not send the batch in doubt again.
        self.doubt = self.doubt.take().filter(|doubt| {
            let mut moved = doubt.progress.iter().map(|moved| &moved.partition);
            !moved.any(|partition| partitions.contains(partition))
        });
        loop {
            let progress = self.progress.as_mut().expect(HAS_PROGRESS);
            let resumed = take_over(&mut connection, &self.limits, progress, partitions).await;
            self.release(connection, &resumed).await;
            match resumed {
                Err(error)
                    if error.is_lock_timeout() && self.has_ended_frozen(partitions).await =>
                {
                    let again = self.connected().await;
                    connection = again.map_err(|error| self.decide(error))?;
                }
                resumed => return resumed.map_err(|error| self.decide(error)),
            }
        }
    }

    async fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, Failure> {
        let mut connection = self.connected().await.map_err(WriteError::into_failure)?;
        let progress = self.progress.as_ref().expect(HAS_PROGRESS);
        let reading = progress.read(&mut connection.driver, partitions);
        let stored = within("read progress", self.limits.short, reading).await;
        self.release(connection, &stored).await;
        stored.map_err(WriteError::into_failure)
    }

    async fn store(&mut self, positions: &[Position]) -> Result<(), Failure> {
        let mut connection = self.connected().await.map_err(WriteError::into_failure)?;
        let progress = self.progress.as_ref().expect(HAS_PROGRESS);
        let storing = progress.store(&mut connection.driver, positions);
        let stored = within("store progress", self.limits.short, storing).await;
        self.release(connection, &stored).await;
        stored.map_err(WriteError::into_failure)
    }

    async fn of_other_names(&mut self, topics: &[Arc<str>]) -> Result<Vec<OtherProgress>, Failure> {
        let mut connection = self.connected().await.map_err(WriteError::into_failure)?;
        let progress = self.progress.as_ref().expect(HAS_PROGRESS);
        let reading = progress.of_others(&mut connection.driver, topics);
        let others = within("read progress", self.limits.short, reading).await;
        self.release(connection, &others).await;
        others.map_err(WriteError::into_failure)
    }

    async fn erase(&mut self, topics: &[Arc<str>]) -> Result<(), Failure> {
        let mut connection = self.connected().await.map_err(WriteError::into_failure)?;
        let progress = self.progress.as_ref().expect(HAS_PROGRESS);
        let erasing = progress.erase(&mut connection.driver, topics);
        let erased = within("erase progress", self.limits.short, erasing).await;
        self.release(connection, &erased).await;
        erased.map_err(WriteError::into_failure)
    }
}
