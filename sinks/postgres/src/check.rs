//! What can be found wrong with a configuration without a database.

mod contract;
mod explanations;
mod options;

use std::path::Path;

use connect_api::{CheckContext, Failure, Finding, Reference, pointer};

use crate::config::{
    ColumnSource, Config, MissingRow, OnConflict, Orphans, TableConfig, WriteMode,
};
use crate::connect;
use crate::entries::{self, mode_word};
use crate::identifier::{self, TableName};

pub(crate) use explanations::EXPLANATIONS;

/// All findings, in the order of the file.
pub(crate) fn check(config: &Config, context: &CheckContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    connection(config, &mut findings);
    verification(config, &mut findings);
    progress_table(config, &mut findings);
    if let Some(folder) = &config.migrations {
        migrations(folder.as_path(), &mut findings);
    }
    for (place, table) in config.tables.iter().enumerate() {
        let pointer = format!("/tables/{place}");
        name(table, &pointer, &mut findings);
        key(table, &pointer, &mut findings);
        columns(table, &pointer, &mut findings);
        each(table, &pointer, &mut findings);
        options::check(table, &pointer, context.contract, &mut findings);
        if let Err(problem) = entries::orphans(table) {
            let pointer = format!("{pointer}/orphans");
            let finding = Finding::error("postgres.orphans", pointer, problem.message);
            findings.push(finding.with_help(problem.help));
        }
        if context.keeps_tombstones {
            tombstones(table, &pointer, &mut findings);
        }
        if let Some(contract) = context.contract {
            contract::compare(table, &pointer, contract, &mut findings);
        }
    }
    conflicts(&config.tables, &mut findings);
    findings
}

fn connection(config: &Config, findings: &mut Vec<Finding>) {
    const CODE: &str = "postgres.connection";
    let beside = [
        ("host", config.host.is_some()),
        ("port", config.port.is_some()),
        ("user", config.user.is_some()),
        ("password", config.password.is_some()),
        ("database", config.database.is_some()),
    ];
    if config.url.is_some() {
        urls(config, findings);
        for (key, _) in beside.iter().filter(|(_, is_said)| *is_said) {
            let message = format!("`{key}` beside `url`, which says it already");
            let finding = Finding::error(CODE, format!("/{key}"), message);
            findings.push(finding.with_help("keep the URL, or the separate keys"));
        }
    } else if config.host.is_none() {
        let finding = Finding::error(CODE, "", "nothing says where the database is");
        findings.push(finding.with_help(
            "add `url = \"${env:DATABASE_URL}\"`, or `host`, `user`, `password` and `database`",
        ));
    }
}

/// Whether the URLs can be read, by the same code that connects with them.
fn urls(config: &Config, findings: &mut Vec<Finding>) {
    // Whether `ca` exists is checked where paths are.
    let config = Config {
        ca: None,
        ..config.clone()
    };
    let options = connect::options(&config, "check");
    for (key, problem) in [
        ("/url", options.as_ref().err().cloned()),
        (
            "/migrations_url",
            connect::migration_options(&config, "check").err(),
        ),
    ] {
        let Some(Failure::Fatal(cause)) = problem else {
            continue;
        };
        let finding = Finding::error("postgres.url", key, cause.message);
        findings.push(match cause.help {
            Some(help) => finding.with_help(help),
            None => finding,
        });
    }
}

/// Whether another machine could pretend to be the database.
fn verification(config: &Config, findings: &mut Vec<Finding>) {
    let config = Config {
        ca: None,
        ..config.clone()
    };
    let Ok(options) = connect::options(&config, "check") else {
        return;
    };
    let Some(mode) = connect::unverified(&options) else {
        return;
    };
    let pointer = match (&config.sslmode, &config.url) {
        (Some(_), _) | (None, None) => "/sslmode",
        (None, Some(_)) => "/url",
    };
    let message = format!(
        "sslmode {mode} does not prove that the server is {}: another machine may read the rows or take them",
        options.get_host()
    );
    let finding = Finding::warning("postgres.unverified", pointer, message);
    findings.push(finding.with_help(
        "leave `sslmode` out (verify-full is the default for other machines), and name the authority in `ca` if it is your own",
    ));
}

fn progress_table(config: &Config, findings: &mut Vec<Finding>) {
    if let Err(reason) = TableName::parse(&config.progress_table) {
        findings.push(Finding::error(
            "postgres.identifier",
            "/progress_table",
            reason,
        ));
    }
}

