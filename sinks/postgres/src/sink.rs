//! The open sink: one connection, one transaction a batch.
//!
//! A write encodes the batch first, so that records that do not fit cost the database nothing. Then, in one transaction:
//! the compare-and-set of progress, the tables in the order of the file, COMMIT. Whatever fails before COMMIT is sent
//! leaves nothing behind. When the answer to COMMIT is lost, the connection is dropped and the next call reads
//! from the progress table how it ended, before anything is written again.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use connect_api::{Batch, Cause, Failure, Progress, Refusal, Resume, SinkContext, TopicPartition};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::config::{Config, Delivery};
use crate::failure::WriteError;
use crate::identifier::TableName;
use crate::mapping::{Plan, Target, Write, plan};
use crate::progress::{ProgressTable, Standing};
use crate::sqlstate::Meaning;
use crate::transaction::{Limits, within};
use crate::{catalog, connect, copy, migrate, unnest};

/// A sink that is ready to write.
pub struct PostgresSink {
    config: Config,
    context: SinkContext,
    options: PgConnectOptions,
    limits: Limits,
    /// `None` after an outage, until the next call.
    connection: Option<PgConnection>,
    plan: Plan,
    /// `None` where the consumer group keeps progress.
    progress: Option<ProgressTable>,
    /// Rows of the last COMMIT whose answer was lost.
    rows_in_doubt: u64,
    /// The batch that failed for lack of time or memory: the second time it is too much.
    exhausted: Option<Vec<Progress>>,
    parents: Option<MissingParents>,
    scratch: Vec<u8>,
}

/// A batch that waits for rows that foreign keys name.
struct MissingParents {
    progress: Vec<Progress>,
    since: Instant,
}

