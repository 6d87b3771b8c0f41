//! Rules of the house that no compiler checks.

#![allow(clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace's folder")
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
    {
        if entry.is_dir() {
            files(&entry, ending, found);
        } else if entry.to_string_lossy().ends_with(ending) {
            found.push(entry);
        }
    }
}

/// Words in `const NAME: &'static str = "…"` of everything below sinks/ and sources/.
fn plugin_names() -> Vec<String> {
    let mut sources = Vec::new();
    for folder in ["sinks", "sources"] {
        files(&workspace().join(folder), ".rs", &mut sources);
    }
    let mut names = Vec::new();
    for source in sources {
        let text = fs::read_to_string(source).expect("a source file");
        let lines = text
            .lines()
            .filter(|line| line.contains("const NAME: &'static str = \""));
        names.extend(lines.filter_map(|line| Some(line.split('"').nth(1)?.to_owned())));
    }
    names
}

/// The first line, of those before the file's own tests, that `found` finds something in.
fn line_of_program(source: &Path, found: impl Fn(&str) -> bool) -> Option<usize> {
    let is_test = source
        .components()
        .any(|part| part.as_os_str().to_string_lossy().contains("tests"));
    let text = fs::read_to_string(source).expect("a source file");
    let program = text.split("#[cfg(test)]").next().unwrap_or_default();
    let index = program
        .lines()
        .position(|line| found(line.split("//").next().unwrap_or_default()));
    index.filter(|_| !is_test).map(|index| index + 1)
}

fn assert_no_line(folder: &str, found: impl Fn(&str, &str) -> bool) {
    let names = plugin_names();
    assert!(names.len() >= 5, "found only {names:?}");
    let mut sources = Vec::new();
    files(&workspace().join(folder), ".rs", &mut sources);
    // What `connect explain` shows are examples in an author's words, plugins included.
    sources.retain(|source| !source.ends_with("config/src/codes.rs"));
    for name in &names {
        for source in &sources {
            let line = line_of_program(source, |line| found(line, name));
            assert_eq!(line, None, "{} names {name} in this line", source.display());
        }
    }
}

#[test]
fn the_engine_and_its_configuration_name_no_plugin() {
    for folder in [
        "connector-runtime/engine/src",
        "connector-runtime/config/src",
    ] {
        assert_no_line(folder, |line, name| match name {
            // Kafka is what the engine is about.
            "kafka" => false,
            // Words that have other meanings, too, such as the program's own interface.
            "http" => line.contains(&format!("\"{name}\"")),
            _ => line
                .to_lowercase()
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == name),
        });
    }
}

/// What both need lives in rooms that both share, such as `records/`.
#[test]
fn sink_tasks_and_source_tasks_know_nothing_of_each_other() {
    let mut sources = Vec::new();
    files(
        &workspace().join("connector-runtime/engine/src"),
        ".rs",
        &mut sources,
    );
    for (room, other) in [("sink_task", "source_task"), ("source_task", "sink_task")] {
        let of_room: Vec<&PathBuf> = sources
            .iter()
            .filter(|source| {
                source
                    .iter()
                    .any(|part| Path::new(part).file_stem() == Some(room.as_ref()))
            })
            .collect();
        assert!(of_room.len() >= 4, "found only {of_room:?}");
        for source in of_room {
            let line = line_of_program(source, |line| line.contains(other));
            assert_eq!(line, None, "{} uses {other} in this line", source.display());
        }
    }
}

/// The program starts Kafka and PostgreSQL and prints to `stdout`, so the words occur; it decides nothing by them. What
/// it wants to know of a plugin is a property that the plugin declares.
#[test]
fn the_program_decides_nothing_by_the_name_of_a_plugin() {
    assert_no_line("connector-runtime/app/src", |line, name| {
        let before =
            ["== ", "!= ", "| ", "eq(", "matches!("].map(|before| format!("{before}\"{name}\""));
        let after = [" ==", " !=", " =>", " |"].map(|after| format!("\"{name}\"{after}"));
        before
            .iter()
            .chain(&after)
            .any(|found| line.contains(found))
    });
}

