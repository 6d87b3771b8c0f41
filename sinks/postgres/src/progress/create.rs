//! Finding the progress table, or making it.

use connect_api::{Cause, Failure};
use sqlx::postgres::PgConnection;
use sqlx::{Executor, Row, query};

use super::ProgressTable;
use super::shape::{create_statement, differences};
use super::statements::Statements;
use crate::failure::WriteError;
use crate::identifier::{TableName, quote_literal};
use crate::sqlstate::Meaning;

/// Where the table is, and where it would be made.
const SCHEMAS: &str = r"
SELECT pg_catalog.current_schema()::text AS first, (SELECT n.nspname::text FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = pg_catalog.to_regclass($1)) AS found";

impl ProgressTable {
    /// Finds the table, or makes it if it is missing, and proves that it is ours.
    pub(crate) async fn open(&mut self, connection: &mut PgConnection) -> Result<(), WriteError> {
        self.settle_schema(connection).await?;
        if !self.is_there(connection).await? {
            self.create(connection).await?;
            self.is_there(connection).await?;
        }
        Ok(())
    }

    /// A name without a schema is looked up in the search path once: where a table of that name is, as ever, or else in its
    /// first schema. From then on the schema is part of the name, so that a table that others put earlier into the search
    /// path is never taken for ours.
    async fn settle_schema(&mut self, connection: &mut PgConnection) -> Result<(), WriteError> {
        if self.table.schema.is_some() {
            return Ok(());
        }
        let schemas = query(SCHEMAS)
            .persistent(false)
            .bind(self.table.quoted())
            .fetch_one(connection)
            .await?;
        let found: Option<String> = schemas.try_get("found")?;
        let first: Option<String> = schemas.try_get("first")?;
        let Some(schema) = found.or(first) else {
            let cause = Cause::new("no schema of the role's search_path exists, so none is left for the progress table")
                .with_help(format!("write `progress_table = \"SCHEMA.{}\"`", self.table));
            return Err(WriteError::fatal(cause));
        };
        self.table = TableName {
            schema: Some(schema),
            name: self.table.name.clone(),
        };
        self.statements = Statements::new(&self.table.quoted());
        Ok(())
    }

    /// Whether the table exists. What is there and is not the progress table is refused.
    async fn is_there(&self, connection: &mut PgConnection) -> Result<bool, WriteError> {
        let Some(differences) = differences(connection, &self.table.quoted()).await? else {
            return Ok(false);
        };
        if differences.is_empty() {
            return Ok(true);
        }
        let described: Vec<String> = differences
            .iter()
            .map(|difference| {
                format!(
                    "found {}, expected {}",
                    difference.found, difference.expected
                )
            })
            .collect();
        let remedies: Vec<&str> = differences
            .iter()
            .map(|difference| difference.remedy.as_str())
            .collect();
        let message = format!(
            "`{}` is not taken for the progress table: {}",
            self.table,
            described.join("; ")
        );
        Err(WriteError::fatal(
            Cause::new(message).with_help(remedies.join("; ")),
        ))
    }

    /// After an error that is none of the batch: proves once more that the table is what it was.
    pub(crate) async fn verify(&mut self, connection: &mut PgConnection) -> Result<(), WriteError> {
        if self.is_there(connection).await? {
            self.is_doubted = false;
            return Ok(());
        }
        let help = "restore it, or start the connector again: it makes a new one, without progress";
        let cause = Cause::new(format!("the progress table `{}` is gone", self.table));
        Err(WriteError::fatal(cause.with_help(help)))
    }

    /// What a failed statement on the table means: never that a record is at fault. What only a changed table explains is
    /// tried again, and the next attempt begins with a look at the table.
    pub(crate) fn doubt(&mut self, error: WriteError) -> WriteError {
        let error = error.at(&self.table.to_string());
        self.is_doubted = true;
        match error.meaning() {
            Some(Meaning::Outage | Meaning::TooMuchIfRepeated | Meaning::Privilege) => error,
            None if matches!(error, WriteError::Decided(_) | WriteError::Deadline { .. }) => error,
            None if !error.is_unreadable() => error,
            _ => WriteError::Decided(Failure::Retry(error.cause())),
        }
    }

    /// Two tasks that start at once would both find it missing and collide in the catalog, so they take turns. Looking
    /// first lets a role without CREATE use a table that is there.
    async fn create(&self, connection: &mut PgConnection) -> Result<(), WriteError> {
        let table = self.table.quoted();
        let create = create_statement(&table);
        let statement = format!(
            "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext({})); {create}; COMMIT",
            quote_literal(&table)
        );
        let Err(error) = connection.execute(statement.as_str()).await else {
            return Ok(());
        };
        // The error of interest is the first; a broken connection is found by whoever uses it next.
        let _ = connection.execute("ROLLBACK").await;
        let error = WriteError::from(error).at(&self.table.to_string());
        if error.meaning() != Some(Meaning::Privilege) {
            return Err(error);
        }
        let help = format!("let the role create tables, or create it for the role: {create}");
        Err(WriteError::fatal(error.cause().with_help(help)))
    }
}
