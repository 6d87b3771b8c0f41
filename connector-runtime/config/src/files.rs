//! Which files are connectors.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use connect_api::Explanation;

use super::code;
use super::report::{Draft, Report};

/// The name of the file with the settings of the process.
pub(super) const PROCESS_FILE: &str = "connect.toml";

/// Every connector file below `folder` in the order of their paths, and what was in the way. A file may be named too.
pub(super) fn connector_files(folder: &Path) -> (Vec<PathBuf>, Vec<Report>) {
    let mut search = Search::default();
    match std::fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => {
            search.visit(folder, &mut BTreeSet::new());
            if search.files.is_empty() && search.reports.is_empty() {
                search.reports.push(about(
                    folder,
                    code::NO_CONNECTORS,
                    "no file below this folder is a connector",
                    "a connector is a file that ends in `.toml`; `connect.toml` and `*.test.toml` are not connectors",
                ));
            }
        }
        Ok(_) => search.files.push(folder.to_owned()),
        Err(error) => search.reports.push(about(
            folder,
            code::NO_FOLDER,
            &format!("this folder cannot be opened: {error}"),
            "name the folder that holds the connectors, such as connectors.d/",
        )),
    }
    search.files.sort();
    (search.files, search.reports)
}

/// A finding about a whole file or folder.
pub(super) fn about(path: &Path, code: &'static Explanation, message: &str, help: &str) -> Report {
    let mut report = Report::new(path.to_owned(), String::new());
    report.add(Draft::error(code, 0..0, message).help(help));
    report
}

/// The real path of the folder whose files may be shown: `folder`, or that of the file that is named instead.
pub(super) fn root_of(folder: &Path) -> Option<PathBuf> {
    let real = folder.canonicalize().ok()?;
    if real.is_dir() && folder.is_dir() {
        return Some(real);
    }
    let named_in = std::path::absolute(folder).ok()?;
    named_in.parent()?.canonicalize().ok()
}

/// Reads a file; what is not text is reported. The lines of a file that is not below `root` are never shown: a link may
/// lead to what its author may not read, and the reader of a log may.
pub(super) fn read(path: &Path, root: Option<&Path>) -> Result<Report, Report> {
    let is_inside = match (path.canonicalize(), root) {
        (Ok(real), Some(root)) => real.starts_with(root),
        _ => false,
    };
    let mark = |mut report: Report| {
        report.is_outside = !is_inside;
        report
    };
    read_text(path).map(mark).map_err(mark)
}

fn read_text(path: &Path) -> Result<Report, Report> {
    // Reading a pipe or a device might never end.
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let help = "remove it: a connector is a plain file, or a link to one";
        return Err(about(
            path,
            code::UNREADABLE,
            "this is neither a file nor a link to one",
            help,
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "a link leads nowhere: remove it, or restore what it leads to"
            }
            _ => "give the user that runs this program the right to read it",
        };
        about(
            path,
            code::UNREADABLE,
            &format!("this file cannot be read: {error}"),
            help,
        )
    })?;
    match String::from_utf8(bytes) {
        // An editor's byte order mark is no part of the text.
        Ok(text) => Ok(Report::new(
            path.to_owned(),
            text.strip_prefix('\u{feff}')
                .map(str::to_owned)
                .unwrap_or(text),
        )),
        Err(error) => Err(not_text(path, &error.into_bytes())),
    }
}

fn not_text(path: &Path, bytes: &[u8]) -> Report {
    let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    let text = String::from_utf8_lossy(bytes).into_owned();
    let byte = bytes.get(valid).copied().unwrap_or_default();
    let mut report = Report::new(path.to_owned(), text);
    let encoding = match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "utf-16",
        _ => "latin1",
    };
    report.add(
        Draft::error(
            code::ENCODING,
            valid..valid + char::REPLACEMENT_CHARACTER.len_utf8(),
            "this file is not UTF-8",
        )
        .label(format!("byte 0x{byte:02X} is not part of any character"))
        .help(format!(
            "save it as UTF-8: `iconv -f {encoding} -t utf-8 old.toml > new.toml`"
        )),
    );
    report
}

#[derive(Default)]
struct Search {
    files: Vec<PathBuf>,
    reports: Vec<Report>,
}

impl Search {
    /// `above` are the real paths of the folders that lead here.
    fn visit(&mut self, folder: &Path, above: &mut BTreeSet<PathBuf>) {
        let entries = folder
            .canonicalize()
            .and_then(|real| Ok((real, std::fs::read_dir(folder)?)));
        let (real, entries) = match entries {
            Ok(found) => found,
            Err(error) => {
                let message = format!("this folder cannot be read: {error}");
                let help = "give the user that runs this program the right to read it";
                self.reports
                    .push(about(folder, code::UNREADABLE, &message, help));
                return;
            }
        };
        if !above.insert(real.clone()) {
            self.reports.push(about(
                folder,
                code::SYMLINK_LOOP,
                "this symbolic link leads back to a folder above it",
                "remove the link",
            ));
            return;
        }
        for entry in entries.flatten() {
            let path = entry.path();
            // Hidden entries are editors' leftovers, and the real folders behind a mounted ConfigMap.
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

/// `connect.toml` inside the folder, or beside it.
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

/// Relative to the current folder where that is shorter.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(relative) => relative.to_owned(),
        Err(_) => path.to_owned(),
    }
}
