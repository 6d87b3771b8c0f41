//! Random records in random batches, against a naive model that applies them one by one.

use std::collections::BTreeMap;

use connect_api::{Record, Sink};
use connect_sink_postgres::PostgresSink;

use crate::support::*;

/// A reproducible sequence of numbers (Knuth's constants).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

/// Writes the records in batches of random lengths.
async fn write_in_batches(sink: &mut PostgresSink, list: &[Record], random: &mut Random) {
    let mut at = 0;
    while at < list.len() {
        let count = (1 + random.below(25) as usize).min(list.len() - at);
        sink.write(&batch(&list[at..at + count], at as i64))
            .await
            .unwrap();
        at += count;
    }
}

/// Spellings of keys, each key with two.
const KEYS: [(&str, [[&str; 2]; 4]); 3] = [
    (
        "int8",
        [["1", "\"1\""], ["2", "2.0"], ["3", "3"], ["4", "4"]],
    ),
    (
        "numeric",
        [["1", "1.0"], ["2", "\"2.00\""], ["3", "3.000"], ["4", "4"]],
    ),
    (
        "text COLLATE loose",
        [
            ["\"a\"", "\"A\""],
            ["\"b\"", "\"B\""],
            ["\"c\"", "\"C\""],
            ["\"d\"", "\"d\""],
        ],
    ),
];

const LOOSE: &str =
    "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'";

