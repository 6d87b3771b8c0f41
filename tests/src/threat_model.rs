//! `docs/threat-model.md` names tests: each of them exists.

use std::path::Path;

fn sources(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_tests_of_the_threat_model_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let mut code = String::new();
    for folder in ["connector-runtime", "sinks", "sources", "tests"] {
        sources(&root.join(folder), &mut code);
    }
    let rows: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| #"))
        .collect();
    assert_eq!(rows.len(), 32, "one row for each threat");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let tests = cells.last().expect("a row has cells");
        for name in tests.split('`').skip(1).step_by(2) {
            let exists = code.contains(&format!("fn {name}("));
            assert!(exists, "there is no test `{name}`: {row}");
        }
    }
}
