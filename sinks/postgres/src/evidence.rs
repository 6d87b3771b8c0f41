//! Determines where in the server an error was raised: in our statement, or in a value, a trigger or a policy.
//!
//! The SQLSTATE alone is ambiguous. `42P01` is the statement's fault if its position is in the statement, the value's if `regclass`
//! cannot read it, and a trigger's if that references a dropped table. The server does not translate the fields used here; of the
//! context, only names are used, which every translation keeps.

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use crate::sqlstate::{Meaning, meaning};

/// The fields of an error that show where it was raised.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evidence<'a> {
    pub(crate) code: &'a str,
    /// Whether the error has a position in the statement that we sent.
    pub(crate) points_into_statement: bool,
    /// Whether the error has a position in a statement that a function sent.
    pub(crate) points_into_function: bool,
    /// The server's source file.
    pub(crate) file: Option<&'a str>,
    /// The function in that file.
    pub(crate) routine: Option<&'a str>,
    /// The server's call stack, the innermost frame first, one per line.
    pub(crate) context: Option<&'a str>,
}

/// The classes that PostgreSQL uses.
const CLASSES: [&str; 44] = [
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22",
    "23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40",
    "42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX",
];

/// Classes about the state of this or another server, whatever raises them: no record is at fault.
const OF_A_SERVER: [&str; 9] = ["08", "28", "3D", "53", "57", "58", "F0", "HV", "XX"];

impl<'a> Evidence<'a> {
    pub(crate) fn of(error: &'a PgDatabaseError) -> Evidence<'a> {
        let position = error.position();
        Evidence {
            code: error.code(),
            points_into_statement: matches!(position, Some(PgErrorPosition::Original(_))),
            points_into_function: matches!(position, Some(PgErrorPosition::Internal { .. })),
            file: error.file(),
            routine: error.routine(),
            context: error.r#where(),
        }
    }

    /// What the error means for the batch at hand.
    pub(crate) fn meaning(&self) -> Meaning {
        let of_code = meaning(self.code);
        if self.is_of_policy() || self.is_of_value() {
            Meaning::Refused
        } else if self.is_raised() {
            self.meaning_of_raised(of_code)
        } else if self.is_in_function() && !self.is_of_server() {
            match of_code {
                Meaning::Fatal | Meaning::CatalogChanged => Meaning::Refused,
                other => other,
            }
        } else {
            of_code
        }
    }

    /// Whether an error about the catalog may be a row's own. Errors in parsing the statement have a position, and servers of
    /// foreign tables have catalogs of their own.
    pub(crate) fn may_be_of_a_row(&self) -> bool {
        let is_elsewhere = matches!(self.file, Some("plancache.c" | "connection.c"));
        self.names_something() && !self.points_into_statement && !is_elsewhere
    }

    /// Whether a row-level security policy refused the row.
    pub(crate) fn is_of_policy(&self) -> bool {
        self.code == "42501" && self.routine == Some("ExecWithCheckOptions")
    }

    /// Whether it was raised in a function: a trigger, a check, a default.
    pub(crate) fn is_in_function(&self) -> bool {
        let is_in_language = || {
            // The frame of COPY comes last, and contains values.
            let lines = self.context.into_iter().flat_map(str::lines);
            let mut inner = lines.take_while(|line| !line.starts_with("COPY "));
            inner.any(|line| line.contains("PL/") || line.starts_with("SQL function"))
        };
        self.points_into_function || is_in_language()
    }

    /// The innermost frame if it is a function. It contains no values.
    pub(crate) fn function(&self) -> Option<&'a str> {
        let innermost = self.context?.lines().next()?;
        innermost.starts_with("PL/").then_some(innermost)
    }

    /// Whether the message may quote a value.
    pub(crate) fn quotes_values(&self) -> bool {
        let is_of_data = ["22", "P0", "42601", "XX"]
            .iter()
            .any(|prefix| self.code.starts_with(prefix));
        let is_name = self.names_something() && !self.points_into_statement;
        is_of_data || is_name || self.is_raised()
    }

    /// Whether the author of a function wrote the message, which may then contain anything.
    pub(crate) fn is_free_text(&self) -> bool {
        let is_of_author = matches!(self.code, "P0001" | "P0004" | "XX000") || {
            let class = self.code.get(..2).unwrap_or_default();
            matches!(class, "38" | "39") || !CLASSES.contains(&class)
        };
        let is_raised = matches!(self.routine, Some("exec_stmt_raise" | "exec_stmt_assert"));
        is_raised || (is_of_author && self.is_in_function())
    }

    /// Whether PL/pgSQL raised it, mostly by RAISE: the author of the function chose the code.
    fn is_raised(&self) -> bool {
        self.file == Some("pl_exec.c")
    }

    /// Whether RAISE raised it, with a code of its author's choice: the connection is usable.
    pub(crate) fn is_raise(&self) -> bool {
        self.is_raised() && self.routine == Some("exec_stmt_raise")
    }

    /// RAISE rejects the row, whatever its code. But a function may pass on an error of this or another server, so with such a
    /// code the batch is retried first.
    fn meaning_of_raised(&self, of_code: Meaning) -> Meaning {
        match self.code {
            "23503" => of_code,
            "40001" | "40003" | "40P01" | "55P03" => Meaning::RefusedIfRepeated,
            code if code.starts_with("XX") && self.is_raise() => Meaning::Refused,
            _ if self.is_of_server() && self.is_raise() => Meaning::RefusedIfRepeated,
            _ if self.is_of_server() => of_code,
            _ => Meaning::Refused,
        }
    }

    /// Unknown codes come from extensions, whose state is the server's, unless PL/pgSQL raised them.
    fn is_of_server(&self) -> bool {
        let has = |classes: &[&str]| classes.iter().any(|class| self.code.starts_with(class));
        has(&OF_A_SERVER) || (!has(&CLASSES) && !self.is_raised())
    }

    /// Input functions report a value that they cannot parse with the code of a statement's fault (`ltree`, `tsquery`, `regproc`) or
    /// a server's (`hstore` and PostGIS, identified by their source files).
    fn is_of_value(&self) -> bool {
        match self.code {
            "42601" | "42602" | "42725" | "42883" => !self.points_into_statement,
            "XX000" => matches!(self.file, Some("hstore_io.c" | "lwgeom_pg.c")),
            _ => self.may_be_of_a_row() && self.is_in_copied_row(),
        }
    }

    /// Whether COPY was processing a row, not its table.
    fn is_in_copied_row(&self) -> bool {
        let context = self.context.unwrap_or_default();
        context.starts_with("COPY ")
    }

    /// Codes about a name that does not exist or is not supported.
    fn names_something(&self) -> bool {
        matches!(
            self.code,
            "0A000" | "3F000" | "42703" | "42704" | "42P01" | "428C9" | "42602" | "42725" | "42883"
        )
    }
}

#[cfg(test)]
mod tests;
