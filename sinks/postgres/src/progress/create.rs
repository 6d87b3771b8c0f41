//! Finds, creates and verifies the progress table.

use connect_api::{Cause, Failure};
use sqlx::postgres::PgConnection;
use sqlx::{Executor, Row, query};

use super::ProgressTable;
use super::shape::{create_statement, differences};
use super::statements::Statements;
use crate::failure::WriteError;
use crate::identifier::{TableName, quote_literal};
use crate::sqlstate::Meaning;

/// The schema of the table, and the one in which it would be created.
const SCHEMAS: &str = r"
SELECT pg_catalog.current_schema()::text AS first, (SELECT n.nspname::text FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = pg_catalog.to_regclass($1)) AS found";

impl ProgressTable {
    /// Finds the table, or creates it if it is missing, and verifies it.
    pub(crate) async fn open(&mut self, connection: &mut PgConnection) -> Result<(), WriteError> {
        self.settle_schema(connection).await?;
        if !self.is_there(connection).await? {
            self.create(connection).await?;
            self.is_there(connection).await?;
        }
        Ok(())
    }

    /// Resolves a name without a schema by the search path, once: to the schema of an existing table, or else to the first schema.
    /// From then on the schema is part of the name, so that a table that another role creates earlier in the search path is never
    /// used instead.
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
            let cause = Cause::new("no schema of the role's search_path exists, so the progress table cannot be created")
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

    /// Whether the table exists. A relation that is not the progress table is an error.
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

    /// Verifies the table again after an error that is not the batch's.
    pub(crate) async fn verify(&mut self, connection: &mut PgConnection) -> Result<(), WriteError> {
        if self.is_there(connection).await? {
            self.is_doubted = false;
            return Ok(());
        }
        let help = "restore it, or restart the connector, which creates a new one without progress";
        let cause = Cause::new(format!(
            "the progress table `{}` does not exist any more",
            self.table
        ));
        Err(WriteError::fatal(cause.with_help(help)))
    }

    /// Classifies a failed statement on the table: no record is at fault. An error that a changed table would explain is retried,
    /// and the next attempt begins with verifying the table.
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

    /// Under an advisory lock, because two tasks that start together would collide in the catalog. Called only if the table is
    /// missing, so that a role without CREATE can use an existing table.
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
        // Only the first error matters; the next use finds a broken connection.
        let _ = connection.execute("ROLLBACK").await;
        let error = WriteError::from(error).at(&self.table.to_string());
        if error.meaning() != Some(Meaning::Privilege) {
            return Err(error);
        }
        let help = format!("let the role create tables, or create it for the role: {create}");
        Err(WriteError::fatal(error.cause().with_help(help)))
    }
}
