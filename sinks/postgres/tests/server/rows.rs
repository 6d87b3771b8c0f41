//! What one record is in a table: keys as the table compares them, columns that records lack, the order of rows.

use connect_api::{Failure, Sink};

use crate::support::*;

/// Key types with two ways to write one key, and a key that differs.
const KEYS: [(&str, &str, &str, &str); 10] = [
    ("int8", "1", "\"1\"", "2"),
    ("text", "\"a\"", "\"a\"", "\"b\""),
    ("char(3)", "\"a\"", "\"a  \"", "\"b\""),
    ("numeric", "1", "1.00", "1.01"),
    ("numeric(10,2)", "1", "1.00", "1.01"),
    ("float8", "0.0", "-0.0", "1e-300"),
    ("inet", "\"10.0.0.1\"", "\"10.0.0.1/32\"", "\"10.0.0.2\""),
    ("interval", "\"1 day\"", "\"24 hours\"", "\"25 hours\""),
    ("text COLLATE loose", "\"a\"", "\"A\"", "\"b\""),
    (
        "timestamptz",
        "\"2026-01-01T00:00:00Z\"",
        "\"2026-01-01T01:00:00+01:00\"",
        "\"2026-01-01T00:00:01Z\"",
    ),
];

const LOOSE: &str =
    "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";

async fn write(sink: &mut connect_sink_postgres::PostgresSink, values: &[String], at: i64) {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let list = records(&values);
    sink.write(&batch(&list, at)).await.unwrap();
}

