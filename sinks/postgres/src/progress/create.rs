//! Making the progress table.

use sqlx::postgres::PgConnection;
use sqlx::{Executor, Row, query};

use super::ProgressTable;
use super::statements::IDENTITY;
use crate::failure::WriteError;
use crate::identifier::quote_literal;
use crate::sqlstate::Meaning;

impl ProgressTable {
    /// Makes the table if it is missing. Two tasks that start at once would both find it missing and collide in the
    /// catalog, so they take turns. Looking first lets a role without CREATE use a table that is there.
    pub(crate) async fn create(&self, connection: &mut PgConnection) -> Result<(), WriteError> {
        let table = self.table.quoted();
        let exists = query("SELECT pg_catalog.to_regclass($1) IS NOT NULL")
            .persistent(false)
            .bind(&table)
            .fetch_one(&mut *connection)
            .await?;
        if exists.try_get(0)? {
            return Ok(());
        }
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {table} (\
             cluster_id text NOT NULL, connector text NOT NULL, sink text NOT NULL, \
             topic text NOT NULL, partition int4 NOT NULL, \
             next_offset int8, epoch int8 NOT NULL, topic_id text, last_timestamp timestamptz, \
             updated_at timestamptz NOT NULL DEFAULT now(), \
             PRIMARY KEY ({IDENTITY})) WITH (fillfactor = 50)"
        );
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
