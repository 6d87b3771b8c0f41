//! Classifies the database's errors, by one table from SQLSTATE to meaning.
//!
//! SQLSTATEs: <https://www.postgresql.org/docs/current/errcodes-appendix.html>

use connect_api::text::counted;
use connect_api::{Cause, Dependency, Found};
use sqlx::postgres::PgDatabaseError;

use crate::evidence::Evidence;

/// What an error means for the current batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The database is unavailable, busy or failing over: the same write may succeed later.
    Outage,
    /// The same, once per batch: the second time the batch is too large.
    TooMuchIfRepeated,
    /// Some record of the batch cannot be written.
    Refused,
    /// A function asks for a retry: after several attempts, some record of the batch cannot be written.
    RefusedIfRepeated,
    /// The row that a foreign key references is missing and may still arrive, or a deleted row is still referenced.
    MissingParent,
    /// The table is not as the statement was prepared or the rows were encoded for.
    CatalogChanged,
    /// The role lacks a privilege.
    Privilege,
    /// An operator must act.
    Fatal,
}

/// Maps an SQLSTATE, or a prefix of it, to its meaning; the longest match counts.
const MEANINGS: [(&str, Meaning); 47] = [
    ("08", Meaning::Outage),            // connection exceptions
    ("08P01", Meaning::CatalogChanged), // a binary field of another length than the column's type has
    ("0A000", Meaning::CatalogChanged), // cached plan must not change result type
    ("21", Meaning::Refused),           // cardinality: ON CONFLICT meets a row twice
    ("22", Meaning::Refused),           // data exceptions
    ("22P04", Meaning::CatalogChanged), // bad COPY file format: a column's type is not what it was
    ("22P03", Meaning::CatalogChanged), // invalid binary representation, likewise
    ("23", Meaning::Refused),           // integrity constraints
    ("23001", Meaning::MissingParent),  // restrict: a parent that goes has children
    ("23503", Meaning::MissingParent),  // foreign key
    ("25001", Meaning::Outage),
    ("25006", Meaning::Outage), // read only: a standby after a failover
    ("25P02", Meaning::Outage), // in failed transaction
    ("25P03", Meaning::Outage), // idle in transaction session timeout
    ("25P04", Meaning::TooMuchIfRepeated), // transaction timeout
    ("40001", Meaning::Outage), // serialization failure
    ("40003", Meaning::Outage), // statement completion unknown
    ("40P01", Meaning::Outage), // deadlock
    ("40", Meaning::Refused),   // 40002: integrity violation at commit
    ("3F000", Meaning::CatalogChanged), // undefined schema
    ("42501", Meaning::Privilege),
    ("42703", Meaning::CatalogChanged), // undefined column
    ("42P01", Meaning::CatalogChanged), // undefined table
    ("42704", Meaning::CatalogChanged), // undefined object: a type was recreated
    ("42804", Meaning::CatalogChanged), // datatype mismatch
    ("42P10", Meaning::CatalogChanged), // no unique index for ON CONFLICT
    ("42P18", Meaning::CatalogChanged), // indeterminate type
    ("428C9", Meaning::CatalogChanged), // generated column
    ("26000", Meaning::CatalogChanged), // prepared statement does not exist
    ("42", Meaning::Fatal),
    ("44000", Meaning::Refused), // WITH CHECK OPTION
    ("53", Meaning::Outage),     // insufficient resources
    ("53000", Meaning::Outage),
    ("53100", Meaning::Outage), // disk full: wait until there is space
    ("53200", Meaning::TooMuchIfRepeated), // out of memory
    ("53300", Meaning::Outage), // too many connections
    ("54", Meaning::Refused),   // program limits, such as an index row that is too large
    ("55P03", Meaning::Outage), // lock not available
    ("55006", Meaning::Outage), // object in use
    ("57014", Meaning::TooMuchIfRepeated), // query canceled: our statement_timeout, or an operator
    ("57P01", Meaning::Outage), // admin shutdown
    ("57P02", Meaning::Outage), // crash shutdown
    ("57P03", Meaning::Outage), // cannot connect now
    ("57P05", Meaning::Outage), // idle session timeout
    ("58", Meaning::Outage),    // system error: I/O
    ("P0001", Meaning::Refused), // raise exception, by a trigger
    ("P0", Meaning::Refused),   // no data found, too many rows, assertion: by a trigger
];

