//! Every column type, by COPY and by UNNEST: the same value must arrive by both roads.

use connect_api::Failure;

use crate::support::*;

/// Type, JSON value, and what `::text` of the column says.
const VALUES: [(&str, &str, &str); 76] = [
    ("int2", "-32768", "-32768"),
    ("int4", "\"2147483647\"", "2147483647"),
    ("int8", "9223372036854775807", "9223372036854775807"),
    ("int8", "1e3", "1000"),
    ("float4", "0.1", "0.1"),
    ("float8", "0.1", "0.1"),
    ("float8", "\"-Infinity\"", "-Infinity"),
    ("numeric", "12345678901234567.89", "12345678901234567.89"),
    ("numeric", "-0.000012300", "-0.000012300"),
    ("numeric", "1e20", "100000000000000000000"),
    ("numeric", "\"NaN\"", "NaN"),
    ("numeric", "\"Infinity\"", "Infinity"),
    ("numeric", "\"-inf\"", "-Infinity"),
    (
        "numeric[]",
        "[\"Infinity\",\"NaN\",0.50]",
        "{Infinity,NaN,0.50}",
    ),
    ("numeric", "0", "0"),
    ("numeric", "10000", "10000"),
    ("numeric(12,2)", "9999999999.99", "9999999999.99"),
    ("numeric(12,2)", "5", "5.00"),
    ("numeric(3,-2)", "12300", "12300"),
    ("bool", "true", "true"),
    ("bool", "\"no\"", "false"),
    ("text", "\"äöü \\u0001 😀\"", "äöü \u{1} 😀"),
    ("text", "12.50", "12.50"),
    ("text", "\"\"", ""),
    ("varchar(3)", "\"äöü\"", "äöü"),
    ("varchar(3)", "\"abc   \"", "abc"),
    ("char(5)", "\"ab\"", "ab"),
    (
        "uuid",
        "\"0189F7E2-3C4B-7D5E-8F90-A1B2C3D4E5F6\"",
        "0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6",
    ),
    ("date", "\"2024-02-29\"", "2024-02-29"),
    ("time", "\"23:59:59.123456\"", "23:59:59.123456"),
    (
        "timestamp",
        "\"2026-11-20T20:35:19.042+02:00\"",
        "2026-11-20 18:35:19.042",
    ),
    (
        "timestamptz",
        "\"2026-11-20T20:35:19.042+02:00\"",
        "2026-11-20 18:35:19.042+00",
    ),
    ("timestamptz", "1763670919042", "2025-11-20 20:35:19.042+00"),
    ("timestamptz", "\"infinity\"", "infinity"),
    (
        "timestamptz(0)",
        "\"2026-11-20T20:35:19.6Z\"",
        "2026-11-20 20:35:20+00",
    ),
    (
        "json",
        "{\"b\":1.50,\"a\":[null]}",
        "{\"b\":1.50,\"a\":[null]}",
    ),
    (
        "jsonb",
        "{\"b\":1.50,\"a\":[null]}",
        "{\"a\": [null], \"b\": 1.50}",
    ),
    ("jsonb", "\"text\"", "\"text\""),
    ("bytea", "\"AP+/\"", "\\x00ffbf"),
    ("mood", "\"it's \\\"ok\\\"\"", "it's \"ok\""),
    ("positive", "5", "5"),
    ("short", "\"abc\"", "abc"),
    ("int4[]", "[1,null,3]", "{1,NULL,3}"),
    ("int4[]", "[]", "{}"),
    ("int4[]", "[[1,2],[3,4]]", "{{1,2},{3,4}}"),
    (
        "text[]",
        "[\"a,b\",\"c\\\"d\\\\\",\"NULL\",\"\"]",
        "{\"a,b\",\"c\\\"d\\\\\",\"NULL\",\"\"}",
    ),
    ("numeric(6,2)[]", "[1.5,\"2\"]", "{1.50,2.00}"),
    (
        "timestamptz[]",
        "[0,\"2026-01-01T00:00:00Z\"]",
        "{\"1970-01-01 00:00:00+00\",\"2026-01-01 00:00:00+00\"}",
    ),
    (
        "uuid[]",
        "[\"0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6\"]",
        "{0189f7e2-3c4b-7d5e-8f90-a1b2c3d4e5f6}",
    ),
    (
        "jsonb[]",
        "[[1],{\"a\":\"b\"}]",
        "{[1],\"{\\\"a\\\": \\\"b\\\"}\"}",
    ),
    ("bytea[]", "[\"AP+/\"]", "{\"\\\\x00ffbf\"}"),
    ("date[]", "[\"2024-02-29\"]", "{2024-02-29}"),
    ("mood[]", "[\"sad\"]", "{sad}"),
    ("bool[]", "[true,false]", "{t,f}"),
    ("inet", "\"10.0.0.1/8\"", "10.0.0.1/8"),
    ("interval", "\"1 day 02:00\"", "1 day 02:00:00"),
    ("bit(3)", "\"101\"", "101"),
    ("point", "\"(1,2)\"", "(1,2)"),
    ("int4range", "\"[1,5)\"", "[1,5)"),
    ("xml", "\"<a/>\"", "<a/>"),
    ("name", "\"abc\"", "abc"),
    ("name[]", "[\"abc\"]", "{abc}"),
    ("\"char\"", "\"a\"", "a"),
    ("\"char\"", "7", "7"),
    ("\"char\"[]", "[\"a\",\"b\"]", "{a,b}"),
    ("money", "12.34", "$12.34"),
    ("money", "\"-1234.50\"", "-$1,234.50"),
    ("money[]", "[12.34,\"5\"]", "{$12.34,$5.00}"),
    (
        "interval",
        "{\"months\":1,\"days\":2,\"milliseconds\":3500}",
        "1 mon 2 days 00:00:03.5",
    ),
    (
        "interval[]",
        "[{\"months\":0,\"days\":-2,\"milliseconds\":-1},\"1 day\"]",
        "{\"-2 days -00:00:00.001\",\"1 day\"}",
    ),
    ("interval month", "\"1 year 2 mons\"", "1 year 2 mons"),
    (
        "box[]",
        "[\"(3,4),(1,2)\",\"(7,8),(5,6)\"]",
        "{(3,4),(1,2);(7,8),(5,6)}",
    ),
    ("int2vector", "[1,-2]", "1 -2"),
    ("int2vector", "\"1 2\"", "1 2"),
    ("oidvector", "[1,4294967295]", "1 4294967295"),
    ("xid", "4294967295", "4294967295"),
];

