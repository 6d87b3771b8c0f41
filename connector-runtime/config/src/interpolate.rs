//! Replaces placeholders by their values, makes paths absolute, and notes the spans of secrets.

use std::ops::Range;
use std::path::{Path, PathBuf};

use connect_api::{Explanation, FilePath, Finding, Leaf, Predicate, SchemaFile, Secret};
use serde_json::Value as Json;

use super::codes;
use super::file::ConfigFile;
use super::kafka;
use super::literal_secrets;
use super::loading::{Loading, Mode};
use super::schema;
use super::section::Section;

/// A placeholder names the file of a password or a certificate, which is small.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Interpolates every string of a section.
pub(super) fn interpolate(section: &mut Section, loading: &Loading<'_>, file: &mut ConfigFile) {
    let mut interpolation = Interpolation { loading, file };
    section.visit_strings(&mut |value, schema, pointer| {
        let text = value.as_str().unwrap_or_default();
        if let Some(replaced) = interpolation.string(text, schema, pointer) {
            *value = replaced;
        }
    });
}

struct Interpolation<'a> {
    loading: &'a Loading<'a>,
    file: &'a mut ConfigFile,
}

impl Interpolation<'_> {
    /// What replaces a string; `None` if nothing does.
    fn string(&mut self, text: &str, schema: &Json, pointer: &str) -> Option<Json> {
        let format = schema.get("format").and_then(Json::as_str);
        if format == Some(Secret::FORMAT) || kafka::is_secret(pointer) {
            if literal_secrets::is_literal(text) {
                self.file.add(literal_secrets::finding(pointer));
            }
            self.file.mask(pointer);
        }
        let replaced = match text.contains("${").then(|| self.replace(text, pointer)) {
            None => text.to_owned(),
            Some(Some(replaced)) => replaced,
            // A valid value, so that everything else is still checked.
            Some(None) => return schema::stand_in(schema),
        };
        if is_one_placeholder(text)
            && let Some(scalar) = as_scalar(&replaced, &schema::types(schema))
        {
            return Some(scalar);
        }
        match format {
            Some(FilePath::FORMAT | SchemaFile::FORMAT) => {
                let path = normal(&self.folder().join(&replaced));
                Some(Json::String(path.to_string_lossy().into()))
            }
            Some(Predicate::FORMAT) if replaced != text => {
                Some(Json::String(Predicate::substituted(&replaced, text)))
            }
            _ => Some(Json::String(replaced)),
        }
    }

    /// The absolute folder of the file, to which paths are relative.
    fn folder(&self) -> PathBuf {
        let folder = self.file.path().parent();
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
    }

    /// `None`: a placeholder is invalid or has no value here, which is reported.
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
                        Ok(value) => result.push_str(&value),
                        Err(finding) => {
                            known = false;
                            self.file
                                .add_at(self.span_of(placeholder, pointer), finding);
                        }
                    }
                }
            }
        }
        if !known {
            self.file.set_unknown(pointer);
        }
        known.then_some(result)
    }

    /// `is_whole`: the placeholder is the whole text.
    fn value_of(
        &mut self,
        placeholder: &str,
        is_whole: bool,
        pointer: &str,
    ) -> Result<String, Finding> {
        let parsed = Placeholder::parse(placeholder).map_err(|reason| {
            codes::PLACEHOLDER
                .error(pointer, reason)
                .with_help("${env:NAME}, ${env:NAME:-default} and ${file:/path} are placeholders; `$${` is a literal `${`")
        })?;
        let value = match parsed {
            Placeholder::Variable { name, default } => {
                match ((self.loading.environment)(name), default) {
                    // As in a shell, an empty variable takes the default, too. A default is not hidden, because the file
                    // contains it.
                    (Some(value), Some(default)) if value.is_empty() => {
                        return Ok(default.to_owned());
                    }
                    (None, Some(default)) => return Ok(default.to_owned()),
                    (Some(value), None) if value.is_empty() && is_whole => {
                        return Err(self.without_value(name, "is empty", pointer));
                    }
                    (None, None) => return Err(self.without_value(name, "is not set", pointer)),
                    (Some(value), _) => value,
                }
            }
            Placeholder::File(path) => read(&self.folder().join(path)).map_err(|reason| {
                self.missing(
                    codes::PLACEHOLDER_FILE,
                    pointer,
                    format!("{placeholder} cannot be read: {reason}"),
                )
                .with_help("the file must exist where the connector runs; `connect check` without --env only notes it")
            })?,
        };
        self.file.substitute(value.clone(), placeholder);
        Ok(value)
    }

    /// `what`: the variable is not set, or empty.
    fn without_value(&self, name: &str, what: &str, pointer: &str) -> Finding {
        let message = format!("the environment variable {name} {what}");
        let finding = self.missing(codes::UNSET_VARIABLE, pointer, message);
        if self.loading.mode == Mode::Check {
            finding.with_label("not checked on this machine")
        } else {
            finding.with_label("has no value").with_help(format!(
                "export {name}=…, or write a default: ${{env:{name}:-default}}"
            ))
        }
    }

    fn missing(&self, code: &Explanation, pointer: &str, message: String) -> Finding {
        code.error(pointer, message)
            .with_severity(self.loading.mode.severity_of_missing())
    }

    /// The span of the placeholder in the text of the file.
    fn span_of(&self, placeholder: &str, pointer: &str) -> Range<usize> {
        let span = self.file.spans.value(pointer);
        match self.file.written(pointer).find(placeholder) {
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
            return Err("a placeholder cannot contain another placeholder".to_owned());
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

/// The text of a file without the line break at its end.
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

/// A number or boolean, if the key has such a type and does not take text.
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

/// Resolves `.` and `..`, so that a message shows the path as people type it.
fn normal(path: &Path) -> PathBuf {
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
