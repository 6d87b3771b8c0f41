//! A temporary folder of connectors.

use std::path::{Path, PathBuf};

/// A temporary folder with `connectors.d/` and everything that the connectors name. Deleted when dropped.
pub struct Folder {
    root: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Folder {
        let root = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(root.path().join("connectors.d")).expect("connectors.d");
        Folder { root }
    }

    /// Writes `connectors.d/NAME.toml`.
    pub fn connector(&self, name: &str, toml: impl AsRef<str>) -> &Folder {
        self.file(&format!("connectors.d/{name}.toml"), toml)
    }

    /// Writes `connectors.d/connect.toml`, the settings of the process.
    pub fn settings(&self, toml: impl AsRef<str>) -> &Folder {
        self.file("connectors.d/connect.toml", toml)
    }

    /// Writes a file at a path relative to the folder.
    pub fn file(&self, path: &str, content: impl AsRef<str>) -> &Folder {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folder");
        std::fs::write(&path, content.as_ref()).expect("write");
        self
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn connectors(&self) -> PathBuf {
        self.path().join("connectors.d")
    }
}

impl Default for Folder {
    fn default() -> Folder {
        Folder::new()
    }
}