/// The meaning of an SQLSTATE. Unlisted ones are `Fatal`: a dead letter for a fault of the database would be a loss.
pub(crate) fn meaning(code: &str) -> Meaning {
    MEANINGS
        .iter()
        .filter(|(prefix, _)| code.starts_with(prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .map_or(Meaning::Fatal, |(_, meaning)| *meaning)
}

/// What to do about an error that is retried or fatal, if known.
fn help(code: &str) -> Option<&'static str> {
    Some(match code {
        "25006" => {
            "the server is read-only: a standby, or during a failover; the connection is reopened until it can write"
        }
        "26000" | "42P05" => {
            "the connection seems to go through a transaction pooler: write `pooler = true`"
        }
        "28P01" | "28000" => "check `user` and `password`, and the server's pg_hba.conf",
        "3D000" => "create the database, or correct `database` or the URL",
        "42P01" => {
            "the table was dropped or renamed: restore it or correct the name, then restart the connector"
        }
        "53100" => "free space on the database's disk; nothing is lost meanwhile",
        "53300" => "raise max_connections, lower `tasks`, or use a pooler",
        "55P03" => "another session holds a lock on these rows or the table",
        _ => return None,
    })
}

/// The help for an error of a row, for which [`help`] would be about our statement.
fn help_for_row(evidence: &Evidence<'_>) -> Option<String> {
    if evidence.is_of_policy() {
        let help = "a policy of the table (row-level security) does not let this role write the row: use a role that may write it, or change the policy";
        return Some(help.to_owned());
    }
    evidence
        .function()
        .map(|function| format!("raised in {function}"))
}

/// Whether a deleted row is still referenced by another table, as opposed to a missing referenced row.
pub(crate) fn is_still_referenced(error: &PgDatabaseError, written: Option<&str>) -> bool {
    // The error names the table with the foreign key. Some servers translate the message.
    let is_of_another = |written: &str| {
        let (_, name) = written.rsplit_once('.').unwrap_or(("", written));
        error.table().is_some_and(|table| table != name)
    };
    error.code() == "23001"
        || error.message().starts_with("update or delete on table")
        || written.is_some_and(is_of_another)
}

/// The cause that may be logged: the primary message, never the DETAIL (which contains row values). If the message may contain
/// values of the record, they are attached by [`about`] and removed from the text.
///
/// [`about`]: Cause::about
pub(crate) fn cause(error: &PgDatabaseError, table: Option<&str>) -> Cause {
    let code = error.code();
    let evidence = Evidence::of(error);
    let found = found_in(error, &evidence);
    let mut message = found.description.clone();
    if let Some(table) = table
        && !message.contains(table)
    {
        message.push_str(&format!(", in table {table}"));
    }
    for (word, name) in [
        ("column", error.column()),
        ("constraint", error.constraint()),
    ] {
        if let Some(name) = name.filter(|name| !message.contains(name)) {
            message.push_str(&format!(", {word} {name}"));
        }
    }
    let dependency = if code.starts_with("28") {
        Dependency::Credentials
    } else {
        Dependency::Database
    };
    let cause = Cause::new(message)
        .with_code(code)
        .about(found)
        .with_dependency(dependency);
    let is_of_row = matches!(
        evidence.meaning(),
        Meaning::Refused | Meaning::RefusedIfRepeated
    );
    let help = if is_of_row || evidence.is_in_function() {
        help_for_row(&evidence)
    } else {
        help(code).map(str::to_owned)
    };
    match help {
        Some(help) => cause.with_help(help),
        None => cause,
    }
}

/// The primary message without values of the record, and, if it may contain some, as the server wrote it.
fn found_in(error: &PgDatabaseError, evidence: &Evidence<'_>) -> Found {
    let text = error.message();
    if evidence.is_free_text() {
        let length = counted(text.chars().count() as u64, "character");
        return Found::new(format!(
            "error raised by a function (text of {length}, shown with errors.show_values = true)"
        ))
        .with_value(text);
    }
    let without_values = without_quoted(text);
    if !evidence.quotes_values() || without_values == text {
        return Found::new(text);
    }
    Found::new(without_values).with_value(text)
}

/// Replaces everything from the first double quote to the last by `…`, because the value in between may contain quotes.
fn without_quoted(text: &str) -> String {
    let Some((before, rest)) = text.split_once('"') else {
        return text.to_owned();
    };
    let after = rest.rsplit_once('"').map_or("", |(_, after)| after);
    format!("{before}…{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meanings() {
        let cases = [
            ("40001", Meaning::Outage),
            ("40P01", Meaning::Outage),
            ("55P03", Meaning::Outage),
            ("57P01", Meaning::Outage),
            ("57P03", Meaning::Outage),
            ("08006", Meaning::Outage),
            ("53300", Meaning::Outage),
            ("53100", Meaning::Outage),
            ("25006", Meaning::Outage),
            ("57014", Meaning::TooMuchIfRepeated),
            ("25P04", Meaning::TooMuchIfRepeated),
            ("53200", Meaning::TooMuchIfRepeated),
            ("21000", Meaning::Refused),
            ("22003", Meaning::Refused),
            ("23505", Meaning::Refused),
            ("23514", Meaning::Refused),
            ("44000", Meaning::Refused),
            ("54000", Meaning::Refused),
            ("P0001", Meaning::Refused),
            ("23503", Meaning::MissingParent),
            ("23001", Meaning::MissingParent),
            ("3F000", Meaning::CatalogChanged),
            ("0A000", Meaning::CatalogChanged),
            ("42P01", Meaning::CatalogChanged),
            ("42501", Meaning::Privilege),
            ("42601", Meaning::Fatal),
            ("28P01", Meaning::Fatal),
            ("3D000", Meaning::Fatal),
            ("XX000", Meaning::Fatal),
        ];
        for (code, expected) in cases {
            assert_eq!(meaning(code), expected, "{code}");
        }
    }

    #[test]
    fn values_in_quotes_are_left_out() {
        let cases = [
            (
                "invalid input syntax for type date: \"secret\"",
                "invalid input syntax for type date: …",
            ),
            ("value \"1\" and \"2\" clash", "value … clash"),
            (
                "malformed record literal: \"{\"a\":\"x\"}\", sir",
                "malformed record literal: …, sir",
            ),
            ("no quotes", "no quotes"),
            ("open \"quote", "open …"),
        ];
        for (text, expected) in cases {
            assert_eq!(without_quoted(text), expected);
        }
    }
}
