use super::*;

const FUNCTION: &str = "PL/pgSQL function f() line 2 at SQL statement";

/// An error with this code, raised in this file and routine.
fn raised<'a>(code: &'a str, file: &'a str, routine: &'a str) -> Evidence<'a> {
    Evidence {
        code,
        file: Some(file),
        routine: Some(routine),
        ..Evidence::default()
    }
}

#[test]
fn raise_refuses_the_row_whatever_code_it_gives() {
    let cases = [
        ("P0001", Meaning::Refused),
        ("55000", Meaning::Refused),
        ("42501", Meaning::Refused),
        ("0A000", Meaning::Refused),
        ("42P01", Meaning::Refused),
        ("428C9", Meaning::Refused),
        ("21000", Meaning::Refused),
        ("25006", Meaning::Refused),
        ("45000", Meaning::Refused),
        ("ABC01", Meaning::Refused),
        ("XX000", Meaning::Refused),
        ("23505", Meaning::Refused),
        // As for the constraint that the function stands in for.
        ("23503", Meaning::MissingParent),
        ("40001", Meaning::RefusedIfRepeated),
        ("40P01", Meaning::RefusedIfRepeated),
        ("55P03", Meaning::RefusedIfRepeated),
        // It may pass on another server's trouble: not at once.
        ("53100", Meaning::RefusedIfRepeated),
        ("57014", Meaning::RefusedIfRepeated),
        ("57P01", Meaning::RefusedIfRepeated),
        ("08006", Meaning::RefusedIfRepeated),
        ("58030", Meaning::RefusedIfRepeated),
        ("28P01", Meaning::RefusedIfRepeated),
        ("HV00N", Meaning::RefusedIfRepeated),
    ];
    for (code, expected) in cases {
        let evidence = raised(code, "pl_exec.c", "exec_stmt_raise");
        assert_eq!(evidence.meaning(), expected, "{code}");
    }
}

#[test]
fn in_a_function_the_statement_is_not_at_fault() {
    let cases = [
        ("42P01", Meaning::Refused),
        ("42883", Meaning::Refused),
        ("42804", Meaning::Refused),
        ("0A000", Meaning::Refused),
        ("2F005", Meaning::Refused),
        ("55000", Meaning::Refused),
        ("21000", Meaning::Refused),
        ("22012", Meaning::Refused),
        ("23503", Meaning::MissingParent),
        ("42501", Meaning::Privilege),
        ("40001", Meaning::Outage),
        ("40P01", Meaning::Outage),
        ("55P03", Meaning::Outage),
        ("53100", Meaning::Outage),
        ("57014", Meaning::TooMuchIfRepeated),
        ("XX000", Meaning::Fatal),
        ("XX001", Meaning::Fatal),
        ("TS160", Meaning::Fatal),
        ("HV00N", Meaning::Fatal),
    ];
    for (code, expected) in cases {
        let evidence = Evidence {
            context: Some(FUNCTION),
            ..raised(code, "any.c", "any")
        };
        assert_eq!(evidence.meaning(), expected, "{code}");
    }
    for (context, expected) in [
        (FUNCTION, true),
        ("SQL function \"f\" statement 1", true),
        ("fonction PL/pgSQL f(), ligne 1 à RAISE", true),
        (
            "SQL statement \"SELECT 1\"\nPL/pgSQL function f() line 2 at PERFORM",
            true,
        ),
        (
            "PL/pgSQL function f() line 2 at RAISE\nCOPY t, line 1: \"a\"",
            true,
        ),
        ("COPY t, line 1, column v: \"PL/pgSQL function f()\"", false),
        ("unnamed portal parameter $1", false),
        ("remote SQL command: INSERT INTO t", false),
    ] {
        let evidence = Evidence {
            context: Some(context),
            ..raised("42P01", "any.c", "any")
        };
        assert_eq!(evidence.is_in_function(), expected, "{context}");
    }
}

#[test]
fn a_position_in_the_statement_blames_the_statement() {
    let codes = [
        ("42601", Meaning::Fatal, Meaning::Refused),
        ("42602", Meaning::Fatal, Meaning::Refused),
        ("42725", Meaning::Fatal, Meaning::Refused),
        ("42883", Meaning::Fatal, Meaning::Refused),
        // Where a table is opened by COPY there is no position either: the catalog is asked first.
        ("42P01", Meaning::CatalogChanged, Meaning::CatalogChanged),
        ("3F000", Meaning::CatalogChanged, Meaning::CatalogChanged),
    ];
    for (code, of_statement, of_value) in codes {
        let evidence = raised(code, "any.c", "any");
        let pointing = Evidence {
            points_into_statement: true,
            ..evidence
        };
        assert_eq!(pointing.meaning(), of_statement, "{code}");
        assert_eq!(evidence.meaning(), of_value, "{code}");
        let copied = Evidence {
            context: Some("COPY t, line 1, column r: \"nix\""),
            ..evidence
        };
        assert_eq!(copied.meaning(), Meaning::Refused, "{code}");
        assert!(!pointing.may_be_of_a_row(), "{code}");
    }
}

#[test]
fn a_policy_refuses_rows_and_a_missing_privilege_stops() {
    let policy = raised("42501", "execMain.c", "ExecWithCheckOptions");
    assert_eq!(policy.meaning(), Meaning::Refused);
    let privilege = raised("42501", "aclchk.c", "aclcheck_error");
    assert_eq!(privilege.meaning(), Meaning::Privilege);
}

#[test]
fn a_value_that_its_type_cannot_read_is_no_fault_of_the_server() {
    let cases = [
        ("42601", false, Some("ltree_io.c"), Meaning::Refused),
        ("42601", true, Some("scan.l"), Meaning::Fatal),
        ("XX000", false, Some("hstore_io.c"), Meaning::Refused),
        ("XX000", false, Some("md.c"), Meaning::Fatal),
        ("XX000", false, None, Meaning::Fatal),
        ("42P01", false, Some("hstore_io.c"), Meaning::CatalogChanged),
        ("ABC01", false, Some("pl_exec.c"), Meaning::Refused),
        ("45000", false, Some("pl_exec.c"), Meaning::Refused),
        ("TS160", false, Some("chunk.c"), Meaning::Fatal),
        ("53100", false, Some("pl_exec.c"), Meaning::Outage),
        ("57P01", false, None, Meaning::Outage),
        ("P0001", false, None, Meaning::Refused),
    ];
    for (code, points_into_statement, file, expected) in cases {
        let evidence = Evidence {
            code,
            points_into_statement,
            file,
            ..Evidence::default()
        };
        assert_eq!(evidence.meaning(), expected, "{code} {file:?}");
    }
}
