//! What `unit`, `decimal` and `parse` make of a value.

use connect_api::Failure;

use super::{TYPES, records_of, refusals, table};
use crate::support::*;

/// Type, the column's options, JSON value, and the text of what is written; `None` where it is refused.
const WITH_OPTIONS: [(&str, &str, &str, Option<&str>); 37] = [
    ("date", "unit = \"days\"", "20412", Some("2025-11-20")),
    ("date", "unit = \"days\"", "\"20412\"", Some("2025-11-20")),
    (
        "date",
        "unit = \"days\"",
        "\"2025-11-20\"",
        Some("2025-11-20"),
    ),
    ("date", "unit = \"days\"", "20412.5", None),
    ("date", "unit = \"days\"", "2147483647", None),
    // Debezium's numbers for infinity.
    ("date", "unit = \"days\"", "-2147472692", Some("infinity")),
    ("date", "unit = \"days\"", "-2147472691", Some("-infinity")),
    (
        "timestamp(3)",
        "unit = \"us\"",
        "9223372036825200000",
        Some("infinity"),
    ),
    ("date", "unit = \"ms\"", "1763670919042", Some("2025-11-20")),
    (
        "date[]",
        "unit = \"days\"",
        "[0,\"20412\"]",
        Some("{1970-01-01,2025-11-20}"),
    ),
    ("date", "", "20412", None),
    ("date[]", "", "[20412]", None),
    ("time", "", "72900000", None),
    ("time", "unit = \"ms\"", "72900000", Some("20:15:00")),
    (
        "time",
        "unit = \"us\"",
        "\"72900000001\"",
        Some("20:15:00.000001"),
    ),
    ("time(0)", "unit = \"s\"", "72900.5", Some("20:15:01")),
    ("time", "unit = \"s\"", "86401", None),
    ("time[]", "unit = \"s\"", "[0]", Some("{00:00:00}")),
    (
        "timestamptz",
        "unit = \"s\"",
        "1732137319.042",
        Some("2024-11-20 21:15:19.042+00"),
    ),
    (
        "timestamptz",
        "unit = \"ms\"",
        "\"1732137319042\"",
        Some("2024-11-20 21:15:19.042+00"),
    ),
    (
        "timestamptz",
        "unit = \"ns\"",
        "1732137319042001500",
        Some("2024-11-20 21:15:19.042002+00"),
    ),
    (
        "timestamptz",
        "unit = \"days\"",
        "20412",
        Some("2025-11-20 00:00:00+00"),
    ),
    ("timestamptz", "", "1732137319.042", None),
    ("timestamptz", "", "\"1732137319042\"", None),
    (
        "numeric",
        "decimal = \"base64\", scale = 2",
        "\"AN4=\"",
        Some("2.22"),
    ),
    (
        "numeric(5,2)",
        "decimal = \"base64\", scale = 2",
        "\"3g==\"",
        Some("-0.34"),
    ),
    (
        "numeric(5,1)",
        "decimal = \"base64\", scale = 2",
        "\"3g==\"",
        None,
    ),
    (
        "numeric[]",
        "decimal = \"base64\", scale = 2",
        "[\"AN4=\",null]",
        Some("{2.22,NULL}"),
    ),
    (
        "money",
        "decimal = \"base64\", scale = 2",
        "\"AN4=\"",
        Some("$2.22"),
    ),
    (
        "int8",
        "decimal = \"base64\", scale = 0",
        "\"AN4=\"",
        Some("222"),
    ),
    (
        "text",
        "decimal = \"base64\", scale = 2",
        "\"AN4=\"",
        Some("2.22"),
    ),
    (
        "numeric",
        "decimal = \"base64\", scale = 2",
        "\"2.22\"",
        None,
    ),
    (
        "jsonb",
        "parse = true",
        "\"{\\\"a\\\": 1.50}\"",
        Some("{\"a\": 1.50}"),
    ),
    (
        "json",
        "parse = true",
        "\"{\\\"a\\\": 1.50}\"",
        Some("{\"a\": 1.50}"),
    ),
    ("jsonb", "parse = true", "\"null\"", Some("null")),
    (
        "jsonb[]",
        "parse = true",
        "[\"[1]\",{\"a\":1}]",
        Some("{[1],\"{\\\"a\\\": 1}\"}"),
    ),
    ("jsonb", "parse = true", "\"no json\"", None),
];

#[tokio::test]
async fn options_decide_how_a_column_is_read() {
    let types = || WITH_OPTIONS.iter().map(|case| case.0);
    let mut database = Database::new(&format!(
        "{TYPES} {} {}",
        table("upserted", types()),
        table("appended", types())
    ))
    .await;
    let columns: Vec<String> = WITH_OPTIONS
        .iter()
        .enumerate()
        .map(|(index, (_, options, ..))| match *options {
            "" => format!("c{index} = \"$.c{index}\""),
            options => format!("c{index} = {{ path = \"$.c{index}\", {options} }}"),
        })
        .collect();
    let columns = columns.join("\n");
    let toml = format!(
        "[[tables]]\ntable = \"upserted\"\nmode = \"upsert\"\nkey = [\"id\"]\n[tables.columns]\nid = \"$.id\"\n{columns}\n\
         [[tables]]\ntable = \"appended\"\n[tables.columns]\nid = \"$.id\"\n{columns}"
    );
    let values = records_of(WITH_OPTIONS.iter().map(|case| case.2));
    let is_taken = |index: &usize| WITH_OPTIONS[*index].3.is_some();
    let all = 0..values.len();
    let bad: Vec<usize> = all.clone().filter(|index| !is_taken(index)).collect();
    let refused: Vec<usize> = refusals(&database, &toml, &values)
        .await
        .iter()
        .map(|refusal| refusal.record)
        .collect();
    assert_eq!(refused, bad);
    let good: Vec<&str> = all
        .filter(is_taken)
        .map(|index| values[index].as_str())
        .collect();
    write_all(&database.url(), &toml, &good).await.unwrap();
    for (index, (column_type, options, json, expected)) in WITH_OPTIONS.iter().enumerate() {
        let Some(expected) = expected else { continue };
        for table in ["upserted", "appended"] {
            let sql = format!("SELECT c{index}::text FROM {table} WHERE id = {index}");
            let found: String = sqlx::query_scalar(&sql)
                .fetch_one(&mut database.connection)
                .await
                .unwrap();
            assert_eq!(
                found, *expected,
                "{column_type} {options} {json} in {table}"
            );
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn an_option_that_a_type_has_no_use_for_stops_the_start() {
    let mut database = Database::new("CREATE TABLE t (c interval, d time)").await;
    let cases = [
        (
            "c",
            "unit = \"ms\"",
            "column `c` (interval) of table `public.t`: `unit` is for date",
        ),
        ("d", "unit = \"days\"", "a time of day is counted in"),
        ("c", "parse = true", "`parse` is for json and jsonb columns"),
    ];
    for (column, options, part) in cases {
        let toml = format!(
            "[[tables]]\ntable = \"t\"\ncolumns = {{ {column} = {{ path = \"$.a\", {options} }} }}"
        );
        let Err(Failure::Fatal(cause)) = try_open(&database.url(), &toml).await else {
            panic!("{options} is taken");
        };
        assert!(cause.message.contains(part), "{options}: {cause}");
    }
    database.run("DROP TABLE t").await;
    database.drop().await;
}
