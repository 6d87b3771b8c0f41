//! Checks a configuration without a database.

mod conflicts;
mod contract;
mod explanations;
mod migrations;
mod options;

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
        migrations::check(folder.as_path(), &mut findings);
    }
    for (index, table) in config.tables.iter().enumerate() {
        let pointer = format!("/tables/{index}");
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
    conflicts::check(&config.tables, &mut findings);
    findings
}

fn connection(config: &Config, findings: &mut Vec<Finding>) {
    const CODE: &str = "postgres.connection";
    let separate = [
        ("host", config.host.is_some()),
        ("port", config.port.is_some()),
        ("user", config.user.is_some()),
        ("password", config.password.is_some()),
        ("database", config.database.is_some()),
    ];
    if config.url.is_some() {
        urls(config, findings);
        for (key, _) in separate.iter().filter(|(_, is_set)| *is_set) {
            let message = format!("`{key}` is set in addition to `url`, which contains it");
            let finding = Finding::error(CODE, format!("/{key}"), message);
            findings.push(finding.with_help("keep the URL or the separate keys"));
        }
    } else if config.host.is_none() {
        let finding = Finding::error(CODE, "", "the database is not specified");
        findings.push(finding.with_help(
            "add `url = \"${env:DATABASE_URL}\"`, or `host`, `user`, `password` and `database`",
        ));
    }
}

/// Whether the URLs can be parsed, by the code that connects.
fn urls(config: &Config, findings: &mut Vec<Finding>) {
    // Whether the file `ca` exists is checked with all paths.
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

/// Whether another machine could impersonate the database.
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
        "sslmode {mode} does not verify that the server is {}: another machine may read or intercept the rows",
        options.get_host()
    );
    let finding = Finding::warning("postgres.unverified", pointer, message);
    findings.push(finding.with_help(
        "remove `sslmode` (verify-full is the default for other machines), and set `ca` if the authority is your own",
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

fn name(table: &TableConfig, pointer: &str, findings: &mut Vec<Finding>) {
    const CODE: &str = "postgres.identifier";
    if let Err(reason) = TableName::parse(&table.table) {
        findings.push(Finding::error(CODE, format!("{pointer}/table"), reason));
    }
    for (index, column) in table.key.iter().enumerate() {
        if let Some(reason) = identifier::problem(column) {
            findings.push(Finding::error(
                CODE,
                format!("{pointer}/key/{index}"),
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
        let message = "`key` has no effect in mode insert, which adds every row";
        let finding = Finding::warning(CODE, format!("{pointer}/key"), message);
        findings.push(finding.with_help("remove it, or write `mode = \"upsert\"`"));
    }
    if table.missing_row == MissingRow::Ignore && table.mode != WriteMode::Update {
        let message = format!("`missing_row` has no effect in mode {mode}, only in update");
        findings.push(Finding::warning(
            CODE,
            format!("{pointer}/missing_row"),
            message,
        ));
    }
    if table.on_conflict == OnConflict::Nothing && table.mode != WriteMode::Insert {
        let message = format!("`on_conflict` has no effect in mode {mode}, only in insert");
        findings.push(Finding::warning(
            CODE,
            format!("{pointer}/on_conflict"),
            message,
        ));
    }
    for (index, column) in table.key.iter().enumerate() {
        let pointer = format!("{pointer}/key/{index}");
        let mut earlier = table.key.iter().take(index);
        if earlier.any(|other| is_same_name(other, column)) {
            let message = format!("`{column}` is in `key` twice");
            findings.push(Finding::error(CODE, pointer.clone(), message));
        }
        let is_mapped = table
            .columns
            .as_ref()
            .is_none_or(|columns| columns.keys().any(|name| is_same_name(name, column)));
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
            "add columns, or remove the key: fields then go to the columns of the same name",
        ));
    }
    for (index, (column, source)) in columns.iter().enumerate() {
        let mut earlier = columns.keys().take(index);
        if let Some(earlier) = earlier.find(|name| is_same_name(name, column)) {
            let message =
                format!("column `{column}` is mapped twice: `{earlier}` is the same name");
            let pointer = column_pointer(pointer, column);
            let finding = Finding::error("postgres.columns", pointer, message);
            findings.push(finding.with_help("keep one of the two lines"));
        }
        if table.each.is_none() && source.path.needs_element() {
            let message = format!(
                "`{}` refers to the element of `each`, and this table has no `each`",
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

/// Warns of a path such as `$.items`, which selects the array itself: one row, in which `@.sku` is missing.
fn each(table: &TableConfig, pointer: &str, findings: &mut Vec<Finding>) {
    let Some(path) = table.each.as_ref() else {
        return;
    };
    if path.described().contains(&None) {
        return;
    }
    let message =
        format!("`{path}` selects one node: an array becomes one row, not one row per element");
    let finding = Finding::warning("postgres.each", format!("{pointer}/each"), message);
    findings.push(finding.with_help(format!("write `{path}[*]` for the elements of an array")));
}

/// Warns of a table whose rows tombstones cannot identify, although tombstones reach it.
fn tombstones(table: &TableConfig, pointer: &str, findings: &mut Vec<Finding>) {
    let sweeps = table.orphans == Orphans::Delete;
    let deletes = matches!(table.mode, WriteMode::Upsert | WriteMode::Delete);
    // A condition may exclude tombstones; one that reads their value is reported with all other conditions.
    if !deletes || table.when.is_some() || (table.each.is_some() && !sweeps) {
        return;
    }
    let source = |name: &str| {
        let mut columns = table.columns.iter().flatten();
        let found = columns.find(|(column, _)| is_same_name(column, name));
        found.map(|(_, source)| &source.path)
    };
    let from_value = table.key.iter().enumerate().find(|(_, name)| {
        source(name).is_none_or(|path| !(path.reads_key() || sweeps && path.needs_element()))
    });
    let Some((index, name)) = from_value else {
        return;
    };
    let message = format!(
        "key column `{name}` is not read from the record's key, and a tombstone has no value: it deletes no row of table `{}`",
        table.table
    );
    let pointer = format!("{pointer}/key/{index}");
    let finding = Finding::warning("postgres.tombstone-key", pointer, message);
    findings.push(finding.with_help(format!(
        "map it from the key (`{name} = \"#key\"` or `\"#key.{name}\"`), or exclude tombstones: `when = \"value != null\"`"
    )));
}

/// Whether two names are the same column, unless the table has both: they may differ in case.
fn is_same_name(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

/// The JSON pointer to a column.
fn column_pointer(table: &str, column: &str) -> String {
    pointer::member(&format!("{table}/columns"), column)
}

/// The JSON pointer to a column's path: the string itself, or `path` of its table.
fn source_pointer(table: &str, column: &str, source: &ColumnSource) -> String {
    let pointer = column_pointer(table, column);
    if source.is_table {
        format!("{pointer}/path")
    } else {
        pointer
    }
}

/// Whether the reference is a path into the value or the element.
fn is_path(reference: &Reference) -> bool {
    matches!(reference, Reference::Path(_))
}

#[cfg(test)]
mod tests;
