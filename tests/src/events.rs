//! `docs/events.md` lists the events of the log with their levels, exactly as the code logs them.

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::{root, rust_files};

/// Event → levels.
type Events = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_table_of_events_is_what_the_code_logs() {
    let document = std::fs::read_to_string(root().join("docs/events.md")).unwrap();
    let (documented, logged) = (of_document(&document), of_code());
    assert!(logged.len() > 60, "{logged:?}");
    let missing = |from: &Events, of: &Events| -> Vec<(String, BTreeSet<String>)> {
        let pairs = of
            .iter()
            .filter(|(event, levels)| from.get(*event) != Some(levels));
        pairs
            .map(|(event, levels)| (event.clone(), levels.clone()))
            .collect()
    };
    assert_eq!(
        (missing(&documented, &logged), missing(&logged, &documented)),
        (vec![], vec![]),
        "differences between the code and docs/events.md"
    );
}

fn of_document(document: &str) -> Events {
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    let mut events = Events::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [event, levels, when, _fields] = cells.as_slice() else {
            panic!("a row has four cells: {row}");
        };
        assert!(!when.is_empty(), "{row}");
        let levels = levels.split(", ").map(str::to_owned).collect();
        let before = events.insert(event.trim_matches('`').to_owned(), levels);
        assert_eq!(before, None, "{event} is there twice");
    }
    events
}

fn of_code() -> Events {
    let mut events = Events::new();
    for (path, code) in rust_files(&["connector-runtime", "sinks", "sources"]) {
        let is_test = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
        if path.iter().any(is_test) {
            continue;
        }
        let code = code.split("\nmod tests {").next().unwrap_or_default();
        for (before, after) in places(code, "event = \"") {
            let level = before.rsplit("tracing::").next().unwrap_or_default();
            let (level, _) = level.split_once('!').expect("a field of an event");
            add(&mut events, after, &level.to_uppercase());
        }
        // Waits: the method that reports one takes the event as its first argument.
        for call in [".show(", ".wait(", ".retry(", ".wait_after("] {
            for (_, after) in places(code, call) {
                if let Some(event) = after.trim_start().strip_prefix('"') {
                    add(&mut events, event, "WARN");
                }
            }
        }
    }
    events
}

/// The text before and after each occurrence.
fn places<'a>(code: &'a str, wanted: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let found = code.match_indices(wanted);
    found.map(move |(at, _)| (&code[..at], &code[at + wanted.len()..]))
}

fn add(events: &mut Events, quoted: &str, level: &str) {
    let (event, _) = quoted.split_once('"').expect("a string ends");
    let levels = events.entry(event.to_owned()).or_default();
    levels.insert(level.to_owned());
}
