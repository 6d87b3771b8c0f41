//! Broken files and what is said about them, word for word; and that good files become what they mean.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod broken;
mod fakes;
mod folders;
mod resolved;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::load::load_with;
use super::loading::Mode;
use super::resolve::Loaded;

/// A folder with `connectors.d/` and whatever else a case needs.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.path("connectors.d")).unwrap();
        for (path, text) in files {
            let path = folder.path(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn load(&self, mode: Mode) -> Loaded {
        self.load_dir(&self.path("connectors.d"), mode)
    }

    fn load_dir(&self, dir: &Path, mode: Mode) -> Loaded {
        load_with(dir, None, &fakes::plugins(), mode, &environment)
    }

    /// The findings as they are drawn, without the folder's own path.
    fn drawn(&self, mode: Mode) -> String {
        let loaded = self.load(mode);
        loaded
            .findings
            .draw(false)
            .replace(&format!("{}/", self.0.path().display()), "")
            .replace(&self.0.path().display().to_string(), ".")
    }
}

/// The only environment that tests see.
fn environment(name: &str) -> Option<String> {
    let value = match name {
        "DATABASE_URL" => "postgres://app:hunter2@db/shop",
        "PASSWORD" => "hunter2",
        "TASKS" => "4",
        "YES" => "true",
        "EMPTY" => "",
        "WORD" => "hunter2-is-not-shown",
        _ => return None,
    };
    Some(value.to_owned())
}
