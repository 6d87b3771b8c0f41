//! The servers of `--embedded`: Kafka in this process and a private PostgreSQL.

use std::path::Path;
use std::sync::Arc;

use connect_api::Cause;
use connect_kafka::Embedded;

use crate::embedded::EmbeddedPostgres;
use crate::screen::Screen;

pub(super) const DATABASE_VARIABLE: &str = "DATABASE_URL";
pub(super) const SERVERS_VARIABLE: &str = "KAFKA_BOOTSTRAP_SERVERS";
/// The database while files are checked before it exists.
pub(super) const ANY_DATABASE: &str = "postgres://127.0.0.1/embedded";
/// Relative to the current folder.
const FOLDER: &str = ".connect";

pub(super) struct Servers {
    pub(super) kafka: Arc<Embedded>,
    pub(super) postgres: EmbeddedPostgres,
}

impl Servers {
    pub(super) async fn start(keep: bool) -> Result<Servers, Cause> {
        let postgres = EmbeddedPostgres::start(Path::new(FOLDER), keep).await?;
        let kafka = Arc::new(Embedded::start()?);
        Ok(Servers { kafka, postgres })
    }

    pub(super) async fn stop(self) {
        self.postgres.stop().await;
    }
}

/// Both variables only apply without --embedded, which users who set them should know.
pub(super) fn note_ignored_variables(screen: &Screen) {
    let set: Vec<&str> = [DATABASE_VARIABLE, SERVERS_VARIABLE]
        .into_iter()
        .filter(|name| std::env::var_os(name).is_some())
        .collect();
    if set.is_empty() {
        return;
    }
    let variables = set.join(" and ");
    if screen.is_live() {
        screen.line(&format!(
            "  note       {variables} ignored: --embedded starts its own servers"
        ))
    } else {
        tracing::info!(
            event = "variables_ignored",
            variables,
            "--embedded starts its own servers"
        )
    }
}
