//! Which records an entry takes, and entries of one table: values that are not meant, conditions, tombstones.

use connect_api::{Failure, Sink};

use crate::support::*;

/// What a write ended with: the records refused, or none.
fn refused<T>(result: Result<T, Failure>) -> Vec<usize> {
    match result {
        Ok(_) => Vec::new(),
        Err(Failure::Refused(refusals)) => refusals.iter().map(|refusal| refusal.record).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_record_that_has_nothing_of_the_table_is_refused_in_every_mode() {
    let mut database = Database::new(
        "CREATE TABLE t (id int, name text); CREATE UNIQUE INDEX ON t (id); CREATE TABLE d (id int DEFAULT 7, name text DEFAULT 'x')",
    )
    .await;
    let mapped = r#"columns = { id = "$.id", name = "$.name" }"#;
    let elements = r#"each = "$.list[*]""#;
    let entries = [
        ("insert", format!("table = \"t\"\n{mapped}")),
        ("insert by name", "table = \"t\"".to_owned()),
        ("insert with defaults", format!("table = \"d\"\n{mapped}")),
        ("upsert", format!("table = \"t\"\nmode = \"upsert\"\nkey = [\"id\"]\n{mapped}")),
        ("update", format!("table = \"t\"\nmode = \"update\"\nmissing_row = \"ignore\"\nkey = [\"id\"]\n{mapped}")),
        ("delete", format!("table = \"t\"\nmode = \"delete\"\nkey = [\"id\"]\n{mapped}")),
        ("metadata beside", "table = \"t\"\ncolumns = { id = \"#offset\", name = \"$.name\" }".to_owned()),
        ("key from metadata", "table = \"t\"\nmode = \"upsert\"\nkey = [\"id\"]\ncolumns = { id = \"#offset\", name = \"$.name\" }".to_owned()),
    ];
    let values = [
        r#"[{"id":1,"name":"a"}]"#,
        "3",
        r#""text""#,
        "null",
        "true",
        "{}",
        r#"{"other":1}"#,
        r#"{"data":{"id":7,"name":"g"}}"#,
    ];
    let all: Vec<usize> = (0..values.len()).collect();
    for (mode, entry) in &entries {
        let toml = format!("[[tables]]\n{entry}");
        let result = write_all(&database.url(), &toml, &values).await;
        assert_eq!(refused(result), all, "{mode}");
        // The same of elements, whose record has fields of these names.
        if mode.starts_with("metadata") || mode.starts_with("key") {
            continue;
        }
        let entry = entry.replace("$.", "@.");
        let toml = format!("[[tables]]\n{entry}\n{elements}");
        let wrapped: Vec<String> = values
            .iter()
            .map(|value| format!(r#"{{"id":9,"name":"n","list":[{value}]}}"#))
            .collect();
        let wrapped: Vec<&str> = wrapped.iter().map(String::as_str).collect();
        let result = write_all(&database.url(), &toml, &wrapped).await;
        assert_eq!(refused(result), all, "each, {mode}");
    }
    assert_eq!(
        database
            .lines("SELECT * FROM t UNION ALL SELECT * FROM d")
            .await,
        [""; 0]
    );
    // One field is enough, also if it is null; so is the value as a whole, whatever it is.
    let toml = format!("[[tables]]\ntable = \"t\"\n{mapped}");
    write_all(&database.url(), &toml, &[r#"{"name":null}"#])
        .await
        .unwrap();
    let whole = "[[tables]]\ntable = \"t\"\ncolumns = { id = \"$[0]\", name = \"#topic\" }";
    write_all(&database.url(), whole, &["[1]"]).await.unwrap();
    assert_eq!(
        database.lines("SELECT * FROM t ORDER BY id").await,
        ["(1,sales)", "(,)"]
    );
    database.drop().await;
}

#[tokio::test]
async fn conditions_decide_about_tombstones_too() {
    let mut database = Database::new(
        "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text)",
    )
    .await;
    let keyed = r##"mode = "upsert"
        key = ["id"]
        columns = { id = "#key", v = "$.v" }"##;
    // The conditions of tables `a` and `b`, and the tables that a tombstone of key 1 leaves a row in, or a refusal.
    let cases = [
        ("topic == 'sales'", "topic == 'other'", Some("b")),
        ("topic == 'other'", "topic == 'sales'", Some("a")),
        ("topic == 'sales'", "true", Some("")),
        ("topic == 'other'", "topic == 'other'", Some("a b")),
        ("value == null", "value != null", Some("b")),
        (
            "value == null || value.v == 'x'",
            "value != null && value.v == 'x'",
            Some("b"),
        ),
        ("key == 1", "key == 2", Some("b")),
        ("value.v == 'x'", "true", None),
        ("has(value.v)", "true", None),
    ];
    for (of_a, of_b, left) in cases {
        database
            .run("TRUNCATE a, b; INSERT INTO a VALUES (1, 'x'); INSERT INTO b VALUES (1, 'x')")
            .await;
        let toml = format!(
            "[[tables]]\ntable = \"a\"\nwhen = \"{of_a}\"\n{keyed}\n[[tables]]\ntable = \"b\"\nwhen = \"{of_b}\"\n{keyed}"
        );
        let mut sink = open(&database.url(), &toml).await;
        sink.resume(&[partition(0)]).await.unwrap();
        let at = sink.stored(&[partition(0)]).await.unwrap()[0].unwrap_or(0);
        let list = [record(0, Some("1"), None)];
        let result = sink.write(&batch(&list, at)).await;
        assert_eq!(
            refused(result).is_empty(),
            left.is_some(),
            "{of_a} / {of_b}"
        );
        let tables = database
            .lines("SELECT 'a' FROM a UNION ALL SELECT 'b' FROM b")
            .await;
        let expected = left.unwrap_or("a b");
        let shown: Vec<&str> = tables
            .iter()
            .map(|line| line.trim_matches(['(', ')']))
            .collect();
        assert_eq!(shown.join(" "), expected, "{of_a} / {of_b}");
        sink.close().await.unwrap();
    }
    database.drop().await;
}

#[tokio::test]
async fn entries_of_one_table_are_one_whatever_their_spelling_and_order() {
    let mut database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, v int)",
    )
    .await;
    let spellings = [
        ["t", "public.t"],
        ["public.t", "t"],
        [r#"\"t\""#, "t"],
        ["t", "t"],
    ];
    let modes = [
        ["update", "delete"],
        ["delete", "update"],
        ["upsert", "delete"],
        ["delete", "upsert"],
    ];
    let values = [
        r#"{"op":"w","id":1,"v":5}"#,
        r#"{"op":"d","id":1}"#,
        r#"{"op":"w","id":2,"v":7}"#,
        r#"{"op":"w","id":2,"v":8}"#,
    ];
    for spelling in spellings {
        for mode in modes {
            database
                .run("TRUNCATE t; INSERT INTO t VALUES (1, 0), (2, 0)")
                .await;
            let toml: String = (0..2)
                .map(|index| {
                    let condition = if mode[index] == "delete" { "==" } else { "!=" };
                    format!("[[tables]]\ntable = \"{}\"\nmode = \"{}\"\nkey = [\"id\"]\nwhen = \"value.op {condition} 'd'\"\n", spelling[index], mode[index])
                })
                .collect();
            write_all(&database.url(), &toml, &values).await.unwrap();
            assert_eq!(
                database.lines("SELECT * FROM t").await,
                ["(2,8)"],
                "{spelling:?} {mode:?}"
            );
        }
        let conflicts = [
            ("insert", "delete", "id", "mode insert and mode delete"),
            ("upsert", "update", "id", "mode upsert and mode update"),
            ("upsert", "delete", "v", "different keys (id and v)"),
        ];
        for (first, second, key, expected) in conflicts {
            let key_of = |mode, key| {
                if mode == "insert" {
                    String::new()
                } else {
                    format!("key = [\"{key}\"]")
                }
            };
            let toml = format!(
                "[[tables]]\ntable = \"{}\"\nmode = \"{first}\"\n{}\n[[tables]]\ntable = \"{}\"\nmode = \"{second}\"\n{}",
                spelling[0],
                key_of(first, "id"),
                spelling[1],
                key_of(second, key)
            );
            let Err(Failure::Fatal(cause)) = try_open(&database.url(), &toml).await else {
                panic!("{toml}: it opened");
            };
            assert!(cause.to_string().contains(expected), "{cause}");
        }
    }
    // Tables of one name in two schemas are two.
    let toml =
        "[[tables]]\ntable = \"t\"\n[[tables]]\ntable = \"s.t\"\nmode = \"upsert\"\nkey = [\"id\"]";
    write_all(&database.url(), toml, &[r#"{"id":3,"v":1}"#])
        .await
        .unwrap();
    assert_eq!(database.lines("SELECT * FROM s.t").await, ["(3,1)"]);
    database.drop().await;
}

#[tokio::test]
async fn two_entries_of_one_table_insert_in_the_order_of_the_records() {
    let mut database = Database::new("CREATE TABLE t (n serial, kind text, id int)").await;
    let toml = r#"
        [[tables]]
        table = "t"
        when = "value.id % 2 == 0"
        columns = { kind = "$.even", id = "$.id" }
        [[tables]]
        table = "t"
        when = "value.id % 2 == 1"
        columns = { id = "$.id" }
    "#;
    let values: Vec<String> = (0..9)
        .map(|id| format!(r#"{{"id":{id},"even":"e"}}"#))
        .collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    write_all(&database.url(), toml, &values).await.unwrap();
    assert_eq!(
        database.lines("SELECT id, kind FROM t ORDER BY n").await,
        [
            "(0,e)", "(1,)", "(2,e)", "(3,)", "(4,e)", "(5,)", "(6,e)", "(7,)", "(8,e)"
        ]
    );
    database.drop().await;
}
