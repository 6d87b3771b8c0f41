//! Runs sqlx migrations, under sqlx's advisory lock, before anything is written.

use std::path::Path;

use connect_api::{Cause, Failure};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnection;

use crate::failure::WriteError;

/// Runs the pending migrations of the folder. Tasks and processes that start together take turns; later ones find none pending.
pub(crate) async fn run(connection: &mut PgConnection, folder: &Path) -> Result<(), Failure> {
    let mut migrator = Migrator::new(folder)
        .await
        .map_err(|error| failure(error, folder))?;
    // Several connectors may run migrations in one database, each from its own folder.
    migrator.set_ignore_missing(true);
    migrator
        .run_direct(connection)
        .await
        .map_err(|error| failure(error, folder))
}

fn failure(error: MigrateError, folder: &Path) -> Failure {
    let folder = folder.display();
    let (message, help) = match error {
        MigrateError::Execute(error) => return WriteError::from(error).into_failure(),
        MigrateError::ExecuteMigration(error, version) => {
            return match WriteError::from(error).into_failure() {
                Failure::Fatal(cause) => {
                    let message =
                        format!("migration {version} of {folder} failed: {}", cause.message);
                    Failure::Fatal(Cause { message, ..cause })
                }
                other => other,
            };
        }
        MigrateError::VersionMismatch(version) => (
            format!(
                "migration {version} was run before, and its file in {folder} has changed since"
            ),
            "write changes as a new migration; folders that share a database need different numbers",
        ),
        MigrateError::Dirty(version) => (
            format!("migration {version} of {folder} was interrupted"),
            "repair the database and delete the migration's row from _sqlx_migrations",
        ),
        MigrateError::Source(error) => (
            format!("the migrations in {folder} cannot be read: {error}"),
            "`migrations` names a folder with files such as 0001_create_sales.sql",
        ),
        other => (
            format!("the migrations in {folder} failed: {other}"),
            "see the message",
        ),
    };
    Failure::Fatal(Cause::new(message).with_help(help))
}