/// The files as sqlx will see them: what it would silently pass over is said here.
fn migrations(folder: &Path, findings: &mut Vec<Finding>) {
    const CODE: &str = "postgres.migrations";
    const POINTER: &str = "/migrations";
    let Ok(entries) = std::fs::read_dir(folder) else {
        let message = format!("the folder {} cannot be read", folder.display());
        findings
            .push(Finding::error(CODE, POINTER, message).with_help("make it, or correct the path"));
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
            let message = format!("`{name}` has no number in front, so it would not be run");
            findings.push(
                Finding::error(CODE, POINTER, message)
                    .with_help("call it like 0001_create_sales.sql"),
            );
            continue;
        };
        let is_reversal = name.ends_with(".down.sql");
        if let Some((_, other)) = versions
            .iter()
            .find(|(other, _)| *other == version && !is_reversal)
        {
            let message = format!("`{other}` and `{name}` have the same number");
            findings.push(Finding::error(CODE, POINTER, message).with_help("give each its own"));
        }
        if !is_reversal {
            versions.push((version, name));
        }
    }
}

fn name(table: &TableConfig, pointer: &str, findings: &mut Vec<Finding>) {
    const CODE: &str = "postgres.identifier";
    if let Err(reason) = TableName::parse(&table.table) {
        findings.push(Finding::error(CODE, format!("{pointer}/table"), reason));
    }
    for (place, column) in table.key.iter().enumerate() {
        if let Some(reason) = identifier::problem(column) {
            findings.push(Finding::error(
                CODE,
                format!("{pointer}/key/{place}"),
                reason,
            ));
        }
    }
    for column in table.columns.iter().flat_map(|columns| columns.keys()) {
        if let Some(reason) = identifier::problem(column) {
            let pointer = column_pointer(pointer, column);
            findings.push(Finding::error(CODE, pointer, reason));
        }
    }
}

fn key(table: &TableConfig, pointer: &str, findings: &mut Vec<Finding>) {
    const CODE: &str = "postgres.key";
    let mode = mode_word(table.mode);
    if table.key.is_empty() && table.mode != WriteMode::Insert {
        let message = format!("mode {mode} needs a `key`: the columns that identify a row");
        findings.push(Finding::error(CODE, pointer, message).with_help("add `key = [\"id\"]`"));
    }
    if !table.key.is_empty() && table.mode == WriteMode::Insert {
        let message = "`key` has no meaning for mode insert, which keeps every row";
        let finding = Finding::warning(CODE, format!("{pointer}/key"), message);
        findings.push(finding.with_help("take it out, or write `mode = \"upsert\"`"));
    }
    if table.missing_row == MissingRow::Ignore && table.mode != WriteMode::Update {
        let message = format!("`missing_row` has no meaning for mode {mode}, only for update");
        findings.push(Finding::warning(
            CODE,
            format!("{pointer}/missing_row"),
            message,
        ));
    }
    if table.on_conflict == OnConflict::Nothing && table.mode != WriteMode::Insert {
        let message = format!("`on_conflict` has no meaning for mode {mode}, only for insert");
        findings.push(Finding::warning(
            CODE,
            format!("{pointer}/on_conflict"),
            message,
        ));
    }
    for (place, column) in table.key.iter().enumerate() {
        let pointer = format!("{pointer}/key/{place}");
        let mut earlier = table.key.iter().take(place);
        if earlier.any(|other| other.to_lowercase() == column.to_lowercase()) {
            let message = format!("`{column}` is in `key` twice");
            findings.push(Finding::error(CODE, pointer.clone(), message));
        }
        let is_mapped = table
            .columns
            .as_ref()
            .is_none_or(|columns| columns.keys().any(|name| name.eq_ignore_ascii_case(column)));
        if !is_mapped && table.mode != WriteMode::Insert {
            let message = format!("key column `{column}` is not among `columns`");
            let help = format!("add `{column} = \"$.{column}\"` to `columns`");
            findings.push(Finding::error(CODE, pointer, message).with_help(help));
        }
    }
}

fn columns(table: &TableConfig, pointer: &str, findings: &mut Vec<Finding>) {
    let Some(columns) = &table.columns else {
        return;
    };
    if columns.is_empty() {
        let message = "`columns` is empty, so no column would be written";
        let finding = Finding::error("postgres.columns", format!("{pointer}/columns"), message);
        findings.push(finding.with_help(
            "name columns, or take the key out: fields then go to the columns of the same name",
        ));
    }
    for (index, (column, source)) in columns.iter().enumerate() {
        let mut earlier = columns.keys().take(index);
        if let Some(earlier) = earlier.find(|name| name.to_lowercase() == column.to_lowercase()) {
            let message =
                format!("column `{column}` is mapped twice: `{earlier}` is the same name");
            let pointer = column_pointer(pointer, column);
            let finding = Finding::error("postgres.columns", pointer, message);
            findings.push(finding.with_help("keep one of the two lines"));
        }
        if table.each.is_none() && source.path.needs_element() {
            let message = format!(
                "`{}` is the element of `each`, and this table has no `each`",
                source.path
            );
            let finding = Finding::error(
                "postgres.element-without-each",
                source_pointer(pointer, column, source),
                message,
            );
            findings
                .push(finding.with_help("add `each = \"$.items[*]\"`, or start the path with `$`"));
        }
    }
}

