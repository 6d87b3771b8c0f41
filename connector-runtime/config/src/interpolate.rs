//! One walk over what is written: placeholders become values, paths become absolute, places of secrets are noted.

use std::ops::Range;
use std::path::{Path, PathBuf};

use connect_api::{FilePath, Leaf, Predicate, SchemaFile, Secret, Severity, pointer};
use serde_json::Value as Json;

use super::code;
use super::exposed;
use super::kafka;
use super::loading::Mode;
use super::places::Places;
use super::report::{Draft, Report};
use super::schema;

/// A file named by a placeholder is a password or a certificate, not a data set.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The walk over one file.
pub(super) struct Interpolation<'a> {
    pub(super) mode: Mode,
    pub(super) places: &'a Places,
    pub(super) report: &'a mut Report,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Interpolation<'_> {
    /// Walks `value`, which stands at `pointer` and should be what `schema` says.
    pub(super) fn walk(&mut self, value: &mut Json, schema: &Json, pointer: &str) {
        let schema = schema::branch(schema, value);
        match value {
            Json::Object(members) => {
                for (name, member) in members {
                    let mut pointer = pointer.to_owned();
                    pointer::push(&mut pointer, name);
                    self.walk(member, schema::child(schema, name), &pointer);
                }
            }
            Json::Array(elements) => {
                for (index, element) in elements.iter_mut().enumerate() {
                    let pointer = format!("{pointer}/{index}");
                    self.walk(element, schema::child(schema, "items"), &pointer);
                }
            }
            Json::String(text) => {
                if let Some(replaced) = self.leaf(text, schema, pointer) {
                    *value = replaced;
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    /// The value of a string leaf; `None` if it stays as it is.
    fn leaf(&mut self, text: &str, schema: &Json, pointer: &str) -> Option<Json> {
        let format = schema.get("format").and_then(Json::as_str);
        if format == Some(Secret::FORMAT) || kafka::is_secret(pointer) {
            let span = self.places.value(pointer);
            if exposed::is_literal(text) {
                self.report.add(exposed::literal(span.clone(), pointer));
            }
            self.report.secrets.push(span);
        }
        let replaced = match text.contains("${").then(|| self.replace(text, pointer)) {
            None => text.to_owned(),
            Some(Some(replaced)) => replaced,
            // Something that is valid there, so that everything else can still be checked.
            Some(None) => return schema::stand_in(schema),
        };
        if is_one_placeholder(text)
            && let Some(scalar) = as_scalar(&replaced, &schema::types(schema))
        {
            return Some(scalar);
        }
        if format.is_some_and(|format| [FilePath::FORMAT, SchemaFile::FORMAT].contains(&format)) {
            let absolute = self.folder().join(&replaced);
            return Some(Json::String(normal(&absolute).to_string_lossy().into()));
        }
        if format == Some(Predicate::FORMAT) && replaced != text {
            return Some(Json::String(Predicate::substituted(&replaced, text)));
        }
        Some(Json::String(replaced))
    }

    /// The absolute folder of the file: paths are relative to it.
    fn folder(&self) -> PathBuf {
        let folder = self.report.path.parent().unwrap_or(Path::new(""));
        let here = Path::new(".");
        let folder = if folder.as_os_str().is_empty() {
            here
        } else {
            folder
        };
        std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
    }

    /// `None`: a placeholder is wrong or has no value here, which is reported.
    fn replace(&mut self, text: &str, pointer: &str) -> Option<String> {
        let mut result = String::new();
        let mut known = true;
        let is_whole = is_one_placeholder(text);
        for part in split(text) {
            match part {
                Part::Text(text) => result.push_str(text),
                Part::Literal => result.push_str("${"),
                Part::Placeholder(placeholder) => {
                    match self.value_of(placeholder, is_whole, pointer) {
                        Some(value) => result.push_str(&value),
                        None => known = false,
                    }
                }
            }
        }
        if !known {
            self.report.unknown.insert(pointer.to_owned());
        }
        known.then_some(result)
    }

    /// `is_whole`: the placeholder is all that the text has.
    fn value_of(&mut self, placeholder: &str, is_whole: bool, pointer: &str) -> Option<String> {
        let found = match Placeholder::parse(placeholder) {
            Err(reason) => Err(self
                .draft(code::PLACEHOLDER, placeholder, pointer, reason)
                .help("${env:NAME}, ${env:NAME:-default} and ${file:/path} are placeholders; `$${` is a literal `${`")),
            Ok(Placeholder::Variable { name, default }) => {
                match ((self.environment)(name), default) {
                    // As in a shell: what is set to nothing takes the default, too.
                    (Some(value), Some(default)) if value.is_empty() => {
                        return Some(default.to_owned());
                    }
                    (Some(value), None) if value.is_empty() && is_whole => {
                        Err(self.without_value(placeholder, name, "is empty", pointer))
                    }
                    (Some(value), _) => Ok(value),
                    // It stands in the file, for everyone to read.
                    (None, Some(default)) => return Some(default.to_owned()),
                    (None, None) => Err(self.without_value(placeholder, name, "is not set", pointer)),
                }
            }
            Ok(Placeholder::File(path)) => {
                read(&self.folder().join(path)).map_err(|reason| {
                    let message = format!("{placeholder} cannot be read: {reason}");
                    self.draft(code::PLACEHOLDER_FILE, placeholder, pointer, message)
                        .severity(self.severity())
                        .help("the file must exist where the connector runs; `connect check` without --env only notes it")
                })
            }
        };
        match found {
            Ok(value) => {
                let shown = (value.clone(), placeholder.to_owned());
                self.report.substituted.push(shown);
                Some(value)
            }
            Err(draft) => {
                self.report.add(draft);
                None
            }
        }
    }

    /// `what`: the variable is not set, or empty.
    fn without_value(&self, placeholder: &str, name: &str, what: &str, pointer: &str) -> Draft {
        let message = format!("the environment variable {name} {what}");
        let draft = self
            .draft(code::UNSET_VARIABLE, placeholder, pointer, message)
            .severity(self.severity());
        match self.mode {
            Mode::Check => draft.label("not looked at here"),
            Mode::CheckEnv | Mode::Run | Mode::RunEmbedded => draft.label("has no value").help(
                format!("export {name}=…, or give a default: ${{env:{name}:-default}}"),
            ),
        }
    }

    /// CI has no secrets: `check` only notes what is missing in this place.
    fn severity(&self) -> Severity {
        match self.mode {
            Mode::Check => Severity::Note,
            Mode::CheckEnv | Mode::Run | Mode::RunEmbedded => Severity::Error,
        }
    }

    fn draft(
        &self,
        code: &'static connect_api::Explanation,
        placeholder: &str,
        pointer: &str,
        message: String,
    ) -> Draft {
        Draft::error(code, self.span_of(placeholder, pointer), message).at(pointer)
    }

    /// The placeholder itself, where it stands in the text of the file as it is.
    fn span_of(&self, placeholder: &str, pointer: &str) -> Range<usize> {
        let span = self.places.value(pointer);
        let written = self.report.text.get(span.clone()).unwrap_or_default();
        match written.find(placeholder) {
            Some(at) => span.start + at..span.start + at + placeholder.len(),
            None => span,
        }
    }
}

enum Part<'a> {
    Text(&'a str),
    /// `$${`
    Literal,
    /// From `${` to `}`.
    Placeholder(&'a str),
}

fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        if let Some(before) = before.strip_suffix('$') {
            parts.extend([Part::Text(before), Part::Literal]);
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        let end = from.find('}').map_or(from.len(), |end| end + 1);
        let (placeholder, after) = from.split_at(end);
        parts.extend([Part::Text(before), Part::Placeholder(placeholder)]);
        rest = after;
    }
    parts.push(Part::Text(rest));
    parts
}

fn is_one_placeholder(text: &str) -> bool {
    text.starts_with("${") && text.find('}') == Some(text.len() - 1)
}

enum Placeholder<'a> {
    Variable {
        name: &'a str,
        default: Option<&'a str>,
    },
    File(&'a str),
}

impl Placeholder<'_> {
    fn parse(text: &str) -> Result<Placeholder<'_>, String> {
        let inner = text
            .strip_prefix("${")
            .and_then(|text| text.strip_suffix('}'))
            .ok_or_else(|| "the placeholder has no closing `}`".to_owned())?;
        if inner.contains("${") {
            return Err("a placeholder cannot stand inside another".to_owned());
        }
        if let Some(variable) = inner.strip_prefix("env:") {
            let (name, default) = match variable.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (variable, None),
            };
            let legal = !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit());
            return if legal {
                Ok(Placeholder::Variable { name, default })
            } else {
                Err(format!("`{name}` is not a name of an environment variable"))
            };
        }
        match inner.strip_prefix("file:") {
            Some("") => Err("the placeholder names no file".to_owned()),
            Some(path) => Ok(Placeholder::File(path)),
            None => Err(format!("`{text}` is not a placeholder")),
        }
    }
}

/// The text of a file without its last line break.
fn read(path: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// A number or boolean, if the key wants one and not text.
fn as_scalar(text: &str, types: &[&str]) -> Option<Json> {
    if types.contains(&"string") {
        return None;
    }
    types.iter().find_map(|word| match *word {
        "integer" => text.trim().parse::<i64>().ok().map(Json::from),
        "number" => text.trim().parse::<f64>().ok().map(Json::from),
        "boolean" => text.trim().parse::<bool>().ok().map(Json::from),
        _ => None,
    })
}

/// Takes `.` and `..` out, so that a message shows the path that people would type.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir
                if matches!(
                    result.components().next_back(),
                    Some(std::path::Component::Normal(_))
                ) =>
            {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}
