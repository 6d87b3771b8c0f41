//! Whose fault an error is: a record that a trigger, a policy or a type refuses does not hold up the records beside it.

use connect_api::{Failure, Sink};
use connect_sink_postgres::PostgresSink;

use crate::support::*;

/// A way to write, and whether rows are there before.
struct Mode {
    name: &'static str,
    toml: &'static str,
    row: fn(i64) -> String,
    is_on_rows: bool,
    /// The operation that a trigger sees, and the row that it is about.
    operation: &'static str,
    row_name: &'static str,
}

const MODES: [Mode; 5] = [
    Mode {
        name: "COPY",
        toml: "",
        row: |id| format!(r#"{{"id":{id},"v":1}}"#),
        is_on_rows: false,
        operation: "INSERT",
        row_name: "NEW",
    },
    Mode {
        name: "insert by UNNEST",
        toml: "",
        // Rows with different columns cannot be copied.
        row: |id| match id {
            1 => r#"{"id":1}"#.to_owned(),
            _ => format!(r#"{{"id":{id},"v":1}}"#),
        },
        is_on_rows: false,
        operation: "INSERT",
        row_name: "NEW",
    },
    Mode {
        name: "upsert",
        toml: "mode = \"upsert\"\nkey = [\"id\"]",
        row: |id| format!(r#"{{"id":{id},"v":1}}"#),
        is_on_rows: false,
        operation: "INSERT",
        row_name: "NEW",
    },
    Mode {
        name: "update",
        toml: "mode = \"update\"\nkey = [\"id\"]",
        row: |id| format!(r#"{{"id":{id},"v":1}}"#),
        is_on_rows: true,
        operation: "UPDATE",
        row_name: "NEW",
    },
    Mode {
        name: "delete",
        toml: "mode = \"delete\"\nkey = [\"id\"]",
        row: |id| format!(r#"{{"id":{id}}}"#),
        is_on_rows: true,
        operation: "DELETE",
        row_name: "OLD",
    },
];

/// What a function does for rows with even ids, one fault each.
const FAULTS: [(&str, &str); 20] = [
    ("P0001", "RAISE EXCEPTION 'no'"),
    (
        "55000",
        "RAISE EXCEPTION 'the period is closed' USING ERRCODE = '55000'",
    ),
    ("42501", "RAISE EXCEPTION 'no' USING ERRCODE = '42501'"),
    ("0A000", "RAISE EXCEPTION 'no' USING ERRCODE = '0A000'"),
    ("42P01", "RAISE EXCEPTION 'no' USING ERRCODE = '42P01'"),
    ("428C9", "RAISE EXCEPTION 'no' USING ERRCODE = '428C9'"),
    (
        "21000",
        "PERFORM (SELECT n FROM generate_series(1, 2) AS n)",
    ),
    ("22012", "PERFORM 1 / (SELECT 0)"),
    ("40001", "RAISE EXCEPTION 'again' USING ERRCODE = '40001'"),
    ("40P01", "RAISE EXCEPTION 'again' USING ERRCODE = '40P01'"),
    ("42P01", "INSERT INTO gone VALUES (1)"),
    ("42883", "PERFORM gone(1)"),
    ("3F000", "CREATE TABLE gone.gone (id int8)"),
    ("42704", "PERFORM 'gone'::regtype"),
    ("08006", "RAISE EXCEPTION 'no' USING ERRCODE = '08006'"),
    ("53100", "RAISE EXCEPTION 'no' USING ERRCODE = '53100'"),
    ("57014", "RAISE EXCEPTION 'no' USING ERRCODE = '57014'"),
    ("57P01", "RAISE EXCEPTION 'no' USING ERRCODE = '57P01'"),
    ("58030", "RAISE EXCEPTION 'no' USING ERRCODE = '58030'"),
    ("XX000", "RAISE EXCEPTION 'no' USING ERRCODE = 'XX000'"),
];

/// Writes records 1, 2, 3 as the engine does, and expects that 2 alone is refused with this code.
async fn expect_second_refused(
    sink: &mut PostgresSink,
    row: fn(i64) -> String,
    code: &str,
    case: &str,
) {
    let refused = refused_of(sink, row, 3).await;
    assert_eq!(refused, [(2, code.to_owned())], "{case}");
}

/// Writes records 1 to `count` as the engine does; returns the ids that are refused, each with its code.
async fn refused_of(
    sink: &mut PostgresSink,
    row: fn(i64) -> String,
    count: i64,
) -> Vec<(i64, String)> {
    sink.resume(&[partition(0)]).await.unwrap();
    let values: Vec<String> = (1..=count).map(row).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let list = records(&values);
    let mut refused = Vec::new();
    bisect(sink, list.iter().collect(), (0, count), &mut refused).await;
    refused.sort_by_key(|(offset, _)| *offset);
    let coded = refused.into_iter();
    coded
        .map(|(offset, cause)| (offset + 1, cause.code.unwrap_or_default()))
        .collect()
}

#[tokio::test]
async fn what_a_trigger_refuses_is_the_records_fault() {
    let mut database = Database::new("SELECT").await;
    let count = 2 * FAULTS.len() as i64 + 1;
    let codes = FAULTS.iter().map(|(code, _)| (*code).to_owned());
    let expected: Vec<(i64, String)> = (2..).step_by(2).zip(codes).collect();
    let good: Vec<String> = (1..=count).step_by(2).map(|id| format!("({id})")).collect();
    for mode in &MODES {
        let row = mode.row_name;
        let faults = (2..).step_by(2).zip(FAULTS);
        let faults: Vec<String> = faults
            .map(|(id, (_, fault))| format!("WHEN {id} THEN {fault};"))
            .collect();
        for moment in ["BEFORE", "COMMIT"] {
            let case = format!("{}, {moment}", mode.name);
            let trigger = match moment {
                "COMMIT" => format!(
                    "CREATE CONSTRAINT TRIGGER f AFTER {} ON t DEFERRABLE INITIALLY DEFERRED",
                    mode.operation
                ),
                _ => format!("CREATE TRIGGER f {moment} {} ON t", mode.operation),
            };
            database
                .run(&format!(
                    "DROP TABLE IF EXISTS t, connect_progress; CREATE TABLE t (id int8 PRIMARY KEY, v int4);
                     CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
                     BEGIN CASE {row}.id {} ELSE NULL; END CASE; RETURN {row}; END $$;",
                    faults.join(" ")
                ))
                .await;
            if mode.is_on_rows {
                let rows =
                    format!("INSERT INTO t SELECT n, 0 FROM generate_series(1, {count}) AS n");
                database.run(&rows).await;
            }
            database
                .run(&format!("{trigger} FOR EACH ROW EXECUTE FUNCTION f()"))
                .await;
            let toml = format!("[[tables]]\ntable = \"t\"\n{}", mode.toml);
            let mut sink = open(&database.url(), &toml).await;
            let refused = refused_of(&mut sink, mode.row, count).await;
            assert_eq!(refused, expected, "{case}");
            let written = match mode.operation {
                "INSERT" => "SELECT id FROM t ORDER BY id".to_owned(),
                "UPDATE" => "SELECT id FROM t WHERE v = 1 ORDER BY id".to_owned(),
                _ => {
                    format!("SELECT generate_series(1, {count}) EXCEPT SELECT id FROM t ORDER BY 1")
                }
            };
            assert_eq!(database.lines(&written).await, good, "{case}");
            sink.close().await.unwrap();
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn a_row_that_its_view_or_index_cannot_take_is_the_records_fault() {
    let mut database = Database::new("SELECT").await;
    // Not to be compressed into what an index takes.
    let digits = (0..20_000_u64).map(|n| n.wrapping_mul(n).wrapping_mul(0x9E37_79B9).to_string());
    let long: String = digits.collect();
    let view = "CREATE TABLE b (id int8 PRIMARY KEY, v text);
                CREATE VIEW t AS SELECT * FROM b WHERE v <> 'bad' WITH CHECK OPTION";
    let index = "CREATE TABLE t (id int8 PRIMARY KEY, v text); CREATE INDEX ON t (v)";
    let update = "mode = \"update\"\nkey = [\"id\"]";
    let upsert = "mode = \"upsert\"\nkey = [\"id\"]";
    let cases = [
        ("a view", view, "", "bad", "44000"),
        ("a view", view, update, "bad", "44000"),
        ("an index", index, "", long.as_str(), "54000"),
        ("an index", index, upsert, long.as_str(), "54000"),
        ("an index", index, update, long.as_str(), "54000"),
    ];
    for (name, tables, mode, bad, code) in cases {
        let case = format!("{name}, {mode}");
        database
            .run(&format!(
                "DROP VIEW IF EXISTS t; DROP TABLE IF EXISTS b, connect_progress; {tables}"
            ))
            .await;
        if mode == update {
            database
                .run("INSERT INTO t SELECT n, 'old' FROM generate_series(1, 3) AS n")
                .await;
        }
        let toml = format!("[[tables]]\ntable = \"t\"\n{mode}");
        let mut sink = open(&database.url(), &toml).await;
        sink.resume(&[partition(0)]).await.unwrap();
        let values: Vec<String> = ["good", bad, "good"]
            .into_iter()
            .zip(1..)
            .map(|(v, id)| format!(r#"{{"id":{id},"v":"{v}"}}"#))
            .collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let list = records(&values);
        let Err(Failure::Refused(refused)) = sink.write(&batch(&list, 0)).await else {
            panic!("{case}");
        };
        let found: Vec<_> = refused
            .iter()
            .map(|one| (one.record, one.cause.code.as_deref()))
            .collect();
        assert_eq!(found, [(1, Some(code))], "{case}");
        sink.write(&batch_of(vec![&list[0], &list[2]], 0, 0, 3))
            .await
            .unwrap();
        let written = database
            .text("SELECT count(*) FROM t WHERE v = 'good'")
            .await;
        assert_eq!(written, "(2)", "{case}");
        sink.close().await.unwrap();
        let drop = if name == "a view" {
            "VIEW t"
        } else {
            "TABLE t"
        };
        database.run(&format!("DROP {drop}")).await;
    }
    database.drop().await;
}

#[tokio::test]
async fn what_a_type_cannot_find_is_the_values_fault() {
    let mut database = Database::new("CREATE TABLE known (id int8); CREATE FUNCTION twice(int8) RETURNS int8 LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION twice(int4) RETURNS int4 LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION once(int4) RETURNS int4 LANGUAGE sql AS 'SELECT 1'").await;
    let cases = [
        ("regclass", "known", "gone", "42P01"),
        ("regclass", "known", "gone.gone", "3F000"),
        ("regtype", "int8", "gone", "42704"),
        ("regproc", "once", "gone", "42883"),
        ("regproc", "once", "twice", "42725"),
        ("regprocedure", "once(int4)", "once(text)", "42883"),
        ("regnamespace", "public", "gone", "3F000"),
        ("regrole", "postgres", "gone", "42704"),
    ];
    for (column, good, bad, code) in cases {
        for mode in ["", "mode = \"upsert\"\nkey = [\"id\"]"] {
            database
                .run(&format!("DROP TABLE IF EXISTS t, connect_progress; CREATE TABLE t (id int8 PRIMARY KEY, v {column})"))
                .await;
            let case = format!("{bad} for {column}, {mode}");
            let mut sink = open(
                &database.url(),
                &format!("[[tables]]\ntable = \"t\"\n{mode}"),
            )
            .await;
            sink.resume(&[partition(0)]).await.unwrap();
            let values = [good, bad, good].into_iter().zip(1..);
            let values: Vec<String> = values
                .map(|(value, id)| format!(r#"{{"id":{id},"v":"{value}"}}"#))
                .collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let list = records(&values);
            let mut refused = Vec::new();
            bisect(&mut sink, list.iter().collect(), (0, 3), &mut refused).await;
            let [(1, cause)] = refused.as_slice() else {
                panic!("{case}: {refused:?}");
            };
            assert_eq!(cause.code.as_deref(), Some(code), "{case}");
            assert!(!cause.to_string().contains(bad), "{case}: {cause}");
            assert_eq!(
                database.text("SELECT count(*) FROM t").await,
                "(2)",
                "{case}"
            );
            sink.close().await.unwrap();
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn a_policy_refuses_the_record_and_a_missing_privilege_stops() {
    let mut database = Database::new(
        "CREATE TABLE t (id int8 PRIMARY KEY, v int4); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON t USING (true) WITH CHECK (id <> 2); CREATE TABLE audit (id int8)",
    )
    .await;
    let role = format!("r{}", &database.name[13..]);
    database
        .run(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'p'; GRANT ALL ON t TO {role}; GRANT CREATE ON SCHEMA public TO {role}"
        ))
        .await;
    let url = format!("postgres://{role}:p@{}/{}", server_address(), database.name);
    for mode in MODES.iter().filter(|mode| mode.operation != "DELETE") {
        database
            .run("TRUNCATE t; DROP TABLE IF EXISTS connect_progress")
            .await;
        if mode.is_on_rows {
            database
                .run("INSERT INTO t SELECT n, 0 FROM generate_series(1, 3) AS n")
                .await;
        }
        let mut sink = open(&url, &format!("[[tables]]\ntable = \"t\"\n{}", mode.toml)).await;
        expect_second_refused(&mut sink, mode.row, "42501", mode.name).await;
        sink.close().await.unwrap();
    }
    // A trigger's table: GRANTs on ours would not help.
    database
        .run(
            "TRUNCATE t; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NEW; END $$;
             CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        )
        .await;
    let mut sink = open(&url, "[[tables]]\ntable = \"t\"").await;
    let next = sink.resume(&[partition(0)]).await.unwrap()[0].unwrap();
    let list = records(&[r#"{"id":1}"#]);
    let failure = sink.write(&batch(&list, next)).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Fatal(cause) if cause.to_string().contains("audit") && cause.to_string().contains("SECURITY DEFINER")),
        "{failure}"
    );
    drop(sink);
    database
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
    database.drop().await;
}

#[tokio::test]
async fn a_parent_that_is_still_named_is_not_a_missing_one() {
    let database = Database::new(
        "CREATE TABLE parents (id int8 PRIMARY KEY); CREATE TABLE children (id int8, parent int8 REFERENCES parents);
         INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1)",
    )
    .await;
    let cases = [
        (
            "parents\"\nmode = \"delete\"\nkey = [\"id\"]",
            r#"{"id":1}"#,
            "rows that reference this one",
        ),
        (
            "children",
            r#"{"id":2,"parent":7}"#,
            "references may still arrive",
        ),
    ];
    for (table, value, expected) in cases {
        let closing = if table.ends_with(']') { "" } else { "\"" };
        let mut sink = open(
            &database.url(),
            &format!("[[tables]]\ntable = \"{table}{closing}"),
        )
        .await;
        sink.resume(&[partition(0)]).await.unwrap();
        let list = records(&[value]);
        let failure = sink.write(&batch(&list, 0)).await.unwrap_err();
        let Failure::Retry(cause) = &failure else {
            panic!("{table}: {failure}");
        };
        assert!(cause.to_string().contains(expected), "{table}: {cause}");
        sink.close().await.unwrap();
    }
    database.drop().await;
}

#[tokio::test]
async fn a_function_that_asks_for_another_try_gets_five() {
    let mut database = Database::new(
        "CREATE TABLE t (id int8);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$;
         CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    )
    .await;
    let mut sink = open(&database.url(), "[[tables]]\ntable = \"t\"").await;
    sink.resume(&[partition(0)]).await.unwrap();
    let list = records(&[r#"{"id":1}"#]);
    for _ in 0..4 {
        let failure = sink.write(&batch(&list, 0)).await.unwrap_err();
        assert!(
            matches!(&failure, Failure::Retry(cause) if cause.to_string().contains("after 5 attempts")),
            "{failure}"
        );
    }
    let failure = sink.write(&batch(&list, 0)).await.unwrap_err();
    assert!(matches!(failure, Failure::RefusedSomewhere(_)), "{failure}");
    // It works again: the tries of one record are not those of the next.
    database.run("DROP TRIGGER f ON t").await;
    sink.write(&batch(&list, 0)).await.unwrap();
    database.drop().await;
}
