//! Resolves the `$ref`s of a schema: only within the folder of schemas that contains it.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonschema::{Retrieve, Uri};
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::document::{Document, SchemaProblem};

/// Files that are searched for an `$id`.
const MOST_FILES: usize = 10_000;

/// The documents that a schema consists of, by URI.
pub(crate) type Documents = BTreeMap<String, Arc<Document>>;

/// Provides referenced documents: from the folder of schemas, or from documents that were fetched before.
///
/// `jsonschema` calls it while it compiles. Its documents are kept for locations in messages and for the contract's view.
#[derive(Clone)]
pub(crate) struct Library(Arc<Shelves>);

struct Shelves {
    /// The canonical folder. `None`: only the initial `documents`.
    root: Option<PathBuf>,
    documents: Mutex<Documents>,
    /// A problem in a requested document, which the validator's error would report without a location.
    problem: Mutex<Option<SchemaProblem>>,
}

impl Library {
    /// For the schema in `file` (canonical): the nearest folder above it that is called `schemas`, else its own.
    pub(crate) fn around(file: &Path) -> Library {
        let own = file.parent().unwrap_or(file);
        let named = own
            .ancestors()
            .find(|folder| folder.file_name().is_some_and(|name| name == "schemas"));
        Library::new(Some(named.unwrap_or(own).to_path_buf()), Documents::new())
    }

    /// A library of these documents only.
    pub(crate) fn of(documents: Documents) -> Library {
        Library::new(None, documents)
    }

    fn new(root: Option<PathBuf>, documents: Documents) -> Library {
        Library(Arc::new(Shelves {
            root,
            documents: Mutex::new(documents),
            problem: Mutex::new(None),
        }))
    }

    pub(crate) fn keep(&self, uri: &str, document: &Arc<Document>) {
        let mut documents = self.0.documents.lock();
        documents.insert(uri.to_owned(), Arc::clone(document));
        if let Some(id) = id_of(uri, &document.value) {
            documents.insert(id, Arc::clone(document));
        }
    }

    /// A copy for looking ahead, without effect on this library.
    pub(crate) fn scratch(&self) -> Library {
        Library::new(self.0.root.clone(), self.documents())
    }

    /// All documents including this one, if it can be loaded.
    pub(crate) fn with(&self, uri: &str) -> Option<Documents> {
        self.load(uri).ok()?;
        Some(self.documents())
    }

    pub(crate) fn documents(&self) -> Documents {
        let documents = self.0.documents.lock();
        documents.clone()
    }

    /// The problem in a document that a `$ref` requested.
    pub(crate) fn take_problem(&self) -> Option<SchemaProblem> {
        let mut problem = self.0.problem.lock();
        problem.take()
    }

    fn load(&self, uri: &str) -> Result<Arc<Document>, String> {
        if let Some(document) = self.documents().get(uri) {
            return Ok(Arc::clone(document));
        }
        let Some(root) = &self.0.root else {
            return Err("the registry lists no reference of this name".to_owned());
        };
        let file = match path_of(uri) {
            Some(path) => within(root, &path)?,
            None => file_with_id(root, uri).ok_or_else(|| {
                format!(
                    "schemas are not fetched from the network, and no file below {} has this `$id`",
                    root.display()
                )
            })?,
        };
        let document = read(&file).map_err(|problem| {
            let message = problem.message.clone();
            let mut slot = self.0.problem.lock();
            slot.get_or_insert(problem);
            message
        })?;
        self.keep(uri, &document);
        Ok(document)
    }
}

impl Retrieve for Library {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<serde_json::Value, Box<dyn Error + Send + Sync>> {
        let document = self.load(without_fragment(uri.as_str()))?;
        Ok(document.value.clone())
    }
}

pub(crate) fn read(file: &Path) -> Result<Arc<Document>, SchemaProblem> {
    let text = std::fs::read_to_string(file).map_err(|error| SchemaProblem {
        message: match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::InvalidData => "the file is not UTF-8".to_owned(),
            _ => format!("the file cannot be read: {error}"),
        },
        file: file.to_path_buf(),
        line: 1,
        column: 1,
        help: None,
    })?;
    // Some editors write a byte order mark, which RFC 8259 lets a reader ignore.
    let text = match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    };
    Document::parse(file.to_path_buf(), text)
}

/// The canonical path, if it is below `root`.
fn within(root: &Path, path: &Path) -> Result<PathBuf, String> {
    let outside = || {
        format!(
            "it leads out of {}, the folder that schemas are read from",
            root.display()
        )
    };
    match path.canonicalize() {
        Ok(file) if file.starts_with(root) => Ok(file),
        Ok(_) => Err(outside()),
        // Do not reveal whether a file outside exists.
        Err(_) if !path.starts_with(root) => Err(outside()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("there is no file {}", path.display()))
        }
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// The file below `root` whose schema has the `$id` `uri`.
fn file_with_id(root: &Path, uri: &str) -> Option<PathBuf> {
    let mut folders = vec![root.to_path_buf()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            seen += 1;
            if seen > MOST_FILES {
                return None;
            }
            let path = entry.path();
            let kind = entry.file_type().ok()?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file()
                && path
                    .extension()
                    .is_some_and(|extension| extension == "json")
                && read(&path).is_ok_and(|found| id_of("", &found.value).as_deref() == Some(uri))
            {
                return Some(path);
            }
        }
    }
    None
}

/// The document's own `$id` (`id` in draft 4), resolved against `base`.
pub(crate) fn id_of(base: &str, schema: &serde_json::Value) -> Option<String> {
    let draft = schema.get("$schema").and_then(serde_json::Value::as_str);
    let keyword = match draft {
        Some(draft) if draft.contains("draft-04") => "id",
        _ => "$id",
    };
    let id = schema.get(keyword)?.as_str()?;
    Some(without_fragment(&resolve(base, id)?).to_owned())
}

/// Resolves `reference` against `base` (RFC 3986).
pub(crate) fn resolve(base: &str, reference: &str) -> Option<String> {
    if base.is_empty() {
        return jsonschema::uri::from_str(reference)
            .ok()
            .map(|uri| uri.as_str().to_owned());
    }
    let base = jsonschema::uri::from_str(base).ok()?;
    jsonschema::uri::resolve_against(&base.borrow(), reference)
        .ok()
        .map(|uri| uri.as_str().to_owned())
}

pub(crate) fn without_fragment(uri: &str) -> &str {
    uri.split_once('#').map_or(uri, |(document, _)| document)
}

/// The characters that RFC 3986 does not encode in any part of a URI.
pub(crate) const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The same, and slashes for a path.
const UNRESERVED_OR_SLASH: AsciiSet = UNRESERVED.remove(b'/');

/// The `file:` URI of an absolute path.
pub(crate) fn uri_of(path: &Path) -> String {
    let path = path.to_string_lossy();
    format!(
        "file://{}",
        utf8_percent_encode(&path, &UNRESERVED_OR_SLASH)
    )
}

/// The path of a `file:` URI; `None` for any other.
fn path_of(uri: &str) -> Option<PathBuf> {
    let path = uri.strip_prefix("file://")?;
    Some(PathBuf::from(percent_decoded(path)))
}

/// Decodes percent-encoding.
pub(crate) fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
