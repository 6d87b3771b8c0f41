//! What PostgreSQL cuts, rounds or reinterprets in silence, compared with `INSERT` of the same literal.

mod options;

use connect_api::{Failure, RejectedRecord};

use crate::support::*;

const TYPES: &str = "SET timezone = 'UTC';
    CREATE DOMAIN label AS name;
    CREATE DOMAIN letter AS \"char\";
    CREATE DOMAIN price AS money;
    CREATE DOMAIN months AS interval month;
    CREATE DOMAIN code AS varchar(3);
    CREATE DOMAIN whole_second AS timestamptz(0);
    CREATE DOMAIN span AS interval;";

/// Columns `c0`, `c1`, … of these types.
fn table<'a>(name: &str, types: impl Iterator<Item = &'a str>) -> String {
    let columns: Vec<String> = types
        .enumerate()
        .map(|(index, column_type)| format!("c{index} {column_type}"))
        .collect();
    format!(
        "CREATE TABLE {name} (id int4 PRIMARY KEY, {});",
        columns.join(", ")
    )
}

/// One record for each value, which has its own column alone.
fn records_of<'a>(values: impl Iterator<Item = &'a str>) -> Vec<String> {
    values
        .enumerate()
        .map(|(index, json)| format!("{{\"id\":{index},\"c{index}\":{json}}}"))
        .collect()
}

async fn refusals(database: &Database, toml: &str, values: &[String]) -> Vec<RejectedRecord> {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    match write_all(&database.url(), toml, &values).await {
        Err(Failure::Refused(refusals)) => refusals,
        other => panic!("{other:?}"),
    }
}

const UPSERT: &str = "[[tables]]\ntable = \"t\"\nmode = \"upsert\"\nkey = [\"id\"]";

/// Types whose text form PostgreSQL would read out of JSON text, or which are cut to it.
const WITHOUT_NESTED_FORM: [&str; 33] = [
    "interval",
    "interval month",
    "span",
    "int4range",
    "daterange",
    "numrange",
    "path",
    "point",
    "polygon",
    "box",
    "xml",
    "name",
    "label",
    "tsvector",
    "tsquery",
    "inet",
    "cidr",
    "macaddr",
    "money",
    "price",
    "uuid",
    "\"char\"",
    "letter",
    "regclass",
    "oid",
    "xid",
    "bit(3)",
    "varbit",
    "timetz",
    "jsonpath",
    "refcursor",
    "mood",
    "text",
];

#[tokio::test]
async fn an_object_or_array_never_becomes_text_of_another_type() {
    let nested = [
        r#"{"months":1,"days":2}"#,
        r#"{"hours":2}"#,
        "{}",
        "[1]",
        "[1,5]",
        r#"["2026-01-01","2026-01-02"]"#,
        "[[1,2],[3,4]]",
    ];
    let mut database = Database::new(&format!("{TYPES} CREATE TYPE mood AS ENUM ('sad');")).await;
    for suffix in ["", "[]"] {
        for json in nested {
            // In an array's column the nested value is one element; the other is a plain string or NULL.
            let json = if suffix.is_empty() {
                json.to_owned()
            } else if json.starts_with('{') {
                format!("[{json},null]")
            } else {
                format!("[null,{json}]")
            };
            let types: Vec<String> = WITHOUT_NESTED_FORM
                .iter()
                .map(|column_type| format!("{column_type}{suffix}"))
                .collect();
            let sql = table("t", types.iter().map(String::as_str));
            database
                .run(&format!("DROP TABLE IF EXISTS t; {sql}"))
                .await;
            let values = records_of(types.iter().map(|_| json.as_str()));
            let refusals = refusals(&database, UPSERT, &values).await;
            let refused: Vec<usize> = refusals.iter().map(|refusal| refusal.record).collect();
            let all: Vec<usize> = (0..values.len()).collect();
            assert_eq!(refused, all, "{json}");
            for refusal in refusals {
                assert!(
                    refusal.cause.message.contains("does not fit column"),
                    "{json}: {}",
                    refusal.cause
                );
            }
        }
    }
    database.drop().await;
}

