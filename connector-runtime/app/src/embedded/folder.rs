//! Where the cluster lies, who may read what, and that only one process at a time uses it.

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
/// Holds the path of a server folder outside, so that the next run finds it again.
const SERVER_PATH: &str = "server-path";
const DATA: &str = "data";
/// Of the name of a server folder outside; the rest is random.
const PREFIX: &str = "connect-embedded-";

/// The folders of one embedded server, ours until dropped.
pub(super) struct Folder {
    /// `.connect/postgres`: the address, the log, the lock.
    home: OwnFolder,
    /// Holds `data`. Below `home`, unless another account runs the server: the way to `home` may be closed to it (a
    /// clone below a home of mode 0700), so it is in a place that everybody can enter.
    server: OwnFolder,
    /// Released by the system however this process ends.
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

    /// Creates it empty, the account's own.
    pub(super) fn create_data(&self, account: &Account) -> Result<(), Cause> {
        let data = self.server.folder(DATA)?;
        account
            .give(data.descriptor())
            .map_err(at("cannot hand over", data.path()))
    }

    /// Where the server may stand and write nothing.
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

    /// Deletes the cluster and the way to it.
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

    /// At the end: what cannot be deleted now is emptied by the next start.
    pub(super) fn leave_nothing(&self) {
        let emptied = self.empty();
        if emptied.is_err() || fs::remove_dir_all(self.server.path()).is_err() {
            tracing::warn!(event = "postgres_left_files", folder = %self.server.path().display());
            return;
        }
        let _ = self.home.remove_file(SERVER_PATH);
    }

    /// The superuser's password, if there is a cluster to go on with. It is written last, when the cluster is whole.
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

    /// The password in a file that `initdb`, run by that account, can read.
    pub(super) fn lend_password(
        &self,
        account: &Account,
        password: &str,
    ) -> Result<PathBuf, Cause> {
        let file = self.server.write(PASSWORD, password)?;
        let path = self.server.path().join(PASSWORD);
        account.give(&file).map_err(at("cannot hand over", &path))?;
        Ok(path)
    }

    pub(super) fn take_password_back(&self) {
        let _ = self.server.remove_file(PASSWORD);
    }

    /// A kept cluster can only be used by the major version that made it.
    pub(super) fn require_version(&self, programs: &Programs) -> Result<(), Cause> {
        let file = self.data().join("PG_VERSION");
        let kept = fs::read_to_string(&file).map_err(at("cannot read", &file))?;
        let kept = kept.trim();
        if kept == programs.major().to_string() {
            return Ok(());
        }
        Err(Cause::new(format!(
            "the kept database is PostgreSQL {kept}'s, and this is {programs}"
        ))
        .with_help("run without --keep to start with an empty one"))
    }

    pub(super) fn write_url(&self, url: &str) -> Result<(), Cause> {
        self.home.write(URL, url).map(drop)
    }

    /// For `psql`: its arguments can be seen by everybody on the machine, and so a URL with a password among them.
    pub(super) fn write_service(&self, port: u16, password: &str) -> Result<(), Cause> {
        let user = super::server::SUPERUSER;
        let service = format!(
            "[{}]\nhost=127.0.0.1\nport={port}\ndbname=postgres\nuser={user}\npassword={password}\n",
            super::SERVICE_NAME
        );
        self.home.write(SERVICE, &service).map(drop)
    }

    /// Nobody listens there any more, and the log is the run's.
    pub(super) fn remove_run_files(&self) {
        let _ = self.home.remove_file(URL);
        let _ = self.home.remove_file(SERVICE);
        let _ = self.home.remove_file(LOG);
    }
}

/// A second process in the same folder would have its database taken away by the first one's end.
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
            .with_help("stop it, or start this one in another folder"));
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

/// The folder outside that an earlier run made for `home`, else a new one. Its name is random and the call that creates
/// it fails if the name is taken, so a folder or link prepared by another account is never used.
fn public_folder(home: &OwnFolder, account: &Account) -> Result<OwnFolder, Cause> {
    let place = public_place();
    match home.read(SERVER_PATH) {
        Ok(path) => {
            if let Some(folder) = known_public_folder(home, place, Path::new(&path))? {
                return Ok(folder);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at("cannot read", &home.path().join(SERVER_PATH))(error)),
    }
    let created = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(place)
        .map_err(at("cannot create a folder in", place))?;
    let path = created.path().to_owned();
    let folder = OwnFolder::open(&path)?
        .ok_or_else(|| Cause::new(format!("{} was deleted", path.display())))?;
    account
        .admit(folder.descriptor())
        .map_err(at("cannot open up", &path))?;
    home.write(SERVER_PATH, &path.to_string_lossy())?;
    let _ = created.keep();
    Ok(folder)
}

/// `path` is what `home` says, and `home` may have come with somebody's archive: only a folder that a run made is taken,
/// because the next step empties it.
fn known_public_folder(
    home: &OwnFolder,
    place: &Path,
    path: &Path,
) -> Result<Option<OwnFolder>, Cause> {
    let named_by_us = path.parent() == Some(place)
        && path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    if named_by_us {
        return OwnFolder::open(path);
    }
    let file = home.path().join(SERVER_PATH);
    Err(Cause::new(format!(
        "{} names {}, which no run has created",
        file.display(),
        path.display()
    ))
    .with_help(format!("delete {}", file.display())))
}

/// /var/tmp survives a restart of the machine, which `--keep` may want; $TMPDIR may be private.
fn public_place() -> &'static Path {
    match Path::new("/var/tmp") {
        preferred if preferred.is_dir() => preferred,
        _ => Path::new("/tmp"),
    }
}
