//! A private PostgreSQL for `run --embedded`: started with the program, stopped with the program.
//!
//! The road of [`EmbeddedPostgres::start`]: take the folder for ourselves → choose who runs the server (never root) →
//! find its programs, or fetch them → stop what a killed run left behind → an empty cluster, unless the old one is
//! kept → start the server on a free loopback port → write the address where only its owner can read it.
//!
//! Nothing here may be needed for correctness: it is for trying out.

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

/// Of the only section of [`EmbeddedPostgres::service_file`].
pub(crate) const SERVICE_NAME: &str = "connect";

/// A running PostgreSQL. Dropping it ends the server too, a moment later; [`stop`](Self::stop) waits for the end.
pub(crate) struct EmbeddedPostgres {
    url: Secret,
    keep: bool,
    programs: Programs,
    server: PostgresServer,
    /// Last, so that the folder is free only after the server was told to end.
    folder: Folder,
}

impl EmbeddedPostgres {
    /// Starts a server that belongs to `directory` (`.connect` in the current folder). With `keep` it goes on with the
    /// database that an earlier run kept, and keeps it; otherwise the database is empty, and gone at the end.
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

    /// Where it listens, password included.
    pub(crate) fn url(&self) -> &Secret {
        &self.url
    }

    /// The file that holds [`url`](Self::url), for programs that read it.
    pub(crate) fn url_file(&self) -> PathBuf {
        self.folder.url_file()
    }

    /// The file that tells libpq of the service [`SERVICE_NAME`], password included.
    pub(crate) fn service_file(&self) -> PathBuf {
        self.folder.service_file()
    }

    /// Which PostgreSQL it is, such as `17.6 of this machine`.
    pub(crate) fn version(&self) -> String {
        self.programs.to_string()
    }

    /// Ends the server and waits until it is gone, and its database too unless it is kept.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
        if self.keep {
            self.folder.remove_run_files()
        } else {
            self.folder.leave_nothing()
        }
    }
}

/// Names what could not be done and to which path.
fn at(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Cause {
    let what = format!("{what} {}", path.display());
    move |error| Cause::new(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