/// A crate may use crates below it only, so that a plugin's author needs `connect-api` alone.
#[test]
fn dependencies_only_point_down() {
    let floors = BTreeMap::from([
        ("connect-api", 0),
        ("connect-http", 1),
        ("connect-kafka", 2),
        ("connect-contracts", 2),
        ("connect-transforms", 2),
        ("connect-testkit", 2),
        ("connect-config", 3),
        ("connect-engine", 4),
        ("connect-app", 5),
        ("connect-cli", 6),
    ]);
    let mut manifests = Vec::new();
    for folder in ["connector-runtime", "sinks", "sources"] {
        files(&workspace().join(folder), "Cargo.toml", &mut manifests);
    }
    assert!(manifests.len() >= 12, "found only {manifests:?}");
    for manifest in manifests {
        let text = fs::read_to_string(&manifest).expect("a manifest");
        let table: toml::Table = text.parse().expect("TOML");
        let name = table["package"]["name"].as_str().expect("a name");
        // Plugins are on the second floor: below them are the API and, for those with outgoing requests, HTTP.
        let floor = floors.get(name).copied().unwrap_or(2);
        for dependency in table["dependencies"]
            .as_table()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
        {
            let below = floors.get(dependency.as_str()).copied();
            let fine = match (floor, below) {
                (6, _) | (_, None) => !dependency.starts_with("connect-") || floor == 6,
                (_, Some(below)) => below < floor,
            };
            assert!(fine, "{name} may not depend on {dependency}");
        }
    }
}

/// Which modules below the crate's root each module uses: `crate::NAME`, and `super::NAME` in a file of the root's folder.
/// A module's folder belongs to it: what a module and its own children say of each other is no circle.
fn module_uses(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut sources = Vec::new();
    files(source, ".rs", &mut sources);
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut texts = Vec::new();
    for file in sources {
        let text = fs::read_to_string(&file).expect("a source file");
        let within = file.strip_prefix(source).expect("a file below the folder");
        let module = within.components().next().expect("a name");
        let module = module.as_os_str().to_string_lossy();
        let module = module.trim_end_matches(".rs").to_owned();
        if module == "lib" || within.to_string_lossy().contains("tests") {
            continue;
        }
        uses.entry(module.clone()).or_default();
        texts.push((module, within.components().count(), text));
    }
    let modules: BTreeSet<String> = uses.keys().cloned().collect();
    for (module, depth, text) in texts {
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code: Vec<&str> = program
            .lines()
            .filter_map(|line| line.split("//").next())
            .collect();
        let code = code.join("\n");
        for root in ["crate::".to_owned(), "super::".repeat(depth)] {
            for after in code.split(&root).skip(1) {
                assert!(
                    !after.starts_with('{'),
                    "{module}: one `use` a module, not `use {root}{{`"
                );
                let name = after
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next();
                let name = name.unwrap_or_default();
                if modules.contains(name) && name != module {
                    uses.entry(module.clone())
                        .or_default()
                        .insert(name.to_owned());
                }
            }
        }
    }
    uses
}

/// Takes away, again and again, every module that uses none of the rest: what is left is in circles or uses one.
fn circles(mut uses: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let left: BTreeSet<String> = uses.keys().cloned().collect();
        uses.retain(|_, used| used.iter().any(|name| left.contains(name)));
        if uses.len() == left.len() {
            return uses;
        }
    }
}

#[test]
fn no_files_of_configuration_and_api_use_each_other_in_a_circle() {
    for (folder, known) in [
        ("api", ("reference", "leaf")),
        ("config", ("load", "connector")),
    ] {
        let uses = module_uses(&workspace().join(format!("connector-runtime/{folder}/src")));
        assert!(uses[known.0].contains(known.1), "{folder}: {uses:?}");
        assert_eq!(circles(uses), BTreeMap::new(), "{folder}");
    }
    let planted = [("a", "b"), ("b", "c"), ("c", "b"), ("d", "e"), ("e", "")];
    let planted = planted.map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()])));
    let found: Vec<String> = circles(BTreeMap::from(planted)).into_keys().collect();
    assert_eq!(found, ["a", "b", "c"]);
}