impl PostgresSink {
    /// Connects, runs migrations, makes the progress table, reads the tables.
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
            // Its work is done; a failure to say goodbye changes nothing.
            let _ = session.close().await;
        }
        let mut connection = connect::open(&options)
            .await
            .map_err(WriteError::into_failure)?;
        let progress = match config.delivery {
            Delivery::AtLeastOnce => None,
            Delivery::ExactlyOnce => {
                let table = table_name(&config.progress_table)?;
                let identity = [
                    context.cluster_id.clone(),
                    context.connector.clone(),
                    context.sink.clone(),
                ];
                let progress = ProgressTable::new(table, identity, !config.pooler);
                within(
                    "create the progress table",
                    limits.short,
                    progress.create(&mut connection),
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
            rows_in_doubt: 0,
            exhausted: None,
            parents: None,
            scratch: Vec::new(),
        })
    }

    /// Connects if there is no connection. After an outage the first thing is to learn how the last write ended.
    async fn connected(&mut self) -> Result<&mut PgConnection, WriteError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let mut connection = connect::open(&self.options).await?;
                if let Some(progress) = &mut self.progress {
                    self.limits.begin(&mut connection).await?;
                    let confirmed = within(
                        "read progress",
                        self.limits.short,
                        progress.confirm(&mut connection),
                    )
                    .await;
                    match confirmed {
                        Ok(()) => self.limits.commit(&mut connection).await?,
                        Err(error) => {
                            return Err(error);
                        }
                    }
                }
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    /// Rolls back after a failure, or drops the connection where that cannot be trusted.
    async fn recover(&mut self, error: &WriteError) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if error.leaves_connection_usable() && self.limits.roll_back(&mut connection).await.is_ok()
        {
            self.connection = Some(connection);
        }
    }

    async fn take_over(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Resume>, WriteError> {
        let Some(mut progress) = self.progress.take() else {
            return Ok(vec![Resume::UseGroup; partitions.len()]);
        };
        // What this task owned before is asked for anew, so there is nothing to confirm on a new connection.
        let resumed = self.take_over_in(&mut progress, partitions).await;
        self.progress = Some(progress);
        resumed
    }

    async fn take_over_in(
        &mut self,
        progress: &mut ProgressTable,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Resume>, WriteError> {
        let limits = self.limits.clone();
        let connection = self.connected().await?;
        limits.begin(connection).await?;
        let resumed = within(
            "resume",
            limits.short,
            progress.take_over(connection, partitions),
        )
        .await?;
        limits.commit(connection).await?;
        Ok(resumed)
    }

    /// One attempt: everything of the batch, or nothing. Returns the rows written.
    async fn attempt(&mut self, batch: &Batch<'_>) -> Result<u64, WriteError> {
        self.plan
            .encode(&batch.records)
            .map_err(WriteError::refused)?;
        self.connected().await?;
        if let Some(progress) = &self.progress
            && progress.standing(&batch.progress)? == Standing::Stored
        {
            return Ok(std::mem::take(&mut self.rows_in_doubt));
        }
        let (Some(connection), limits) = (self.connection.as_mut(), &self.limits) else {
            return Ok(0);
        };
        limits.begin(connection).await?;
        if let Some(progress) = &self.progress {
            let advance = progress.advance(connection, &batch.progress);
            within("the compare-and-set of progress", limits.short, advance)
                .await
                .map_err(|error| error.at(&progress.table().to_string()))?;
        }
        let mut rows = 0;
        for target in &mut self.plan.targets {
            let writing = write_target(connection, target, !self.config.pooler, &mut self.scratch);
            rows += within("write rows", limits.long, writing).await?;
        }
        self.rows_in_doubt = rows;
        limits.commit(connection).await?;
        if let Some(progress) = &mut self.progress {
            progress.moved(&batch.progress);
        }
        Ok(rows)
    }

    /// Reads the tables again, after a statement found that they changed.
    async fn read_catalog(&mut self) -> Result<(), WriteError> {
        self.connected().await?;
        if let Some(connection) = self.connection.as_mut() {
            connection.clear_cached_statements().await?;
            self.plan = read_plan(&self.config, &self.limits, connection).await?;
        }
        Ok(())
    }

    /// What a failed attempt means for this batch.
    fn judge(&mut self, error: WriteError, batch: &Batch<'_>) -> Failure {
        let cause = error.cause();
        match error.meaning() {
            Some(Meaning::Refused) => Failure::RefusedSomewhere(cause),
            Some(Meaning::TooMuchIfRepeated) => {
                if self.exhausted.as_ref() == Some(&batch.progress) {
                    return Failure::TooMuch(cause);
                }
                self.exhausted = Some(batch.progress.clone());
                Failure::Retry(cause)
            }
            Some(Meaning::MissingParent) => self.judge_missing_parent(cause, batch),
            Some(Meaning::Privilege) => Failure::Fatal(cause.with_help(self.grants())),
            _ => error.into_failure(),
        }
    }

    /// A parent may arrive late, on another topic. The wait is for the batch as it was first written: its halves, on the
    /// way to the culprit, do not wait again.
    fn judge_missing_parent(&mut self, cause: Cause, batch: &Batch<'_>) -> Failure {
        let waiting = match self.parents.take() {
            Some(waiting) if covers(&waiting.progress, &batch.progress) => waiting,
            _ => MissingParents {
                progress: batch.progress.clone(),
                since: Instant::now(),
            },
        };
        let limit = self.config.missing_parent;
        let is_over = waiting.since.elapsed() >= limit.get();
        self.parents = Some(waiting);
        match is_over {
            true => Failure::RefusedSomewhere(cause),
            false => Failure::Retry(cause.with_help(format!(
                "the row that the foreign key names may still come; after {limit} (`missing_parent`) the record is refused"
            ))),
        }
    }

    /// The SQL that lets this role do its work.
    fn grants(&self) -> String {
        let role = crate::identifier::quote(self.options.get_username());
        let mut grants: Vec<String> = self
            .plan
            .targets
            .iter()
            .map(|target| {
                let privileges = match target.write {
                    Write::Copy | Write::Insert => "INSERT",
                    Write::Upsert => "SELECT, INSERT, UPDATE, DELETE",
                    Write::Update => "SELECT, UPDATE, DELETE",
                };
                format!(
                    "GRANT {privileges} ON {} TO {role}",
                    target.table.name.quoted()
                )
            })
            .collect();
        if let Some(progress) = &self.progress {
            grants.push(format!(
                "GRANT SELECT, INSERT, UPDATE ON {} TO {role}",
                progress.table().quoted()
            ));
        }
        grants.dedup();
        format!("as an owner of the tables: {}", grants.join("; "))
    }
}

/// Whether `inner` is a part of `outer`, as a half of a batch is.
fn covers(outer: &[Progress], inner: &[Progress]) -> bool {
    inner.iter().all(|part| {
        outer.iter().any(|whole| {
            whole.partition == part.partition
                && whole.expected <= part.expected
                && part.next <= whole.next
        })
    })
}

fn table_name(text: &str) -> Result<TableName, Failure> {
    TableName::parse(text).map_err(|reason| Failure::Fatal(Cause::new(reason)))
}

async fn read_plan(
    config: &Config,
    limits: &Limits,
    connection: &mut PgConnection,
) -> Result<Plan, WriteError> {
    let mut tables = Vec::new();
    for entry in &config.tables {
        let name = table_name(&entry.table)?;
        let reading = catalog::read(connection, &name);
        let table = within("read the catalog", limits.short, reading).await;
        tables.push(table.map_err(|error| error.at(&entry.table))?);
    }
    Ok(plan(config, &tables)?)
}

/// All rows of one target. Returns how many rows were touched.
async fn write_target(
    connection: &mut PgConnection,
    target: &mut Target,
    is_persistent: bool,
    scratch: &mut Vec<u8>,
) -> Result<u64, WriteError> {
    let table = target.table.name.to_string();
    let written = match target.write {
        Write::Copy => copy::send(connection, target, scratch)
            .await
            .map_err(WriteError::from),
        _ => unnest::write(connection, target, is_persistent, scratch).await,
    };
    written.map_err(|error| error.at(&table))
}

#[async_trait]
impl connect_api::Sink for PostgresSink {
    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Resume>, Failure> {
        match self.take_over(partitions).await {
            Ok(resumed) => Ok(resumed),
            Err(error) => {
                self.recover(&error).await;
                Err(error.into_failure())
            }
        }
    }

    async fn write(&mut self, batch: &Batch<'_>) -> Result<(), Failure> {
        let mut catalog_is_fresh = false;
        loop {
            let error = match self.attempt(batch).await {
                Ok(rows) => {
                    self.context.rows_written.add(rows);
                    self.exhausted = None;
                    return Ok(());
                }
                Err(error) => error,
            };
            self.recover(&error).await;
            if error.meaning() != Some(Meaning::CatalogChanged) || catalog_is_fresh {
                return Err(self.judge(error, batch));
            }
            catalog_is_fresh = true;
            if let Err(error) = self.read_catalog().await {
                self.recover(&error).await;
                return Err(self.judge(error, batch));
            }
        }
    }

    async fn stored_progress(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<Option<Vec<Option<i64>>>, Failure> {
        let limit = self.limits.short;
        self.connected().await.map_err(WriteError::into_failure)?;
        let (Some(progress), Some(connection)) = (&self.progress, &mut self.connection) else {
            return Ok(None);
        };
        let stored = within(
            "read progress",
            limit,
            progress.read(connection, partitions),
        )
        .await;
        if let Err(error) = &stored {
            self.connection = self
                .connection
                .take()
                .filter(|_| error.leaves_connection_usable());
        }
        stored.map(Some).map_err(WriteError::into_failure)
    }

    async fn store_progress(&mut self, positions: &[(TopicPartition, i64)]) -> Result<(), Failure> {
        let limit = self.limits.short;
        self.connected().await.map_err(WriteError::into_failure)?;
        let (Some(progress), Some(connection)) = (&mut self.progress, &mut self.connection) else {
            return Ok(());
        };
        let stored = within(
            "store progress",
            limit,
            progress.store(connection, positions),
        )
        .await;
        if let Err(error) = &stored {
            self.connection = self
                .connection
                .take()
                .filter(|_| error.leaves_connection_usable());
        }
        stored.map_err(WriteError::into_failure)
    }

    async fn close(&mut self) -> Result<(), Failure> {
        const GOODBYE: Duration = Duration::from_secs(2);
        if let Some(connection) = self.connection.take() {
            // Everything is committed: a connection that does not answer is as closed as one that does.
            let _ = tokio::time::timeout(GOODBYE, connection.close()).await;
        }
        Ok(())
    }
}

/// Names every record that wrote to a key that no row has.
pub(crate) fn missing_rows(target: &Target, keys: &[&[u8]]) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    for row in &target.rows.rows {
        let is_known = refusals.iter().any(|refusal| refusal.record == row.record);
        if !is_known && keys.contains(&target.rows.key(row)) {
            let cause = Cause::new(format!(
                "table `{}` has no row with this key to update",
                target.table.name
            ))
            .with_help(
                "missing_row = \"ignore\" lets such records pass, mode = \"upsert\" inserts them",
            );
            refusals.push(Refusal {
                record: row.record,
                cause,
            });
        }
    }
    refusals
}
