//! Every test that `docs/threat-model.md` names exists.

use crate::repository::{root, rust_files};

#[test]
fn the_tests_of_the_threat_model_exist() {
    let document = std::fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let files = rust_files(&["connector-runtime", "sinks", "sources", "tests"]);
    let rows: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| #"))
        .collect();
    assert_eq!(rows.len(), 32, "one row for each threat");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let tests = cells.last().expect("a row has cells");
        for name in tests.split('`').skip(1).step_by(2) {
            let function = format!("fn {name}(");
            let exists = files.iter().any(|(_, code)| code.contains(&function));
            assert!(exists, "the test `{name}` does not exist: {row}");
        }
    }
}