/// `$.items` is the array itself: one row, in which `@.sku` leads nowhere.
fn each(table: &TableConfig, pointer: &str, findings: &mut Vec<Finding>) {
    let Some(path) = table.each.as_ref() else {
        return;
    };
    if path.described().contains(&None) {
        return;
    }
    let message = format!(
        "`{path}` leads to one place: an array there becomes one row, not one row an element"
    );
    let finding = Finding::warning("postgres.each", format!("{pointer}/each"), message);
    findings.push(finding.with_help(format!("write `{path}[*]` for the elements of an array")));
}

/// A table whose rows no tombstone can name, although tombstones come.
fn tombstones(table: &TableConfig, pointer: &str, findings: &mut Vec<Finding>) {
    let sweeps = table.orphans == Orphans::Delete;
    let deletes = matches!(table.mode, WriteMode::Upsert | WriteMode::Delete);
    // A condition may leave tombstones out; one that reads their value is pointed out with every other condition.
    if !deletes || table.when.is_some() || (table.each.is_some() && !sweeps) {
        return;
    }
    let source = |name: &str| {
        let mut columns = table.columns.iter().flatten();
        let found = columns.find(|(column, _)| column.to_lowercase() == name.to_lowercase());
        found.map(|(_, source)| &source.path)
    };
    let from_value = table.key.iter().enumerate().find(|(_, name)| {
        source(name).is_none_or(|path| !(path.reads_key() || sweeps && path.needs_element()))
    });
    let Some((index, name)) = from_value else {
        return;
    };
    let message = format!(
        "key column `{name}` is not read from the record's key, which is all that a tombstone has: it deletes no row of table `{}`",
        table.table
    );
    let pointer = format!("{pointer}/key/{index}");
    let finding = Finding::warning("postgres.tombstone-key", pointer, message);
    findings.push(finding.with_help(format!(
        "map it from the key (`{name} = \"#key\"` or `\"#key.{name}\"`), or leave tombstones out: `when = \"value != null\"`"
    )));
}

/// Entries of one table must agree on what a row is.
fn conflicts(tables: &[TableConfig], findings: &mut Vec<Finding>) {
    const CODE: &str = "postgres.conflicting-tables";
    for (index, table) in tables.iter().enumerate() {
        for earlier in tables.iter().take(index) {
            let Some(certainty) = same_table(&earlier.table, &table.table) else {
                continue;
            };
            // Names that differ only in case are one column, unless the table has both.
            let same_column = |left: &str, right: &str| left.to_lowercase() == right.to_lowercase();
            let Err(disagreement) = entries::agree(earlier, table, same_column) else {
                continue;
            };
            let pointer = format!("/tables/{index}/table");
            let message = entries::message(&table.table, earlier, table, disagreement);
            findings.push(
                match certainty {
                    Certainty::Certain => Finding::error(CODE, pointer, message),
                    Certainty::BySearchPath => Finding::warning(
                        CODE,
                        pointer,
                        format!(
                            "`{}` and `{}` are one table if the search path leads there, and then {message}",
                            earlier.table, table.table
                        ),
                    ),
                }
                .with_help(disagreement.help()),
            );
            break;
        }
    }
}

/// How sure it is that two names lead to one table.
enum Certainty {
    Certain,
    /// One of them has no schema.
    BySearchPath,
}

/// Whether two names, however they are spelled, lead to one table.
fn same_table(left: &str, right: &str) -> Option<Certainty> {
    let left = TableName::parse(left).ok()?;
    let right = TableName::parse(right).ok()?;
    if left.name != right.name {
        return None;
    }
    match (&left.schema, &right.schema) {
        (left, right) if left == right => Some(Certainty::Certain),
        (None, _) | (_, None) => Some(Certainty::BySearchPath),
        _ => None,
    }
}

/// The place of a column in the file, as a JSON pointer.
fn column_pointer(table: &str, column: &str) -> String {
    pointer::member(&format!("{table}/columns"), column)
}

/// The place of a column's path: the string itself, or `path` of the table that it stands in.
fn source_pointer(table: &str, column: &str, source: &ColumnSource) -> String {
    let pointer = column_pointer(table, column);
    if source.is_table {
        format!("{pointer}/path")
    } else {
        pointer
    }
}

/// Whether the reference is a path of the record's value or of the element.
fn is_path(reference: &Reference) -> bool {
    matches!(reference, Reference::Path(_))
}

#[cfg(test)]
mod tests;
