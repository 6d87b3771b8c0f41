//! Rules of the house that no compiler checks.

#![allow(clippy::indexing_slicing)]

use std::collections::BTreeMap;
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
    sources.retain(|source| !source.ends_with("config/src/code.rs"));
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
        // Kafka is what the engine is about; the other names belong to plugins.
        assert_no_line(folder, |line, name| {
            name != "kafka"
                && line
                    .to_lowercase()
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| word == name)
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
        ("connect-kafka", 1),
        ("connect-contracts", 1),
        ("connect-transforms", 1),
        ("connect-testkit", 1),
        ("connect-config", 2),
        ("connect-engine", 3),
        ("connect-app", 4),
        ("connect-cli", 5),
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
        // Plugins stand on the first floor.
        let floor = floors.get(name).copied().unwrap_or(1);
        for dependency in table["dependencies"]
            .as_table()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
        {
            let below = floors.get(dependency.as_str()).copied();
            let fine = match (floor, below) {
                (5, _) | (_, None) => !dependency.starts_with("connect-") || floor == 5,
                (1, Some(below)) => below == 0,
                (_, Some(below)) => below < floor,
            };
            assert!(fine, "{name} may not depend on {dependency}");
        }
    }
}