const TYPES: &str = "SET timezone = 'UTC';
    CREATE TYPE mood AS ENUM ('sad', 'it''s \"ok\"');
    CREATE DOMAIN positive AS int4 CHECK (VALUE > 0);
    CREATE DOMAIN shorter AS varchar(5);
    CREATE DOMAIN short AS shorter;";

#[tokio::test]
async fn every_type_arrives_by_both_roads() {
    let columns: Vec<String> = VALUES
        .iter()
        .enumerate()
        .map(|(place, (column_type, ..))| format!("c{place} {column_type}"))
        .collect();
    // Types without a binary form here would take the whole table off COPY: the first table has none of them.
    let is_binary = |place: usize| {
        let element = VALUES[place].0.trim_end_matches("[]");
        let by_text = [
            "inet",
            "interval",
            "interval month",
            "bit(3)",
            "point",
            "int4range",
            "xml",
            "box",
            "int2vector",
            "oidvector",
            "xid",
        ];
        !by_text.contains(&element)
    };
    let binary: Vec<String> = (0..VALUES.len())
        .filter(|place| is_binary(*place))
        .map(|place| columns[place].clone())
        .collect();
    let mut database = Database::new(&format!(
        "{TYPES} CREATE TABLE copied ({}); CREATE TABLE inserted ({}); CREATE TABLE upserted (id int4 PRIMARY KEY, {});",
        binary.join(", "),
        columns.join(", "),
        columns.join(", ")
    ))
    .await;
    let members: Vec<String> = VALUES
        .iter()
        .enumerate()
        .map(|(place, (_, json, _))| format!("\"c{place}\":{json}"))
        .collect();
    let full = format!("{{\"id\":1,{}}}", members.join(","));
    let nulls: Vec<String> = (0..VALUES.len())
        .map(|place| format!("\"c{place}\":null"))
        .collect();
    let nulls = format!("{{\"id\":2,{}}}", nulls.join(","));
    let toml = r#"
        [[tables]]
        table = "copied"
        [[tables]]
        table = "inserted"
        [[tables]]
        table = "upserted"
        mode = "upsert"
        key = ["id"]
    "#;
    write_all(&database.url(), toml, &[&full, &nulls])
        .await
        .unwrap();
    for (place, (column_type, json, expected)) in VALUES.iter().enumerate() {
        for table in ["copied", "inserted", "upserted"] {
            if table == "copied" && !is_binary(place) {
                continue;
            }
            let sql = format!(
                "SELECT array_to_json(array_agg(c{place}::text ORDER BY c{place}::text NULLS LAST))::text FROM {table}"
            );
            let found: Vec<Option<String>> = serde_json::from_str(
                &sqlx::query_scalar::<_, String>(&sql)
                    .fetch_one(&mut database.connection)
                    .await
                    .unwrap(),
            )
            .unwrap();
            assert_eq!(
                found,
                [Some((*expected).to_owned()), None],
                "{column_type} from {json} in {table}"
            );
        }
    }
    database.drop().await;
}

