//! The leaves of a connector file that have a format, and the files that some of them name: schema files compile, other
//! files and folders exist.

use std::path::Path;

use connect_api::{ContractPlace, FilePath, Leaf as _, SchemaFile, Severity, pointer};
use connect_contracts::SchemaProblem;
use serde_json::Value as Json;

use super::code;
use super::loading::{Loading, Mode};
use super::places::Places;
use super::report::{Draft, Report};
use super::schema;

/// A string of the file that a configuration type reads in a format of its own, such as a condition.
pub(super) struct Leaf<'a> {
    pub(super) format: &'a str,
    pub(super) text: &'a str,
    /// From the root of the file.
    pub(super) pointer: &'a str,
}

/// Visits every leaf of `value`, which is at `pointer` and has `node` as its schema.
pub(super) fn each(value: &Json, node: &Json, pointer: &str, visit: &mut dyn FnMut(&Leaf<'_>)) {
    let node = schema::branch(node, value);
    match value {
        Json::Object(members) => {
            for (name, member) in members {
                let pointer = pointer::member(pointer, name);
                each(member, schema::child(node, name), &pointer, visit);
            }
        }
        Json::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                let pointer = format!("{pointer}/{index}");
                each(element, schema::child(node, "items"), &pointer, visit);
            }
        }
        Json::String(text) => {
            if let Some(format) = node.get("format").and_then(Json::as_str) {
                visit(&Leaf {
                    format,
                    text,
                    pointer,
                });
            }
        }
        _ => {}
    }
}

/// Looks for the file that the leaf names, if it names one.
pub(super) fn check_file(
    loading: &mut Loading<'_>,
    leaf: &Leaf<'_>,
    places: &Places,
    report: &mut Report,
) {
    if report.is_unknown(leaf.pointer) {
        return;
    }
    let path = Path::new(leaf.text);
    let drafts = match leaf.format {
        SchemaFile::FORMAT => schema_file(loading, path, leaf.pointer, places),
        FilePath::FORMAT => file(loading, path, leaf.pointer, places, report)
            .into_iter()
            .collect(),
        _ => Vec::new(),
    };
    for draft in drafts {
        report.add(draft);
    }
}

fn schema_file(
    loading: &mut Loading<'_>,
    path: &Path,
    pointer: &str,
    places: &Places,
) -> Vec<Draft> {
    if !path.exists() {
        return vec![missing(path, pointer, places)];
    }
    let problem = match loading.contracts.compile(path) {
        Ok(contract) => {
            let remarks = contract.remarks().iter();
            return remarks
                .map(|remark| remarked(remark, pointer, places))
                .collect();
        }
        Err(problem) => problem,
    };
    let message = format!("the contract does not compile: {}", problem.message);
    let mut draft = Draft::error(code::BAD_CONTRACT, places.value(pointer), message)
        .label("not a JSON Schema that can be used")
        .at(pointer);
    if let Some(help) = problem.help {
        draft = draft.help(help);
    }
    if let Some(place) = problem.place {
        draft = draft.related(place);
    }
    vec![draft]
}

/// What is worth knowing about a contract that can be used.
fn remarked(remark: &SchemaProblem, pointer: &str, places: &Places) -> Draft {
    let place = ContractPlace {
        file: remark.file.clone(),
        line: remark.line,
        column: remark.column,
    };
    let message = remark.message.clone();
    let draft = Draft::error(code::UNKNOWN_FORMAT, places.value(pointer), message)
        .severity(Severity::Warning)
        .label("in this contract")
        .at(pointer)
        .related(place);
    match &remark.help {
        Some(help) => draft.help(help.clone()),
        None => draft,
    }
}

/// What is named by an absolute path belongs to the machine of the connector: CI does not have it.
fn file(
    loading: &Loading<'_>,
    path: &Path,
    pointer: &str,
    places: &Places,
    report: &Report,
) -> Option<Draft> {
    if path.exists() {
        return None;
    }
    let written = report.text.get(places.value(pointer)).unwrap_or_default();
    let absolute = written
        .trim_start_matches(['"', '\''])
        .starts_with(['/', '$']);
    let severity = if loading.mode == Mode::Check && absolute {
        Severity::Note
    } else {
        Severity::Error
    };
    Some(missing(path, pointer, places).severity(severity))
}

fn missing(path: &Path, pointer: &str, places: &Places) -> Draft {
    let mut draft = Draft::error(
        code::MISSING_FILE,
        places.value(pointer),
        "there is no such file or folder",
    )
    .label(format!("looked for {}", path.display()))
    .at(pointer);
    // The part of the path that does exist shows where it went wrong.
    let existing = path.ancestors().skip(1).find(|folder| folder.exists());
    if let Some(existing) = existing {
        draft = draft.help(format!(
            "paths are relative to the file that names them; {} exists",
            existing.display()
        ));
    }
    draft
}