/// Type, JSON value, the same literal for INSERT, and what INSERT makes of it.
const ALTERED_BY_INSERT: [(&str, &str, &str, &str); 22] = [
    ("money", "\"12.345\"", "12.345", "$12.35"),
    ("money", "12.345", "12.345", "$12.35"),
    ("price", "12.345", "12.345", "$12.35"),
    ("money[]", "[1,12.345]", "{1,12.345}", "{$1.00,$12.35}"),
    ("price[]", "[12.345]", "{12.345}", "{$12.35}"),
    ("\"char\"", "\"abc\"", "abc", "a"),
    ("letter", "\"abc\"", "abc", "a"),
    ("\"char\"[]", "[\"abc\"]", "{abc}", "{a}"),
    ("letter[]", "[\"abc\"]", "{abc}", "{a}"),
    ("\"char\"", "3.7", "3.7", "3"),
    (
        "interval month",
        "\"1 mon 3 days\"",
        "1 mon 3 days",
        "1 mon",
    ),
    ("interval month", "\"P1M3D\"", "P1M3D", "1 mon"),
    (
        "interval month",
        "{\"months\":1,\"days\":2,\"milliseconds\":0}",
        "1 mon 2 days",
        "1 mon",
    ),
    ("interval year", "\"13 mons\"", "13 mons", "1 year"),
    ("interval hour", "\"10:30\"", "10:30", "10:00:00"),
    ("months", "\"1 mon 3 days\"", "1 mon 3 days", "1 mon"),
    (
        "months[]",
        "[\"1 mon 3 days\"]",
        "{1 mon 3 days}",
        "{\"1 mon\"}",
    ),
    (
        "interval",
        "\"{\\\"months\\\":1,\\\"days\\\":2,\\\"milliseconds\\\":3500}\"",
        "{\"months\":1,\"days\":2,\"milliseconds\":3500}",
        "1 day 00:58:20.002",
    ),
    ("xid", "\"12abc\"", "12abc", "12"),
    ("oid", "-1", "-1", "4294967295"),
    ("cidr", "10", "10", "10.0.0.0/8"),
    ("timetz", "101112", "101112", "10:11:12+00"),
];

#[tokio::test]
async fn what_insert_alters_in_silence_is_refused() {
    let mut types: Vec<&str> = ALTERED_BY_INSERT.iter().map(|case| case.0).collect();
    let mut values: Vec<String> = ALTERED_BY_INSERT
        .iter()
        .map(|case| case.1.to_owned())
        .collect();
    let mut literals: Vec<String> = ALTERED_BY_INSERT
        .iter()
        .map(|case| case.2.to_owned())
        .collect();
    let mut altered: Vec<String> = ALTERED_BY_INSERT
        .iter()
        .map(|case| case.3.to_owned())
        .collect();
    let long = "ä".repeat(32);
    for column_type in ["name", "label", "name[]", "label[]"] {
        let (open, close) = if column_type.ends_with("[]") {
            ("{", "}")
        } else {
            ("", "")
        };
        types.push(column_type);
        values.push(if open.is_empty() {
            format!("\"{long}\"")
        } else {
            format!("[\"{long}\"]")
        });
        literals.push(format!("{open}{long}{close}"));
        altered.push(format!("{open}{}{close}", "ä".repeat(31)));
    }
    let sql = table("t", types.iter().copied());
    let mut database = Database::new(&format!("{TYPES} {sql}")).await;
    let refused: Vec<usize> = refusals(
        &database,
        UPSERT,
        &records_of(values.iter().map(String::as_str)),
    )
    .await
    .iter()
    .map(|refusal| refusal.record)
    .collect();
    assert_eq!(refused, (0..types.len()).collect::<Vec<_>>());
    for (index, literal) in literals.iter().enumerate() {
        let sql = format!(
            "INSERT INTO t (id, c{index}) VALUES ({index}, '{literal}') RETURNING c{index}::text"
        );
        let found: String = sqlx::query_scalar(&sql)
            .fetch_one(&mut database.connection)
            .await
            .unwrap();
        assert_eq!(found, altered[index], "{} {literal}", types[index]);
    }
    database.drop().await;
}

/// Type and string: what INSERT makes of it, we do.
const SAME_AS_INSERT: [(&str, &str); 45] = [
    ("timestamptz", "2026-11-20T20:35:60.5Z"),
    ("timestamptz", "2026-11-20T20:35:19.1234565Z"),
    ("timestamptz", "2026-11-20T20:35:19.1234575Z"),
    ("timestamptz", "2026-11-20T20:35:19.12345650001Z"),
    ("timestamptz", "2026-11-20T20:35:19.9999999Z"),
    ("timestamptz", "1969-12-31T23:59:59.9999995Z"),
    ("timestamptz", "2016-12-31T23:59:60Z"),
    ("timestamptz", "2026-11-20T24:00:00+15:59"),
    ("timestamptz(0)", "2026-11-20T20:35:19.5Z"),
    ("timestamptz(0)", "1999-12-31T23:59:58.5Z"),
    ("timestamptz(0)", "1999-12-31T23:59:58.4999995Z"),
    ("timestamptz(3)", "2026-11-20T20:35:19.0425Z"),
    ("timestamptz(3)", "1969-11-20T20:35:19.0425Z"),
    ("timestamp(1)", "2026-11-20T20:35:19.05"),
    ("whole_second", "2026-11-20T20:35:19.5Z"),
    ("timestamptz", "infinity"),
    ("timestamptz(0)", "-infinity"),
    ("date", "infinity"),
    ("date", " 2026-11-20 "),
    ("time", "20:35:19.1234565"),
    ("time(0)", "23:59:59.5"),
    ("time(2)", "10:00:00.125"),
    ("time", "23:59:60"),
    ("timetz(0)", "10:00:00.6+02"),
    ("interval(0)", "PT1.6S"),
    ("interval", "P1Y2M3DT4H"),
    ("interval month", "1 year 2 mons"),
    ("interval day to minute", "1 mon 1 day 10:11"),
    ("interval year to month", "P1Y1M"),
    ("uuid", "{0189f7e23c4b7d5e8f90a1b2c3d4e5f6}"),
    ("uuid", "0189-f7e2-3c4b-7d5e-8f90-a1b2-c3d4-e5f6"),
    ("numeric", "5."),
    ("numeric", "-.5e1"),
    ("numeric", "Infinity"),
    ("numeric(5,2)", "NaN"),
    ("float8", "5."),
    ("int4", " +5 "),
    ("bool", " tRue "),
    ("varchar(3)", "ab     "),
    ("char(3)", "ab     "),
    ("code", "abc  "),
    ("money", "-12.3"),
    ("price", "92233720368547758.07"),
    ("\"char\"", "\\303"),
    ("\"char\"", ""),
];

