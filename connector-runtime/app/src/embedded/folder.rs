//! The folders of the embedded server: their access rights, and the lock that allows one process at a time.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use connect_api::Cause;

use super::account::Account;
use super::at;
use super::own_folder::OwnFolder;
use super::programs::Programs;

const LOCK: &str = "lock";
const LOG: &str = "log";
const URL: &str = "url";
const SERVICE: &str = "service";
const PASSWORD: &str = "password";
/// Contains the path of a server folder outside, so that the next run finds it.
const SERVER_PATH: &str = "server-path";
const DATA: &str = "data";
/// The prefix of a server folder outside; the rest of its name is random.
const PREFIX: &str = "connect-embedded-";

/// The folders of one embedded server, locked until dropped.
pub(super) struct Folder {
    /// `.connect/postgres`: the address, the log, the lock.
    home: OwnFolder,
    /// Contains `data`. It is inside `home` unless another account runs the server. That account may be unable to
    /// reach `home` (a clone below a home of mode 0700), so its folder is where every account can enter.
    server: OwnFolder,
    /// The system releases it however this process ends.
    _lock: File,
}

impl Folder {
    pub(super) fn take(directory: &Path, account: &Account) -> Result<Folder, Cause> {
        let home = OwnFolder::open_or_create(directory)?.folder("postgres")?;
        let lock = lock(&home)?;
        let server = if account.is_other() {
            public_folder(&home, account)?
        } else {
            home.folder("server")?
        };
        Ok(Folder {
            home,
            server,
            _lock: lock,
        })
    }

    /// PostgreSQL's data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.server.path().join(DATA)
    }

    /// Creates the empty data directory, owned by the account.
    pub(super) fn create_data(&self, account: &Account) -> Result<(), Cause> {
        let data = self.server.folder(DATA)?;
        account
            .make_owner_of(data.descriptor())
            .map_err(at("cannot change the owner of", data.path()))
    }

    /// The server's working directory, where it writes nothing.
    pub(super) fn server(&self) -> &Path {
        self.server.path()
    }

    pub(super) fn log(&self) -> PathBuf {
        self.home.path().join(LOG)
    }

    pub(super) fn create_log(&self) -> Result<File, Cause> {
        self.home.create_file(LOG)
    }

    pub(super) fn read_log(&self) -> String {
        self.home.read(LOG).unwrap_or_default()
    }

    pub(super) fn url_file(&self) -> PathBuf {
        self.home.path().join(URL)
    }

    pub(super) fn service_file(&self) -> PathBuf {
        self.home.path().join(SERVICE)
    }

    /// Deletes the cluster and the files that lead to it.
    pub(super) fn empty(&self) -> Result<(), Cause> {
        self.remove_run_files();
        let _ = self.home.remove_file(PASSWORD);
        match fs::remove_dir_all(self.data()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(at("cannot empty", &self.data())(error))
            }
            _ => Ok(()),
        }
    }

    /// Cleans up at the end. The next start empties what cannot be deleted now.
    pub(super) fn clean_up(&self) {
        let emptied = self.empty();
        if emptied.is_err() || fs::remove_dir_all(self.server.path()).is_err() {
            tracing::warn!(event = "postgres_left_files", folder = %self.server.path().display());
            return;
        }
        let _ = self.home.remove_file(SERVER_PATH);
    }

    /// The superuser's password, if a complete cluster exists. The password is written last.
    pub(super) fn kept_password(&self) -> Result<Option<String>, Cause> {
        if let Ok(password) = self.home.read(PASSWORD)
            && self.data().join("PG_VERSION").exists()
        {
            return Ok(Some(password));
        }
        self.empty()?;
        Ok(None)
    }

    pub(super) fn keep_password(&self, password: &str) -> Result<(), Cause> {
        self.home.write(PASSWORD, password).map(drop)
    }

    /// Writes the password to a file that `initdb`, run by that account, can read.
    pub(super) fn write_initdb_password(
        &self,
        account: &Account,
        password: &str,
    ) -> Result<PathBuf, Cause> {
        let file = self.server.write(PASSWORD, password)?;
        let path = self.server.path().join(PASSWORD);
        account
            .make_owner_of(&file)
            .map_err(at("cannot change the owner of", &path))?;
        Ok(path)
    }

    pub(super) fn remove_initdb_password(&self) {
        let _ = self.server.remove_file(PASSWORD);
    }

    /// Only the major version that created a kept cluster can use it.
    pub(super) fn require_version(&self, programs: &Programs) -> Result<(), Cause> {
        let file = self.data().join("PG_VERSION");
        let kept = fs::read_to_string(&file).map_err(at("cannot read", &file))?;
        let kept = kept.trim();
        if kept == programs.major().to_string() {
            return Ok(());
        }
        Err(Cause::new(format!(
            "the kept database was created by PostgreSQL {kept}; found PostgreSQL {programs}"
        ))
        .with_help("run without --keep to start with an empty database"))
    }

    pub(super) fn write_url(&self, url: &str) -> Result<(), Cause> {
        self.home.write(URL, url).map(drop)
    }

    /// Writes a service file for `psql`, because every user of the machine can read a URL with a password in its
    /// arguments.
    pub(super) fn write_service(&self, port: u16, password: &str) -> Result<(), Cause> {
        let user = super::server::SUPERUSER;
        let service = format!(
            "[{}]\nhost=127.0.0.1\nport={port}\ndbname=postgres\nuser={user}\npassword={password}\n",
            super::SERVICE_NAME
        );
        self.home.write(SERVICE, &service).map(drop)
    }

    /// Removes the addresses, which are no longer valid, and the log of this run.
    pub(super) fn remove_run_files(&self) {
        let _ = self.home.remove_file(URL);
        let _ = self.home.remove_file(SERVICE);
        let _ = self.home.remove_file(LOG);
    }
}

