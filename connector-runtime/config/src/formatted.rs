//! The strings of a connector file that have a format, and the files that some of them name: schema files must compile,
//! other files and folders must exist.

use std::path::Path;

use connect_api::{ContractPlace, FilePath, Finding, Leaf as _, SchemaFile, Severity};
use connect_contracts::SchemaProblem;
use serde_json::Value as Json;

use super::codes;
use super::file::ConfigFile;
use super::loading::Loading;
use super::section::Section;

/// A string that a configuration type parses in a format of its own, such as a condition.
pub(super) struct FormattedString<'a> {
    pub(super) format: &'a str,
    pub(super) text: &'a str,
    /// From the root of the file.
    pub(super) pointer: &'a str,
}

/// Calls `visit` with each string of a section that has a format and whose value is known here.
pub(super) fn visit_formatted(
    section: &mut Section,
    file: &mut ConfigFile,
    visit: &mut dyn FnMut(&FormattedString<'_>, &mut ConfigFile),
) {
    section.visit_strings(&mut |value, schema, pointer| {
        let format = schema.get("format").and_then(Json::as_str);
        if let (Some(format), Some(text)) = (format, value.as_str())
            && !file.is_unknown(pointer)
        {
            let formatted = FormattedString {
                format,
                text,
                pointer,
            };
            visit(&formatted, file);
        }
    });
}

/// Checks the file that the string names, if it names one.
pub(super) fn check_file(
    loading: &mut Loading<'_>,
    string: &FormattedString<'_>,
    file: &mut ConfigFile,
) {
    let path = Path::new(string.text);
    match string.format {
        SchemaFile::FORMAT if path.exists() => check_schema(loading, path, string.pointer, file),
        SchemaFile::FORMAT => file.add(missing(path, string.pointer)),
        FilePath::FORMAT if !path.exists() => {
            // An absolute path belongs to the machine of the connector, and CI does not have its files.
            let written = file.written(string.pointer);
            let written = written.trim_start_matches(['"', '\'']);
            let severity = if written.starts_with(['/', '$']) {
                loading.mode.severity_of_missing()
            } else {
                Severity::Error
            };
            file.add(missing(path, string.pointer).with_severity(severity));
        }
        _ => {}
    }
}

fn check_schema(loading: &mut Loading<'_>, path: &Path, pointer: &str, file: &mut ConfigFile) {
    match loading.contracts.compile(path) {
        Ok(contract) => {
            for remark in contract.remarks() {
                let finding = codes::UNKNOWN_FORMAT.warning(pointer, &remark.message);
                add_about_contract(finding.with_label("in this contract"), remark, file);
            }
        }
        Err(problem) => {
            let message = format!("the contract does not compile: {}", problem.message);
            let finding = codes::BAD_CONTRACT.error(pointer, message);
            let finding = finding.with_label("not a JSON Schema that can be used");
            add_about_contract(finding, &problem, file);
        }
    }
}

/// Adds the finding with the help and the place of the problem in the contract's file.
fn add_about_contract(mut finding: Finding, problem: &SchemaProblem, file: &mut ConfigFile) {
    finding.help.clone_from(&problem.help);
    let place = ContractPlace {
        file: problem.file.clone(),
        line: problem.line,
        column: problem.column,
    };
    file.add_related(finding, place);
}

fn missing(path: &Path, pointer: &str) -> Finding {
    let finding = codes::MISSING_FILE
        .error(pointer, "there is no such file or folder")
        .with_label(format!("looked for {}", path.display()));
    // The part of the path that exists shows where the path is wrong.
    let existing = path.ancestors().skip(1).find(|folder| folder.exists());
    match existing {
        Some(existing) => finding.with_help(format!(
            "paths are relative to the file that names them; {} exists",
            existing.display()
        )),
        None => finding,
    }
}
