//! Tables and columns named like the words of our own statements.

use crate::support::*;

/// Every word that a statement of ours uses for something else, and two that only had a meaning in earlier versions.
const WORDS: [&str; 13] = [
    "presence",
    "k1",
    "p1",
    "batch",
    "target",
    "excluded",
    "c1",
    "c2",
    "row_number",
    "unnest",
    "select",
    "connect_place",
    "ordinality",
];

/// The bytes of the first key say what is equal; with the second, the server does.
const KEYS: [(&str, &str, &str); 2] =
    [("int4", "7", "8"), ("inet", "\"10.0.0.1\"", "\"10.0.0.2\"")];

const MODES: [&str; 4] = ["insert", "upsert", "update", "delete"];

#[tokio::test]
async fn no_name_of_the_user_collides_with_a_word_of_ours() {
    let mut database = Database::new("CREATE SCHEMA words").await;
    let columns: Vec<String> = WORDS.iter().map(|word| format!("\"{word}\" int")).collect();
    let fields: Vec<String> = WORDS.iter().map(|word| format!("\"{word}\":2")).collect();
    for (key_type, key, other) in KEYS {
        for table in ["batch", "target", "excluded", "presence"] {
            for mode in MODES {
                let case = format!("{mode} into {table} by a key of type {key_type}");
                database
                    .run(&format!(
                        "DROP TABLE IF EXISTS words.{table}, connect_progress;
                         CREATE TABLE words.{table} (key {key_type} PRIMARY KEY, {});
                         INSERT INTO words.{table} (key) SELECT k::{key_type} FROM unnest('{{{},{}}}'::text[]) k WHERE '{mode}' <> 'insert'",
                        columns.join(", "),
                        key.trim_matches('"'),
                        other.trim_matches('"'),
                    ))
                    .await;
                let key_line = if mode == "insert" {
                    ""
                } else {
                    "key = [\"key\"]"
                };
                let toml =
                    format!("[[tables]]\ntable = \"words.{table}\"\nmode = \"{mode}\"\n{key_line}");
                let value = format!("{{\"key\":{key},{}}}", fields.join(","));
                // Rows with different columns take words of their own.
                let sparse = format!("{{\"key\":{other},\"p1\":2}}");
                write_all(&database.url(), &toml, &[&value, &sparse])
                    .await
                    .unwrap_or_else(|failure| panic!("{case}: {failure}"));
                let sums: Vec<String> = WORDS.iter().map(|word| format!("t.\"{word}\"")).collect();
                let sum = format!(
                    "SELECT {}, t.p1 FROM words.{table} t ORDER BY t.key",
                    sums.join(" + ")
                );
                let expected: &[&str] = if mode == "delete" {
                    &[]
                } else {
                    &["(26,2)", "(,2)"]
                };
                assert_eq!(database.lines(&sum).await, expected, "{case}");
            }
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn a_key_column_may_be_named_so_too() {
    let mut database = Database::new("").await;
    for (key_type, key, _) in KEYS {
        for word in WORDS {
            database
                .run(&format!(
                    "DROP TABLE IF EXISTS t, connect_progress;
                     CREATE TABLE t (\"{word}\" {key_type} PRIMARY KEY, v int4)"
                ))
                .await;
            let toml = format!("[[tables]]\ntable = \"t\"\nmode = \"upsert\"\nkey = [\"{word}\"]");
            let values = [1, 2].map(|v| format!("{{\"{word}\":{key},\"v\":{v}}}"));
            let values = values.each_ref().map(String::as_str);
            write_all(&database.url(), &toml, &values)
                .await
                .unwrap_or_else(|failure| panic!("{word} {key_type}: {failure}"));
            assert_eq!(database.text("SELECT v FROM t").await, "(2)", "{word}");
        }
    }
    database.drop().await;
}