/// Locks the folder: a second process would lose its database when the first one ends.
fn lock(home: &OwnFolder) -> Result<File, Cause> {
    let path = home.path().join(LOCK);
    let mut file = home.open_or_create_file(LOCK)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner);
            return Err(Cause::new(format!(
                "another run with --embedded uses this folder (process {})",
                owner.trim()
            ))
            .with_help("stop it, or run in another folder"));
        }
        Err(TryLockError::Error(error)) => return Err(at("cannot lock", &path)(error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(at("cannot write", &path))?;
    Ok(file)
}

/// The folder outside that an earlier run created for `home`, or a new one. Its random name and a call that fails if
/// the name exists ensure that we never use a folder or link that another account prepared.
fn public_folder(home: &OwnFolder, account: &Account) -> Result<OwnFolder, Cause> {
    let parent = public_parent();
    match home.read(SERVER_PATH) {
        Ok(path) => {
            if let Some(folder) = known_public_folder(home, parent, Path::new(&path))? {
                return Ok(folder);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at("cannot read", &home.path().join(SERVER_PATH))(error)),
    }
    let created = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .map_err(at("cannot create a folder in", parent))?;
    let path = created.path().to_owned();
    let folder = OwnFolder::open(&path)?
        .ok_or_else(|| Cause::new(format!("{} was deleted", path.display())))?;
    account
        .allow_entry(folder.descriptor())
        .map_err(at("cannot change the access to", &path))?;
    home.write(SERVER_PATH, &path.to_string_lossy())?;
    let _ = created.keep();
    Ok(folder)
}

/// Opens the folder at `path`, which `home` names. `home` may come from a stranger's archive and the next step
/// empties the folder, so only a folder that a run created is accepted.
fn known_public_folder(
    home: &OwnFolder,
    parent: &Path,
    path: &Path,
) -> Result<Option<OwnFolder>, Cause> {
    let named_by_us = path.parent() == Some(parent)
        && path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    if named_by_us {
        return OwnFolder::open(path);
    }
    let file = home.path().join(SERVER_PATH);
    Err(Cause::new(format!(
        "{} names {}, which no run created",
        file.display(),
        path.display()
    ))
    .with_help(format!("delete {}", file.display())))
}

/// /var/tmp survives a reboot, which `--keep` needs; $TMPDIR may be private.
fn public_parent() -> &'static Path {
    match Path::new("/var/tmp") {
        preferred if preferred.is_dir() => preferred,
        _ => Path::new("/tmp"),
    }
}
