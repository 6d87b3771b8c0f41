//! The shipped connectors, with the test's own names and topics, because tests share the broker.

use std::path::Path;

use connect_tests::folder::Folder;
use connect_tests::servers;

/// A folder with the shipped contracts and migrations, and these connectors after the replacements (old, new).
pub(crate) fn folder(connectors: &[&str], replacements: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for name in ["schemas", "migrations"] {
        copy(&servers::workspace().join(name), &folder.path().join(name));
    }
    for name in connectors {
        let path = servers::workspace().join(format!("connectors.d/{name}.toml"));
        let mut text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in replacements {
            text = text.replace(from, to);
        }
        folder.connector(name, text);
    }
    folder
}

/// Copies a folder recursively.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