#[tokio::test]
async fn upserts_and_deletes_of_random_columns() {
    let mut database = Database::new(LOOSE).await;
    for (key, spellings) in KEYS {
        for trigger in [
            "",
            "CREATE TRIGGER n BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing()",
        ] {
            let seed = 7 + key.len() as u64 + trigger.len() as u64;
            let mut random = Random(seed);
            database
                .run(&format!(
                    "DROP TABLE IF EXISTS t, connect_progress;
                     CREATE TABLE t (id {key} PRIMARY KEY, a text, b text DEFAULT 'none', c int, d int DEFAULT 7); {trigger}"
                ))
                .await;
            let mut model: BTreeMap<usize, [String; 4]> = BTreeMap::new();
            let mut list = Vec::new();
            for offset in 0..300 {
                let number = random.below(4) as usize;
                let id = random.pick(&spellings[number]);
                if random.below(5) == 0 {
                    model.remove(&number);
                    list.push(record(
                        offset,
                        None,
                        Some(&format!(r#"{{"id":{id},"gone":true}}"#)),
                    ));
                    continue;
                }
                let row = model
                    .entry(number)
                    .or_insert_with(|| ["", "none", "", "7"].map(str::to_owned));
                let mut fields = vec![format!(r#""id":{id}"#)];
                for (index, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
                    match random.below(4) {
                        0 => {
                            row[index].clear();
                            fields.push(format!(r#""{name}":null"#));
                        }
                        1 => {
                            row[index] = offset.to_string();
                            fields.push(format!(r#""{name}":{offset}"#));
                        }
                        _ => {}
                    }
                }
                list.push(record(
                    offset,
                    None,
                    Some(&format!("{{{}}}", fields.join(","))),
                ));
            }
            let toml = "[[tables]]\ntable = \"t\"\nmode = \"upsert\"\nkey = [\"id\"]\nwhen = \"!has(value.gone)\"\n[[tables]]\ntable = \"t\"\nmode = \"delete\"\nkey = [\"id\"]\nwhen = \"has(value.gone)\"";
            let mut sink = open(&database.url(), toml).await;
            sink.resume(&[partition(0)]).await.unwrap();
            write_in_batches(&mut sink, &list, &mut random).await;
            let expected: Vec<String> = model
                .values()
                .map(|row| format!("({})", row.join(",")))
                .collect();
            assert_eq!(
                database.lines("SELECT a, b, c, d FROM t ORDER BY id").await,
                expected,
                "{key}, seed {seed}"
            );
            sink.close().await.unwrap();
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn orphans_of_random_arrays() {
    let mut database = Database::new(LOOSE).await;
    for (key, spellings) in KEYS {
        let seed = 3 + key.len() as u64;
        let mut random = Random(seed);
        database
            .run(&format!(
                "DROP TABLE IF EXISTS items, connect_progress;
                 CREATE TABLE items (sale {key}, line int, a text, b text DEFAULT 'none', PRIMARY KEY (line, sale));
                 INSERT INTO items SELECT k::{key}, n, 'old', 'old' FROM unnest('{{{}}}'::text[]) k, generate_series(1, 6) n",
                spellings.map(|both| both[0].trim_matches('"').to_owned()).join(",")
            ))
            .await;
        let mut model: BTreeMap<(usize, u64), [String; 2]> = BTreeMap::new();
        for number in 0..4 {
            for line in 1..=6 {
                model.insert((number, line), ["old", "old"].map(str::to_owned));
            }
        }
        let mut list = Vec::new();
        // The last sale is never written: its rows must stay.
        for offset in 0..250 {
            let number = random.below(3) as usize;
            let id = random.pick(&spellings[number]);
            let value = match random.below(12) {
                0 => {
                    model.retain(|(sale, _), _| *sale != number);
                    list.push(record(offset, Some(id), None));
                    continue;
                }
                1 => "{}".to_owned(),
                2 => r#"{"items":null}"#.to_owned(),
                3 => r#"{"items":"none"}"#.to_owned(),
                4 => r#"{"items":[{"line":1}],"skipped":true}"#.to_owned(),
                _ => {
                    let mut elements = Vec::new();
                    let mut kept = Vec::new();
                    for line in 1..=6 {
                        if random.below(2) == 0 {
                            continue;
                        }
                        let row = model
                            .entry((number, line))
                            .or_insert_with(|| ["", "none"].map(str::to_owned));
                        kept.push(line);
                        let mut fields = vec![format!(r#""line":{line}"#)];
                        for (index, name) in ["a", "b"].into_iter().enumerate() {
                            if random.below(2) == 0 {
                                row[index] = offset.to_string();
                                fields.push(format!(r#""{name}":{offset}"#));
                            }
                        }
                        elements.push(format!("{{{}}}", fields.join(",")));
                    }
                    model.retain(|(sale, line), _| *sale != number || kept.contains(line));
                    format!(r#"{{"items":[{}]}}"#, elements.join(","))
                }
            };
            list.push(record(offset, Some(id), Some(&value)));
        }
        let toml = r##"
            [[tables]]
            table = "items"
            mode = "upsert"
            key = ["sale", "line"]
            each = "$.items[*]"
            orphans = "delete"
            when = "value == null || !has(value.skipped)"
            columns = { sale = "#key", line = "@.line", a = "@.a", b = "@.b" }
        "##;
        let mut sink = open(&database.url(), toml).await;
        sink.resume(&[partition(0)]).await.unwrap();
        write_in_batches(&mut sink, &list, &mut random).await;
        let expected: Vec<String> = model
            .iter()
            .map(|((_, line), row)| format!("({line},{})", row.join(",")))
            .collect();
        assert_eq!(
            database
                .lines("SELECT line, a, b FROM items ORDER BY sale, line")
                .await,
            expected,
            "{key}, seed {seed}"
        );
        sink.close().await.unwrap();
    }
    database.drop().await;
}

/// Each record leaves out other columns, so their shapes are nearly as many as they are.
#[tokio::test]
async fn sparse_records_take_as_many_statements_as_dense_ones() {
    const FIELDS: usize = 24;
    const RECORDS: i64 = 2_000;
    const ROUNDS: i64 = 5;
    let columns: Vec<String> = (0..FIELDS)
        .map(|field| format!("f{field} int DEFAULT {field}"))
        .collect();
    let table = |name: &str| {
        format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, {});
             CREATE TRIGGER counted AFTER INSERT ON {name} FOR EACH STATEMENT EXECUTE FUNCTION counted();",
            columns.join(", ")
        )
    };
    let mut database = Database::new(&format!(
        "CREATE TABLE statements (name text);
         CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO statements VALUES (TG_TABLE_NAME); RETURN NULL; END $$;
         {}{}",
        table("dense"),
        table("sparse")
    ))
    .await;
    let mut random = Random(7);
    for name in ["dense", "sparse"] {
        let toml = format!("[[tables]]\ntable = \"{name}\"\nmode = \"upsert\"\nkey = [\"id\"]");
        let mut sink = open(&database.url(), &toml).await;
        database.run("TRUNCATE connect_progress").await;
        sink.resume(&[partition(0)]).await.unwrap();
        for round in 0..ROUNDS {
            let values: Vec<String> = (0..RECORDS)
                .map(|id| {
                    let fields = (0..FIELDS).filter(|_| name == "dense" || random.below(2) == 0);
                    let fields: Vec<String> = fields
                        .map(|field| format!(r#","f{field}":{round}"#))
                        .collect();
                    format!(r#"{{"id":{id}{}}}"#, fields.join(""))
                })
                .collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let list = records(&values);
            sink.write(&batch(&list, round * RECORDS)).await.unwrap();
        }
        sink.close().await.unwrap();
    }
    let statements = database
        .text("SELECT string_agg(concat(name, '=', n), ';' ORDER BY name) FROM (SELECT name, count(*) AS n FROM statements GROUP BY name) AS counted")
        .await;
    assert_eq!(statements, format!("(dense={ROUNDS};sparse={ROUNDS})"));
    database.drop().await;
}
