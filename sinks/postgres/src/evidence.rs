//! Where in the server an error was raised: in our statement, or in a value, a trigger or a policy on the way of a row.
//!
//! An SQLSTATE alone does not say. `42P01` is our statement's fault where it points into it, the value's where `regclass`
//! cannot read it, and a trigger's where that names a table that is gone. The fields used here are not translated by the
//! server, except the context, of which only names that every translation keeps are looked at.

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use crate::sqlstate::{Meaning, meaning};

/// What an error tells about where it was raised.
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
    /// What the server was at, the innermost first, one a line.
    pub(crate) context: Option<&'a str>,
}

/// The classes that PostgreSQL uses.
const CLASSES: [&str; 44] = [
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22",
    "23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40",
    "42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX",
];

/// Classes that tell of the server or of another server, whoever raises them: a record that meets them is not at fault.
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

    /// Whether an error that blames the catalog may be a row's own: where the statement is parsed, it has a position, and
    /// the other servers behind foreign tables have catalogs of their own.
    pub(crate) fn may_be_of_a_row(&self) -> bool {
        let is_elsewhere = matches!(self.file, Some("plancache.c" | "connection.c"));
        self.names_something() && !self.points_into_statement && !is_elsewhere
    }

    /// Whether a policy of row-level security does not let the row be written.
    pub(crate) fn is_of_policy(&self) -> bool {
        self.code == "42501" && self.routine == Some("ExecWithCheckOptions")
    }

    /// Whether a function was at work: a trigger, a check, a default.
    pub(crate) fn is_in_function(&self) -> bool {
        let is_in_language = || {
            // The line of COPY comes last, and repeats values.
            let lines = self.context.into_iter().flat_map(str::lines);
            let mut inner = lines.take_while(|line| !line.starts_with("COPY "));
            inner.any(|line| line.contains("PL/") || line.starts_with("SQL function"))
        };
        self.points_into_function || is_in_language()
    }

    /// The function that was at work in the server's words, without what may repeat values.
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

    /// Whether the author of a function wrote the message, so that anything may be in it.
    pub(crate) fn is_free_text(&self) -> bool {
        let is_of_author = matches!(self.code, "P0001" | "P0004" | "XX000") || {
            let class = self.code.get(..2).unwrap_or_default();
            matches!(class, "38" | "39") || !CLASSES.contains(&class)
        };
        let is_raised = matches!(self.routine, Some("exec_stmt_raise" | "exec_stmt_assert"));
        is_raised || (is_of_author && self.is_in_function())
    }

    /// Whether PL/pgSQL raised it, mostly by RAISE: then the code is what the author of the function chose.
    fn is_raised(&self) -> bool {
        self.file == Some("pl_exec.c")
    }

    /// Whether a function's author wrote it, in words and a code of their own: the connection is fine.
    pub(crate) fn is_raise(&self) -> bool {
        self.is_raised() && self.routine == Some("exec_stmt_raise")
    }

    /// RAISE refuses the row, whatever code it gives; but a function may pass on the server's troubles, or another
    /// server's, in its own words: then it is tried again before.
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

    /// Codes of others come from extensions, which may be full or out of order, unless PL/pgSQL raised them.
    fn is_of_server(&self) -> bool {
        let has = |classes: &[&str]| classes.iter().any(|class| self.code.starts_with(class));
        has(&OF_A_SERVER) || (!has(&CLASSES) && !self.is_raised())
    }

    /// Input functions of types tell of a value that they cannot read as of a fault of the statement (`ltree`, `tsquery`,
    /// `regproc`) or of the server (`hstore` and PostGIS, whose source files are named here).
    fn is_of_value(&self) -> bool {
        match self.code {
            "42601" | "42602" | "42725" | "42883" => !self.points_into_statement,
            "XX000" => matches!(self.file, Some("hstore_io.c" | "lwgeom_pg.c")),
            _ => self.may_be_of_a_row() && self.is_in_copied_row(),
        }
    }

    /// Whether COPY was at a row, not at its table.
    fn is_in_copied_row(&self) -> bool {
        let context = self.context.unwrap_or_default();
        context.starts_with("COPY ")
    }

    /// Codes that tell of something that is named and is not there, or cannot be done.
    fn names_something(&self) -> bool {
        matches!(
            self.code,
            "0A000" | "3F000" | "42703" | "42704" | "42P01" | "428C9" | "42602" | "42725" | "42883"
        )
    }
}

#[cfg(test)]
mod tests;
