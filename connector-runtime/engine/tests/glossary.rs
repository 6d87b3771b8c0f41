//! Type names: one name for each concept, one concept for each name, as the glossary in ARCHITECTURE.md lists them.
//!
//! A type that is private to its file is exempt, because no other file can confuse it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Names that several types share on purpose.
const SHARED: &[(&str, &str)] = &[(
    "Config",
    "each plugin's own configuration, always read behind the name of the plugin",
)];

/// Names that the glossary replaced.
const REPLACED: &[&str] = &[
    "Begin",
    "CompiledSchema",
    "ContractCheck",
    "Decision",
    "Draft",
    "Made",
    "Misfit",
    "OffsetsTarget",
    "Refusal",
    "RegisteredContract",
    "Reject",
    "Resume",
    "Start",
    "StartOffset",
    "Unfit",
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the folder of the workspace")
}

/// Every Rust file of the crates, tests left out.
fn sources() -> Vec<PathBuf> {
    let roots = ["connector-runtime", "sinks", "sources", "examples"];
    let mut folders: Vec<PathBuf> = roots.map(|root| workspace().join(root)).into();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            if path.is_dir() && name != "tests" && name != "target" {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                sources.push(path);
            }
        }
    }
    sources
}

/// The type that this line defines, if others than its file can see it.
fn defined_type(line: &str) -> Option<&str> {
    let visible = line.trim_start().strip_prefix("pub")?;
    let definition = match visible.strip_prefix('(') {
        Some(scope) => scope.split_once(')')?.1,
        None => visible,
    };
    let (kind, rest) = definition.trim_start().split_once(' ')?;
    let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
    ["struct", "enum", "trait", "type"]
        .contains(&kind)
        .then_some(name)
}

/// The files that define each visible type.
fn types() -> BTreeMap<String, BTreeSet<String>> {
    let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let text = fs::read_to_string(&source).expect("a source file");
        let program = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .expect("a first part");
        let file = source
            .strip_prefix(workspace())
            .expect("a file of the workspace");
        for name in program.lines().filter_map(defined_type) {
            let files = types.entry(name.to_owned()).or_default();
            files.insert(file.display().to_string());
        }
    }
    assert!(types.len() > 400, "found only {} types", types.len());
    types
}

#[test]
fn no_two_types_share_a_name() {
    for (name, files) in types() {
        let is_allowed = SHARED.iter().any(|(shared, _)| *shared == name);
        assert!(
            files.len() == 1 || is_allowed,
            "`{name}` is defined in {files:#?}; rename one of them"
        );
    }
}

#[test]
fn no_replaced_name_comes_back() {
    let types = types();
    for name in REPLACED {
        let files = types.get(*name);
        assert!(
            files.is_none(),
            "`{name}` in {files:?}: the glossary has another name for this concept"
        );
    }
}

#[test]
fn the_glossary_names_types_that_exist() {
    let types = types();
    let page = fs::read_to_string(workspace().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let (_, glossary) = page.split_once("## Glossary").expect("a glossary");
    let rows: Vec<&str> = glossary
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(rows.len() > 20, "found only {} rows", rows.len());
    for row in rows {
        let cell = row.split('|').nth(2).expect("a second column");
        for name in cell.split('`').skip(1).step_by(2) {
            let name = name.split(':').next().expect("a name");
            assert!(
                types.contains_key(name),
                "the glossary names the type `{name}`, which does not exist"
            );
        }
    }
}
