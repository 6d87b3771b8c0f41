//! A private PostgreSQL for `run --embedded`, which starts and stops with the program.
//!
//! [`EmbeddedPostgres::start`] locks the folder → chooses the account that runs the server (never root) → finds its
//! programs or fetches them → stops what a killed run left behind → creates an empty cluster unless the old one is
//! kept → starts the server on a free loopback port → writes the address to a file that only its owner can read.
//!
//! It is for trying out. Nothing here may be needed for correctness.

mod account;
mod fetch;
mod folder;
mod own_folder;
mod programs;
mod server;

use std::io;
use std::path::{Path, PathBuf};

use connect_api::{Cause, Secret};

use account::Account;
use folder::Folder;
use programs::Programs;
use server::PostgresServer;

/// The name of the only section in [`EmbeddedPostgres::service_file`].
pub(crate) const SERVICE_NAME: &str = "connect";

/// A running PostgreSQL. Dropping it ends the server a moment later; [`stop`](Self::stop) waits for the end.
pub(crate) struct EmbeddedPostgres {
    url: Secret,
    keep: bool,
    programs: Programs,
    server: PostgresServer,
    /// Last, so that the folder is unlocked only after the server was asked to stop.
    folder: Folder,
}

impl EmbeddedPostgres {
    /// Starts a server in `directory` (`.connect` in the current folder). With `keep` it uses the database that an
    /// earlier run kept, and keeps it; otherwise the database starts empty and is deleted at the end.
    pub(crate) async fn start(directory: &Path, keep: bool) -> Result<EmbeddedPostgres, Cause> {
        let account = Account::choose()?;
        let folder = Folder::take(directory, &account)?;
        let programs = Programs::find_or_fetch(&account).await?;
        server::stop_leftover(&folder.data()).await?;
        if !keep {
            folder.empty()?;
        }
        let password = match folder.kept_password()? {
            Some(password) => {
                folder.require_version(&programs)?;
                password
            }
            None => server::create_cluster(&programs, &account, &folder).await?,
        };
        let server = PostgresServer::start(&programs, &account, &folder).await?;
        let port = server.port();
        let url = format!(
            "postgres://{}:{password}@127.0.0.1:{port}/postgres",
            server::SUPERUSER
        );
        folder.write_url(&url)?;
        folder.write_service(port, &password)?;
        let url = Secret::parse(&url).map_err(Cause::new)?;
        Ok(EmbeddedPostgres {
            url,
            keep,
            programs,
            server,
            folder,
        })
    }

    /// The server's address, including the password.
    pub(crate) fn url(&self) -> &Secret {
        &self.url
    }

    /// The file that contains [`url`](Self::url), for programs that read it.
    pub(crate) fn url_file(&self) -> PathBuf {
        self.folder.url_file()
    }

    /// The file that defines libpq's service [`SERVICE_NAME`], including the password.
    pub(crate) fn service_file(&self) -> PathBuf {
        self.folder.service_file()
    }

    /// The version and origin of PostgreSQL, such as `17.6 of this machine`.
    pub(crate) fn version(&self) -> String {
        self.programs.to_string()
    }

    /// Stops the server, waits for its end, and deletes its database unless it is kept.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
        if self.keep {
            self.folder.remove_run_files()
        } else {
            self.folder.clean_up()
        }
    }
}

/// Adds the failed action and its path to an error.
fn at(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Cause {
    let what = format!("{what} {}", path.display());
    move |error| Cause::new(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