#[tokio::test]
async fn the_last_record_of_a_key_wins_whatever_its_type_and_columns() {
    let mut database = Database::new(LOOSE).await;
    // The fields of records with one key, in order, and what is left of them over a row `(old, old, old)`.
    let histories: [(&[&str], &str); 7] = [
        (&[r#""a":"1""#, r#""a":"2","b":"B""#], "(2,B,old)"),
        (&[r#""a":"1","b":"B""#, r#""a":"2""#], "(2,B,old)"),
        (&[r#""a":"1""#, r#""b":"B""#, r#""c":"C""#], "(1,B,C)"),
        (
            &[
                r#""a":"1""#,
                r#""a":"2","b":"x""#,
                r#""b":"y""#,
                r#""a":"3""#,
                r#""a":"4","b":"z""#,
            ],
            "(4,z,old)",
        ),
        (&[r#""a":"1","c":"C""#, r#""a":null"#], "(,old,C)"),
        (&[r#""gone":true"#, r#""a":"1""#], "(1,,none)"),
        (
            &[r#""a":"1","b":"B""#, r#""gone":true"#, r#""c":"C""#],
            "(,,C)",
        ),
    ];
    for (key, one, same, other) in KEYS {
        database
            .run(&format!(
                "DROP TABLE IF EXISTS t; CREATE TABLE t (id {key} PRIMARY KEY, a text, b text, c text DEFAULT 'none')"
            ))
            .await;
        let toml = r#"
            [[tables]]
            table = "t"
            mode = "upsert"
            key = ["id"]
            when = "!has(value.gone)"
            [[tables]]
            table = "public.t"
            mode = "delete"
            key = ["id"]
            when = "has(value.gone)"
        "#;
        let mut sink = open(&database.url(), toml).await;
        sink.resume(&[partition(0)]).await.unwrap();
        let mut at = sink.stored(&[partition(0)]).await.unwrap()[0].unwrap_or(0);
        for (fields, expected) in histories {
            database.run("TRUNCATE t").await;
            write(
                &mut sink,
                &[format!(r#"{{"id":{one},"a":"old","b":"old","c":"old"}}"#)],
                at,
            )
            .await;
            at += 1;
            let values: Vec<String> = fields
                .iter()
                .enumerate()
                .flat_map(|(index, fields)| {
                    let id = if index % 2 == 0 { same } else { one };
                    // Another key with other columns, so that the batch never has one set of them.
                    [
                        format!(r#"{{"id":{id},{fields}}}"#),
                        format!(r#"{{"id":{other},"b":"{index}"}}"#),
                    ]
                })
                .collect();
            write(&mut sink, &values, at).await;
            at += values.len() as i64;
            let last = fields.len() - 1;
            assert_eq!(
                database.lines("SELECT a, b, c FROM t ORDER BY id").await,
                [expected.to_owned(), format!("(,{last},none)")],
                "{key}: {fields:?}"
            );
        }
        sink.close().await.unwrap();
    }
    database.drop().await;
}

#[tokio::test]
async fn keys_are_compared_as_the_column_stores_them() {
    let mut database = Database::new("CREATE TABLE nothing ()").await;
    // Types that round, and two values that are one when stored, or are both refused.
    let types = [
        (
            "timestamptz(0)",
            "2026-01-01T00:00:00.100Z",
            "2026-01-01T00:00:00.200Z",
        ),
        (
            "timestamp(3)",
            "2026-01-01T00:00:00.123400",
            "2026-01-01T00:00:00.123300",
        ),
        ("time(0)", "12:00:00.1", "12:00:00.2"),
        ("timetz(0)", "12:00:00.1+00", "12:00:00.2+00"),
        ("interval(0)", "1.1 s", "1.2 s"),
    ];
    for (key, one, other) in types {
        database
            .run(&format!(
                "DROP TABLE IF EXISTS t; CREATE TABLE t (id {key} PRIMARY KEY, v int)"
            ))
            .await;
        let toml = r##"
            [[tables]]
            table = "t"
            mode = "upsert"
            key = ["id"]
            when = "value.op == 'c'"
            columns = { id = "$.id", v = "$.v" }
            [[tables]]
            table = "t"
            mode = "delete"
            key = ["id"]
            when = "value.op == 'd'"
            columns = { id = "$.id" }
        "##;
        let upsert = |id, v| format!(r#"{{"op":"c","id":"{id}","v":{v}}}"#);
        let delete = |id| format!(r#"{{"op":"d","id":"{id}"}}"#);
        // One batch with both, then a delete in a batch of its own.
        let both = [upsert(one, 1), upsert(other, 2)];
        let both: Vec<&str> = both.iter().map(String::as_str).collect();
        match write_all(&database.url(), toml, &both).await {
            Ok(()) => {
                assert_eq!(database.lines("SELECT v FROM t").await, ["(2)"], "{key}");
                let gone = write_all(&database.url(), toml, &[&delete(one)]).await;
                assert!(gone.is_ok(), "{key}: {gone:?}");
            }
            Err(Failure::Refused(refusals)) => {
                assert_eq!(refusals.len(), 2, "{key}");
                let gone = write_all(&database.url(), toml, &[&delete(one)]).await;
                assert!(matches!(gone, Err(Failure::Refused(_))), "{key}: {gone:?}");
            }
            Err(other) => panic!("{key}: {other}"),
        }
        assert_eq!(database.lines("SELECT * FROM t").await, [""; 0], "{key}");
    }
    database.drop().await;
}

#[tokio::test]
async fn inserts_keep_the_order_of_the_records_whatever_columns_each_has() {
    let mut database = Database::new("CREATE TYPE mood AS ENUM ('sad')").await;
    let tables = [
        (
            "defaults",
            "n int GENERATED BY DEFAULT AS IDENTITY, id int, a text DEFAULT 'x', b text DEFAULT 'y', m mood[] DEFAULT '{sad}', c numeric(4,1) DEFAULT 1",
        ),
        (
            "a default that counts",
            "n serial, id int, a text DEFAULT 'x', b int DEFAULT nextval('counted')",
        ),
        (
            "an identity that some records have",
            "n int GENERATED ALWAYS AS IDENTITY (START 1000), id int, a text DEFAULT 'x', b text",
        ),
    ];
    for (name, columns) in tables {
        database.run(&format!("DROP TABLE IF EXISTS t; DROP SEQUENCE IF EXISTS counted; CREATE SEQUENCE counted; CREATE TABLE t ({columns})")).await;
        let has_identity = name.starts_with("an identity");
        let values: Vec<String> = (0..40)
            .map(|id| match id % 5 {
                0 => format!(r#"{{"id":{id}}}"#),
                1 => format!(r#"{{"id":{id},"a":"{id}"}}"#),
                2 => format!(r#"{{"id":{id},"b":"{id}"}}"#),
                3 if has_identity => format!(r#"{{"id":{id},"n":{id}}}"#),
                3 => format!(r#"{{"id":{id},"a":null}}"#),
                _ => format!(r#"{{"id":{id},"b":"{id}","a":"{id}"}}"#),
            })
            .collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        write_all(&database.url(), "[[tables]]\ntable = \"t\"", &values)
            .await
            .unwrap();
        let ids: Vec<String> = (0..40).map(|id| format!("({id})")).collect();
        assert_eq!(
            database.lines("SELECT id FROM t ORDER BY ctid").await,
            ids,
            "{name}"
        );
        if !has_identity {
            assert_eq!(
                database.lines("SELECT id FROM t ORDER BY n").await,
                ids,
                "{name}"
            );
        }
        assert_eq!(
            database
                .lines("SELECT a FROM t WHERE id < 4 ORDER BY id")
                .await
                .join(""),
            if has_identity {
                "(x)(1)(x)(x)"
            } else {
                "(x)(1)(x)()"
            },
            "{name}"
        );
    }
    database.drop().await;
}

#[tokio::test]
async fn rows_that_conflict_are_left_alone_and_not_counted() {
    let mut database = Database::new("CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE, v text DEFAULT 'none'); INSERT INTO t VALUES (1, 'a', 'old')").await;
    let toml = "[[tables]]\ntable = \"t\"\non_conflict = \"nothing\"";
    let config = config(&database.url(), toml);
    let context = context("test");
    let written = context.rows_written.clone();
    let mut sink =
        <connect_sink_postgres::Postgres as connect_api::SinkPlugin>::open(&config, context)
            .await
            .unwrap();
    sink.resume(&[partition(0)]).await.unwrap();
    let values = [
        r#"{"id":1,"mail":"x","v":"new"}"#,
        r#"{"id":2,"mail":"a","v":"new"}"#,
        r#"{"id":3,"mail":"c","v":"first"}"#,
        r#"{"id":3,"mail":"c","v":"second"}"#,
        r#"{"id":4,"mail":"d"}"#,
    ];
    let list = records(&values);
    sink.write(&batch(&list, 0)).await.unwrap();
    assert_eq!(written.get(), 2);
    assert_eq!(
        database.lines("SELECT * FROM t ORDER BY id").await,
        ["(1,a,old)", "(3,c,first)", "(4,d,none)"]
    );
    database.drop().await;
}

#[tokio::test]
async fn a_trigger_that_changes_the_key_does_not_lose_columns() {
    let mut database = Database::new(
        "CREATE TABLE t (id text PRIMARY KEY, a text, b text);
         INSERT INTO t VALUES ('a', 'old', 'old'), ('b', 'old', 'old');
         CREATE FUNCTION lowered() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id = lower(NEW.id); RETURN NEW; END';
         CREATE TRIGGER lowered BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION lowered()",
    )
    .await;
    let toml = "[[tables]]\ntable = \"t\"\nmode = \"upsert\"\nkey = [\"id\"]";
    let values = [
        r#"{"id":"A","a":"new"}"#,
        r#"{"id":"B","b":"new"}"#,
        r#"{"id":"C","a":"new","b":null}"#,
    ];
    write_all(&database.url(), toml, &values).await.unwrap();
    assert_eq!(
        database.lines("SELECT * FROM t ORDER BY id").await,
        ["(a,new,old)", "(b,old,new)", "(c,new,)"]
    );
    database.drop().await;
}
