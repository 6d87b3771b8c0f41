//! The account that runs the server. PostgreSQL refuses to run as root.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use connect_api::Cause;
use tokio::process::Command;

/// Our own account, or an unprivileged one if we are root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// `None`: the user who started us.
    other: Option<User>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    pub(super) fn choose() -> Result<Account, Cause> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Account { other: None });
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = unprivileged(&users).ok_or_else(|| {
            Cause::new("PostgreSQL does not run as root, and /etc/passwd has no account `nobody`")
                .with_help("run as another user, or use your own PostgreSQL without --embedded")
        })?;
        Ok(Account { other: Some(user) })
    }

    /// Whether the server runs under another account than this process.
    pub(super) fn is_other(&self) -> bool {
        self.other.is_some()
    }

    /// A command that runs as this account, in a folder that it can enter. It gets only the variables that PostgreSQL
    /// needs: any process of the account, and any superuser by `COPY FROM PROGRAM`, can read its environment.
    pub(super) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear();
        for (name, value) in std::env::vars_os() {
            if is_passed_on(&name) {
                command.env(name, value);
            }
        }
        if let Ok(path) = std::env::join_paths(search_path()) {
            command.env("PATH", path);
        }
        if let Some(user) = &self.other {
            command
                .uid(user.uid)
                .gid(user.gid)
                .env("HOME", folder)
                .env("USER", &user.name);
        }
        command
    }

    /// Makes this account the owner of our file. By descriptor, because the path could lead elsewhere by now.
    pub(super) fn make_owner_of(&self, file: &File) -> std::io::Result<()> {
        match &self.other {
            Some(user) => fchown(file, Some(user.uid), Some(user.gid)),
            None => Ok(()),
        }
    }

    /// Allows this account, and no other, to pass through our folder.
    pub(super) fn allow_entry(&self, folder: &File) -> std::io::Result<()> {
        match &self.other {
            Some(user) => {
                fchown(folder, None, Some(user.gid))?;
                folder.set_permissions(Permissions::from_mode(0o710))
            }
            None => Ok(()),
        }
    }
}

/// The home folder, the language and the time zone.
fn is_passed_on(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        matches!(name, "HOME" | "USER" | "LANG" | "LANGUAGE" | "TZ") || name.starts_with("LC_")
    })
}

/// The folders of PATH without those relative to the current folder.
pub(super) fn search_path() -> Vec<PathBuf> {
    absolute_folders(&std::env::var_os("PATH").unwrap_or_default())
}

/// An empty entry of PATH, and so an empty PATH, means the current folder.
fn absolute_folders(path: &OsStr) -> Vec<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .collect()
}

/// The entry of `nobody` in /etc/passwd, an account that owns nothing. We do not use `postgres`, whose processes may
/// serve the machine's own databases: a superuser of our server would control them by `COPY FROM PROGRAM`. A number
/// without an account would have even fewer rights, but initdb and postgres fail if they cannot look up their own
/// name.
fn unprivileged(passwd: &str) -> Option<User> {
    let mut users = passwd.lines().filter_map(parse_user);
    users.find(|user| user.name == "nobody")
}

fn parse_user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let _password = fields.next()?;
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    (uid != 0).then_some(User { name, uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(passwd: &str, expected: Option<(&str, u32, u32)>) {
        let found = unprivileged(passwd);
        let found = found
            .as_ref()
            .map(|user| (user.name.as_str(), user.uid, user.gid));
        assert_eq!(found, expected);
    }

    #[test]
    fn variables_that_postgres_sees() {
        for passed_on in ["HOME", "USER", "LANG", "LC_ALL", "TZ"] {
            assert!(is_passed_on(OsStr::new(passed_on)), "{passed_on}");
        }
        for kept_back in [
            "AWS_SECRET_ACCESS_KEY",
            "DATABASE_URL",
            "GITHUB_TOKEN",
            "LD_PRELOAD",
            "PGPASSWORD",
            "TZ_SECRET",
            "lc_all",
        ] {
            assert!(!is_passed_on(OsStr::new(kept_back)), "{kept_back}");
        }
    }

    #[test]
    fn programs_in_the_current_folder_are_not_searched() {
        for (path, expected) in [
            ("", vec![]),
            (".", vec![]),
            (":", vec![]),
            ("bin:/usr/bin::..:/bin:", vec!["/usr/bin", "/bin"]),
        ] {
            let expected: Vec<PathBuf> = expected.into_iter().map(PathBuf::from).collect();
            assert_eq!(absolute_folders(OsStr::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn root_starts_the_server_as_nobody_and_never_as_postgres() {
        let root = "root:x:0:0:root:/:/bin/bash\n";
        let nobody = "nobody:x:65534:65533:nobody:/:/bin/false\n";
        let postgres = "postgres:x:101:104::/var/lib/postgresql:/bin/bash\n";
        check("", None);
        check(root, None);
        check("broken\n:::\na:x:y:z\n", None);
        check(&format!("{root}{postgres}"), None);
        let all = format!("{root}{postgres}{nobody}");
        check(&all, Some(("nobody", 65534, 65533)));
        check("nobody:x:0:0::/:/bin/sh\n", None);
    }
}
