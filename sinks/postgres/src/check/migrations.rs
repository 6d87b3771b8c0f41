//! Checks the folder of migrations.

use std::path::Path;

use connect_api::Finding;

/// Checks the files by sqlx's rules, and reports those that sqlx would silently skip.
pub(super) fn check(folder: &Path, findings: &mut Vec<Finding>) {
    const CODE: &str = "postgres.migrations";
    const POINTER: &str = "/migrations";
    let Ok(entries) = std::fs::read_dir(folder) else {
        let message = format!("the folder {} cannot be read", folder.display());
        findings.push(
            Finding::error(CODE, POINTER, message).with_help("create it, or correct the path"),
        );
        return;
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".sql"))
        .collect();
    names.sort();
    if names.is_empty() {
        let message = format!("the folder {} has no migrations", folder.display());
        findings.push(
            Finding::warning(CODE, POINTER, message)
                .with_help("add files such as 0001_create_sales.sql"),
        );
    }
    let mut versions: Vec<(i64, String)> = Vec::new();
    for name in names {
        let version = name
            .split_once('_')
            .and_then(|(version, _)| version.parse::<i64>().ok());
        let Some(version) = version else {
            let message = format!("`{name}` does not begin with a number, so it would not be run");
            findings.push(
                Finding::error(CODE, POINTER, message)
                    .with_help("rename it like 0001_create_sales.sql"),
            );
            continue;
        };
        let is_reversal = name.ends_with(".down.sql");
        if let Some((_, other)) = versions
            .iter()
            .find(|(other, _)| *other == version && !is_reversal)
        {
            let message = format!("`{other}` and `{name}` have the same number");
            findings.push(
                Finding::error(CODE, POINTER, message).with_help("give each file its own number"),
            );
        }
        if !is_reversal {
            versions.push((version, name));
        }
    }
}
