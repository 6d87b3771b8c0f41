//! Finds PostgreSQL's server programs on this machine.

use std::cmp::Reverse;
use std::fmt;
use std::path::{Path, PathBuf};

use connect_api::Cause;
use tokio::process::Command;

use super::account::{Account, search_path};
use super::fetch;

/// Older versions lack what the sinks rely on.
const OLDEST_MAJOR: u32 = 12;

/// A folder with `initdb` and `postgres` that our account can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    folder: PathBuf,
    version: Version,
    fetched: bool,
}

/// Such as 17.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

impl Programs {
    pub(super) async fn find_or_fetch(account: &Account) -> Result<Programs, Cause> {
        for folder in candidates().await {
            if let Some(found) = Programs::in_folder(&folder, account, false).await
                && found.version.major >= OLDEST_MAJOR
            {
                return Ok(found);
            }
        }
        let folder = fetch::programs(account).await?;
        Programs::in_folder(&folder, account, true)
            .await
            .ok_or_else(|| {
                Cause::new(format!(
                    "the fetched PostgreSQL in {} does not run on this machine",
                    folder.display()
                ))
                .with_help(
                    "install PostgreSQL: apt-get install postgresql, or brew install postgresql@17",
                )
            })
    }

    /// Runs the programs to ask for their version, as the account that will run them and may be unable to reach them.
    async fn in_folder(folder: &Path, account: &Account, fetched: bool) -> Option<Programs> {
        // PATH often contains only a link into the folder of all programs.
        let program = folder.join("postgres").canonicalize().ok()?;
        let output = account
            .command(&program, Path::new("/"))
            .arg("--version")
            .output()
            .await
            .ok()?;
        let version = parse_version(&String::from_utf8_lossy(&output.stdout))?;
        let folder = program.parent()?.to_owned();
        folder.join("initdb").is_file().then_some(Programs {
            folder,
            version,
            fetched,
        })
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(super) fn major(&self) -> u32 {
        self.version.major
    }

    #[cfg(test)]
    pub(super) fn psql(&self) -> PathBuf {
        self.folder.join("psql")
    }
}

impl fmt::Display for Programs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Version { major, minor } = self.version;
        let origin = if self.fetched {
            "fetched"
        } else {
            "of this machine"
        };
        write!(formatter, "{major}.{minor} {origin}")
    }
}

/// Folders to search, most likely first: the user's choice (PATH, pg_config), then what packages install, newest
/// first.
async fn candidates() -> Vec<PathBuf> {
    let mut folders = search_path();
    let pg_config = folders.iter().map(|folder| folder.join("pg_config"));
    if let Some(pg_config) = pg_config.into_iter().find(|program| program.is_file())
        && let Ok(output) = Command::new(pg_config).arg("--bindir").output().await
    {
        folders.push(PathBuf::from(
            String::from_utf8_lossy(&output.stdout).trim(),
        ));
    }
    folders.extend(versioned("/usr/lib/postgresql", ""));
    folders.extend(versioned("/usr", "pgsql-"));
    for homebrew in [
        "/opt/homebrew/opt",
        "/usr/local/opt",
        "/home/linuxbrew/.linuxbrew/opt",
    ] {
        folders.extend(versioned(homebrew, "postgresql@"));
    }
    // Without this, empty output of `pg_config` would mean the programs of the current folder.
    folders.retain(|folder| folder.is_absolute());
    folders
}

/// The `bin` folders below `parent` whose names are `prefix` and a major version, newest first.
fn versioned(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let major = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(major, _)| Reverse(*major));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// Parses `postgres (PostgreSQL) 17.6 (Debian 17.6-1)`, also `18beta2`.
fn parse_version(text: &str) -> Option<Version> {
    let (_, rest) = text.split_once("(PostgreSQL) ")?;
    let number = |text: &str| -> Option<u32> {
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text.get(..digits)?.parse().ok()
    };
    let major = number(rest)?;
    let minor = rest
        .split_once('.')
        .and_then(|(_, minor)| number(minor))
        .unwrap_or(0);
    Some(Version { major, minor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u32, u32)>) {
        let found = parse_version(text).map(|version| (version.major, version.minor));
        assert_eq!(found, expected);
    }

    #[test]
    fn versions() {
        check(
            "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
            Some((15, 18)),
        );
        check("postgres (PostgreSQL) 17.6\n", Some((17, 6)));
        check("postgres (PostgreSQL) 18beta2\n", Some((18, 0)));
        check("postgres (PostgreSQL) devel", None);
        check("command not found", None);
        check("", None);
    }
}
