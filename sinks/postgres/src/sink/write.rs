//! Writes one batch.
//!
//! The batch is encoded first, so that the transaction is short. One transaction then contains: the compare-and-set of progress,
//! the rows in the order of foreign keys, the check that the tables are unchanged since they were read, COMMIT.
//!
//! The check comes after the rows. Writing locks the table against changes of its columns until the end of the transaction, so a
//! later check applies to the time of writing; an earlier one would not.

use connect_api::{Batch, Cause, Failure, Progress};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{Doubt, PostgresSink, table_name, take_over};
use crate::config::Config;
use crate::failure::WriteError;
use crate::mapping::{Plan, plan};
use crate::order::Cuts;
use crate::target::Target;
use crate::transaction::{Limits, SinkConnection, within};
use crate::unnest::Session;
use crate::{apply, catalog};

/// How a successful attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Commit,
    /// For a rehearsal.
    RollBack,
}

impl PostgresSink {
    /// Writes a batch and returns the number of its rows.
    ///
    /// If a table has changed, the tables are read and the batch is encoded again: no record is rejected and no error is reported
    /// that a restart would not report, too.
    pub(super) async fn write_batch(&mut self, batch: &Batch<'_>) -> Result<u64, Failure> {
        const ATTEMPTS: usize = 3;
        for attempt in 1..=ATTEMPTS {
            let error = match self.encode_and_write(batch, End::Commit).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            let outdated = self.is_of_outdated_plan(&error, attempt == 1).await;
            let blamed = match outdated {
                Ok(false) => match self.blame(batch, error).await {
                    Err(failed) if failed.is_stale_catalog() => self.read_catalog().await,
                    Ok(blamed) | Err(blamed) => Err(blamed),
                },
                Ok(true) => self.read_catalog().await,
                Err(error) => Err(error),
            };
            blamed.map_err(|error| self.judge(error, batch))?;
        }
        Err(Failure::Retry(Cause::new(format!(
            "the tables changed {ATTEMPTS} times while a batch was written to them"
        ))))
    }

    /// Tries the batch whole first. After a foreign key error it cuts the batch, because rows of one table may have been written
    /// before or after those of another table in the wrong order.
    pub(super) async fn encode_and_write(
        &mut self,
        batch: &Batch<'_>,
        end: End,
    ) -> Result<u64, WriteError> {
        let written = self.encode_and_attempt(batch, Cuts::Needed, end).await;
        let count = batch.records.len();
        match written {
            Err(error)
                if error.is_foreign_key()
                    && self.plan.segments(count, Cuts::All)
                        != self.plan.segments(count, Cuts::Needed) =>
            {
                self.encode_and_attempt(batch, Cuts::All, end).await
            }
            written => written,
        }
    }

    async fn encode_and_attempt(
        &mut self,
        batch: &Batch<'_>,
        cuts: Cuts,
        end: End,
    ) -> Result<u64, WriteError> {
        let encoded = self.plan.encode(&batch.records);
        encoded.map_err(WriteError::Decided)?;
        self.attempt(batch, cuts, end).await
    }

