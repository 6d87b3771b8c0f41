//! Finds the connector files below a folder and reads them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use connect_api::{Explanation, Finding};

use super::codes;
use super::file::ConfigFile;

/// The name of the file with the settings of the process.
const PROCESS_FILE: &str = "connect.toml";

/// Every connector file below `folder` in the order of their paths, and the findings of the search. `folder` may be a file.
pub(super) fn connector_files(folder: &Path) -> (Vec<PathBuf>, Vec<ConfigFile>) {
    let mut search = Search::default();
    match std::fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => {
            search.visit(folder, &mut BTreeSet::new());
            if search.files.is_empty() && search.reports.is_empty() {
                search.report(
                    folder,
                    codes::NO_CONNECTORS,
                    "no file below this folder is a connector",
                    "a connector is a file that ends in `.toml`; `connect.toml` and `*.test.toml` are not connectors",
                );
            }
        }
        Ok(_) => search.files.push(folder.to_owned()),
        Err(error) => search.report(
            folder,
            codes::NO_FOLDER,
            &format!("this folder cannot be opened: {error}"),
            "name the folder that holds the connectors, such as connectors.d/",
        ),
    }
    search.files.sort();
    (search.files, search.reports)
}

/// The real path of the folder whose files may be shown: `folder`, or the one that contains it if it is a file.
pub(super) fn root_of(folder: &Path) -> Option<PathBuf> {
    let real = folder.canonicalize().ok()?;
    if real.is_dir() && folder.is_dir() {
        return Some(real);
    }
    let named_in = std::path::absolute(folder).ok()?;
    named_in.parent()?.canonicalize().ok()
}

/// Reads a file. It has an error if it cannot be read or is not UTF-8. The lines of a file that is not below `root` are never
/// shown: a link may lead to a file that its author cannot read but the reader of a log can.
pub(super) fn read(path: &Path, root: Option<&Path>) -> ConfigFile {
    let mut file = match read_bytes(path).map(String::from_utf8) {
        // The byte order mark of an editor is not part of the text.
        Ok(Ok(text)) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            ConfigFile::new(path.to_owned(), text)
        }
        Ok(Err(error)) => not_text(path, &error.into_bytes()),
        Err(finding) => about(path, finding),
    };
    let is_inside = match (path.canonicalize(), root) {
        (Ok(real), Some(root)) => real.starts_with(root),
        _ => false,
    };
    if !is_inside {
        file.set_outside();
    }
    file
}

/// A finding about a whole file or folder.
fn about(path: &Path, finding: Finding) -> ConfigFile {
    let mut file = ConfigFile::new(path.to_owned(), "");
    file.add(finding);
    file
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Finding> {
    // Reading a pipe or a device might never end.
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(codes::UNREADABLE
            .error("", "this is neither a file nor a link to one")
            .with_help("remove it: a connector is a plain file, or a link to one"));
    }
    std::fs::read(path).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "the target of the link does not exist: remove the link, or restore its target"
            }
            _ => "allow the user that runs this program to read it",
        };
        codes::UNREADABLE
            .error("", format!("this file cannot be read: {error}"))
            .with_help(help)
    })
}

fn not_text(path: &Path, bytes: &[u8]) -> ConfigFile {
    let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    let byte = bytes.get(valid).copied().unwrap_or_default();
    let encoding = match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "utf-16",
        _ => "latin1",
    };
    let mut file = ConfigFile::new(path.to_owned(), &String::from_utf8_lossy(bytes));
    file.add_at(
        valid..valid + char::REPLACEMENT_CHARACTER.len_utf8(),
        codes::ENCODING
            .error("", "this file is not UTF-8")
            .with_label(format!("byte 0x{byte:02X} is not part of any character"))
            .with_help(format!(
                "save it as UTF-8: `iconv -f {encoding} -t utf-8 old.toml > new.toml`"
            )),
    );
    file
}

#[derive(Default)]
struct Search {
    files: Vec<PathBuf>,
    reports: Vec<ConfigFile>,
}

impl Search {
    fn report(&mut self, path: &Path, code: &Explanation, message: &str, help: &str) {
        let finding = code.error("", message).with_help(help);
        self.reports.push(about(path, finding));
    }

    /// `above`: the real paths of the folders above this one.
    fn visit(&mut self, folder: &Path, above: &mut BTreeSet<PathBuf>) {
        let entries = folder
            .canonicalize()
            .and_then(|real| Ok((real, std::fs::read_dir(folder)?)));
        let (real, entries) = match entries {
            Ok(found) => found,
            Err(error) => {
                let message = format!("this folder cannot be read: {error}");
                let help = "allow the user that runs this program to read it";
                self.report(folder, codes::UNREADABLE, &message, help);
                return;
            }
        };
        if !above.insert(real.clone()) {
            self.report(
                folder,
                codes::SYMLINK_LOOP,
                "this symbolic link leads back to a folder above it",
                "remove the link",
            );
            return;
        }
        for entry in entries.flatten() {
            let path = entry.path();
            // Hidden entries are temporary files of editors, and the folders to which the links of a mounted ConfigMap lead.
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() {
                self.visit(&path, above);
            } else if is_connector(&path) {
                self.files.push(path);
            }
        }
        above.remove(&real);
    }
}

fn is_connector(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".toml") && !name.ends_with(".test.toml") && name != PROCESS_FILE
}

/// `connect.toml` in the folder, or in the folder above it.
pub(super) fn process_file(folder: &Path) -> Option<PathBuf> {
    let folder = if folder.is_dir() {
        folder
    } else {
        folder.parent()?
    };
    let inside = folder.join(PROCESS_FILE);
    let beside = std::path::absolute(folder).ok()?;
    let beside = beside.parent().map(|parent| parent.join(PROCESS_FILE));
    [Some(inside), beside.map(|path| shown(&path))]
        .into_iter()
        .flatten()
        .find(|path| path.exists())
}

/// The path relative to the current folder, if it is below it.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(relative) => relative.to_owned(),
        Err(_) => path.to_owned(),
    }
}
