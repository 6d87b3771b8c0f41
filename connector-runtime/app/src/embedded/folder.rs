//! Where the cluster lies, who may read what, and that only one process at a time uses it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use connect_api::Cause;

use super::account::Account;
use super::at;
use super::programs::Programs;

/// The folders of one embedded server, ours until dropped.
pub(super) struct Folder {
    /// `.connect/postgres`: the address, the lock.
    home: PathBuf,
    /// Holds `data` and the log. Below `home`, unless somebody else runs the server: the way to `home` may be closed
    /// to them (a clone below a home of mode 0700), so it is in a place that everybody can enter.
    server: PathBuf,
    /// Released by the system however this process ends.
    _lock: File,
}

impl Folder {
    pub(super) fn take(directory: &Path, account: &Account) -> Result<Folder, Cause> {
        let home = directory.join("postgres");
        fs::create_dir_all(&home).map_err(at("cannot create", &home))?;
        let home = home.canonicalize().map_err(at("cannot enter", &home))?;
        let lock = lock(&home.join("lock"))?;
        let server = if account.is_other() {
            public_folder(&home)
        } else {
            home.join("server")
        };
        create_own(&server)?;
        Ok(Folder {
            home,
            server,
            _lock: lock,
        })
    }

    /// PostgreSQL's data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.server.join("data")
    }

    /// Where the server may stand and write nothing.
    pub(super) fn server(&self) -> &Path {
        &self.server
    }

    pub(super) fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    pub(super) fn url_file(&self) -> PathBuf {
        self.home.join("url")
    }

    /// Deletes the cluster and the way to it.
    pub(super) fn empty(&self) -> Result<(), Cause> {
        self.remove_url();
        let _ = fs::remove_file(self.password_file());
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
        if emptied.is_err() || fs::remove_dir_all(&self.server).is_err() {
            tracing::warn!(event = "postgres_left_files", folder = %self.server.display());
        }
    }

    /// The superuser's password, if there is a cluster to go on with. It is written last, when the cluster is whole.
    pub(super) fn kept_password(&self) -> Result<Option<String>, Cause> {
        if let Ok(password) = fs::read_to_string(self.password_file())
            && self.data().join("PG_VERSION").exists()
        {
            return Ok(Some(password));
        }
        self.empty()?;
        Ok(None)
    }

    pub(super) fn keep_password(&self, password: &str) -> Result<(), Cause> {
        write_private(&self.password_file(), password)
    }

    /// The password in a file that `initdb`, run by that account, can read.
    pub(super) fn lend_password(
        &self,
        account: &Account,
        password: &str,
    ) -> Result<PathBuf, Cause> {
        let file = self.server.join("password");
        write_private(&file, password)?;
        account.give(&file).map_err(at("cannot hand over", &file))?;
        Ok(file)
    }

    fn password_file(&self) -> PathBuf {
        self.home.join("password")
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
        write_private(&self.url_file(), url)
    }

    /// Nobody listens there any more.
    pub(super) fn remove_url(&self) {
        let _ = fs::remove_file(self.url_file());
    }
}

/// A second process in the same folder would have its database taken away by the first one's end.
fn lock(path: &Path) -> Result<File, Cause> {
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(at("cannot open", path))?;
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
        Err(TryLockError::Error(error)) => return Err(at("cannot lock", path)(error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(at("cannot write", path))?;
    Ok(file)
}

/// The folder outside that belongs to `home`. /var/tmp survives a restart of the machine, which `--keep` may want;
/// $TMPDIR may be private.
pub(super) fn public_folder(home: &Path) -> PathBuf {
    let place = match Path::new("/var/tmp") {
        preferred if preferred.is_dir() => preferred,
        _ => Path::new("/tmp"),
    };
    place.join(format!("connect-embedded-{:016x}", fingerprint(home)))
}

/// FNV-1a: the same for the same folder in every build, which is all that is asked of it.
fn fingerprint(path: &Path) -> u64 {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

/// Makes a folder that only we can change. One that is there already, in a place where everybody may create, must be
/// ours and no symbolic link: somebody may have been waiting for us.
fn create_own(path: &Path) -> Result<(), Cause> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => {
            // Whatever the umask says, the account that runs the server must get through.
            return fs::set_permissions(path, fs::Permissions::from_mode(0o755))
                .map_err(at("cannot open up", path));
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(at("cannot create", path)(error)),
    }
    let found = fs::symlink_metadata(path).map_err(at("cannot look at", path))?;
    let probe = path.join("owner");
    let ours = found.is_dir()
        && fs::write(&probe, "").is_ok()
        && fs::metadata(&probe).is_ok_and(|probe| probe.uid() == found.uid())
        && found.mode() & 0o022 == 0;
    let _ = fs::remove_file(&probe);
    if ours {
        Ok(())
    } else {
        Err(
            Cause::new(format!("{} belongs to somebody else", path.display()))
                .with_help("delete it, or ask its owner to"),
        )
    }
}

/// A file that only its owner can read, from its first moment on.
fn write_private(path: &Path, content: &str) -> Result<(), Cause> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(at("cannot replace", path)(error));
        }
        _ => {}
    }
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(at("cannot write", path))
}