    /// Whether the error may be due to an outdated plan. A refused batch costs one check of each table, however many of its records
    /// are rejected.
    async fn is_of_outdated_plan(
        &mut self,
        error: &WriteError,
        is_first: bool,
    ) -> Result<bool, WriteError> {
        // Statements that were prepared earlier may be stale although the tables are current, but only once.
        if error.is_stale_catalog() && is_first {
            return Ok(true);
        }
        if !error.may_depend_on_tables() {
            return Ok(false);
        }
        let mut connection = self.connected().await?;
        let checked = self.check_plan(&mut connection).await;
        self.release(connection, &checked).await;
        match checked {
            Ok(()) => Ok(false),
            Err(WriteError::StaleCatalog { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Checks that all tables are unchanged since they were read, including those without rows in the batch.
    pub(super) async fn check_plan(
        &self,
        connection: &mut SinkConnection,
    ) -> Result<(), WriteError> {
        let targets = self.plan.targets.iter();
        let checking = check_tables(&mut connection.driver, targets, !self.config.pooler);
        within("read the catalog", self.limits.short, checking).await
    }

    /// One attempt: writes all of the encoded batch, or nothing. Returns the rows written.
    async fn attempt(
        &mut self,
        batch: &Batch<'_>,
        cuts: Cuts,
        end: End,
    ) -> Result<u64, WriteError> {
        let mut connection = self.connected().await?;
        let result = self.attempt_on(&mut connection, batch, cuts, end).await;
        self.release(connection, &result).await;
        result
    }

    async fn attempt_on(
        &mut self,
        connection: &mut SinkConnection,
        batch: &Batch<'_>,
        cuts: Cuts,
        end: End,
    ) -> Result<u64, WriteError> {
        if let Some(rows) = self.committed_in_doubt(connection, batch).await? {
            return Ok(rows);
        }
        self.begin(connection, &batch.progress).await?;
        let segments = self.plan.segments(batch.records.len(), cuts);
        let is_persistent = !self.config.pooler;
        let mut session = Session {
            connection: &mut connection.driver,
            is_persistent,
            scratch: &mut self.scratch,
        };
        let limits = &self.limits;
        let rows = apply::write(&mut session, &mut self.plan, &segments, limits.long).await?;
        let touched = self
            .plan
            .targets
            .iter()
            .filter(|target| target.is_touched());
        let checking = check_tables(&mut connection.driver, touched, is_persistent);
        within("read the catalog", limits.short, checking).await?;
        match end {
            End::Commit => self.commit(connection, batch, rows).await?,
            End::RollBack => {
                limits.check_constraints(connection).await?;
                limits.roll_back(connection).await?;
            }
        }
        Ok(rows)
    }

    /// The number of rows of this batch, if the COMMIT without a response took effect.
    async fn committed_in_doubt(
        &mut self,
        connection: &mut SinkConnection,
        batch: &Batch<'_>,
    ) -> Result<Option<u64>, WriteError> {
        let Some(progress) = &mut self.progress else {
            return Ok(None);
        };
        let new = progress.not_owned(&batch.progress);
        if !new.is_empty() {
            take_over(connection, &self.limits, progress, &new).await?;
        }
        let doubt = self.doubt.take();
        let is_stored = progress.is_stored(&batch.progress);
        Ok(doubt
            .filter(|doubt| doubt.progress == batch.progress && is_stored)
            .map(|doubt| doubt.rows))
    }

    /// Begins a writing transaction, with the compare-and-set of progress.
    pub(super) async fn begin(
        &mut self,
        connection: &mut SinkConnection,
        moved: &[Progress],
    ) -> Result<(), WriteError> {
        let limits = &self.limits;
        if let Some(progress) = &self.progress {
            progress.check_due(moved)?;
        }
        limits.begin(connection).await?;
        if let Some(progress) = &mut self.progress {
            let advance = progress.advance(&mut connection.driver, moved);
            within("the compare-and-set of progress", limits.short, advance)
                .await
                .map_err(|error| progress.doubt(error))?;
        }
        Ok(())
    }

    async fn commit(
        &mut self,
        connection: &mut SinkConnection,
        batch: &Batch<'_>,
        rows: u64,
    ) -> Result<(), WriteError> {
        self.doubt = Some(Doubt {
            progress: batch.progress.clone(),
            rows,
        });
        self.limits.commit(connection).await?;
        self.doubt = None;
        if let Some(progress) = &mut self.progress {
            progress.moved(&batch.progress);
        }
        Ok(())
    }

    /// Reads the tables again. Drops prepared statements, whose parameters have the types of the old columns.
    async fn read_catalog(&mut self) -> Result<(), WriteError> {
        let mut connection = self.connected().await?;
        let result = async {
            connection.driver.clear_cached_statements().await?;
            read_plan(&self.config, &self.limits, &mut connection).await
        }
        .await;
        self.release(connection, &result).await;
        self.plan = result?;
        Ok(())
    }

    /// The failure of this batch after a failed attempt.
    fn judge(&mut self, error: WriteError, batch: &Batch<'_>) -> Failure {
        match self.patience.judge(&error, batch) {
            Some(failure) => failure,
            None => self.decide(error),
        }
    }
}

/// Reads the tables and makes the plan.
pub(super) async fn read_plan(
    config: &Config,
    limits: &Limits,
    connection: &mut SinkConnection,
) -> Result<Plan, WriteError> {
    limits.begin_reading(connection).await?;
    let mut tables = Vec::new();
    for entry in &config.tables {
        let name = table_name(&entry.table)?;
        let reading = catalog::read(&mut connection.driver, &name);
        let table = within("read the catalog", limits.short, reading).await;
        tables.push(table.map_err(|error| error.at(&entry.table))?);
    }
    limits.commit(connection).await?;
    Ok(plan(config, &tables)?)
}

/// Checks that the tables are unchanged since they were read.
///
/// COPY BINARY does not check types (the bytes of an int4 are a valid float4, too), a statement over arrays casts and rounds, and
/// both omit a column that was added since.
async fn check_tables(
    connection: &mut PgConnection,
    targets: impl Iterator<Item = &Target>,
    is_persistent: bool,
) -> Result<(), WriteError> {
    for target in targets {
        let table = &target.table;
        if !table.version.is_current(connection, is_persistent).await? {
            return Err(WriteError::StaleCatalog {
                table: table.name.to_string(),
            });
        }
    }
    Ok(())
}