#[tokio::test]
async fn a_string_becomes_what_insert_makes_of_it() {
    let types = || SAME_AS_INSERT.iter().map(|case| case.0);
    let mut database = Database::new(&format!(
        "{TYPES} {} {} {}",
        table("upserted", types()),
        table("appended", types()),
        table("right_ones", types())
    ))
    .await;
    let toml = "[[tables]]\ntable = \"upserted\"\nmode = \"upsert\"\nkey = [\"id\"]\n[[tables]]\ntable = \"appended\"";
    let literals: Vec<String> = SAME_AS_INSERT
        .iter()
        .map(|case| serde_json::Value::from(case.1).to_string())
        .collect();
    let values = records_of(literals.iter().map(String::as_str));
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    write_all(&database.url(), toml, &values).await.unwrap();
    for (index, (column_type, literal)) in SAME_AS_INSERT.iter().enumerate() {
        let sql = format!("INSERT INTO right_ones (id, c{index}) VALUES ({index}, '{literal}')");
        database.run(&sql).await;
        let mut texts = Vec::new();
        for table in ["right_ones", "upserted", "appended"] {
            let sql =
                format!("SELECT '<' || c{index}::text || '>' FROM {table} WHERE id = {index}");
            texts.push(database.text(&sql).await);
        }
        assert!(
            texts.iter().all(|text| *text == texts[0]),
            "{column_type} {literal}: {texts:?}"
        );
    }
    database.drop().await;
}

/// Type and string that PostgreSQL refuses as well.
const REFUSED_BY_BOTH: [(&str, &str); 18] = [
    ("uuid", "0189f7e2--3c4b-7d5e-8f90-a1b2c3d4e5f6"),
    ("uuid", "0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6-"),
    ("uuid", " 0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6"),
    ("int4", "\u{a0}5"),
    ("int4", "5."),
    ("int4", "-.5e1"),
    ("numeric", "5\u{a0}"),
    ("float8", "\u{a0}5"),
    ("bool", "true\u{a0}"),
    ("time", "12:34:56,5"),
    ("time", "23:59:60.5"),
    ("timestamptz", "2026-11-20T20:35:19,5Z"),
    ("timestamptz", "2026-11-20T20:35:19+16:00"),
    ("timestamptz", "2026-11-20T23:59:60.5Z"),
    ("date", "\u{a0}2026-11-20"),
    ("numeric(5,2)", "Infinity"),
    ("varchar(3)", "abc \u{a0}"),
    ("money", "NaN"),
];

#[tokio::test]
async fn what_insert_refuses_is_refused_here() {
    let sql = table("t", REFUSED_BY_BOTH.iter().map(|case| case.0));
    let mut database = Database::new(&format!("{TYPES} {sql}")).await;
    let literals: Vec<String> = REFUSED_BY_BOTH
        .iter()
        .map(|case| serde_json::Value::from(case.1).to_string())
        .collect();
    let values = records_of(literals.iter().map(String::as_str));
    let refused: Vec<usize> = refusals(&database, UPSERT, &values)
        .await
        .iter()
        .map(|refusal| refusal.record)
        .collect();
    assert_eq!(refused, (0..values.len()).collect::<Vec<_>>());
    for (index, (column_type, literal)) in REFUSED_BY_BOTH.iter().enumerate() {
        let sql = format!("INSERT INTO t (id, c{index}) VALUES ({index}, '{literal}')");
        let inserted = sqlx::query(&sql).execute(&mut database.connection).await;
        assert!(inserted.is_err(), "{column_type} {literal}");
    }
    database.drop().await;
}
