//! A folder that only we can change, held by its descriptor.
//!
//! Names in it are resolved from the descriptor and never through a symbolic link. By path, the owner of a parent
//! folder could replace a folder after our check, and we would write into the replacement with our rights.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use connect_api::Cause;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::at;

const FOLDER_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
const OPEN_FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const OPEN_FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

#[derive(Debug)]
pub(super) struct OwnFolder {
    descriptor: File,
    /// Absolute, for messages and for processes that take paths.
    path: PathBuf,
}

impl OwnFolder {
    /// The folder at `path`, created with mode 0700 if it does not exist.
    pub(super) fn open_or_create(path: &Path) -> Result<OwnFolder, Cause> {
        create(CWD, path, path)?;
        let descriptor = open(CWD, path).map_err(|error| not_a_folder(error, path))?;
        require_own(&descriptor, path)?;
        let path = path.canonicalize().map_err(at("cannot enter", path))?;
        Ok(OwnFolder { descriptor, path })
    }

    /// The folder at an absolute `path`, if it exists.
    pub(super) fn open(path: &Path) -> Result<Option<OwnFolder>, Cause> {
        let descriptor = match open(CWD, path) {
            Err(Errno::NOENT) => return Ok(None),
            result => result.map_err(|error| not_a_folder(error, path))?,
        };
        require_own(&descriptor, path)?;
        let path = path.to_owned();
        Ok(Some(OwnFolder { descriptor, path }))
    }

    /// The folder `name` in this one, created with mode 0700 if it does not exist.
    pub(super) fn folder(&self, name: &str) -> Result<OwnFolder, Cause> {
        let path = self.path.join(name);
        create(&self.descriptor, Path::new(name), &path)?;
        let descriptor =
            open(&self.descriptor, Path::new(name)).map_err(|error| not_a_folder(error, &path))?;
        require_own(&descriptor, &path)?;
        Ok(OwnFolder { descriptor, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn descriptor(&self) -> &File {
        &self.descriptor
    }

    /// Creates a file that only its owner can read, from its first moment on. It replaces an existing one.
    pub(super) fn create_file(&self, name: &str) -> Result<File, Cause> {
        let path = self.path.join(name);
        self.remove_file(name)
            .map_err(at("cannot replace", &path))?;
        self.open_file(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)
            .map_err(at("cannot write", &path))
    }

    pub(super) fn write(&self, name: &str, content: &str) -> Result<File, Cause> {
        let mut file = self.create_file(name)?;
        file.write_all(content.as_bytes())
            .map_err(at("cannot write", &self.path.join(name)))?;
        Ok(file)
    }

    /// The file `name`, created empty if it does not exist.
    pub(super) fn open_or_create_file(&self, name: &str) -> Result<File, Cause> {
        self.open_file(name, OFlags::RDWR | OFlags::CREATE)
            .map_err(at("cannot open", &self.path.join(name)))
    }

    pub(super) fn read(&self, name: &str) -> io::Result<String> {
        let mut content = String::new();
        self.open_file(name, OFlags::RDONLY)?
            .read_to_string(&mut content)?;
        Ok(content)
    }

    /// Succeeds if the file does not exist.
    pub(super) fn remove_file(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let file = rustix::fs::openat(&self.descriptor, name, flags | OPEN_FILE, FILE_MODE)?;
        Ok(File::from(file))
    }
}

/// Whether we own `folder` and no other account can write to it.
pub(super) fn is_own(folder: &fs::Metadata) -> bool {
    folder.uid() == rustix::process::geteuid().as_raw() && folder.mode() & 0o022 == 0
}

fn create(parent: impl AsFd, name: &Path, path: &Path) -> Result<(), Cause> {
    match rustix::fs::mkdirat(parent, name, FOLDER_MODE) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(at("cannot create", path)(error.into())),
    }
}

fn open(parent: impl AsFd, name: &Path) -> Result<File, Errno> {
    rustix::fs::openat(parent, name, OPEN_FOLDER, Mode::empty()).map(File::from)
}

/// Linux reports a link as NOTDIR, macOS as LOOP.
fn not_a_folder(error: Errno, path: &Path) -> Cause {
    match error {
        Errno::NOTDIR | Errno::LOOP => Cause::new(format!(
            "{} is a symbolic link or a file; expected a folder",
            path.display()
        ))
        .with_help("delete it, or run in another folder"),
        error => at("cannot enter", path)(error.into()),
    }
}

fn require_own(folder: &File, path: &Path) -> Result<(), Cause> {
    let found = folder.metadata().map_err(at("cannot inspect", path))?;
    if is_own(&found) {
        return Ok(());
    }
    let (owner, mode) = (found.uid(), found.mode() & 0o7777);
    Err(Cause::new(format!(
        "other users can change {}: it belongs to user {owner} and has mode {mode:04o}",
        path.display()
    ))
    .with_help("delete it, or run in your own folder"))
}