/// Type, JSON value, and a part of the refusal.
const MISFITS: [(&str, &str, &str); 24] = [
    (
        "int2",
        "32768",
        "an integer of 5 digits at $.c does not fit column `c` (smallint) of table `public.t`: it is out of range",
    ),
    (
        "int4",
        "\"abc\"",
        "a string of 3 characters at $.c does not fit column `c` (integer)",
    ),
    ("int8", "1.5", "has a fraction"),
    ("int4", "{}", "an object of 0 members at $.c"),
    ("float8", "1e400", "out of range"),
    (
        "numeric(5,2)",
        "1000",
        "more than 3 digits before the point",
    ),
    (
        "numeric(5,2)",
        "1.234",
        "more than 2 digits after the point",
    ),
    ("bool", "\"maybe\"", "a boolean is expected"),
    ("text", "{}", "a string is expected"),
    ("text", "\"a\\u0000b\"", "U+0000"),
    ("jsonb", "{\"a\":\"\\u0000\"}", "U+0000"),
    ("varchar(3)", "\"abcd\"", "more than 3 characters"),
    ("short", "\"abcdef\"", "more than 5 characters"),
    ("char(2)", "\"abc\"", "more than 2 characters"),
    ("uuid", "\"no\"", "a UUID is expected"),
    ("date", "\"2023-02-29\"", "a date such as"),
    ("time", "\"25:00:00\"", "a time of day"),
    ("timestamptz", "\"yesterday\"", "a time such as"),
    ("timestamptz", "true", "a time (RFC 3339)"),
    ("bytea", "\"***\"", "a base64 string is expected"),
    ("mood", "\"glad\"", "one of sad, it's \"ok\" is expected"),
    ("int4[]", "[[1],[2,3]]", "differ in length"),
    ("int4[]", "5", "an array is expected"),
    (
        "int4 NOT NULL",
        "null",
        "null at $.c does not fit column `c` (integer) of table `public.t`: the column is NOT NULL",
    ),
];

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name() {
    let mut database = Database::new(TYPES).await;
    for (column_type, json, part) in MISFITS {
        database
            .run(&format!(
                "DROP TABLE IF EXISTS t; CREATE TABLE t (id int4, c {column_type})"
            ))
            .await;
        let toml = "[[tables]]\ntable = \"t\"";
        let good = r#"{"id":1,"c":null}"#;
        let bad = format!("{{\"id\":2,\"c\":{json}}}");
        let values = if column_type.ends_with("NOT NULL") {
            vec![bad.as_str()]
        } else {
            vec![good, bad.as_str()]
        };
        let failure = write_all(&database.url(), toml, &values).await.unwrap_err();
        let Failure::Refused(refusals) = failure else {
            panic!("{column_type}: {failure}");
        };
        assert_eq!(refusals.len(), 1, "{column_type}");
        assert_eq!(refusals[0].record, values.len() - 1, "{column_type}");
        assert!(
            refusals[0].cause.message.contains(part),
            "{column_type}: {}",
            refusals[0].cause
        );
        assert_eq!(database.text("SELECT count(*) FROM t").await, "(0)");
    }
    database.drop().await;
}

#[tokio::test]
async fn what_only_the_server_finds_is_refused_by_name() {
    let cases: [(_, _, _, &[usize]); 5] = [
        ("c positive", "0", "23514", &[0, 1]),
        ("c inet", "\"no address at all\"", "22P02", &[0, 1]),
        ("c int4 CHECK (c < 5)", "5", "23514", &[0, 1]),
        ("c int4 UNIQUE", "1", "23505", &[1]),
        ("c tsquery", "\"no address &\"", "42601", &[0, 1]),
    ];
    let mut database = Database::new(TYPES).await;
    for (column, json, code, expected) in cases {
        database
            .run(&format!(
                "DROP TABLE IF EXISTS t; CREATE TABLE t ({column})"
            ))
            .await;
        let toml = "[[tables]]\ntable = \"t\"";
        let value = format!("{{\"c\":{json}}}");
        let failure = write_all(&database.url(), toml, &[&value, &value])
            .await
            .unwrap_err();
        let Failure::Refused(refused) = failure else {
            panic!("{column}: {failure}");
        };
        let records: Vec<usize> = refused.iter().map(|refusal| refusal.record).collect();
        assert_eq!(records, expected, "{column}");
        for refusal in refused {
            let cause = refusal.cause;
            assert_eq!(cause.code.as_deref(), Some(code), "{cause}");
            assert!(!cause.to_string().contains("no address"), "{cause}");
        }
    }
    database.drop().await;
}
